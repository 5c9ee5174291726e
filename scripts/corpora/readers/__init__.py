"""One reader per format, behind the interface of `corpora.examples`."""

from pathlib import Path
from zipfile import is_zipfile

from ...common.errors import UserError
from ...common.rawfile import is_archive
from ...common.split_names import split_of, visible_files
from ..examples import Format
from ..records import JSON
from ..sample import Sample
from ..split_folders import visible_folders
from . import (
    brat,
    cls,
    conllu,
    dataturks,
    doccano,
    fasttext,
    folders,
    gmb,
    hf,
    iob,
    label_studio,
    prodigy,
    spacy_data,
    sst2,
    table,
    tei,
    webanno,
    wikiner,
)
from .columns import OTHER_TEXT_COLUMNS, TEXT_COLUMNS

# In the order in which they are tried to recognise a corpus: those with the clearest marks first.
FORMATS: dict[str, Format] = {
    "sst2": sst2.FORMAT,
    "cls": cls.FORMAT,
    "wikiner": wikiner.FORMAT,
    "webanno": webanno.FORMAT,
    "tei": tei.FORMAT,
    "fasttext": fasttext.FORMAT,
    "brat": brat.FORMAT,
    "folders": folders.FORMAT,
    "spacy": spacy_data.FORMAT,
    "hf": hf.FORMAT,
    "gmb": gmb.FORMAT,
    "conllu": conllu.FORMAT,
    "label-studio": label_studio.FORMAT,
    "prodigy": prodigy.FORMAT,
    "dataturks": dataturks.FORMAT,
    "doccano": doccano.FORMAT,
    "iob": iob.FORMAT,
    "table": table.FORMAT,
}
AUTO = "auto"
# Names of columns that are told; with more, a line is no header.
MANY = 30
SHEETS = (".xls", ".xlsb", ".ods")
DOCUMENTS = (".docx", ".odt", ".pptx", ".epub")


def recognised(sample: Sample) -> str | None:
    """Return the name of the format that a sample looks like; None if it looks like none."""
    return next(
        (name for name, x in FORMATS.items() if x.recognises and x.recognises(sample)), None
    )


def check_alike(name: str, sample: Sample) -> None:
    """Raise UserError if other files of a folder are named after a split but in another format."""
    for path in visible_files(sample.source):
        if split_of(path) is None or path == sample.path:
            continue
        other = recognised(Sample(path, sample.encoding))
        if other not in (None, name):
            raise UserError(
                f"{sample.source}: files of two formats: {sample.path.name} looks like {name}, "
                f"{path.name} like {other}; convert one at a time, each with its --split."
            )


def keys_of(sample: Sample) -> list[str]:
    """Return the keys of the first JSON objects, in lower case."""
    return list(dict.fromkeys(str(key).casefold() for record in sample.objects for key in record))


def hint(sample: Sample) -> str:
    """Return what to do about a corpus that looks like no format, if what it is shows; "" if not."""
    source = sample.source
    if sample.path.suffix.lower() in SHEETS:
        return "a spreadsheet of another program than today's Excel; save it as .xlsx or .csv."
    if source.is_dir():
        names = ", ".join(path.name for path in visible_folders(source))[:80]
        return (
            f"no file in this folder is of a known format; give one of its folders: {names}."
            if names
            else ""
        )
    packed = source.is_file() and source.suffix.lower() not in DOCUMENTS
    if packed and (is_archive(source) or is_zipfile(source)):
        return "an archive; unpack it, and give the file or folder that was in it."
    if sample.suffix == ".json" and len(sample.objects) == 1:
        return (
            f"one JSON object, with the keys {', '.join(keys_of(sample))[:120]}; write an array of objects, "
            "each with a text and its label or entities."
        )
    if sample.suffix not in JSON and sample.lines and sample.lines[0].lstrip()[:2] in ('{"', "[{"):
        return (
            "JSON in a file with another suffix; rename it to .jsonl, or .json if it is one array."
        )
    columns = sample.columns if sample.suffix in (".csv", ".tsv") else ()
    names = keys_of(sample) or [name for name in columns if name]
    if names and set(names) <= {*TEXT_COLUMNS, *OTHER_TEXT_COLUMNS}:
        return f"texts alone ({', '.join(names)}), without labels or entities to learn."
    if 1 < len(names) < MANY:
        return (
            f"columns with other names than those of texts and labels, {', '.join(names)[:120]}; name "
            "two with --text-column and --label-column or, without a header, all with --columns text,label."
        )
    return ""


def recognise(
    source: Path,
    encoding: str | None = None,
    columns: str | None = None,
    text_column: str | None = None,
) -> str:
    """Return the name of the format of a corpus, by its names and first lines; a table if the user names
    its columns, or that of the texts.

    Raises UserError if it looks like none, or if its files look like several.
    """
    if not source.exists():
        raise UserError(f"{source}: no such file or folder; check the path.")
    if columns:
        return "table"
    sample = Sample(source, encoding)
    name = recognised(sample)
    if name is not None:
        if source.is_dir() and FORMATS[name].find is None:
            check_alike(name, sample)
        return name
    if text_column and text_column.casefold() in (*sample.columns, *keys_of(sample)):
        return "table"
    if why := hint(sample):
        raise UserError(f"{source}: not recognised: {why}")
    names = ", ".join(name for name, format in FORMATS.items() if format.recognises)
    raise UserError(
        f"{source}: not recognised as any of the formats {names}; name one (`convert --help` lists "
        "them), or the columns of a table without a header, --columns text,label."
    )
