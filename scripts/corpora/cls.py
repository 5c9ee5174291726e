"""Webis-CLS-10's reviews in XML, as FLUE's CLS task uses them (Prettenhofer and Stein 2010;
Le et al. 2020): rating over 3 is positive, `<text>` alone is the text. Also FLUE's own TSV.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath
from xml.etree.ElementTree import ParseError, TreeBuilder

from defusedxml import DefusedXmlException, ElementTree

from ..common.errors import UserError, sift
from ..common.rawfile import RawFile, plain_path, split_of, duplicate_split
from .examples import Format, LabelledText, Log, Notes
from .options import Options
from .tabular import delimited

LABELS = ("negative", "positive")
# Control characters that are Windows-1252 letters read as ISO-8859-1: 0x9c is œ, 0x85 is ….
C1 = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
SUFFIXES = (".review", ".tsv")
LANGUAGES = ("de", "en", "fr", "jp")


def clean(text: str) -> str:
    """Return a review as FLUE cleans it: entities that were escaped twice, C1 letters, NFC,
    line ends and runs of white space as one space."""
    text = html.unescape(text).translate(C1)
    return " ".join(unicodedata.normalize("NFC", text).split())


def reviews(file: RawFile, log: Log) -> Iterator[LabelledText]:
    """Yield the reviews of an XML file. Streams: one item in memory.

    Raises UserError where the XML is broken or has a document type: entities are not followed.
    """
    file.unit = "item"
    number = 0
    try:
        with file.open() as stream:
            # Takes what the archive has, and refuses bombs and external entities.
            parser = ElementTree.DefusedXMLParser(
                target=TreeBuilder(), encoding=file.encoding, forbid_dtd=True
            )
            events = ElementTree.iterparse(stream, events=("start", "end"), parser=parser)
            _, root = next(events)
            for event, item in events:
                if event == "start" or item.tag != "item":
                    continue
                number += 1
                place = file.location(number)
                rating = item.findtext("rating", "").strip()
                text = clean(item.findtext("text") or "")
                category = item.findtext("category") or file.path.parent.name
                root.clear()
                if not rating.replace(".", "", 1).isdecimal():
                    log.skip("without rating", place)
                elif float(rating) == 3:
                    log.skip("rating 3, neither positive nor negative", place)
                elif not text:
                    log.skip("empty text", place)
                else:
                    label = LABELS[float(rating) > 3]
                    yield LabelledText(text, label, f"{category}/{label}", number)
    except ParseError as error:
        line, column = error.position
        raise UserError(
            f"{file}:{line}: broken XML at column {column} ({str(error).split(':')[0]}); get the "
            "file again."
        ) from error
    except DefusedXmlException as error:
        raise UserError(
            f"{file}: it declares a document type or entities, which reviews have not and which "
            "can do harm; take the declaration away."
        ) from error
    except (LookupError, ValueError) as error:
        sift(str(file), error)
        declared = re.search(rb"encoding\s*=\s*[\"']([\w.-]+)", file.head())
        name = declared[1].decode() if declared else "none"
        raise UserError(
            f"{file}:1: the XML declares the encoding {name}, which cannot be read ({error}); "
            "convert the file to UTF-8."
        ) from error
    except StopIteration as error:
        raise UserError(f"{file}: no XML element in it.") from error
    if not number:
        raise UserError(f"{file}: no <item> in it; is this a .review file of Webis-CLS-10?")


def flue_rows(file: RawFile, options: Options, log: Log) -> Iterator[LabelledText]:
    """Yield the reviews of FLUE's TSV: `Text` and `Label`, quoted, 0 or 1."""
    rows = delimited(
        file,
        "\t",
        log,
        columns=options.columns or "",
        required=["text", "label"],
        quoting=options.quoting,
    )
    for number, row in rows:
        place = file.location(number)
        label, text = row["label"].strip(), clean(row["text"])
        if label not in ("0", "1"):
            raise UserError(f"{place}: label {label[:20]!r}; expected 0 or 1.")
        if not text:
            log.skip("empty text", place)
        else:
            label = LABELS[int(label)]
            yield LabelledText(text, label, f"{file.path.parent.name}/{label}", number)


def read(file: RawFile, options: Options, log: Log) -> Iterator[LabelledText]:
    """Yield the reviews of a file, with category and label as stratum."""
    tabular = plain_path(file.path).suffix.lower() == ".tsv"
    return flue_rows(file, options, log) if tabular else reviews(file, log)


def is_reviews(path: PurePath) -> bool:
    """Tell whether a file's name is that of reviews, as they are or compressed."""
    return plain_path(path).suffix.lower() in SUFFIXES and not path.name.startswith(".")


def wanted(name: str, language: str) -> bool:
    """Tell whether a member of the archive is a review file of the language."""
    path = PurePosixPath(name)
    return is_reviews(path) and language in path.parts


def find(folder: Path, language: str, options: Options, ignored: Notes) -> dict[str, list[Path]]:
    """Return the files of each split, of all categories of the language's folder, or of one.

    The archive has a folder a language (de, en, fr, jp); without one of the language's name all
    below `folder` is read.
    """
    folders = [path for path in sorted(folder.rglob("*")) if path.is_dir()]
    others = sorted({path.name for path in folders} & set(LANGUAGES))
    if others and language not in others:
        raise UserError(f"{folder}: no reviews in {language!r}; there are {', '.join(others)}.")
    folder = next((path for path in folders if path.name == language), folder)
    paths = [path for path in sorted(folder.rglob("*.*")) if is_reviews(path) and path.is_file()]
    if options.category:
        categories = sorted({path.parent.name for path in paths})
        paths = [path for path in paths if path.parent.name == options.category]
        if not paths:
            raise UserError(
                f"{folder}: no category {options.category!r}; there are {', '.join(categories)}."
            )
    # One a category of each.
    found: dict[tuple[str, Path], Path] = {}
    for path in paths:
        split = split_of(path)
        if split is None:
            ignored.add("file without labels", str(path))
        elif (split, path.parent) in found:
            raise duplicate_split(split, found[split, path.parent], path)
        else:
            found[split, path.parent] = path
    files: dict[str, list[Path]] = {}
    for (split, _), path in found.items():
        files.setdefault(split, []).append(path)
    return files


FORMAT = Format(
    "Webis-CLS-10 reviews: the .tar.gz as published, its folder, or FLUE's own TSV",
    read,
    options=("encoding", "columns", "quoting", "category"),
    labels=LABELS,
    find=find,
    members=wanted,
    dev_ratio=0.2,
)
