"""`python3 run.py own my/export.json`: from a file of an annotation tool to a wheel and a page."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import srsly
from spacy.vocab import Vocab
from wasabi import msg

from .check import check
from .common.devices import use_device
from .common.errors import UserError, warn
from .common.files import written_beside
from .common.languages import blank
from .config import training_config
from .convert import print_found, print_report
from .corpora.checks.languages import likely_language
from .corpora.conversion import convert, look
from .corpora.docbins import read_docs
from .corpora.found import Found
from .corpora.options import Options, Plan
from .corpora.plan import CARVED
from .corpora.readers import AUTO, FORMATS
from .corpora.report import corpus_report
from .encoders.checkpoint import open_checkpoint
from .encoders.demo_encoder import demo_encoder
from .encoders.frozen import open_frozen
from .evaluate import evaluate
from .label_errors import label_errors
from .package import check_name, package
from .report import report
from .serving.cross_validation import FEWEST, cross_validation, in_words
from .train import train

ROOT = Path(__file__).parent.parent
# The encoder that comes from the package registry, without a hub.
ENCODER = ROOT / "assets/encoders/e5-small-fr-en"
DOWNLOADS = ROOT / "assets/downloads"
PIECES = 40000
# In the page, of the largest test splits.
EXAMPLES = 10_000
# Of its 12 layers, those that a small corpus need not change; a CPU is faster without them.
FROZEN = 4
# With fewer examples, a test split says little: its interval is wider than what one would want to know.
FEW = 200
# Examples of train in which likely label errors are looked for, which takes a minute for 2,000; and how
# many are shown.
MOST, SHOWN = 10_000, 5
# File names that say nothing of the corpus; the folder's name is used.
GENERIC = {
    "train", "dev", "test", "all", "data", "dataset", "export", "admin", "corpus", "annotations",
}  # fmt: skip
# What Label Studio adds to the name of each export: -at-2024-05-24-09-14-1f0c2a7b.
EXPORTED = re.compile(r"-at-\d{4}-\d\d-\d\d-\d\d-\d\d(-[0-9a-f]{8})?$")


class Request(NamedTuple):
    """What a user asks for; "" leaves a decision to `own`."""

    source: Path
    format: str
    name: str
    lang: str
    encoder: str
    output: Path
    version: str
    dry: bool
    plan: Plan
    options: Options
    gpu_id: int
    overrides: dict[str, Any]


class Paths(NamedTuple):
    """Where the results of a corpus go."""

    corpus: Path
    training: Path
    metrics: Path
    packages: Path
    page: Path
    checked: Path
    errors: Path

    @classmethod
    def of(cls, output: Path, lang: str, name: str) -> "Paths":
        pipeline = f"{lang}_{name}_trf"
        reports = output / "reports"
        return cls(
            output / "corpus" / name, output / "training" / pipeline,
            output / "metrics" / f"{pipeline}.json", output / "packages",
            reports / f"{pipeline}.html", reports / f"{pipeline}-check.json",
            reports / f"{pipeline}-label-errors.json",
        )  # fmt: skip


def name_of(source: Path) -> str:
    """Return the name of a corpus, for a Python package, by that of its file or folder."""
    source = source.resolve()
    stem = source.name if source.is_dir() else source.name.split(".")[0]
    stem = EXPORTED.sub("", stem)
    if stem.casefold() in GENERIC and source.parent.name:
        stem = source.parent.name
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or "corpus"


def check_same_corpus(folder: Path, source: Path) -> None:
    """Raise UserError if a folder holds another corpus of the same name."""
    read = corpus_report(folder / "report.json").get("read", {})
    before = {Path(name).name for name in read}
    files = {source.resolve().name, *(path.name for path in source.rglob("*"))}
    patterns = {EXPORTED.sub("", Path(name).stem) for name in files}
    if (
        before
        and not before & files
        and not patterns & {EXPORTED.sub("", Path(name).stem) for name in before}
    ):
        raise UserError(
            f"{folder}: holds another corpus, from {', '.join(sorted(before))[:80]}; give this one a "
            "--name."
        )


def language_of(texts: list[str], given: str) -> tuple[str, str]:
    """Return the language of a corpus, and why: as given, or that which its first texts read like.

    Warns if they read like another one than `given`; raises UserError if they do not tell.
    """
    found = likely_language(texts)
    if given:
        if found and found != given.partition("_")[0] and given != "xx":
            warn(f"the texts read like {found!r}, not {given!r} (--lang)")
        return given, "as given"
    if not found:
        raise UserError("the texts do not tell their language; give it with --lang: fr, en, xx…")
    return found, "the first texts read like it"


def plan_for(found: Found, asked: Plan) -> Plan:
    """Return the plan for a corpus: dev and test are carved by a hash of each text where it has none;
    no test split from few examples, unless asked for."""
    few = sum(found.examples.values()) < FEW and "test" not in found.examples
    ratio = 0.0 if few and asked.test_ratio is None else asked.test_ratio
    return asked._replace(carve=True, test_ratio=ratio)


def carved(split: str, found: Found, plan: Plan) -> str:
    """Return in words where a split comes from."""
    if split in found.examples:
        return f"{found.examples[split]:,} examples of the corpus"
    ratio = getattr(plan, f"{split}_ratio")
    ratio = CARVED[split] if ratio is None else ratio
    if ratio:
        about = max(1, round(ratio * found.examples["train"]))
        return f"{ratio:.0%} of train, about {about:,}, by a hash of each text"
    return f"none, as there are fewer than {FEW} examples: cross-validation instead"


def decisions(
    found: Found, why_name: str, lang: str, why_lang: str, encoder: str, paths: Paths, plan: Plan
) -> Iterator[tuple[str, str, str]]:
    """Yield what was decided: what, the decision, and what changes it."""
    yield "name", f"{paths.corpus.name} ({why_name})", "--name"
    yield "language", f"{lang} ({why_lang})", "--lang"
    yield "pipeline", f"transformer, {found.task}", "the data"
    yield "encoder", encoder, "--encoder"
    for split in ("dev", "test"):
        by = "the data" if split in found.examples else f"--{split}-ratio"
        yield split, carved(split, found, plan), by
    yield "results", f"{paths.packages.parent.resolve()}", "--output"


def announce(found: Found, rows: list[tuple[str, str, str]]) -> None:
    """Print what was found and decided, and what to expect of a small corpus. Raises UserError for a
    corpus without labels."""
    print_found(found)
    if not found.labels:
        raise UserError("no labels and no entities were found: nothing to learn.")
    msg.table(rows, header=("decided", "", "changed by"), divider=True, max_col=90)
    total = sum(found.examples.values())
    if total < FEW:
        warn(
            f"{total} examples are few: expect a pipeline that has begun to learn, and read its score "
            "with its interval; more annotated examples help most"
        )


def own(request: Request) -> None:
    """Convert a corpus, train a pipeline on it, score it, package it and draw its page.

    Every decision is printed before anything is written; with `dry`, nothing is. Raises UserError.
    """
    source, gpu_id = request.source, request.gpu_id
    format = request.format or AUTO
    if format not in (AUTO, *FORMATS):
        raise UserError(f"--format {format}: no such format; choose from {', '.join(FORMATS)}.")
    found = look(format, source, request.lang or "xx", request.plan, request.options)
    plan = plan_for(found, request.plan)
    lang, why = language_of(found.texts, request.lang)
    blank(lang)
    check_name(f"{lang}_{request.name or name_of(source)}_trf", request.version)
    why_name = "as given" if request.name else "of the file or its folder"
    paths = Paths.of(request.output, lang, request.name or name_of(source))
    check_same_corpus(paths.corpus, source)
    encoder = request.encoder or str(ENCODER)
    shown = request.encoder or "multilingual-e5-small, cut to French and English (no hub needed)"
    announce(found, list(decisions(found, why_name, lang, why, shown, paths, plan)))
    if request.dry:
        msg.info("nothing was written: --dry")
        return
    # What would be refused after minutes is refused before anything is written.
    settings = {"settings.encoder": encoder, **request.overrides}
    if not request.encoder and gpu_id < 0:
        settings.setdefault("settings.frozen_layers", FROZEN)
    training_config(found.task, settings)
    use_device(gpu_id)
    if not request.encoder and not ENCODER.exists():
        demo_encoder(ENCODER, str(ENCODER), PIECES, DOWNLOADS)
    open_checkpoint(encoder)
    converted = convert(found.format, source, paths.corpus, lang, plan, request.options)
    print_report(converted)
    check(paths.corpus, encoder, "", paths.checked)
    train(found.task, paths.training, [paths.corpus], lang, gpu_id, settings)
    split = "test" if "test" in converted["splits"] else "dev"
    pipeline = str(paths.training)
    evaluate(pipeline, paths.corpus, paths.metrics, split, "", found.task, "", gpu_id)
    # What can be told with the frozen encoder alone; without it, the pipeline is as good.
    try:
        if split == "dev":
            warn("these scores are on dev, which chose the pipeline: they are too high")
            cross_validate(paths, found.task, encoder)
        if FEWEST <= converted["splits"]["train"]["examples"] <= MOST:
            print("likely label errors of train:")
            label_errors(paths.corpus, encoder, "train", found.task, paths.errors, SHOWN)
    except UserError as error:
        warn(str(error))
    package(pipeline, paths.metrics, paths.packages, "", request.version, gpu_id)
    report(pipeline, paths.corpus, paths.metrics, paths.page, EXAMPLES, gpu_id, paths.checked)
    wheel = next(paths.packages.glob(f"{paths.metrics.stem}-{request.version}-*.whl"))
    print(
        f"\nThe wheel:  {wheel}\nThe page:   {paths.page}\n\n"
        f'  pip install "{wheel}"\n\n'
        f'  import spacy\n  nlp = spacy.load("{paths.metrics.stem}")\n  doc = nlp("…")\n'
    )


def cross_validate(paths: Paths, task: str, encoder: str) -> None:
    """Print the score of a cross-validation on a corpus, and add it to the metrics."""
    found = [paths.corpus / f"{split}.spacy" for split in ("train", "dev")]
    docs = [doc for path in found for doc in read_docs(path, Vocab())]
    result = cross_validation(docs, task, open_frozen(encoder))
    if result is None:
        warn(f"{len(docs)} examples are too few for a cross-validation; {FEWEST} are needed")
        return
    metrics = {**srsly.read_json(paths.metrics), "cross_validation": result}
    with written_beside(paths.metrics.parent) as folder:
        srsly.write_json(folder / paths.metrics.name, metrics)
    msg.good(in_words(result))
