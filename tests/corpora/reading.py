"""Helpers to read and convert corpora in tests, and to inspect the results."""

import json
from pathlib import Path

import pytest
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from scripts.common.errors import UserError
from scripts.common.rawfile import RawFile
from scripts.corpora.conversion import convert as convert_format
from scripts.corpora.examples import Log
from scripts.corpora.options import Options, Plan
from scripts.corpora.readers import recognise

ZERO_WIDTH_SPACE, BYTE_ORDER_MARK, NO_BREAK_SPACE = "\u200b", "\ufeff", "\u00a0"


def read(reader, path: Path, encoding: str | None = None, **options):
    log = Log()
    options = Options(encoding=encoding, **options)
    return list(reader.read(RawFile(path, encoding), options, log)), log


def convert(name: str, source: Path, output: Path, plan: Plan = Plan(), language="xx", **options):
    return convert_format(name, source, output, language, plan, Options(**options))


def docs(path: Path) -> list:
    return list(DocBin().from_disk(path).get_docs(Vocab()))


def found(doc) -> tuple[list[str], list[tuple[int, int, str]]]:
    return [token.text for token in doc], [(e.start, e.end, e.label_) for e in doc.ents]


def name_of(path: Path) -> str:
    """Return the name of the format that a corpus is recognised as, "" if it is refused."""
    try:
        return recognise(path)
    except UserError:
        return ""


def counts(notes) -> dict[str, int]:
    return {kind: note["count"] for kind, note in notes.to_json().items()}


def json_lines(rows, *names: str) -> str:
    return "".join(json.dumps(dict(zip(names, row)), ensure_ascii=False) + "\n" for row in rows)


def check_refused(format: str, source: Path, output: Path) -> None:
    """Check that a file is refused in one line, by its format and by `auto`, and nothing written."""
    for name in ("auto", format):
        with pytest.raises(UserError) as error:
            convert(name, source, output)
        assert "\n" not in str(error.value) and not output.exists()


WORDS = ["Marie Curie vit à Paris Lyon .", "Rien 7 .", "Star Wars ."]
POS = ["N N V P N N Y", "N M Y", "N N Y"]
CHUNKS = ["B-NP I-NP B-VP B-PP B-NP B-NP O", "B-NP I-NP O", "B-NP I-NP O"]
ENTITIES = [[(0, 2, "PER"), (4, 5, "LOC"), (5, 6, "LOC")], [], [(0, 2, "creative-work")]]
# Tag prefixes for the entities above, by scheme; "Rien 7 ." has none.
SCHEMES = {
    "IOB1": ["I I O O I B O", "O O O", "I I O"],
    "IOB2": ["B I O O B B O", "O O O", "B I O"],
    "IOBES": ["B E O O S S O", "O O O", "B E O"],
    "BILUO": ["B L O O U U O", "O O O", "B L O"],
}
TAB, SPACE, SPACES = "\t", " ", "   "


def tags_of(scheme: list[str]) -> list[list[str]]:
    tags = []
    for prefixes, entities in zip(scheme, ENTITIES):
        labels = {i: label for start, end, label in entities for i in range(start, end)}
        tags.append([f"{p}-{labels[i]}" if p != "O" else p for i, p in enumerate(prefixes.split())])
    return tags


def lines_of(columns: str, scheme: str = "IOB2", separator: str = TAB) -> list[list[str]]:
    """Return the lines of the three sentences above. Each letter in `columns` stands for a column:
    w(ord), t(ag), p(OS), c(hunk), _ (filler), 0 or 1 (index from that number)."""
    sentences = []
    for index, tags in enumerate(tags_of(SCHEMES[scheme])):
        words = WORDS[index].split()
        values = {
            "w": words,
            "t": tags,
            "p": POS[index].split(),
            "c": CHUNKS[index].split(),
            "_": ["_"] * len(words),
            "0": [str(i) for i in range(len(words))],
            "1": [str(i) for i in range(1, len(words) + 1)],
        }
        rows = zip(*(values[name] for name in columns))
        sentences.append([separator.join(row) for row in rows])
    return sentences


def text_of(sentences: list[list[str]], between: str = "") -> str:
    return "".join("\n".join([*lines, between, ""]) for lines in sentences)


def check(sentences) -> None:
    """Check that the three sentences above were read."""
    assert [s.words for s in sentences] == [words.split() for words in WORDS]
    assert [s.entities for s in sentences] == ENTITIES
