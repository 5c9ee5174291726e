"""A pipeline's predictions on a split: a DocBin that scores, pages and comparisons are made from."""

from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc
from spacy.vocab import Vocab

from ..common.errors import UserError
from ..corpora.docbins import read_docs, write_docs
from .label_map import rename

# Of the file. Another one means that `evaluate` predicts again.
FORMAT = 1
SUFFIX = ".spacy"
# Keys of user_data: in the first Doc, the Header; in a Doc that the pipeline cuts into other tokens
# than the gold ones, the entities that it finds on the gold tokens: [start, end, label], in characters.
HEADER = "predictions"
ON_GOLD_TOKENS = "entities_on_gold_tokens"
# Keys of the gold Docs that say where an example came from.
ORIGIN = ("file", "line", "document", "category")
# First character, character after the last, label.
Entity = tuple[int, int, str]
REMEDY = "delete it and run `evaluate` again"


class Header(NamedTuple):
    """What the predictions were made with, and all that scoring them needs to know of the pipeline.

    weights, pipeline_sha256: hashes of the weights, which a wheel shares, and of the folder's files.
    labels: for each task, under the pipeline's own names. threshold: the probability from which
    `textcat_multilabel` gives a label. trained_on: the corpus's name. examples: documents in the
    split. head: what happened to the texts in a ready-made head. cut_windows: windows with more
    pieces than the encoder takes. speed: measured while predicting.
    """

    format: int
    pipeline: str
    lang: str
    weights: str
    pipeline_sha256: str | None
    labels: dict[str, list[str]]
    threshold: float | None
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
        """Return the probability from which a label is given; None if exactly one label always is."""
        return self.threshold if task == "textcat_multilabel" else None


class Predictions(NamedTuple):
    """The predicted documents, one for each example of the split, in its order.

    They have the pipeline's own tokens, and in `user_data` where the example came from.
    """

    header: Header
    docs: list[Doc]

    def renamed(self, docs: list[Doc], names: dict[str, str]) -> list[Doc]:
        """Return documents, copied, with new names for the pipeline's labels."""
        if not names:
            return docs
        copies = [doc.copy() for doc in docs]
        for doc in copies:
            rename(doc, names, exclusive="textcat" in self.header.labels)
        return copies


# What a reader compares, and what a difference means.
DIFFERENCES = {
    "weights": "of a pipeline with other weights",
    "pipeline_sha256": "of a pipeline with other files",
    "split_sha256": "on another split",
}


def beside(metrics: Path) -> Path:
    """Return the path of the predictions that metrics were computed from.

    Raises UserError if the metrics would have that path themselves.
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


def on_gold_tokens(found: Doc, gold: Doc) -> Doc:
    """Return what was found on the gold tokens, on a copy of these; where the pipeline's own tokens
    are the same, that is what was found on the text."""
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
    """Take the header out of the first document of a file. Raises UserError if it has none."""
    header = doc.user_data.pop(HEADER, None)
    if not isinstance(header, dict) or "format" not in header:
        raise UserError(
            f"{path}: a corpus or other documents, not predictions; move it, or name another file."
        )
    return header


def check_replaceable(path: Path) -> None:
    """Raise UserError if a path cannot be that of predictions, or has something else: a corpus has
    the same suffix."""
    if path.suffix != SUFFIX:
        raise UserError(f"{path}: predictions are a {SUFFIX} file; name one.")
    if path.exists():
        header_of(next(read_docs(path, Vocab(), REMEDY)), path)


def read_predictions(path: Path, vocab: Vocab) -> Predictions | None:
    """Return the predictions in a .spacy file or a folder of shards; None if they are in the format
    of another version of the project.

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
    """Return in words what tells predictions from the wanted ones; nothing if they are those.

    wanted: values of fields of the header.
    """
    if predictions is None:
        return "in the format of another version of this project"
    header = predictions.header._asdict()
    return next((DIFFERENCES[name] for name in wanted if header[name] != wanted[name]), "")
