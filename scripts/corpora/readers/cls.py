"""Webis-CLS-10 reviews (XML) as used by FLUE's CLS task, and FLUE's own TSV.

A rating above 3 is positive, and only `<text>` is used (Prettenhofer and Stein 2010; Le et al.
2020).
"""

import html
import lzma
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePath, PurePosixPath
from xml.etree.ElementTree import TreeBuilder

from defusedxml import ElementTree

from ...common.errors import UserError
from ...common.rawfile import RawFile, is_archive, plain_path
from ...common.split_names import duplicate_split, split_of
from ..examples import Format, LabelledText, Log, Notes
from ..options import Options
from ..sample import Sample
from .markup import xml_errors
from .tabular import delimited

LABELS = ("negative", "positive")
# Control characters that result from decoding Windows-1252 as ISO-8859-1: 0x9c is œ, 0x85 is ….
C1 = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
SUFFIXES = (".review", ".tsv")
LANGUAGES = ("de", "en", "fr", "jp")
# Members of an archive that are looked at to recognise it.
MEMBERS = 100


def clean(text: str) -> str:
    """Clean a review as FLUE does: unescape HTML entities, restore C1 letters, normalise to NFC and
    collapse whitespace."""
    text = html.unescape(text).translate(C1)
    return " ".join(unicodedata.normalize("NFC", text).split())


def reviews(file: RawFile, log: Log) -> Iterator[LabelledText]:
    """Yield the reviews of an XML file, holding one item in memory at a time.

    Raises UserError for malformed XML, and for a DTD: entities are not expanded.
    """
    file.unit = "item"
    number = 0
    try:
        with xml_errors(file, "reviews"), file.open() as stream:
            # Accepts the XML of the archive, and refuses entity bombs and external entities.
            parser = ElementTree.DefusedXMLParser(
                target=TreeBuilder(), encoding=file.encoding, forbid_dtd=True
            )
            events = ElementTree.iterparse(stream, events=("start", "end"), parser=parser)
            _, root = next(events)
            for event, item in events:
                if event == "start" or item.tag != "item":
                    continue
                number += 1
                location = file.location(number)
                rating = item.findtext("rating", "").strip()
                text = clean(item.findtext("text") or "")
                category = item.findtext("category") or file.path.parent.name
                root.clear()
                if not rating.replace(".", "", 1).isdecimal():
                    log.skip("without rating", location)
                elif float(rating) == 3:
                    log.skip("rating 3, neither positive nor negative", location)
                elif not text:
                    log.skip("empty text", location)
                else:
                    label = LABELS[float(rating) > 3]
                    yield LabelledText(text, label, f"{category}/{label}", number)
    except StopIteration as error:
        raise UserError(
            f"{file}: no XML element found; give a .review file of Webis-CLS-10."
        ) from error
    if not number:
        raise UserError(f"{file}: no <item> found; give a .review file of Webis-CLS-10.")


def flue_rows(file: RawFile, options: Options, log: Log) -> Iterator[LabelledText]:
    """Yield the reviews of FLUE's TSV, with quoting: columns `Text` and `Label` (0 or 1)."""
    rows = delimited(
        file,
        "\t",
        log,
        columns=options.columns or "",
        required=["text", "label"],
        quoting=options.quoting,
    )
    for number, row in rows:
        location = file.location(number)
        label, text = row["label"].strip(), clean(row["text"])
        if label not in ("0", "1"):
            raise UserError(f"{location}: invalid label {label[:20]!r}; use 0 or 1.")
        if not text:
            log.skip("empty text", location)
        else:
            label = LABELS[int(label)]
            yield LabelledText(text, label, f"{file.path.parent.name}/{label}", number)


def read(file: RawFile, options: Options, log: Log) -> Iterator[LabelledText]:
    """Yield the reviews of a file; their stratum is category/label."""
    tabular = plain_path(file.path).suffix.lower() == ".tsv"
    return flue_rows(file, options, log) if tabular else reviews(file, log)


def is_reviews(path: PurePath) -> bool:
    """Return whether a file name is that of reviews, compressed or not."""
    return plain_path(path).suffix.lower() in SUFFIXES and not path.name.startswith(".")


def wanted(name: str, language: str) -> bool:
    """Return whether an archive member is a review file of the language."""
    path = PurePosixPath(name)
    return is_reviews(path) and language in path.parts


def find(folder: Path, language: str, options: Options, ignored: Notes) -> dict[str, list[Path]]:
    """Return the files of each split, for all categories of a language or for --category.

    The archive has one folder per language (de, en, fr, jp). If no folder is named after a
    language, everything below `folder` is read. Raises UserError if there are reviews in other
    languages only, or none of the category.
    """
    folders = [path for path in sorted(folder.rglob("*")) if path.is_dir()]
    available = sorted({path.name for path in folders} & set(LANGUAGES))
    if available and language not in available:
        raise UserError(
            f"{folder}: no reviews for --lang {language}; use one of {', '.join(available)}."
        )
    folder = next((path for path in folders if path.name == language), folder)
    paths = [path for path in sorted(folder.rglob("*.*")) if is_reviews(path) and path.is_file()]
    if options.category:
        categories = sorted({path.parent.name for path in paths})
        paths = [path for path in paths if path.parent.name == options.category]
        if not paths:
            raise UserError(
                f"{folder}: no category {options.category!r}; use one of {', '.join(categories)}."
            )
    # One file per split and category.
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


def recognises(sample: Sample) -> bool:
    """Return whether a corpus has reviews in XML: a .review file, a folder or archive of them."""
    source = sample.source
    if source.is_dir():
        return next(source.rglob("*.review*"), None) is not None
    if plain_path(source).suffix.lower() == ".review":
        return True
    return is_archive(source) and any(x.endswith(".review") for x in first_members(source))


def first_members(archive: Path) -> list[str]:
    """Return the names of the first members of an archive, as far as it is whole."""
    try:
        with tarfile.open(archive) as tar:
            return [member.name for member in islice(tar, MEMBERS)]
    except (EOFError, OSError, zlib.error, lzma.LZMAError, tarfile.TarError):
        return []


FORMAT = Format(
    "Webis-CLS-10 reviews: the published .tar.gz, its folder, or FLUE's TSV",
    read,
    options=("encoding", "columns", "quoting", "category"),
    labels=LABELS,
    find=find,
    members=wanted,
    dev_ratio=0.2,
    recognises=recognises,
)
