"""Load a trained pipeline, and annotate texts or tokenised documents with it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import spacy
from safetensors import SafetensorError
from spacy.language import Language
from spacy.tokens import Doc
from srsly.msgpack.exceptions import UnpackException
from transformers import PreTrainedModel

from ..common.devices import use_device
from ..common.errors import AMBIGUOUS, BareExceptions, UserError, first_line, sift, warn
from ..common.files import check_whole
from ..corpora.docbins import read_docs
from ..wheel.components import HFHead, too_long
from .label_map import new_names, rename

# nlp.pipe gives the transformer so many documents at once; it sorts them by length and cuts them
# into batches of max_batch_items padded pieces, which is faster than small batches in file order.
BATCH_DOCS = 1000

# Components that a pipeline is scored by, in words.
TASKS = {
    "ner": "named entities",
    "textcat": "text classification",
    "textcat_multilabel": "text classification with several labels",
}
# What spacy.load raises for files that are damaged: of text and JSON, of msgpack, of weights.
DAMAGED = (
    ValueError, OverflowError, EOFError, UnpackException, RuntimeError, SafetensorError, UnpicklingError
)  # fmt: skip


def load(pipeline: str, gpu_id: int = -1) -> Language:
    """Return the pipeline of a folder or an installed package: any of spaCy's with a task of TASKS.

    Raises UserError where there is none, where it is damaged, incomplete or of another kind, and where there
    is no such GPU.
    """
    check_whole(Path(pipeline))
    use_device(gpu_id)
    try:
        with BareExceptions():
            nlp = spacy.load(pipeline)
    except OSError as error:
        raise UserError(
            f"{pipeline}: no trained pipeline there; train or install it first."
        ) from error
    except (*DAMAGED, *AMBIGUOUS) as error:
        sift(pipeline, error)
        # A component, or a function of a config, that no installed package registers.
        if any(code in str(error) for code in ("[E002]", "[E893]")):
            raise UserError(
                f"{pipeline}: it needs a package that is not installed; its meta.json names its "
                f"requirements ({first_line(error)[:120]})."
            ) from error
        raise UserError(
            f"{pipeline}: the pipeline is damaged ({type(error).__name__}: {first_line(error)[:120]}); train or "
            "install it again."
        ) from error
    if not set(TASKS) & set(nlp.pipe_names):
        raise UserError(
            f"{pipeline}: a pipeline of {', '.join(nlp.pipe_names) or 'nothing'}; it takes one of "
            f"{', '.join(f'`{task}`' for task in TASKS)}."
        )
    check_listeners(pipeline, nlp)
    return nlp


def upstreams(config: dict[str, Any]) -> Iterator[str]:
    """Yield the components whose vectors a component reads, as its config names them."""
    for key, value in config.items():
        if key == "upstream":
            yield value
        elif isinstance(value, dict):
            yield from upstreams(value)


def check_listeners(pipeline: str, nlp: Language) -> None:
    """Raise UserError for components that read the vectors of one that is not there: spaCy lets
    them find nothing, without a word."""
    vectors = {"doc.tensor", "doc._.trf_data"}
    given = {name for name in nlp.pipe_names if vectors & set(nlp.get_pipe_meta(name).assigns)}
    for name in nlp.pipe_names:
        for upstream in upstreams(nlp.get_pipe_config(name)):
            if not (given if upstream == "*" else upstream in nlp.pipe_names):
                raise UserError(
                    f"{pipeline}: `{name}` reads the vectors of a transformer or tok2vec "
                    f"({upstream}) that the pipeline does not have."
                )


def hf_head(nlp: Language) -> HFHead | None:
    """Return the component of a pipeline that is a ready-made Hugging Face head, if it has one.

    Not by its class: a package brings its own copy of that.
    """
    return next((pipe for _, pipe in nlp.pipeline if hasattr(pipe, "wrap")), None)


def encoder_of(nlp: Language) -> PreTrainedModel | None:
    """Return the Hugging Face model in a pipeline, if there is one.

    Pipelines on tok2vec have none, and those of curated transformers have another kind.
    """
    if "transformer" in nlp.pipe_names:
        return getattr(nlp.get_pipe("transformer").model, "transformer", None)
    head = hf_head(nlp)
    return head and head.model


def encoder_name(nlp: Language) -> str | None:
    """Return what a pipeline's encoder was made from: a name on the hub, or a folder."""
    head = hf_head(nlp)
    if head is not None:
        return head.source
    if encoder_of(nlp) is None:
        return None
    return nlp.config.interpolate()["components"]["transformer"]["model"]["name"]


def count_cut(nlp: Language, docs: Sequence[Doc]) -> int:
    """Return how many windows of the documents have more pieces than the encoder takes, and are read
    up to its limit: none but single tokens where the project made the pipeline."""
    if "transformer" not in nlp.pipe_names or encoder_of(nlp) is None:
        return 0
    model = nlp.get_pipe("transformer").model
    windows = (span.text for spans in model.attrs["get_spans"](docs) for span in spans)
    return len(too_long(list(windows), model.tokenizer))


def encoder_revision(nlp: Language) -> str | None:
    """Return the commit of the hub that a pipeline's encoder is of, None for that of a folder."""
    return nlp.config.get("settings", {}).get("revision")


def best_label(doc: Doc) -> str:
    """Return the label of the highest probability."""
    return max(doc.cats, key=doc.cats.__getitem__)


class Gold(NamedTuple):
    """The annotated examples of a split that a pipeline is measured on, and its task there.

    unannotated: how many others were left out, which say nothing on that task.
    """

    task: str
    docs: list[Doc]
    unannotated: int


def is_annotated(doc: Doc, task: str) -> bool:
    """Tell whether a document says what is right for a task."""
    if task == "ner":
        return doc.has_annotation("ENT_IOB")
    # Of labels that exclude each other one is right; of others none may be.
    return bool(doc.cats) if task == "textcat_multilabel" else any(doc.cats.values())


def gold_labels(doc: Doc, task: str) -> Iterable[str]:
    """Return the labels that an annotated document speaks of."""
    return (entity.label_ for entity in doc.ents) if task == "ner" else doc.cats


def choose_task(path: Path, nlp: Language, docs: list[Doc], wanted: str) -> str:
    """Return the task that both a pipeline and a split have, or the one of them that is wanted.

    Raises UserError where there is none, or a choice.
    """
    tasks = [task for task in TASKS if task in nlp.pipe_names]
    if wanted and wanted not in tasks:
        raise UserError(f"--task {wanted}: the pipeline has {', '.join(tasks)}.")
    tasks = [wanted] if wanted else tasks
    found = [
        task
        for task in tasks
        if any(doc.ents if task == "ner" else is_annotated(doc, task) for doc in docs)
    ]
    if len(found) > 1:
        raise UserError(
            f"{path} and the pipeline have several tasks: give --task {found[0]} or so."
        )
    if not found and "ner" in tasks:
        raise UserError(f"{path} has no entities: not a corpus for named entities.")
    if not found:
        raise UserError(
            f"{path} has nothing but texts without labels: not a corpus for a text classifier."
        )
    return found[0]


def read_gold(path: Path, nlp: Language, task: str = "", names: dict[str, str] = {}) -> Gold:
    """Return the examples of a split that a pipeline can be measured on, once its labels have
    their new names.

    Raises UserError where there are none, or none of its task or of its labels.
    """
    docs = list(read_docs(path, nlp.vocab))
    task = choose_task(path, nlp, docs, task)
    gold = [doc for doc in docs if is_annotated(doc, task)]
    left_out = len(docs) - len(gold)
    if left_out:
        what = "annotation of entities" if task == "ner" else "label"
        warn(f"{path}: {left_out:,} of {len(docs):,} examples have no {what}: not scored")
    known = new_names(nlp.get_pipe(task).labels, names)
    unknown = sorted({label for doc in gold for label in gold_labels(doc, task)} - set(known))
    if unknown and task == "ner":
        warn(f"{path}: entities that the pipeline does not know: {', '.join(unknown)}")
    elif unknown:
        raise UserError(
            f"{path} has the label {unknown[0]!r}, which the pipeline does not know; it knows "
            f"{', '.join(known)[:200]} (--map gives them other names)."
        )
    for doc in gold if task == "textcat" else ():
        if list(doc.cats.values()).count(doc.cats[best_label(doc)]) > 1:
            raise UserError(
                f"{path} has texts with several labels ({doc.text[:60]!r}), and `textcat` gives one: "
                "it is a corpus for `textcat_multilabel`."
            )
    return Gold(task, gold, left_out)


def annotate(
    nlp: Language, texts: Iterable[str | Doc], names: dict[str, str] = {}
) -> Iterator[Doc]:
    """Yield the annotated documents in their order, labels under their new names, without the
    transformer's vectors.

    A Doc keeps its own tokens. The vectors take 27 kB a document (`doc._.trf_data`).
    """
    for doc in nlp.pipe(texts, batch_size=BATCH_DOCS):
        if Doc.has_extension("trf_data"):
            doc._.trf_data = None
        if names:
            rename(doc, names, exclusive="textcat" in nlp.pipe_names)
        yield doc
