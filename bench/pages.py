"""How quick the page of a pipeline is with many examples, in Chromium: python -m bench.pages [EXAMPLES]

Sentences of the sample with their own entities, one in five wrong. Times of a whole event in the page, redrawn: medians of
20, in milliseconds. Needs requirements-test.txt.
"""

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import spacy
from playwright.sync_api import Page, sync_playwright
from spacy.tokens import Doc, Span
from wasabi import msg

from scripts.corpora.conversion import convert
from scripts.corpora.docbins import read_docs
from scripts.corpora.options import Options, Plan
from scripts.reporting.figures import FEW, Scored
from scripts.reporting.page import render
from scripts.serving.entity_errors import counted
from scripts.serving.intervals import interval
from scripts.serving.metrics import score_entities

SAMPLE = Path("assets/sample/ner-fr")
TIMES = 20
# What is done in the page, once with each of two values in turn.
EVENTS = {
    "search": ("query", "input", ["paris", "marie"]),
    "filter by kind": ("kind", "change", ["0", ""]),
    "filter by label": ("gold", "change", ["1", "2"]),
}
CALL = """([id, name, value]) => {
  const node = document.getElementById(id), start = performance.now();
  node.value = value;
  node.dispatchEvent(new Event(name));
  document.body.offsetHeight;
  return performance.now() - start;
}"""


def with_errors(docs: list[Doc]) -> list[Doc]:
    """Return copies of documents, the first entity of every fifth with another label."""
    found = []
    for number, doc in enumerate(docs):
        copy = doc.copy()
        if number % 5 == 0 and doc.ents:
            first, *others = doc.ents
            copy.set_ents([Span(copy, first.start, first.end, "MISC"), *others])
        found.append(copy)
    return found


def page_of(examples: int, folder: Path) -> Path:
    """Write a page of so many examples."""
    convert("wikiner", SAMPLE, folder, "fr", Plan(), Options())
    sentences = list(read_docs(folder / "train.spacy", spacy.blank("fr").vocab))
    gold = [sentences[number % len(sentences)].copy() for number in range(examples)]
    scored = Scored("ner", with_errors(gold), gold, None)
    scores = score_entities(scored.predicted, gold)
    metrics = {
        "raw_text": scores, "interval": interval(scored.tally()), "entity_errors": counted(scored.predicted, gold),
        "split": "test", "examples": examples, "seed": 0, "parameters": 0, "cut_windows": 0, "unannotated": 0,
        "speed": {"words_per_second": 0, "device": "cpu", "torch_threads": 1, "precision": "float32"},
    }  # fmt: skip
    html = render(
        "en", scored, metrics, None, None, examples, title="bench", score=scores["ents_f"],
        score_name="entity F", scored_on="sample", encoder="", text_lang="fr", few=FEW, header=(), rows=(),
        checked=(),
    )  # fmt: skip
    path = folder / "page.html"
    path.write_text(html, "utf8")
    return path


def milliseconds(page: Page, id: str, name: str, values: list[str]) -> float:
    times = [page.evaluate(CALL, [id, name, values[n % 2]]) for n in range(TIMES)]
    return statistics.median(times)


def main(examples: int = 10_000) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        start = time.perf_counter()
        path = page_of(examples, Path(folder))
        made = time.perf_counter() - start
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu"])
        page = browser.new_page()
        page.goto(path.as_uri())
        loaded = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
        rows = [("load", f"{loaded:.0f}")]
        rows += [(name, f"{milliseconds(page, *event):.1f}") for name, event in EVENTS.items()]
        page.evaluate(
            "['gold', 'query'].forEach(id => { document.getElementById(id).value = ''; })"
        )
        turn = "() => { const start = performance.now(); document.getElementById('next').click(); document.body.offsetHeight; return performance.now() - start; }"
        milliseconds(page, "kind", "change", ["", ""])
        rows.append(
            ("next page", f"{statistics.median(page.evaluate(turn) for _ in range(TIMES)):.1f}")
        )
        print(f"{examples:,} examples, {path.stat().st_size / 1e6:.1f} MB, made in {made:.0f} s")
        msg.table(rows, header=("in the browser", "ms"), aligns=("l", "r"), divider=True)
        browser.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
