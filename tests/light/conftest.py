"""A pipeline for both tasks and its forms for ONNX Runtime."""

from pathlib import Path

import pytest
import spacy

from scripts.to_onnx import FASTEST, FLOAT32, TRUEST, to_onnx
from scripts.train import train

SETTINGS = {
    "settings.max_steps": 92, "settings.eval_frequency": 46, "settings.batch_words": 500,
    "settings.batch_examples": 16, "settings.learn_rate": 2e-3, "settings.accumulate": 1,
    "settings.precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="session")
def joint(distilbert, few_corpora, tmp_path_factory) -> Path:
    """A trained pipeline with both tasks, on torch."""
    folder = tmp_path_factory.mktemp("light") / "trained"
    corpora = [few_corpora / "ner", few_corpora / "textcat"]
    train(
        "ner+textcat", folder, corpora, "fr", -1, {"settings.encoder": str(distilbert), **SETTINGS}
    )
    return folder


@pytest.fixture(scope="session")
def light(joint, few_corpora, tmp_path_factory) -> Path:
    """Its forms: folders float32, int8 and int8-fastest."""
    folder = tmp_path_factory.mktemp("onnx")
    for precision in (FLOAT32, TRUEST, FASTEST):
        corpora = [few_corpora / "ner", few_corpora / "textcat"]
        to_onnx(str(joint), folder / precision, corpora, precision, 1.0)
    return folder


@pytest.fixture(scope="session")
def opened(joint, light) -> dict:
    """The loaded pipelines, by their precision; `torch` is the trained one."""
    folders = {"torch": joint, **{path.name: path for path in light.iterdir()}}
    return {name: spacy.load(folder / "model-best") for name, folder in folders.items()}
