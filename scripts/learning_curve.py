"""Train on growing shares of a corpus with several seeds, to see whether more annotation would pay."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import srsly
from spacy.tokens import Doc
from spacy.vocab import Vocab
from wasabi import msg

from .common.devices import use_device
from .common.errors import UserError, warn
from .common.files import check_file, check_folder, check_whole, discard, written_beside
from .common.languages import blank
from .common.precision import FLOAT32
from .common.settings import config_errors
from .compare import PAGE
from .config import TEXTS, training_config
from .corpora.docbins import read_docs
from .encoders.checkpoint import strip_local_path
from .encoders.fingerprint import fingerprint
from .encoders.snapshot import revision_of
from .reporting.curve import in_words, render
from .reporting.templates import check_language, page_language
from .serving.curve import curve
from .serving.gold import check_labels, gold_labels, read_gold, read_split, split_sha256
from .serving.intervals import SCORES, f_score, interval, tallies
from .serving.pipeline import TASKS, load, set_precision, task_labels
from .serving.predict import predict_split
from .serving.train_split import baseline, read_train
from .train import split_paths, tasks_of, train
from .training.shares import Run, runs_of, units_of, write_sample

RUNS, TRAINING, DATA = "runs", "training", ".curve.json"
SEED = "system.seed"


class Request(NamedTuple):
    """What a user asks for. shares: of train, in (0, 1], in ascending order. language: of the page, ""
    for that of the pipelines. settings: that replace those of the config."""

    config: str
    output: Path
    corpus: Path
    lang: str
    shares: list[float]
    seeds: list[int]
    split: str
    page: Path
    language: str
    gpu_id: int
    settings: dict[str, Any]


def numbers_of(option: str, given: str, kind: type) -> list:
    """Return the different numbers of a list such as 10,25,50, in ascending order. Raises UserError."""
    try:
        numbers = [kind(part) for part in given.split(",")]
    except ValueError as error:
        raise UserError(f"{option} {given}: expected numbers with commas between them.") from error
    if min(numbers) < 0:
        raise UserError(f"{option} {given}: give numbers from 0.")
    if len(set(numbers)) < len(numbers):
        raise UserError(f"{option} {given}: a number is given twice.")
    return sorted(numbers)


def shares_of(given: str) -> list[float]:
    """Return shares from percentages. Raises UserError unless they are two or more, up to 100."""
    percentages = numbers_of("--shares", given, float)
    if len(percentages) < 2 or not all(0 < value <= 100 for value in percentages):
        raise UserError(
            f"--shares {given}: give two or more percentages of train, above 0 and up to 100."
        )
    return [value / 100 for value in percentages]


def task_of(request: Request) -> tuple[str, dict[str, Any]]:
    """Return the task that the trained pipelines are scored on, and what identifies their training:
    the hash of the config, and the encoder. Raises UserError."""
    if SEED in request.settings:
        raise UserError(f"--{SEED}: give the seeds with --seeds 0,1,2.")
    path, config, _ = training_config(request.config, request.settings)
    with config_errors(path):
        resolved = config.interpolate()
    tasks = [name for name in tasks_of(resolved) if name in TASKS]
    if len(tasks) != 1:
        raise UserError(
            f"{path}: a learning curve is about one task, and this trains "
            f"{' and '.join(tasks) or 'none'}; name ner, textcat or textcat_multilabel."
        )
    inputs: dict[str, Any] = {"config": hashlib.sha256(config.to_bytes()).hexdigest()}
    encoder = resolved["components"].get("transformer", {}).get("model", {}).get("name")
    if encoder is not None:
        revision = revision_of(resolved.get("settings", {}))
        inputs["encoder"] = {
            **fingerprint(encoder, revision or "", {}), "encoder": strip_local_path(encoder)
        }  # fmt: skip
    return tasks[0], inputs


def labels_known(docs: Iterable[Doc], task: str, found: set[str]) -> Iterator[Doc]:
    """Yield documents, and put the labels that their annotation knows into `found`."""
    for doc in docs:
        found.update(gold_labels(doc, task))
        yield doc


def record_name(run: Run) -> str:
    return f"{100 * run.share:g}-{run.seed}.json"


def finished_runs(request: Request, runs: Sequence[Run], inputs: dict[str, Any]) -> dict[int, dict]:
    """Return the records of those runs that an earlier call has finished, by their places.

    Raises UserError if they were made from something else.
    """
    folder = request.output / RUNS
    check_whole(folder)
    found = {}
    for number, run in enumerate(runs):
        path = folder / record_name(run)
        if not path.exists():
            continue
        try:
            record = srsly.read_json(path)
        except ValueError as error:
            raise UserError(f"{path}: not valid JSON ({error}); delete it.") from error
        before = record.get("inputs", {}) if isinstance(record, dict) else {}
        if different := [name for name in inputs if before.get(name) != inputs[name]]:
            raise UserError(
                f"{path}: of another learning curve, as {', '.join(different)} differed; name another "
                "folder, or delete this one."
            )
        found[number] = record
    return found


def train_run(request: Request, run: Run, task: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Train and score a pipeline; return the record of the run. The pipeline is not kept."""
    start = time.perf_counter()
    folder = request.output / TRAINING
    with TemporaryDirectory(prefix="curve-") as temporary:
        corpus = request.corpus
        if run.share < 1:
            corpus = write_sample(corpus, run, task, Path(temporary))
        settings = {**request.settings, SEED: run.seed}
        train(request.config, folder, [corpus], request.lang, request.gpu_id, settings)
    nlp = load(str(folder), request.gpu_id)
    set_precision(nlp, FLOAT32)
    path = request.corpus / f"{request.split}.spacy"
    gold = read_gold(path, nlp.vocab, task_labels(nlp), task)
    predictions = predict_split(nlp, path, gold.split)
    threshold = predictions.header.threshold_of(task)
    tally = tallies(gold.of(predictions.docs), gold.docs, task, threshold)
    record = {
        "share": run.share, "seed": run.seed, "examples": run.examples,
        "labels": dict(sorted(run.labels.items())), "score": float(f_score(tally)),
        "interval": interval(tally), "seconds": round(time.perf_counter() - start, 1),
        "inputs": inputs, "versions": predictions.header.versions, "tally": tally.tolist(),
    }  # fmt: skip
    with written_beside(request.output / RUNS) as beside:
        srsly.write_json(beside / record_name(run), record)
    discard(folder)
    return record


def minutes_left(left: Sequence[Run], done: Sequence[dict[str, Any]]) -> str:
    """Return how long the trainings that are left will take, by those that were made: as long as the
    last one of the same share or, of larger shares, between that and in proportion to the examples."""
    known = {record["share"]: record for record in done}
    low = high = 0.0
    for run in left:
        nearest = known[min(known, key=lambda share: (abs(share - run.share), share))]
        low += nearest["seconds"]
        high += nearest["seconds"] * max(1.0, run.examples / nearest["examples"])
    shown = [f"{max(seconds / 60, 1):,.0f}" for seconds in (low, high)]
    return f"{' to '.join(dict.fromkeys(shown))} min to go"


def print_curve(result: dict[str, Any]) -> None:
    """Print the points of a curve, and what its last step says."""
    rows = []
    for point in result["points"]:
        low, high = point["interval"]
        sd = "–" if point["sd"] is None else f"{point['sd']:.4f}"
        scores = " ".join(f"{score:.4f}" for score in point["scores"])
        rows.append(
            (
                f"{100 * point['share']:g} %", f"{point['examples']:,.0f}", f"{point['score']:.4f}",
                sd, f"{low:.4f}–{high:.4f}", scores,
            )
        )  # fmt: skip
    header = ("of train", "examples", f"mean {result['score']}", "sd", "95 %", "of each seed")
    lowest = result["baseline"]
    rows.append(("", "", f"{lowest['score']:.4f}", "", "", lowest["what"]))
    msg.table(rows, header=header, divider=True, aligns=(*"rrrrr", "l"))
    print(*in_words(result, "en"))


def learning_curve(request: Request) -> None:
    """Train on shares of a corpus, write the curve as a page and, beside it, as JSON; print it.

    A run that was finished before is not made again. Raises UserError before the first training for
    what would be refused after it.
    """
    if request.page.suffix != PAGE:
        raise UserError(f"{request.page}: name a page, a {PAGE} file; figures are put beside it.")
    data = request.page.with_suffix(DATA)
    check_file(request.page)
    check_file(data)
    check_folder(request.output / RUNS)
    check_language(request.language)
    blank(request.lang)
    use_device(request.gpu_id)
    paths = split_paths(request.corpus)
    test = request.corpus / f"{request.split}.spacy"
    task, inputs = task_of(request)
    gold = read_split(test, Vocab(), [task], task)
    known: set[str] = set()
    by, units = units_of(labels_known(read_docs(paths["train"], Vocab()), task, known), task)
    runs = runs_of(units, request.shares, request.seeds, task)
    check_labels(f"learnt from {paths['train']}: {test}", gold, sorted(known))
    if request.split == "dev":
        warn("these scores are on dev, which chooses the pipelines: they are too high")
    hashes = {name: split_sha256(path) for name, path in (*paths.items(), (request.split, test))}
    inputs |= {"task": task, "lang": request.lang, "split": request.split, **hashes}
    records = finished_runs(request, runs, inputs)
    per_seed = runs[: len(request.shares)]
    sizes = ", ".join(f"{run.examples:,} ({100 * run.share:g} %)" for run in per_seed)
    print(
        f"{len(runs)} trainings, {len(runs) - len(records)} of them to be made: on {sizes} examples of "
        f"train, sampled by {by}, seeds {', '.join(map(str, request.seeds))}; scored on the "
        f"{len(gold.docs):,} examples of {request.split}"
    )
    for number, run in enumerate(runs):
        if number in records:
            continue
        msg.divider(str(run))
        records[number] = train_run(request, run, task, inputs)
        msg.good(f"{run}: {SCORES[task]} {records[number]['score']:.4f}")
        if left := [other for place, other in enumerate(runs) if place not in records]:
            print(f"{len(left)} trainings left, {minutes_left(left, list(records.values()))}")
    by_share = [
        [records[place] for place, run in enumerate(runs) if run.share == share]
        for share in request.shares
    ]
    lowest = baseline(read_train(gold, paths["train"]), gold)
    result = {
        "corpus": request.corpus.resolve().name, "split": request.split, "task": task,
        "score": SCORES[task], "examples": len(gold.docs), "seeds": request.seeds, "sampled_by": by,
        "encoder": inputs.get("encoder", {}).get("encoder"),
        "settings": {k: v for k, v in request.settings.items() if k not in TEXTS},
        "inputs": inputs, "baseline": lowest, **curve(by_share, lowest["score"]),
    }  # fmt: skip
    with written_beside(request.page.parent) as folder:
        srsly.write_json(folder / data.name, result)
        language = request.language or page_language(request.lang)
        page = render(language, request.page.stem, result)
        (folder / request.page.name).write_text(page, encoding="utf8")
    print_curve(result)
    msg.good(f"{request.page}: {len(runs)} trainings; figures in {data}")
