"""One reader per format, behind the interface of `corpora.examples`."""

from pathlib import Path

from ...common.errors import UserError
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


def recognise(source: Path, encoding: str | None = None) -> str:
    """Return the name of the format of a corpus, by its names and first lines.

    Raises UserError if it looks like none.
    """
    if not source.exists():
        raise UserError(f"{source}: no such file or folder; check the path.")
    sample = Sample(source, encoding)
    for name, format in FORMATS.items():
        if format.recognises and format.recognises(sample):
            return name
    names = ", ".join(name for name, format in FORMATS.items() if format.recognises)
    raise UserError(
        f"{source}: not recognised as any of the formats {names}; name one (`convert --help` lists "
        "them), or write a table with a column text and a column label."
    )
