"""The file with a pipeline's predictions on a split, which scores and pages are made from."""

from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc
from spacy.vocab import Vocab

from ..common.errors import UserError
from ..corpora.docbins import read_docs, write_docs
from .label_map import rename

# The version of the file format; `evaluate` predicts again if it is another.
FORMAT = 3
SUFFIX = ".spacy"
# Keys of user_data. In the first Doc: the Header. In a Doc whose gold tokens are not those of the
# pipeline's tokenizer: the entities predicted on the gold tokens, as [start, end, label]. Where a
# pipeline has them: the confidences of `doc.ents`, in their order, in [0, 1], and the number of the
# encoder's pieces.
HEADER = "predictions"
ON_GOLD_TOKENS = "entities_on_gold_tokens"
CONFIDENCE = "confidence"
PIECES = "pieces"
# Keys of a gold Doc's user_data, which say where the example came from.
ORIGIN = ("file", "line", "document", "category")
# First character, character after the last one, label.
Entity = tuple[int, int, str]
REMEDY = "delete it and run `evaluate` again"


class Header(NamedTuple):
    """How the predictions were made, and what scoring them needs to know of the pipeline.

    weights: hash of the weights and labels, which a wheel shares. pipeline_sha256: hash of all files
    of the pipeline. labels: the pipeline's own, by task. threshold: the probability from which
    `textcat_multilabel` assigns a label. temperatures: what the logits of a task were divided by to
    calibrate it. trained_on: name of the corpus, or corpora. examples: number of
    documents in the split. head: what a ready-made head counted. cut_windows: number of windows with
    more pieces than the encoder accepts. speed: measured while predicting.
    """

    format: int
    pipeline: str
    lang: str
    weights: str
    pipeline_sha256: str | None
    labels: dict[str, list[str]]
    threshold: float | None
    temperatures: dict[str, float]
    parameters: int
    encoder: str | None
    encoder_revision: str | None
    trained_on: str | None
    seed: int | None
    corpus: str
    split: str
    split_sha256: str
    examples: int
    head: dict[str, int] | None
    cut_windows: int
    speed: dict[str, Any]
    versions: dict[str, str]

    def threshold_of(self, task: str) -> float | None:
        """Return the probability from which a label is assigned; None if exactly one always is."""
        return self.threshold if task == "textcat_multilabel" else None


class Predictions(NamedTuple):
    """The predicted documents, one per example of the split, in order.

    They have the pipeline's own tokens; their `user_data` says where the example came from.
    """

    header: Header
    docs: list[Doc]

    def renamed(self, docs: list[Doc], names: dict[str, str]) -> list[Doc]:
        """Return copies of documents with new names for the pipeline's labels."""
        if not names:
            return docs
        copies = [doc.copy() for doc in docs]
        for doc in copies:
            if CONFIDENCE in doc.user_data:
                doc.user_data[CONFIDENCE] = [
                    value
                    for entity, value in zip(doc.ents, doc.user_data[CONFIDENCE])
                    if names.get(entity.label_, entity.label_)
                ]
            rename(doc, names, exclusive="textcat" in self.header.labels)
        return copies


# Fields that readers compare, and what a difference means.
DIFFERENCES = {
    "weights": "of a pipeline with other weights",
    "pipeline_sha256": "of a pipeline with other files",
    "split_sha256": "on another split",
}


def beside(metrics: Path) -> Path:
    """Return the path of the predictions that belong to a metrics file.

    Raises UserError if the metrics file has the suffix of predictions.
    """
    if metrics.suffix == SUFFIX:
        raise UserError(f"{metrics}: {SUFFIX} is for predictions; name a .json file.")
    return metrics.with_name(metrics.name.removesuffix(".json") + SUFFIX)


def bare(doc: Doc) -> Doc:
    """Return a document with the same tokens and no annotation."""
    return Doc(
        doc.vocab,
        words=[token.text for token in doc],
        spaces=[bool(token.whitespace_) for token in doc],
    )


def entities(doc: Doc) -> list[Entity]:
    """Return the entities of a document by their characters."""
    return [(span.start_char, span.end_char, span.label_) for span in doc.ents]


def confidences(doc: Doc) -> list[float]:
    """Return the confidence of each entity of a document, empty if the pipeline states none."""
    values = [entity._.get(CONFIDENCE) for entity in doc.ents]
    return [] if None in values else values


def on_gold_tokens(found: Doc, gold: Doc) -> Doc:
    """Return the entities predicted on the gold tokens, in a Doc with these. If they are the
    pipeline's own tokens, that is the prediction on the raw text, `found`."""
    if ON_GOLD_TOKENS not in found.user_data:
        return found
    doc = bare(gold)
    doc.ents = [
        doc.char_span(start, end, label=label)
        for start, end, label in found.user_data[ON_GOLD_TOKENS]
    ]
    return doc


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write predictions as a .spacy file, or as a folder of shards if they are large."""
    docs = predictions.docs
    data = [dict(doc.user_data) for doc in docs]
    data[0][HEADER] = predictions.header._asdict()
    write_docs(zip(docs, data), path)


def header_of(doc: Doc, path: Path) -> dict[str, Any]:
    """Remove the header from the first document of a file, and return it. Raises UserError if there
    is none: the file holds something else."""
    header = doc.user_data.pop(HEADER, None)
    if not isinstance(header, dict) or "format" not in header:
        raise UserError(
            f"{path}: not predictions but a corpus or other documents; name another file."
        )
    return header


def check_replaceable(path: Path) -> None:
    """Raise UserError unless predictions may be written to a path: an existing file there may be the
    split of a corpus, which has the same suffix."""
    if path.suffix != SUFFIX:
        raise UserError(f"{path}: predictions are a {SUFFIX} file; name one.")
    if path.exists():
        header_of(next(read_docs(path, Vocab(), REMEDY)), path)


def read_predictions(path: Path, vocab: Vocab) -> Predictions | None:
    """Return the predictions in a .spacy file or a folder of shards; None if another version of the
    project wrote them in another format.

    Raises UserError if the file is missing, damaged or incomplete, or holds something else.
    """
    if not path.exists():
        raise UserError(f"{path} is missing: run `evaluate` first.")
    docs = list(read_docs(path, vocab, REMEDY))
    header = header_of(docs[0], path)
    if header["format"] != FORMAT or set(header) != set(Header._fields):
        return None
    if len(docs) != header["examples"]:
        raise UserError(
            f"{path} is incomplete: {len(docs):,} of {header['examples']:,} documents; {REMEDY}."
        )
    return Predictions(Header(**header), docs)


def difference(predictions: Predictions | None, wanted: dict[str, str | None]) -> str:
    """Return in words how predictions differ from the wanted ones; "" if they do not.

    wanted: values of fields of the header.
    """
    if predictions is None:
        return "in another version's format"
    header = predictions.header._asdict()
    return next((DIFFERENCES[name] for name in wanted if header[name] != wanted[name]), "")
