"""Rows of the hub's data sets, written in the raw formats that the readers know.

Label names are the data set's own, or those in configs/sources.yml. A negative number or null means
no label.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import datasets
import srsly

from ..common.errors import UserError
from .examples import Log
from .readers.tabular import class_name
from .readers.tags import TAG

UNLABELLED = "sentence with an unlabelled tag, left out"
INSIDE = "white space inside a token that would end it, replaced"
POLARITIES = {"negative": "0", "neg": "0", "positive": "1", "pos": "1"}
STRINGS = ("string", "large_string", "string_view")


class Rows(NamedTuple):
    """A split of a data set. `name` returns a label's name, None for no label; `place` is what messages
    call the split."""

    rows: datasets.Dataset
    name: Callable[[Any, str], str | None]
    log: Log
    place: str

    def numbered(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (place, row); rows are numbered from 1."""
        for number, row in enumerate(self.rows, 1):
            yield f"{self.place}: row {number}", row


def sst2_lines(split: Rows) -> Iterator[str]:
    """Yield the lines of GLUE's TSV; its test split has no labels (-1 on the hub)."""
    labels = []
    for number, label in enumerate(split.rows["label"], 1):
        name = split.name(label, f"{split.place}: row {number}")
        labels.append("-1" if name is None else POLARITIES[name.casefold()])
    labelled = not labels or set(labels) != {"-1"}
    yield "sentence\tlabel" if labelled else "index\tsentence"
    for row, label in zip(split.rows, labels):
        text = row["sentence"]
        yield f"{text}\t{label}" if labelled else f"{row['idx']}\t{text}"


def tagged(split: Rows, ends: dict[str, str]) -> Iterator[list[tuple[str, str]]]:
    """Yield the tokens and tags of each labelled sentence. `ends`: the white space that a token of
    the format cannot contain, and its replacement.

    Raises UserError if a sentence has different numbers of tokens and tags.
    """
    unwanted = str.maketrans(ends)
    for place, row in split.numbered():
        tokens, tags = row["tokens"] or [], row["ner_tags"]
        names = None if tags is None else [split.name(tag, place) for tag in tags]
        if names is None or None in names:
            split.log.skip(UNLABELLED, place)
            continue
        if len(tokens) != len(names):
            raise UserError(
                f"{place}: {len(tokens)} tokens and {len(names)} tags; fix the data set."
            )
        written = [(token or "").translate(unwanted) for token in tokens]
        for token, as_written in zip(tokens, written):
            if token != as_written:
                split.log.repair(INSIDE, place)
        yield list(zip(written, names))


def wikiner_lines(split: Rows) -> Iterator[str]:
    """Yield one sentence per line, word|_|tag."""
    for sentence in tagged(split, dict.fromkeys(" \t\r\n", "\u00a0")):
        yield " ".join(f"{word}|_|{tag}" for word, tag in sentence)


def iob_lines(split: Rows) -> Iterator[str]:
    """Yield one token per line, word TAB tag, and a blank line after each sentence."""
    for sentence in tagged(split, dict.fromkeys("\t\r\n", " ")):
        for word, tag in sentence:
            yield f"{word}\t{tag}"
        yield ""


def table_lines(split: Rows) -> Iterator[str]:
    """Yield one JSON object per line: the text and the label's name, null for no label."""
    for place, row in split.numbered():
        text = row["review"] if "review" in row else row["text"]
        yield srsly.json_dumps({"text": text, "label": split.name(row["label"], place)})


class Writer(NamedTuple):
    """A raw format's writer, its file suffix, the sets of columns that it accepts, and which column
    has the labels."""

    lines: Callable[[Rows], Iterator[str]]
    suffix: str
    columns: tuple[set[str], ...]
    labels: str


WRITERS = {
    "sst2": Writer(sst2_lines, "tsv", ({"sentence", "label", "idx"},), "label"),
    "wikiner": Writer(wikiner_lines, "wikiner", ({"tokens", "ner_tags"},), "ner_tags"),
    "iob": Writer(iob_lines, "conll", ({"tokens", "ner_tags"},), "ner_tags"),
    "table": Writer(table_lines, "jsonl", ({"review", "label"}, {"text", "label"}), "label"),
}


def contradict(own: Sequence[str], ours: Sequence[str]) -> bool:
    """Return whether a data set's own names rule out those in configs/sources.yml: another number of
    them, or the same in another order, with or without B- and I-."""
    if len(own) != len(ours):
        return True
    full = [[name.casefold() for name in names] for names in (own, ours)]
    bare = [[name.partition("-")[2] or name for name in names] for names in full]
    return any(a != b and sorted(a) == sorted(b) for a, b in (full, bare))


def check_name(name: str, format: str, column: str, place: str) -> None:
    """Raise UserError for a label name that a format does not have."""
    if column == "ner_tags" and not TAG.fullmatch(name):
        raise UserError(
            f"{place}: {column} holds {name!r}, which does not say where an entity begins (O, "
            "B-LOC, I-LOC); name another data set with --id, or add this one to "
            "configs/sources.yml with IOB tags as its `labels`."
        )
    if format == "sst2" and name.casefold() not in POLARITIES:
        raise UserError(
            f"{place}: {column} holds {name!r}, where negative and positive are expected; name "
            "another data set with --id."
        )


def names_of(
    rows: datasets.Dataset, format: str, ours: Sequence[str] | None, place: str
) -> Callable[[Any, str], str | None]:
    """Return a function from a row's label value and its place to the label's name.

    ours: the names in configs/sources.yml, if they are for this data set; otherwise its own are used.
    Raises UserError for numbers without names, and for names that the format does not have.
    """
    column = WRITERS[format].labels
    feature = rows.features[column]
    if column == "ner_tags":
        feature = getattr(feature, "feature", None)
    if isinstance(feature, datasets.Value) and feature.dtype in STRINGS:
        known: set[str | None] = {None}

        def name(value: Any, where: str) -> str | None:
            if value not in known:
                check_name(value, format, column, where)
                known.add(value)
            return value

        return name
    own = getattr(feature, "names", None)
    names = ours or own
    if not names:
        raise UserError(
            f"{place}: {column}: numbers without names; name another data set with --id, or add "
            "this one to configs/sources.yml with their names as its `labels`."
        )
    if ours and own and contradict(own, ours):
        raise UserError(
            f"{place}: {column} has the names {', '.join(own)[:100]}, where configs/sources.yml "
            f"has {', '.join(ours)[:100]}; fix its `labels`, or name the --revision that they belong to."
        )
    for label in names:
        check_name(label, format, column, place)
    return lambda value, where: class_name(value, names, where)
