"""Distill a teacher into a student: a small pipeline that needs spaCy alone, trained on a gold corpus and
on raw text that the teacher annotated."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import spacy
import srsly
from spacy.language import Language
from spacy.training.loop import DIR_MODEL_BEST
from spacy.vocab import Vocab
from thinc.api import Config
from wasabi import msg

from .common.errors import UserError, warn
from .common.files import check_folder, folder_size, written_beside
from .common.precision import check_precision
from .common.settings import check_settings, config_errors
from .common.sources import source as source_of
from .config import CONFIGS, override
from .convert import print_report
from .corpora.docbins import read_annotated
from .serving.gold import Gold, read_gold
from .serving.intervals import SCORES, f_score, interval, tallies
from .serving.pipeline import check_other, load, set_precision, task_labels
from .serving.predict import predict_split
from .silver import MADE_OF, Source, silver
from .train import train_pipeline
from .training.baseline import Baseline, problems
from .training.calibrate import calibrate_saved
from .training.plan import Split, check_ranges
from .training.stream import labels_of
from .training.student import for_task, keep_to_spacy
from .training.unfinished import unfinished

CONFIG = CONFIGS / "student.cfg"
RESULT = "distillation.json"
# Settings that are whole numbers from 1.
COUNTS = (
    "width", "depth", "text_depth", "maxout_pieces", "rows", "hidden_width",
    "gold_times", "max_steps",
)  # fmt: skip


def read_student(settings: dict[str, Any]) -> Config:
    """Return the config of students, with some settings replaced. Raises UserError."""
    config = check_settings(CONFIG, settings, ("settings", "system"), "configs/student.cfg")
    with config_errors(CONFIG):
        config = override(config, settings)
    resolved = config.interpolate()
    check_ranges(resolved)
    values = resolved["settings"]
    attributes = resolved["components"]["ner"]["model"]["tok2vec"]["embed"]["attrs"]
    rows = values["rows"]
    if not isinstance(rows, list) or len(rows) != len(attributes):
        raise UserError(f"settings.rows {rows}: give a list of {len(attributes)} numbers.")
    for name in COUNTS:
        given = rows if name == "rows" else [values[name]]
        if not all(type(value) is int and value > 0 for value in given):
            raise UserError(f"settings.{name} {values[name]}: give 1 or more.")
    if type(values["swapped_times"]) is not int or values["swapped_times"] < 0:
        raise UserError(f"settings.swapped_times {values['swapped_times']}: give 0 or more.")
    return config


def for_corpus(
    config: Config, task: str, lang: str, train: Path, dev: Path, report: dict[str, Any]
) -> Config:
    """Return the config of a student of a task, all references resolved. report: of the silver text."""
    paths = {"paths.train": str(train), "paths.dev": str(dev), "nlp.lang": lang}
    config = override(config, paths).interpolate()
    for_task(config, task, labels_of({task: task}, report)[task]["labels"])
    return config


def train_student(
    config: Config, output: Path, dev: Path, gpu_id: int, sources: list[dict]
) -> None:
    """Train a student into `output`/model-best. sources: for its meta.json. Raises UserError."""
    (task,) = config["nlp"]["pipeline"]
    weights = config["training"]["score_weights"]
    baselines = Baseline.of(Split.of(read_annotated(dev, {task}, Vocab())), weights)
    with unfinished(output) as work:
        train_pipeline(CONFIG, config, "", gpu_id, work, baselines)
        folder = work / DIR_MODEL_BEST
        calibrate_saved(folder, [dev], gpu_id)
        keep_to_spacy(folder)
        path = folder / "meta.json"
        srsly.write_json(path, {**srsly.read_json(path), "sources": sources})
    scores = srsly.read_json(output / DIR_MODEL_BEST / "meta.json")["performance"]
    for problem in problems(baselines, scores):
        warn(problem)


def sources_of(teacher: Language, source: Path, corpus: Path) -> list[dict[str, str]]:
    """Return where what a student knows comes from: the gold corpus, the raw text, and what the
    teacher was made of."""
    text = {"name": f"raw text {source.name}", "url": "", "license": "unknown", "author": ""}
    own = [source_of("corpora", corpus.resolve().name), text]
    return own + [entry for entry in teacher.meta.get("sources") or [] if entry not in own]


def measured(nlp: Language, path: Path, gold: Gold) -> dict[str, Any]:
    """Return a pipeline's score on a split with its 95 % interval, its words per second, and its size
    in MB."""
    predictions = predict_split(nlp, path, gold.split)
    header = predictions.header
    found = gold.of(predictions.docs)
    tally = tallies(found, gold.docs, gold.task, header.threshold_of(gold.task))
    return {
        "score": float(f_score(tally)),
        "interval": interval(tally),
        "words_per_second": header.speed["words_per_second"],
        "megabytes": round(folder_size(nlp.path) / 1e6, 1),
    }


def rows(costs: dict[str, dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table that compares pipelines; the first one is the teacher."""
    teacher, *_ = costs.values()
    for name, cost in costs.items():
        low, high = cost["interval"]
        yield (
            name, f"{cost['score']:.3f}", f"{low:.3f}–{high:.3f}",
            f"{100 * cost['score'] / max(teacher['score'], 1e-9):.0f} %",
            f"{cost['words_per_second']:,}", f"{cost['megabytes']:,.0f}",
        )  # fmt: skip


def compare(
    teacher: Language, students: dict[str, Path], corpus: Path, task: str
) -> dict[str, dict[str, Any]]:
    """Return what `measured` says of a teacher and of students on the test split of the gold corpus,
    or on dev if there is none; print it as a table."""
    path = corpus / "test.spacy"
    if not path.exists():
        path = corpus / "dev.spacy"
        warn(f"{corpus}: no test split; the scores are those on dev, which chose the pipeline")
    pipelines = {"teacher": teacher} | {name: spacy.load(path) for name, path in students.items()}
    costs = {}
    for name, nlp in pipelines.items():
        gold = read_gold(path, nlp.vocab, {task: task_labels(nlp)[task]})
        costs[name] = measured(nlp, path, gold)
    header = (f"{corpus.name}, {path.stem}", SCORES[task], "95 %", "of teacher", "words/s", "MB")
    msg.table(list(rows(costs)), header=header, divider=True, aligns=("l", *"rrrrr"))
    return costs


def distill(
    teacher: str,
    source: Source,
    output: Path,
    corpus: Path,
    task: str,
    gpu_id: int,
    precision: str,
    settings: dict[str, Any],
    alone: bool,
) -> None:
    """Train a student of a teacher, with settings of configs/student.cfg replaced; print what it costs.

    The silver text stays in `output`, and another student of the same teacher and text uses it.
    alone: also train on the gold corpus alone, to show what the silver text is worth. Raises UserError.
    """
    student = read_student(settings)
    check_precision("--precision", precision)
    check_folder(output)
    check_other(teacher, output)
    nlp = load(teacher, gpu_id)
    set_precision(nlp, precision)
    name = corpus.resolve().name
    folder = output / f"{name}-silver"
    report = silver(nlp, source, folder, corpus, task)
    print_report(report)
    task, dev = report[MADE_OF]["task"], corpus / "dev.spacy"
    sources = sources_of(nlp, source.path, corpus)
    students = {"student": output / DIR_MODEL_BEST}
    config = for_corpus(student, task, nlp.lang, folder / "train.spacy", dev, report)
    train_student(config, output, dev, gpu_id, sources)
    with TemporaryDirectory(prefix="distill-") as temporary:
        if alone:
            print("the same student, from the gold corpus alone:")
            other = Path(temporary) / name
            config = for_corpus(student, task, nlp.lang, corpus / "train.spacy", dev, report)
            train_student(config, other, dev, gpu_id, sources)
            students["without silver text"] = other / DIR_MODEL_BEST
        costs = compare(nlp, students, corpus, task)
    with written_beside(output) as beside:
        result = {"task": task, "silver texts": report["silver texts"], MADE_OF: report[MADE_OF]}
        srsly.write_json(beside / RESULT, {**result, "corpus": name, "pipelines": costs})
    msg.good(
        f"{output / DIR_MODEL_BEST}: {costs['student']['score']:.3f}, the teacher "
        f"{costs['teacher']['score']:.3f}; {report['silver texts']:,} silver texts"
    )
