"""Raw corpora to examples to DocBin: one reader per format behind one interface, one writer."""

from typing import Dict

from . import cls, iob, sst2, wikiner
from .examples import Format

FORMATS: Dict[str, Format] = {
    "sst2": sst2.FORMAT,
    "cls": cls.FORMAT,
    "iob": iob.FORMAT,
    "wikiner": wikiner.FORMAT,
}
