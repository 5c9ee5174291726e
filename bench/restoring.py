"""What restoring marks and capitals is worth: entity F of a pipeline on sentences as they are written, in
lower case without marks, and restored, also in part: `python -m bench.restoring RESTORER PIPELINE SPLIT`.

Words are the same in all of them, and entities are compared by the words that they span. Intervals are
from a bootstrap over sentences. Writes a section of bench/results/restoring.md, named after the restorer's
folder.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy
import torch
import typer
from spacy.language import Language
from spacy.vocab import Vocab

from scripts.corpora.docbins import read_docs
from scripts.encoders.checkpoint import strip_local_path
from scripts.seq2seq.marks import words_of
from scripts.seq2seq.restorer import open_restorer
from scripts.seq2seq.scores import ALL_MARKS, CAPITALS, Written, evaluate
from scripts.serving.intervals import f_score, interval, paired_interval
from scripts.serving.pipeline import load

from .inference import about, markdown, write_section

RESULTS = Path("bench/results/restoring.md")
WRITTEN, SPOKEN, ENDS, RESTORED = "as written", "spoken", "capital and full stop", "restored"
CAPITALS_ALONE, MARKS_ALONE = "restored, capitals alone", "restored, marks alone"
START = "# Entities in restored text"
HEADER = ("text", "precision", "recall", "entity F", "95 % interval", "better than spoken by")
Entity = tuple[str, int, int]


def places(text: str, words: Sequence[str]) -> numpy.ndarray:
    """Return the word that each character of a text belongs to, -1 for none. words: those of the text, in
    order, in any case."""
    lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text.replace("’", "'"))
    found, position = numpy.full(len(text), -1), 0
    for number, word in enumerate(words):
        position = lowered.index(word.lower(), position)
        found[position : position + len(word)] = number
        position += len(word)
    return found


def by_word(text: str, words: Sequence[str], spans: Sequence[tuple[str, int, int]]) -> set[Entity]:
    """Return entities as a label, a first and a last word; spans: label, start and end in characters."""
    place = places(text, words)
    found = set()
    for label, start, end in spans:
        inside = place[start:end][place[start:end] >= 0]
        if len(inside):
            found.add((label, int(inside[0]), int(inside[-1])))
    return found


def entities(
    nlp: Language, texts: Sequence[str], words: Sequence[Sequence[str]]
) -> list[set[Entity]]:
    """Return the entities that a pipeline finds in texts."""
    return [
        by_word(doc.text, row, [(e.label_, e.start_char, e.end_char) for e in doc.ents])
        for doc, row in zip(nlp.pipe(texts), words)
    ]


def as_written(
    found: Sequence[Written], gold: Sequence[Written], spans: Sequence[set[Entity]]
) -> tuple[float, float]:
    """Return the shares of words with the right capitals: of those in entities, and of the others."""
    right = {True: [], False: []}
    for words, right_words, entities in zip(found, gold, spans, strict=True):
        inside = {place for _, first, last in entities for place in range(first, last + 1)}
        for place, ((word, _), (right_word, _)) in enumerate(zip(words, right_words, strict=True)):
            right[place in inside].append(word == right_word)
    return float(numpy.mean(right[True])), float(numpy.mean(right[False]))


def main(
    checkpoint: Annotated[str, typer.Argument(help="What `train-restorer` made")],
    pipeline: Annotated[str, typer.Argument(help="Pipeline with entities")],
    split: Annotated[Path, typer.Argument(help="Split of a converted corpus: …/test.spacy")],
    count: Annotated[int, typer.Option(min=1, help="Number of sentences")] = 1000,
) -> None:
    """Measure, print a table, and write it with what it was measured on."""
    docs = list(read_docs(split, Vocab()))
    docs = docs[:: max(len(docs) // count, 1)][:count]
    written = [list(words_of(doc.text)) for doc in docs]
    words = [[word for word, _ in row] for row in written]
    gold = [
        by_word(doc.text, row, [(e.label_, e.start_char, e.end_char) for e in doc.ents])
        for doc, row in zip(docs, words)
    ]
    spoken = [" ".join(row).lower() for row in words]
    restorer = open_restorer(checkpoint)
    start = time.perf_counter()
    found = list(restorer.restore(spoken))
    seconds = time.perf_counter() - start
    restored = [one.text for one in found]
    nlp = load(pipeline)
    texts = {
        WRITTEN: [doc.text for doc in docs],
        SPOKEN: spoken,
        ENDS: [f"{text[:1].upper()}{text[1:]}." for text in spoken],
        RESTORED: restored,
        CAPITALS_ALONE: [" ".join(word for word, _ in one.words) for one in found],
        MARKS_ALONE: [text.lower() for text in restored],
    }
    tallies = {}
    for name, given in texts.items():
        pairs = zip(entities(nlp, given, words), gold)
        tallies[name] = numpy.array([(len(f & g), len(f), len(g)) for f, g in pairs])
    rows = []
    for name, tally in tallies.items():
        right, predicted, real = tally.sum(0)
        low, high = interval(tally)
        first, last = paired_interval(tally, tallies[SPOKEN])
        rows.append(
            (name, f"{right / max(predicted, 1):.3f}", f"{right / max(real, 1):.3f}", f"{f_score(tally):.3f}",
             f"{low:.3f}–{high:.3f}", "" if name == SPOKEN else f"{first:+.3f} to {last:+.3f}")
        )  # fmt: skip
    answers = [one.words for one in found]
    scored = evaluate(answers, written)
    inside, outside = as_written(answers, written, gold)
    lines = [
        f"Written by `python -m bench.restoring {Path(checkpoint).name} {strip_local_path(pipeline)} "
        f"{split.parent.name}/{split.name}`: {len(docs):,} sentences, {sum(map(len, words)):,} words, "
        f"{sum(map(len, gold)):,} entities; restored in {seconds:.0f} s. {about(torch.get_num_threads())}\n",
        *markdown(HEADER, rows),
        "",
        f"Restored here: F of marks {scored[ALL_MARKS]['f']:.3f}, of capitals {scored[CAPITALS]['f']:.3f}. "
        f"Of the words in entities {inside:.1%} have their capitals, of the others {outside:.1%}.",
    ]
    write_section(RESULTS, Path(checkpoint).name, lines, START)
    print(*lines, "", *restored[:10], sep="\n")


if __name__ == "__main__":
    typer.run(main)
