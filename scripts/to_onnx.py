"""Write a trained pipeline for ONNX Runtime: `python -m scripts to-onnx PIPELINE OUTPUT --corpus CORPUS`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.loop import DIR_MODEL_BEST
from wasabi import msg

from .common.annotate import pipe
from .common.errors import UserError
from .common.files import check_folder, written_beside
from .corpora.docbins import read_docs
from .light.measure import HEADER, Comparison, compare, result, share_alike, threshold_of
from .light.pipeline import onnx_pipeline
from .light.quantise import Plan, Quantiser
from .serving.gold import Gold, choose_task, is_annotated, read_gold
from .serving.pipeline import load, onnx_part, task_labels
from .wheel.onnx import OnnxModel
from .wheel.trial import TEXTS

FLOAT32, TRUEST, FASTEST = "float32", "int8", "int8-fastest"
PRECISIONS = (TRUEST, FASTEST, FLOAT32)
# Share of dev's examples that must keep their result in int8, or the matrices whose quantisation
# changes the output most stay in float32: so many more at a time, a quarter of all at most.
SAME = {"ner": 0.92, "textcat": 0.97, "textcat_multilabel": 0.97}
AT_A_TIME, MOST_KEPT = 2, 0.25
# Pieces of dev's texts that are read to see how large activations are, and texts to compare.
SAMPLE_PIECES, SAMPLE = 4000, 400
# What two ways of computing the same may differ by, of a probability.
ROUNDING = 1e-4
# The key in a pipeline's meta that says what it costs.
COST = "onnx"


class Split(NamedTuple):
    """A split of a corpus: its name, and its examples for one of the pipeline's tasks."""

    corpus: str
    name: str
    gold: Gold

    @property
    def texts(self) -> list[str]:
        return [doc.text for doc in self.gold.docs]


def has_task(task: str, docs: Iterable[Doc]) -> bool:
    return any(doc.ents if task == "ner" else is_annotated(doc, task) for doc in docs)


def read_splits(corpora: Sequence[Path], name: str, nlp: Language) -> list[Split]:
    """Return a split of each corpus, for each of the pipeline's tasks that it is annotated for. Raises
    UserError if there is none."""
    labels, found = task_labels(nlp), []
    for corpus in corpora:
        path = corpus / f"{name}.spacy"
        docs = list(read_docs(path, nlp.vocab))
        tasks = [task for task in labels if has_task(task, docs)]
        for task in tasks or [choose_task(path, labels, docs, "")]:
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


def alike(nlp: Language, light: Language, splits: Sequence[Split]) -> dict[str, float]:
    """Return, of each task, the share of the first examples of some splits with the same result."""
    shares = {}
    for split in splits:
        texts, task = split.texts[:SAMPLE], split.gold.task
        found = [list(pipe(pipeline, texts)) for pipeline in (nlp, light)]
        share = share_alike(*found, task, threshold_of(nlp, task))
        shares[task] = min(share, shares.get(task, 1.0))
    return shares


def quantise(nlp: Language, light: Language, dev: Sequence[Split], rows: bool) -> None:
    """Run a pipeline in int8, as far as dev's examples keep their results.

    rows: a scale for each row of the activations, and so no text whose result depends on others.
    """
    part = onnx_part(light)
    # Of each corpus alternately, as they are read in batches together.
    texts = [text for group in zip(*(split.texts for split in dev)) for text in group]
    quantiser = Quantiser(part.onnx, sample(texts, part.onnx))
    plan, worst = quantiser.best_plan(rows), None
    while True:
        part.onnx = quantiser.apply(plan)
        shares = alike(nlp, light, dev)
        short = {task: share for task, share in shares.items() if share < SAME[task]}
        said = ", ".join(f"{task} {share:.1%}" for task, share in shares.items())
        if short and rows:
            if worst is None:
                msg.info(
                    f"dev keeps its results in {said}: looking for the matrices that cost most"
                )
                worst = quantiser.worst_first(plan)
            if len(plan.kept) + AT_A_TIME <= MOST_KEPT * len(worst):
                plan = plan._replace(kept=frozenset(worst[: len(plan.kept) + AT_A_TIME]))
                continue
        break
    msg.info(f"int8: dev keeps its results in {said}; {in_words(plan, quantiser)}")


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
    light, _ = convert(pipeline, corpora, precision, max_loss)
    with written_beside(output) as folder:
        light.to_disk(folder / DIR_MODEL_BEST)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    msg.good(f"{output / DIR_MODEL_BEST}: {precision}, {size / 1e6:.0f} MB")
