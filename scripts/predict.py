"""Predict a split of a corpus with a pipeline, into a file that `evaluate` and `report` read."""

from pathlib import Path

from wasabi import msg

from .common.files import check_folder, written_beside
from .common.precision import check_precision
from .corpora.docbins import read_docs
from .serving.pipeline import load, set_precision
from .serving.predict import predict_split, speed_in_words
from .serving.predictions import check_replaceable, write_predictions


def predict(
    pipeline: str, corpus: Path, output: Path, split: str, gpu_id: int, precision: str
) -> None:
    """Write a pipeline's predictions on a split, one document per example, in order.

    On raw text, with the pipeline's own tokens and labels. The split needs no annotation.
    """
    check_replaceable(output)
    check_folder(output.parent)
    path = corpus / f"{split}.spacy"
    check_precision("--precision", precision)
    nlp = load(pipeline, gpu_id)
    set_precision(nlp, precision)
    predictions = predict_split(nlp, path, list(read_docs(path, nlp.vocab)))
    with written_beside(output.parent) as folder:
        write_predictions(predictions, folder / output.name)
    speed = predictions.header.speed
    msg.good(f"{output}: {len(predictions.docs):,} documents, {speed_in_words(speed)}")
