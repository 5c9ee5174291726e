"""One reader per format, behind the interface of `corpora.examples`."""

from pathlib import Path

from ...common.errors import UserError
from ...common.split_names import split_of, visible_files
from ..examples import Format
from ..sample import Sample
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


def recognise(source: Path, encoding: str | None = None, columns: str | None = None) -> str:
    """Return the name of the format of a corpus, by its names and first lines; a table if the user names
    its columns.

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
    names = ", ".join(name for name, format in FORMATS.items() if format.recognises)
    raise UserError(
        f"{source}: not recognised as any of the formats {names}; name one (`convert --help` lists "
        "them), or the columns of a table without a header, --columns text,label."
    )
