"""Compare pipelines on one split: scores, paired tests, changed texts, speed and size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import srsly
from spacy.vocab import Vocab
from wasabi import msg

from .common.errors import UserError, warn
from .common.files import check_file, folder_size, written_beside
from .common.precision import AUTO, check_precision
from .common.weights import weights_hash
from .corpora.docbins import read_docs
from .evaluate import saved_predictions, warn_of_labels
from .light.measure import seconds_of, timed_docs
from .reporting.comparison import in_words, render
from .reporting.numbers import Numbers
from .reporting.templates import Words, check_language, page_language
from .reporting.wheels import wheel_of
from .serving.compared import Entry, open_entries, open_gold, task_of
from .serving.comparison import System, compare_systems
from .serving.gold import Gold, split_sha256
from .serving.pipeline import pipeline_path, set_precision
from .serving.predict import predict_split
from .serving.predictions import (
    SUFFIX,
    Predictions,
    write_predictions,
)
from .serving.train_split import read_train

PAGE, DATA, CACHE = ".html", ".compare.json", ".predictions"


def predict(entry: Entry, path: Path, cache: Path, precision: str, fresh: bool) -> Predictions:
    """Return a pipeline's predictions: those in its metrics, in the cache, or new ones, which are
    written there."""
    if entry.nlp is None:
        return entry.predictions
    name = f"{entry.nlp.lang}_{entry.nlp.meta['name']}-{weights_hash(entry.nlp)[:12]}{SUFFIX}"
    saved = None
    if not fresh:
        saved = saved_predictions(cache / name, entry.nlp, path, precision)
    set_precision(entry.nlp, precision)
    if saved is None:
        # With the pipeline's own vocabulary, which has its vectors.
        docs = list(read_docs(path, entry.nlp.vocab))
        saved = predict_split(entry.nlp, path, docs)
        with written_beside(cache) as folder:
            write_predictions(saved, folder / name)
    return saved


def bytes_of(entry: Entry) -> int | None:
    """Return the size of a pipeline's folder or, of metrics, of its newest wheel in the packages/
    beside the folder of the metrics; None if there is none."""
    if entry.nlp is not None:
        return entry.nlp.path and folder_size(entry.nlp.path)
    packages = Path(entry.source).resolve().parent.parent / "packages"
    wheel = wheel_of(entry.predictions.header.weights, packages)
    return wheel and wheel.stat().st_size


def timed(entries: Sequence[Entry], gold: Gold) -> dict[str, int]:
    """Return the words per second of the loaded pipelines, in turn on the same texts, by source."""
    docs = timed_docs(gold.docs)
    loaded = {entry.source: entry.nlp for entry in entries if entry.nlp is not None}
    seconds = seconds_of(list(loaded.values()), [doc.text for doc in docs])
    words = sum(map(len, docs))
    return {source: round(words / taken) for source, taken in zip(loaded, seconds)}


def print_comparison(result: dict[str, Any]) -> None:
    """Print the figures of `compare` as tables, and what they say in a line each."""
    first, *_ = result["pipelines"]
    to_first = {one["to"]: one for one in result["differences"]}
    rows = []
    for one in result["pipelines"]:
        low, high = one["interval"]
        changed = to_first.get(one["name"])
        cells = ["", "", "", ""]
        if changed:
            ends = " to ".join(f"{end:+.4f}" for end in changed["interval"])
            p = changed["p_holm"]
            cells = [
                f"{changed['difference']:+.4f} ({ends})", f"{p:.3f}" if p >= 0.001 else "<0.001",
                f"{len(changed['lost']):,}", f"{len(changed['won']):,}",
            ]  # fmt: skip
        size = "–" if one["bytes"] is None else f"{one['bytes'] / 1e6:,.0f}"
        rows.append(
            (
                one["name"], f"{one['score']:.4f} ({low:.4f}–{high:.4f})", *cells,
                f"{one['words_per_second']:,}{'' if one['measured_in_turn'] else ' *'}", size,
            )
        )  # fmt: skip
    header = (
        "", f"{result['score']}, 95 %", "difference, 95 %", "p", "right → wrong", "wrong → right",
        "words/s", "MB",
    )  # fmt: skip
    msg.table(rows, header=header, divider=True, aligns=("l", *"rrrrrrr"))
    labels = [
        (
            label, f"{count:,}",
            *(f"{one['f'][label]:.4f}" for one in result["pipelines"]),
        )
        for label, count in result["support"].items()
    ]  # fmt: skip
    names = [one["name"] for one in result["pipelines"]]
    aligns = ("l", *"r" * (len(names) + 1))
    msg.table(labels, header=("F of", "gold", *names), divider=True, aligns=aligns)
    corrected = ", corrected by Holm's method" if result["corrected"] else ""
    print(f"p: {result['test']}, two-sided{corrected}; intervals: paired bootstrap over texts")
    if not all(one["measured_in_turn"] for one in result["pipelines"]):
        print("words/s: * when it was evaluated, perhaps on another day or machine")
    for one in result["pipelines"]:
        warn_of_labels(one["unknown_labels"], f"{one['name']}: ")
    if result["split"] == "dev":
        warn("dev chooses pipelines: the score of one that it chose is too high")
    if result["in_train"]:
        warn(f"{result['in_train']:,} of {result['examples']:,} texts are also in train")
    for one in result["differences"]:
        msg.info(in_words(one, result["examples"], Words("en"), Numbers("en").integer))


def compare(
    sources: Sequence[str],
    corpus: Path,
    output: Path,
    split: str,
    task: str,
    names: str,
    gpu_id: int,
    fresh: bool = False,
    precision: str = AUTO,
    limit: int = 50,
    language: str = "",
) -> None:
    """Compare pipelines, or metrics with predictions beside them, with the first of them on a split.

    Writes a page and, beside it, the figures as JSON, and the predictions of pipelines, which a later
    call reads unless `fresh`. names: for labels of the pipelines, OLD=new. limit: changed texts that
    the page shows, of each kind. language: of the page (default: the pipelines', if that is French, else
    English). Raises UserError if they cannot be compared.
    """
    if len(sources) < 2:
        raise UserError("compare needs two pipelines or more, or metrics files of them.")
    places = [Path(pipeline_path(source)).resolve() for source in sources]
    if twice := next((one for one, at in zip(sources, places) if places.count(at) > 1), ""):
        raise UserError(f"{twice}: named twice; there is nothing to compare it with.")
    if output.suffix != PAGE:
        raise UserError(f"{output}: name a page, a {PAGE} file; figures as JSON are put beside it.")
    data, cache = (output.with_suffix(suffix) for suffix in (DATA, CACHE))
    check_file(output)
    check_file(data)
    check_precision("--precision", precision)
    check_language(language)
    path = corpus / f"{split}.spacy"
    # Refused before anything is loaded.
    next(read_docs(path, Vocab()))
    entries = open_entries(sources, path, names, gpu_id)
    gold = open_gold(path, entries, task_of(entries, task))
    found = [predict(entry, path, cache, precision, fresh) for entry in entries]
    speeds = timed(entries, gold)
    systems = [
        System.of(entry.name, predictions, entry.names, gold)._replace(
            size=bytes_of(entry), timed=speeds.get(entry.source)
        )
        for entry, predictions in zip(entries, found)
    ]
    train = corpus / "train.spacy"
    in_train = None
    if split != "train" and train.exists():
        shared = read_train(gold, train).shared
        in_train = sum(doc.text in shared for doc in gold.docs)
    result = {
        "corpus": corpus.resolve().name, "split": split, "split_sha256": split_sha256(path),
        "in_train": in_train,
        **compare_systems(systems, gold),
    }  # fmt: skip
    with written_beside(output.parent) as folder:
        srsly.write_json(folder / data.name, result)
        page = render(language or page_language(entries[0].lang), result, systems, gold, limit)
        (folder / output.name).write_text(page, encoding="utf8")
    print_comparison(result)
    msg.good(
        f"{output}: {len(sources)} pipelines on {len(gold.docs):,} examples; figures in {data}"
    )
