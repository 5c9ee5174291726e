"""Load a trained pipeline and annotate texts or tokenised documents with it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from pickle import UnpicklingError

import spacy
from safetensors import SafetensorError
from spacy.language import Language
from spacy.tokens import Doc
from srsly.msgpack.exceptions import UnpackException
from transformers import PreTrainedModel
from wasabi import msg

from ..corpora.docbins import check_task, read_docs
from ..errors import AMBIGUOUS, BareExceptions, UserError, first_line, sift
from ..files import check_whole
from . import places  # noqa: F401 (registers what configs name)
from .components import BorrowedHead

# nlp.pipe gives the transformer so many documents at once; it sorts them by length and cuts them
# into batches of max_batch_items padded pieces, which is faster than small batches in file order.
BATCH_DOCS = 1000


TASKS = ("ner", "textcat")
# What spacy.load raises for files that are damaged: of text and JSON, of msgpack, of weights.
DAMAGED = (
    ValueError, OverflowError, EOFError, UnpackException, RuntimeError, SafetensorError, UnpicklingError
)  # fmt: skip


def load(pipeline: str) -> Language:
    """Return the pipeline of a folder or an installed package.

    Raises UserError where there is none, where it is damaged, incomplete or of another kind.
    """
    check_whole(Path(pipeline))
    try:
        with BareExceptions():
            nlp = spacy.load(pipeline)
    except OSError as error:
        raise UserError(
            f"{pipeline}: no trained pipeline there; train or install it first."
        ) from error
    except (*DAMAGED, *AMBIGUOUS) as error:
        sift(pipeline, error)
        raise UserError(
            f"{pipeline}: the pipeline is damaged ({type(error).__name__}: {first_line(error)[:120]}); train or "
            "install it again."
        ) from error
    if encoder_of(nlp) is None or not set(TASKS) & set(nlp.pipe_names):
        raise UserError(
            f"{pipeline}: a pipeline of {', '.join(nlp.pipe_names) or 'nothing'}; it takes one of "
            "`transformer` and `ner` or `textcat`."
        )
    return nlp


def borrowed_head(nlp: Language) -> BorrowedHead | None:
    """Return the component of a pipeline that is a ready-made Hugging Face head, if it has one.

    Not by its class: a package brings its own copy of that.
    """
    return next((pipe for _, pipe in nlp.pipeline if hasattr(pipe, "borrow")), None)


def encoder_of(nlp: Language) -> PreTrainedModel | None:
    """Return the Hugging Face model in a pipeline, if there is one."""
    if "transformer" in nlp.pipe_names:
        return nlp.get_pipe("transformer").model.transformer
    head = borrowed_head(nlp)
    return head and head.model


def encoder_name(nlp: Language) -> str:
    """Return what a pipeline's encoder was made from: a name on the hub, or a folder."""
    head = borrowed_head(nlp)
    if head is not None:
        return head.source
    return nlp.config.interpolate()["components"]["transformer"]["model"]["name"]


def encoder_revision(nlp: Language) -> str | None:
    """Return the commit of the hub that a pipeline's encoder is of, None for that of a folder."""
    return nlp.config.get("settings", {}).get("revision")


def read_gold(path: Path, nlp: Language) -> list[Doc]:
    """Return the annotated documents of a split that a pipeline can be measured on.

    Raises UserError where there are none, or none of its task or of its labels.
    """
    for task in TASKS:
        if task in nlp.pipe_names:
            check_task(path, task, nlp.vocab)
    docs = list(read_docs(path, nlp.vocab))
    if "ner" in nlp.pipe_names:
        labels = {entity.label_ for doc in docs for entity in doc.ents}
        unknown = labels - set(nlp.get_pipe("ner").labels)
        if unknown:
            msg.warn(
                f"{path}: entities that the pipeline does not know: {', '.join(sorted(unknown))}"
            )
    if "textcat" in nlp.pipe_names:
        known = nlp.get_pipe("textcat").labels
        for label in sorted({label for doc in docs for label in doc.cats} - set(known)):
            raise UserError(
                f"{path} has the label {label!r}, which the pipeline does not know; it knows "
                f"{', '.join(known)[:200]}."
            )
    return docs


def annotate(nlp: Language, texts: Iterable[str | Doc]) -> Iterator[Doc]:
    """Yield the annotated documents in their order, without the transformer's vectors.

    A Doc keeps its own tokens. The vectors take 27 kB a document (`doc._.trf_data`).
    """
    for doc in nlp.pipe(texts, batch_size=BATCH_DOCS):
        if Doc.has_extension("trf_data"):
            doc._.trf_data = None
        yield doc
