"""Webis-CLS-10's reviews in XML, as FLUE's CLS task uses them (Prettenhofer and Stein 2010;
Le et al. 2020): rating over 3 is positive, `<text>` alone is the text.
"""

import html
import unicodedata
from pathlib import Path
from typing import Dict, Iterator, List
from xml.etree import ElementTree

from ..errors import UserError
from .examples import Format, LabelledText, Notes, split_of

LABELS = ("negative", "positive")
# Control characters that are Windows-1252 letters read as ISO-8859-1: 0x9c is œ, 0x85 is ….
C1 = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}


def clean(text: str) -> str:
    """Return a review as FLUE cleans it: entities that were escaped twice, C1 letters, NFC,
    line ends and runs of white space as one space."""
    text = html.unescape(text).translate(C1)
    return " ".join(unicodedata.normalize("NFC", text).split())


def read(path: Path, skipped: Notes, repaired: Notes) -> Iterator[LabelledText]:
    """Yield the reviews of a file, with the category as stratum. Streams: one item in memory.

    Raises UserError where the XML is broken.
    """
    try:
        events = ElementTree.iterparse(path, events=("start", "end"))
        _, root = next(events)
        number = 0
        for event, item in events:
            if event == "start" or item.tag != "item":
                continue
            number += 1
            place = f"{path}: item {number}"
            rating = item.findtext("rating", "").strip()
            text = clean(item.findtext("text") or "")
            category = item.findtext("category") or path.parent.name
            root.clear()
            if not rating.replace(".", "", 1).isdigit():
                skipped.add("without rating", place)
            elif float(rating) == 3:
                skipped.add("rating 3, neither positive nor negative", place)
            elif not text:
                skipped.add("empty text", place)
            else:
                label = LABELS[float(rating) > 3]
                yield LabelledText(text, label, f"{category}/{label}")
    except ElementTree.ParseError as error:
        line, column = error.position
        raise UserError(f"{path}:{line}: broken XML at column {column}: {error.msg}.") from error
    except StopIteration as error:
        raise UserError(f"{path}: no XML element in it.") from error


def find(folder: Path, language: str, skipped: Notes) -> Dict[str, List[Path]]:
    """Return the .review files of each split, of all categories of the language's folder.

    The archive has a folder a language (de, en, fr, jp); without one of the language's name all
    below `folder` is read.
    """
    folder = next((path for path in sorted(folder.rglob(language)) if path.is_dir()), folder)
    files: Dict[str, List[Path]] = {}
    for path in sorted(folder.rglob("*.review")):
        split = split_of(path)
        if split is None:
            skipped.add("file without labels", str(path))
        else:
            files.setdefault(split, []).append(path)
    return files


FORMAT = Format(read, labels=LABELS, find=find, dev_ratio=0.2)
