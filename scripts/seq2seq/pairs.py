"""What a text has to learn restoring from, and what of it is held out."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset, Features, List, Value
from datasets.arrow_writer import ArrowWriter

from ..common.errors import UserError
from ..common.raw_text import read_lines, split
from .chunks import Chunk, cut, written_lines
from .marks import ENDS, MARKS, NONE
from .pieces import Pieces

# Of the chunks, the greatest share with pieces that the tokenizer does not know, which are left out.
MAX_UNKNOWN = 0.5
FEATURES = Features({name: List(Value("int32")) for name in ("input_ids", "labels")})
MARK = re.compile(rf"(\s?)([{re.escape(MARKS)}])")


class Habits:
    """What is frequent in a text, of which a baseline knows nothing else.

    forms: how often a word is written in which way, by its lower-case form, except where a sentence
    begins. ends: how often a mark ends a chunk. spaces: of a mark, how many more have a space before
    them than have none.
    """

    def __init__(self) -> None:
        self.forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.ends: Counter[str] = Counter()
        self.spaces: Counter[str] = Counter()

    def lines(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield lines, after having counted their spaces before marks."""
        for line in lines:
            for space, mark in MARK.findall(line):
                self.spaces[mark] += 1 if space else -1
            yield line

    def add(self, chunk: Chunk) -> None:
        for word, before in zip(chunk.words, [ENDS[0], *chunk.marks]):
            if before not in ENDS:
                self.forms[word.lower()][word] += 1
        self.ends[chunk.marks[-1]] += 1

    @property
    def spaced(self) -> str:
        """The marks that mostly have a space before them."""
        return "".join(mark for mark in MARKS if self.spaces[mark] > 0)

    def written(self, words: list[str]) -> list[tuple[str, str]]:
        """Return words as they are most often written, with a capital at the beginning and the most frequent
        mark at the end."""
        found = [
            self.forms[word].most_common(1)[0][0] if word in self.forms else word for word in words
        ]
        found[0] = found[0][:1].upper() + found[0][1:]
        (end, _), *_ = self.ends.most_common(1)
        return list(zip(found, [NONE] * (len(found) - 1) + [end]))


class Pairs(NamedTuple):
    """Pairs to train on, rows with `input_ids` and `labels` in a memory-mapped file; chunks to evaluate on;
    lines, words and chunks that were used or left out, by reason; habits of the text."""

    train: Dataset
    held_out: list[Chunk]
    counts: Counter[str]
    habits: Habits


def row(chunk: Chunk, pieces: Pieces) -> dict[str, list[int]]:
    return {"input_ids": pieces.spoken(chunk.words), "labels": pieces.written(*chunk)}


def make_pairs(
    text: Path, encoding: str | None, pieces: Pieces, data: dict[str, Any], path: Path
) -> Pairs:
    """Return the pairs of a text; those to train on are written to an Arrow file.

    Held out are the chunks of every twentieth line, the same lines as for tokenizer and pretraining,
    unless their words are also in a chunk to train on. data: the section [data]. Raises UserError if
    there is nothing to learn.
    """
    counts: Counter[str] = Counter()
    habits, seen, limit = Habits(), set(), data["max_pieces"]

    def chunks(held_out: bool) -> Iterator[Chunk]:
        lines = split(read_lines(text, encoding), held_out)
        written = written_lines(lines if held_out else habits.lines(lines), pieces.marks, counts)
        return cut((word for line in written for word in line), pieces, limit, counts)

    with ArrowWriter(path=str(path), features=FEATURES) as writer:
        for chunk in chunks(held_out=False):
            seen.add(hash(chunk.spoken))
            habits.add(chunk)
            pair = row(chunk, pieces)
            if pieces.unknown in pair["input_ids"] or pieces.unknown in pair["labels"]:
                counts["texts with unknown pieces"] += 1
            else:
                writer.write(pair)
                counts["texts to train on"] += 1
        writer.finalize()
    held_out = list(chunks(held_out=True))
    new = [chunk for chunk in held_out if hash(chunk.spoken) not in seen]
    counts["held-out texts that are also in training"] = len(held_out) - len(new)
    check(text, counts, new)
    step = max(len(new) / data["eval_texts"], 1)
    chosen = [new[int(n * step)] for n in range(min(len(new), data["eval_texts"]))]
    return Pairs(Dataset.from_file(str(path)), chosen, counts, habits)


def check(text: Path, counts: Counter[str], held_out: list[Chunk]) -> None:
    """Raise UserError if there is nothing to learn from a text, or to evaluate on."""
    if not counts["lines used"]:
        raise UserError(
            f"{text}: no line that begins with a capital and ends with a mark, so that there is nothing "
            "to learn from; give text with punctuation and capitals, such as books."
        )
    used, unknown = counts["texts to train on"], counts["texts with unknown pieces"]
    if unknown > MAX_UNKNOWN * (used + unknown):
        raise UserError(
            f"{text}: the encoder's tokenizer does not know what is in {unknown:,} of "
            f"{used + unknown:,} texts; choose an encoder of the text's language and script."
        )
    if not held_out:
        raise UserError(f"{text}: too little text to hold any out; give more.")
