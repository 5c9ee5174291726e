"""Measure conversions: `python -m bench.convert speed`, `python -m bench.convert memory`.

The corpora are generated: word frequencies follow Zipf's law, every fourth sentence has a new word,
and every second one an entity.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import typer
from spacy.cli.convert import convert as spacy_convert
from wasabi import msg

from scripts.corpora.conversion import convert

# The size of CoNLL-2003's train split: 14,041 sentences of 14.5 words on average, 946 documents.
CONLL_SENTENCES, SENTENCES_PER_DOCUMENT = 14_041, 15
app = typer.Typer(add_completion=False, help=__doc__)


def write_corpus(path: Path, sentences: int, documents: bool) -> None:
    """Write sentences of 3 to 26 words in CoNLL-2003's four columns, optionally in documents."""
    draw = random.Random(0)
    syllables = [a + b for a in "bcdfglmnprst" for b in "aeiou"]
    words = ["".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(30_000)]
    # Zipf's law: the frequency of the word of rank r is proportional to 1 / r.
    text = draw.choices(words, [1 / rank for rank in range(1, 30_001)], k=200_000)
    labels = ["PER", "LOC", "ORG", "MISC"]
    with path.open("w", encoding="utf8") as file:
        for number in range(sentences):
            if documents and number % SENTENCES_PER_DOCUMENT == 0:
                file.write("-DOCSTART- -X- O O\n\n")
            first = draw.randrange(len(text) - 30)
            tags = ["O"] * draw.randint(3, 26)
            tokens = text[first : first + len(tags)]
            if number % 4 == 0:
                tokens[0] = f"{tokens[0]}{number}"
            if number % 2 == 0:
                label = labels[number // 2 % 4]
                tags[1:3] = [f"B-{label}", f"I-{label}"]
            tokens[-1] = "."
            lines = (f"{token} NN B-NP {tag}\n" for token, tag in zip(tokens, tags))
            file.write("".join(lines) + "\n")


@app.command()
def speed(rounds: int = 5) -> None:
    """Compare this project with `spacy convert` on corpora of CoNLL-2003's size.

    Both run in turn in one process, after a warm-up round. Prints the median times and their ratio.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for output in ("ours", "theirs"):
            (folder / output).mkdir()
        rows = []
        for documents in (False, True):
            path = folder / "train.conll"
            write_corpus(path, CONLL_SENTENCES, documents)
            times: dict[str, list[float]] = {"ours": [], "theirs": []}
            for _ in range(rounds + 1):
                start = time.perf_counter()
                convert("iob", path, folder / "ours", "en")
                times["ours"].append(time.perf_counter() - start)
                start = time.perf_counter()
                # One sentence per Doc, as here; with -DOCSTART- lines spaCy makes one per document.
                spacy_convert(
                    path, folder / "theirs", converter="ner", file_type="spacy", n_sents=1,
                    lang="en", silent=True,
                )  # fmt: skip
                times["theirs"].append(time.perf_counter() - start)
            ours, theirs = median(times["ours"][1:]), median(times["theirs"][1:])
            ratios = sorted(b / a for a, b in list(zip(times["ours"], times["theirs"]))[1:])
            setting = "documents of 15 sentences" if documents else "one Doc per sentence"
            spread = f"{ratios[0]:.1f}–{ratios[-1]:.1f}"
            rows.append(
                (setting, f"{ours:.2f} s", f"{theirs:.2f} s", f"{theirs / ours:.1f}", spread)
            )
    header = ("spacy convert makes", "this project", "spacy convert", "ratio", "range of ratios")
    msg.table(rows, header=header, divider=True)


# Runs in a separate process, so that its peak memory can be measured.
MEASURED = """
import resource, sys, time
from pathlib import Path
from scripts.corpora.conversion import convert
start = time.perf_counter()
convert("iob", Path(sys.argv[1]), Path(sys.argv[2]), "en")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter() - start)
"""


@app.command()
def memory(sizes: list[int] = typer.Argument([100_000, 5_000_000])) -> None:
    """Measure peak memory and time for corpora of these numbers of sentences.

    Each conversion runs in a separate process. Needs about 60 bytes of disk space per word. Does
    not run on Windows.
    """
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "train.conll"
            write_corpus(path, size, documents=False)
            command = [sys.executable, "-c", MEASURED, path, Path(temporary) / "out"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peak, seconds = done.stdout.split()
            shards = len(list((Path(temporary) / "out").rglob("*.spacy")))
        rate = f"{size / float(seconds):,.0f} / s"
        peak = f"{int(peak) / 1024:.0f} MB"
        rows.append((f"{size:,}", peak, f"{float(seconds):.0f} s", rate, shards))
    msg.table(rows, header=("sentences", "peak memory", "time", "rate", "files"), divider=True)


if __name__ == "__main__":
    app()
