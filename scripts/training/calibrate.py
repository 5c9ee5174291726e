"""Calibrate a trained text classifier: divide its logits by a temperature, in its weights."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy
import spacy
from spacy.language import Language
from spacy.pipeline import TextCategorizer
from spacy.pipeline.textcat_multilabel import MultiLabel_TextCategorizer
from spacy.tokens import Doc
from spacy.util import load_config
from spacy.vocab import Vocab
from thinc.api import Config, Model
from tqdm import tqdm
from wasabi import msg

from ..common.annotate import pipe
from ..common.devices import use_device
from ..common.errors import warn
from ..common.files import written_beside
from ..common.probabilities import (
    CALIBRATION,
    Confidences,
    answers,
    calibration_error,
    logits_of,
    probabilities_of,
)
from ..corpora.docbins import CLASSIFIERS, read_docs
from .temperature import LOWEST, fit_temperature, fit_temperature_of_sigmoids

# With fewer examples, a temperature says more about them than about the pipeline.
MIN_EXAMPLES, MAX_EXAMPLES = 50, 2000
# With fewer, .5 stays the threshold of several labels per text.
FEWEST_FOR_THRESHOLD = 20
THRESHOLDS = [round(0.05 * step, 2) for step in range(1, 20)]
# With fewer wrong answers, their number says nothing of how few there are elsewhere.
MIN_ERRORS = 10
# The logits are read off at this temperature: in float32, no probability is then 0 or 1. A power of
# two, so that the division is exact.
COOLED = 16.0
# Beyond this, a probability is 0 or 1 at every temperature. spaCy gives a label that was added to a
# trained classifier a logit of -5000.
FARTHEST = 1e4
# What the change of the weights is tried on, and by how much a probability may miss.
TRIED, TOLERANCE = 64, 1e-4


class Calibrated(NamedTuple):
    """How a component was calibrated: the temperature, the number of examples that it was found with,
    the calibration error on them before and after; or the reason why it was left as it is.

    of: what the examples are.
    """

    temperature: float = 1.0
    examples: int = 0
    before: float = 0.0
    after: float = 0.0
    left: str = ""
    of: str = "examples"


def last_layer(model: Model) -> Model | None:
    """Return the layer of a classifier whose output are its logits: the last with weights and a bias.

    Its reference `output_layer` is another one in TextCatEnsemble: that of the bag of words.
    """
    found = [
        node for node in model.walk(order="dfs_pre") if node.has_param("W") and node.has_param("b")
    ]
    return found[-1] if found else None


def gold_of(cats: dict[str, float], labels: Sequence[str], exclusive: bool) -> list[float] | None:
    """Return what the annotation of a text says of each label, not a number where it says nothing;
    None if that is nothing at all, or not exactly one of exclusive labels."""
    row = [cats.get(label, numpy.nan) for label in labels]
    usable = row.count(1.0) == 1 if exclusive else not numpy.isnan(row).all()
    return row if usable else None


def evenly_spaced(items: list, count: int) -> list:
    """Return at most `count` items, from the whole length of the list."""
    if len(items) <= count:
        return items
    return [items[index] for index in numpy.linspace(0, len(items) - 1, count).astype(int)]


def outcome(
    temperature: float,
    examples: int,
    before: Confidences,
    after: Confidences,
    of: str = "examples",
) -> Calibrated:
    """Return how a fitted temperature calibrates; at the lower bound, why it does not.

    before: answers on the examples, at temperature 1; after: at the fitted one. At the upper bound,
    that is still better than as trained.
    """
    wrong, total = int((~before.correct).sum()), len(before.correct)
    if temperature < LOWEST * 1.01:
        found = f"{wrong:,} of its {total:,} answers on dev are wrong: "
        if wrong < MIN_ERRORS:
            return Calibrated(left=f"{found}too few errors to find a temperature")
        return Calibrated(
            left=f"{found}for that, its probabilities are too low even at temperature {LOWEST:g}"
        )
    errors = calibration_error(*before), calibration_error(*after)
    return Calibrated(temperature, examples, *errors, of=of)


def calibrate_component(nlp: Language, name: str, examples: list[tuple[str, dict]]) -> Calibrated:
    """Calibrate one component in place, or leave it as it is. examples: texts with their cats."""
    component = nlp.get_pipe(name)
    exclusive = not isinstance(component, MultiLabel_TextCategorizer)
    rows = [(text, gold_of(cats, component.labels, exclusive)) for text, cats in examples if text]
    usable = evenly_spaced([row for row in rows if row[1] is not None], MAX_EXAMPLES)
    if len(usable) < MIN_EXAMPLES:
        return Calibrated(left=f"{len(usable)} annotated examples; {MIN_EXAMPLES} are needed")
    layer = last_layer(component.model)
    if layer is None:
        return Calibrated(left="its architecture has no layer of weights for the logits")
    texts, gold = [text for text, _ in usable], numpy.array([row for _, row in usable])
    trained = {param: layer.get_param(param).copy() for param in ("W", "b")}

    def predict(texts: list[str], temperature: float) -> numpy.ndarray:
        for param, values in trained.items():
            layer.set_param(param, values / temperature)
        docs = tqdm(
            pipe(nlp, texts),
            f"calibrate {name}",
            len(texts),
            unit=" texts",
            disable=len(texts) <= TRIED,
        )
        return numpy.array([[doc.cats[label] for label in component.labels] for doc in docs])

    def logits(texts: list[str]) -> numpy.ndarray:
        return (logits_of(predict(texts, COOLED), exclusive) * COOLED).clip(-FARTHEST, FARTHEST)

    def works(temperature: float) -> bool:
        wanted = probabilities_of(logits(tried) / temperature, exclusive)
        return bool(numpy.abs(predict(tried, temperature) - wanted).max() <= TOLERANCE)

    found, tried = logits(texts), texts[:TRIED]
    known = ~numpy.isnan(gold)
    temperature = (
        fit_temperature(found, (gold == 1).argmax(axis=1))
        if exclusive
        else fit_temperature_of_sigmoids(found[known], gold[known])
    )
    before, after = (
        answers(probabilities_of(found / t, exclusive), gold, exclusive) for t in (1.0, temperature)
    )
    result = outcome(temperature, len(texts), before, after)
    # Last at the new temperature: the weights stay at the one tried last.
    if not result.left and not (works(1.0) and works(temperature)):
        result = Calibrated(left="dividing its last layer's weights does not divide its logits")
    if result.left:
        predict([], 1.0)
    return result


def best_threshold(probabilities: numpy.ndarray, gold: numpy.ndarray) -> float:
    """Return the probability from which labels are assigned with the best micro F: of those tried, the
    nearest to .5 among equals.

    probabilities, gold: of shape (texts, labels); where nothing is annotated, gold is not a number.
    """
    scores = {}
    for threshold in THRESHOLDS:
        given = probabilities >= threshold
        right, wrong = (given & (gold == 1)).sum(), (given & (gold == 0)).sum()
        missed = (~given & (gold == 1)).sum()
        scores[threshold] = 2 * right / max(1, 2 * right + wrong + missed)
    best = max(scores.values())
    return min((t for t in scores if scores[t] == best), key=lambda t: (abs(t - 0.5), t))


def choose_threshold(nlp: Language, name: str, examples: list[tuple[str, dict]]) -> float | None:
    """Let a component assign labels from the threshold with the best micro F on examples, and return it;
    None if there are too few of them. examples: texts with their cats."""
    component = nlp.get_pipe(name)
    rows = [(text, gold_of(cats, component.labels, False)) for text, cats in examples if text]
    usable = evenly_spaced([row for row in rows if row[1] is not None], MAX_EXAMPLES)
    if len(usable) < FEWEST_FOR_THRESHOLD:
        return None
    docs = pipe(nlp, [text for text, _ in usable])
    found = numpy.array([[doc.cats[label] for label in component.labels] for doc in docs])
    threshold = best_threshold(found, numpy.array([row for _, row in usable]))
    component.cfg["threshold"] = threshold
    return threshold


def calibrate(nlp: Language, docs: Iterable[Doc]) -> dict[str, Calibrated]:
    """Calibrate the text classifiers of a pipeline in place; return how, by component.

    docs: annotated examples that it was not trained on; at most MAX_EXAMPLES of them are predicted.
    The order of the labels' probabilities stays the same, and what is above .5. It is on record in
    the pipeline's meta; a second calibration is recorded together with the first.
    """
    names = [name for name, pipe in nlp.pipeline if isinstance(pipe, TextCategorizer)]
    examples = [(doc.text, dict(doc.cats)) for doc in docs] if names else []
    results = {name: calibrate_component(nlp, name, examples) for name in names}
    record = dict(nlp.meta.get(CALIBRATION, {}))
    for name, result in results.items():
        if not result.left:
            earlier = record.get(name, {}).get("temperature", 1.0)
            record[name] = {
                "temperature": earlier * result.temperature,
                "examples": result.examples,
            }
    if record:
        nlp.meta[CALIBRATION] = record
    return results


def announce(name: str, result: Calibrated) -> None:
    """Print how a component was calibrated, or a warning why it was not."""
    if result.left:
        warn(f"{name}: not calibrated ({result.left}); its probabilities are as trained")
        return
    msg.good(
        f"{name}: calibrated on {result.examples:,} {result.of} of dev, temperature "
        f"{result.temperature:.2f}; calibration error there {result.before:.3f}, now {result.after:.3f}"
    )


def announce_threshold(name: str, before: float, chosen: float | None) -> None:
    """Print from which probability a component assigns labels. chosen: None if dev is too small."""
    if chosen is None:
        warn(
            f"{name}: dev has fewer than {FEWEST_FOR_THRESHOLD} examples, too few to choose a threshold; "
            f"{before:g} stays"
        )
    else:
        msg.good(
            f"{name}: assigns labels from a probability of {chosen:g}, the best micro F on dev"
        )


def calibrate_saved(folder: Path, dev: Sequence[Path], gpu_id: int) -> None:
    """Calibrate the text classifiers of the pipeline in a folder, if it has any, on the splits `dev`
    of its corpora, and choose the threshold of those that assign several labels; print a line for each.

    Of the folder, only the classifiers, the config and meta.json are replaced. Raises UserError.
    """
    components = load_config(folder / "config.cfg").get("components", {}).values()
    if not any(component.get("factory") in CLASSIFIERS for component in components):
        return
    use_device(gpu_id)
    nlp = spacy.load(folder)

    def examples() -> Iterator[Doc]:
        # In a vocabulary of its own: the pipeline's would keep every word of dev.
        return chain.from_iterable(read_docs(path, Vocab()) for path in dev)

    results = calibrate(nlp, examples())
    changed = {name for name, result in results.items() if not result.left}
    config = Config().from_disk(folder / "config.cfg", interpolate=False)
    for name, component in nlp.pipeline:
        if isinstance(component, MultiLabel_TextCategorizer):
            before = component.cfg["threshold"]
            found = [(doc.text, dict(doc.cats)) for doc in examples()]
            announce_threshold(name, before, choose_threshold(nlp, name, found))
            if component.cfg["threshold"] != before:
                config["components"][name]["threshold"] = component.cfg["threshold"]
                changed.add(name)
    if changed:
        kept = {"tokenizer", "config.cfg", "vocab", *nlp.component_names} - changed
        with written_beside(folder) as beside:
            nlp.to_disk(beside, exclude=list(kept))
            config.to_disk(beside / "config.cfg")
    for name, result in results.items():
        announce(name, result)
