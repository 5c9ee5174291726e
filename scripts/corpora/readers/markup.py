"""XML as readers take it: without a DTD, and with one line for what is wrong with it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException

from ...common.errors import UserError, sift
from ...common.rawfile import RawFile


@contextmanager
def xml_errors(file: RawFile, what: str) -> Iterator[None]:
    """Raise UserError for malformed XML, and for a DTD: entities are not expanded.

    what: the kind of texts in the file, which need none.
    """
    try:
        yield
    except ParseError as error:
        line, column = error.position
        raise UserError(
            f"{file}:{line}: malformed XML at column {column} ({str(error).split(':')[0]}); get a "
            "fresh copy of the file."
        ) from error
    except DefusedXmlException as error:
        raise UserError(
            f"{file}: declares a DTD or entities, which {what} do not need and which can be "
            "harmful; remove the declaration."
        ) from error
    except (LookupError, ValueError) as error:
        sift(str(file), error)
        declared = re.search(rb"encoding\s*=\s*[\"']([\w.-]+)", file.head())
        name = declared[1].decode() if declared else "none"
        raise UserError(
            f"{file}:1: the declared XML encoding, {name}, is not supported ({error}); "
            "convert the file to UTF-8."
        ) from error
