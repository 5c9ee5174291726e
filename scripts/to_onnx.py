"""Write a trained pipeline for ONNX Runtime: `python -m scripts to-onnx PIPELINE OUTPUT --corpus CORPUS`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.loop import DIR_MODEL_BEST
from wasabi import msg

from .common.annotate import pipe
from .common.errors import UserError, warn
from .common.files import check_folder, folder_size, written_beside
from .corpora.docbins import read_docs
from .light.measure import HEADER, Comparison, compare, result, share_alike
from .light.pipeline import onnx_pipeline
from .light.quantise import Plan, Quantiser
from .serving.gold import Gold, annotated_tasks, choose_task, read_gold
from .serving.pipeline import COST, FASTEST, check_other, load, onnx_part, task_labels, threshold_of
from .wheel.session import OnnxModel
from .wheel.trial import TEXTS

FLOAT32, TRUEST = "float32", "int8"
PRECISIONS = (TRUEST, FASTEST, FLOAT32)
# Share of dev's examples that must keep their result in int8, or the matrices whose quantisation
# changes the output most stay in float32: so many more at a time, a quarter of all at most.
SAME = {"ner": 0.92, "textcat": 0.97, "textcat_multilabel": 0.97}
AT_A_TIME, MOST_KEPT = 2, 0.25
# Pieces of dev's texts that are read to see how large activations are, and texts to compare.
SAMPLE_PIECES, SAMPLE = 4000, 400
# What two ways of computing the same may differ by, of a probability.
ROUNDING = 1e-4


class Split(NamedTuple):
    """A split of a corpus: its name, and its examples for one of the pipeline's tasks."""

    corpus: str
    name: str
    gold: Gold

    @property
    def texts(self) -> list[str]:
        return [doc.text for doc in self.gold.docs]


def read_splits(corpora: Sequence[Path], name: str, nlp: Language) -> list[Split]:
    """Return a split of each corpus, for each of the pipeline's tasks that it is annotated for. Raises
    UserError if there is none."""
    labels, found = task_labels(nlp), []
    for corpus in corpora:
        path = corpus / f"{name}.spacy"
        docs = list(read_docs(path, nlp.vocab))
        for task in annotated_tasks(labels, docs) or [choose_task(path, labels, docs, "")]:
            gold = read_gold(path, nlp.vocab, labels, task)
            found.append(Split(corpus.resolve().name, name, gold))
    return found


def differs(one: Doc, other: Doc) -> bool:
    """Return whether two ways of computing the same pipeline differ in more than rounding."""
    cats = any(abs(value - other.cats[label]) > ROUNDING for label, value in one.cats.items())
    return cats or result(one, "ner", None) != result(other, "ner", None)


def check_same(nlp: Language, light: Language, texts: Sequence[str], name: str) -> None:
    """Raise UserError unless a pipeline in float32 predicts what the one it was made from does."""
    for one, other in zip(pipe(nlp, texts), pipe(light, texts)):
        if differs(one, other):
            raise UserError(
                f"{name}: its ONNX form predicts something else for {one.text[:50]!r}; this encoder cannot "
                "be used so. Nothing was written."
            )


def sample(texts: Iterable[str], model: OnnxModel) -> list[str]:
    """Return the first texts that have SAMPLE_PIECES pieces together; at least one."""
    taken, pieces = [], 0
    for text in texts:
        if taken and pieces >= SAMPLE_PIECES:
            break
        (row,) = model.tokenizer.encode([text])
        pieces += min(len(row.ids), model.settings["max_length"])
        taken.append(text)
    return taken


class Reference(NamedTuple):
    """The first examples of a split, and what the pipeline finds in them."""

    task: str
    threshold: float | None
    texts: list[str]
    found: list[Doc]

    @classmethod
    def of(cls, nlp: Language, split: Split) -> "Reference":
        texts, task = split.texts[:SAMPLE], split.gold.task
        return cls(task, threshold_of(nlp, task), texts, list(pipe(nlp, texts)))

    def share(self, light: Language) -> float:
        """Return the share of the examples in which another form of the pipeline finds the same."""
        found = list(pipe(light, self.texts))
        return share_alike(self.found, found, self.task, self.threshold)


def quantise(nlp: Language, light: Language, dev: Sequence[Split], rows: bool) -> None:
    """Run a pipeline in int8, as far as dev's examples keep their results.

    rows: a scale for each row of the activations, and so no text whose result depends on others.
    Without, no matrix stays in float32.
    """
    part, references = onnx_part(light), [Reference.of(nlp, split) for split in dev]
    # Of each corpus alternately, as they are read in batches together.
    texts = [text for group in zip(*(split.texts for split in dev)) for text in group]
    quantiser = Quantiser(part.onnx, sample(texts, part.onnx))
    plan = quantiser.best_plan(rows)

    def shares_of(plan: Plan) -> list[float]:
        part.onnx = quantiser.apply(plan)
        return [reference.share(light) for reference in references]

    def enough(shares: list[float]) -> bool:
        return all(share >= SAME[one.task] for one, share in zip(references, shares))

    shares = shares_of(plan)
    if rows and not enough(shares):
        msg.info(
            f"dev keeps its results in {percents(references, shares)}: looking for the worst matrices"
        )
        worst = quantiser.worst_first(plan)
        for kept in range(AT_A_TIME, int(MOST_KEPT * len(worst)) + 1, AT_A_TIME):
            plan = plan._replace(kept=frozenset(worst[:kept]))
            shares = shares_of(plan)
            if enough(shares):
                break
    said = f"dev keeps its results in {percents(references, shares)}; {in_words(plan, quantiser)}"
    if enough(shares):
        msg.info(f"int8: {said}")
    else:
        warn(f"int8: {said}; --precision float32 keeps them all")


def percents(references: Sequence[Reference], shares: Sequence[float]) -> str:
    """Return in words how many examples of each task keep their result."""
    return ", ".join(f"{one.task} {share:.1%}" for one, share in zip(references, shares))


def in_words(plan: Plan, quantiser: Quantiser) -> str:
    """Return what a plan does."""
    kept = f"; in float32 {', '.join(sorted(plan.kept))}" if plan.kept else ""
    return f"output changed by {quantiser.error(plan):.1%} (smoothing {plan.alpha:g}){kept}"


def check_precision(precision: str) -> None:
    """Raise UserError for a precision that ONNX pipelines do not have."""
    if precision not in PRECISIONS:
        raise UserError(f"--precision {precision}: expected one of {', '.join(PRECISIONS)}.")


def convert(
    pipeline: str, corpora: Sequence[Path], precision: str, max_loss: float
) -> tuple[Language, list[Comparison]]:
    """Return a trained pipeline's form for ONNX Runtime, and what it costs on the test splits.

    Raises UserError if the loss may be higher than `max_loss`.
    """
    check_precision(precision)
    nlp = load(pipeline)
    dev, test = (read_splits(corpora, name, nlp) for name in ("dev", "test"))
    light = onnx_pipeline(load(pipeline), pipeline)
    texts = [*TEXTS, *(text for split in dev for text in split.texts[:20])]
    check_same(nlp, light, texts, pipeline)
    if precision != FLOAT32:
        quantise(nlp, light, dev, precision == TRUEST)
    found = [compare(nlp, light, split.gold, split.corpus, split.name) for split in test]
    msg.table([one.row for one in found], header=HEADER, divider=True)
    for one in found:
        if one.low < -max_loss:
            raise UserError(
                f"{pipeline} in {precision}: on {one.corpus} it may lose {-one.low:.4f} of "
                f"{one.before:.4f} (95 % interval), more than --max-loss {max_loss:g}; choose another "
                "--precision, a larger test split, or allow more. Nothing was written."
            )
    costs = [
        {key: value for key, value in one._asdict().items() if key != "scores"} for one in found
    ]
    light.meta[COST] = {"precision": precision, "cost": costs}
    return light, found


def to_onnx(
    pipeline: str, output: Path, corpora: Sequence[Path], precision: str, max_loss: float
) -> None:
    """Write a trained pipeline's form for ONNX Runtime, which needs neither torch nor transformers.

    Dev is read to quantise it, test to measure what that costs. Raises UserError.
    """
    check_folder(output)
    check_other(pipeline, output)
    light, _ = convert(pipeline, corpora, precision, max_loss)
    with written_beside(output) as folder:
        light.to_disk(folder / DIR_MODEL_BEST)
    size = folder_size(output)
    msg.good(f"{output / DIR_MODEL_BEST}: {precision}, {size / 1e6:.0f} MB")


def scored_on_onnx(
    pipeline: str,
    scored: Sequence[dict[str, Any]],
    corpora: Sequence[Path],
    precision: str,
    max_loss: float,
) -> tuple[Language, list[dict[str, Any]]]:
    """Return a pipeline's form for ONNX Runtime, and metrics of it: its own scores and speed on the test
    splits, otherwise as in the pipeline's metrics. Raises UserError.

    corpora: those of the metrics, under corpus/, if none is given.
    """
    for metrics in scored:
        if metrics["split"] != "test" or metrics["map"]:
            raise UserError(
                f"the metrics of {metrics['corpus']} are of its {metrics['split']} split"
                f"{' with renamed labels' * bool(metrics['map'])}: `evaluate` it on test, without --map."
            )
    corpora = corpora or [Path("corpus") / metrics["corpus"] for metrics in scored]
    names = {corpus.resolve().name for corpus in corpora}
    for metrics in scored:
        if metrics["corpus"] not in names:
            raise UserError(
                f"--corpus: {metrics['corpus']}, which the metrics are of, is needed too."
            )
    light, found = convert(pipeline, corpora, precision, max_loss)
    own = {(one.corpus, one.task): one for one in found}
    measured = []
    for metrics in scored:
        one = own[metrics["corpus"], metrics["task"]]
        speed = {**metrics["speed"], "words_per_second": one.words_per_second}
        measured.append(
            {**metrics, "raw_text": one.scores, "examples": one.examples, "speed": speed}
        )
    return light, measured
