"""Raw corpora to examples to DocBin: one reader per format behind one interface, one writer."""

from . import cls, iob, sst2, table, wikiner
from .examples import Format

FORMATS: dict[str, Format] = {
    "sst2": sst2.FORMAT,
    "cls": cls.FORMAT,
    "iob": iob.FORMAT,
    "wikiner": wikiner.FORMAT,
    "table": table.FORMAT,
}
