"""Minuscule checkpoints of each tokenizer type, created on the fly, and a command-line runner."""

import io
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
import sentencepiece
import spacy
from spacy.tokens import DocBin
from tokenizers import BertWordPieceTokenizer
from transformers import (
    CamembertConfig,
    CamembertModel,
    CamembertTokenizerFast,
    DistilBertConfig,
    DistilBertModel,
    DistilBertTokenizerFast,
    set_seed,
)

from scripts import convert
from scripts.cli import run
from scripts.corpora.docbins import read_docs

from .heads import tag_checkpoint, text_checkpoint

pytest_plugins = ["tests.browser"]
# Where requirements-test.txt is not installed; tests/browser.py says so.
collect_ignore = [] if find_spec("fastapi") else ["web", "light/test_serving.py"]
collect_ignore += [] if find_spec("jupytext") else ["test_notebooks.py", "test_course.py"]
ROOT = Path(__file__).parent.parent
# Started first, so that the two processes end at about the same time.
LONGEST = (
    "test_workflow.py", "test_package.py", "test_notebooks.py", "test_wrap.py", "test_flaubert.py"
)  # fmt: skip
SAMPLE = ROOT / "assets" / "sample"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


def sample_words() -> list:
    """Return the sample sentences as lines of raw text, to train tokenizers on."""
    tagged = (SAMPLE / "ner-fr" / "train.wikiner").read_text(encoding="utf8")
    return [" ".join(t.rsplit("|", 2)[0] for t in line.split()) for line in tagged.splitlines()]


@pytest.fixture(scope="session")
def distilbert(tmp_path_factory) -> Path:
    """A DistilBERT with a WordPiece vocabulary: 2 layers of width 32."""
    folder = tmp_path_factory.mktemp("encoders") / "tiny-distilbert"
    tokenizer = BertWordPieceTokenizer(lowercase=False)
    # Among merges with the same count it chooses anew at each call, and numbers them anew: here the count
    # ends it, the longest pieces are left out, and the rest is numbered in alphabetical order.
    tokenizer.train_from_iterator(
        sample_words(), vocab_size=10_000, min_frequency=20, show_progress=False
    )
    folder.mkdir()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    found = sorted(tokenizer.get_vocab().keys() - set(special), key=lambda one: (len(one), one))
    pieces = [*special, *sorted(found[: 800 - len(special)])]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", "utf8")
    fast = DistilBertTokenizerFast(
        vocab_file=str(folder / "vocab.txt"), do_lower_case=False, model_max_length=512
    )
    fast.save_pretrained(folder)
    set_seed(0)
    config = DistilBertConfig(
        vocab_size=fast.vocab_size, dim=32, hidden_dim=64, n_layers=2, n_heads=2
    )
    DistilBertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def camembert(tmp_path_factory) -> Path:
    """A CamemBERT with a SentencePiece unigram vocabulary: 2 layers of width 32."""
    folder = tmp_path_factory.mktemp("encoders") / "tiny-camembert"
    folder.mkdir()
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sample_words()),
        model_writer=model,
        vocab_size=800,
        model_type="unigram",
        minloglevel=2,
    )
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    fast = CamembertTokenizerFast(
        vocab_file=str(folder / "sentencepiece.bpe.model"), model_max_length=512
    )
    fast.save_pretrained(folder)
    set_seed(0)
    config = CamembertConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=fast.pad_token_id,
    )
    CamembertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sample_corpora(tmp_path_factory) -> Path:
    """The sample corpora converted: folders `ner`, `textcat`, and `textcat_multilabel`, where texts have
    any of three labels or none."""
    folder = tmp_path_factory.mktemp("corpora")
    convert.convert("wikiner", SAMPLE / "ner-fr", folder / "ner", "fr")
    convert.convert("cls", SAMPLE / "cls-fr", folder / "textcat", "fr")
    several = folder / "textcat_multilabel"
    several.mkdir()
    for split in ("train", "dev", "test"):
        docs = list(read_docs(folder / "textcat" / f"{split}.spacy", spacy.blank("fr").vocab))
        for doc in docs:
            found = {"film": "film" in doc.text, "long": len(doc) > 40}
            doc.cats = {"positive": doc.cats["positive"]} | {k: float(v) for k, v in found.items()}
        DocBin(docs=docs).to_disk(several / f"{split}.spacy")
    return folder


def first_examples(source: Path, folder: Path, **sizes: int) -> Path:
    """Write the first examples of a corpus, so many of each split, into a folder."""
    folder.mkdir()
    for split, size in sizes.items():
        docs = list(read_docs(source / f"{split}.spacy", spacy.blank("fr").vocab))[:size]
        DocBin(docs=docs).to_disk(folder / f"{split}.spacy")
    return folder


@pytest.fixture(scope="session")
def few_corpora(sample_corpora, tmp_path_factory) -> Path:
    """Few examples of each task, and `both` with those of each and none that has both."""
    folder = tmp_path_factory.mktemp("few")
    ner = first_examples(sample_corpora / "ner", folder / "ner", train=200, dev=40, test=30)
    textcat = first_examples(
        sample_corpora / "textcat", folder / "textcat", train=120, dev=60, test=30
    )
    (folder / "both").mkdir()
    for split in ("train", "dev"):
        parts = [DocBin().from_disk(corpus / f"{split}.spacy") for corpus in (ner, textcat)]
        vocab = spacy.blank("fr").vocab
        DocBin(docs=[doc for part in parts for doc in part.get_docs(vocab)]).to_disk(
            folder / "both" / f"{split}.spacy"
        )
    return folder


@pytest.fixture(scope="session")
def heads(distilbert, camembert, sample_corpora, tmp_path_factory) -> Path:
    """Checkpoints with heads: `distilbert` and `camembert` trained on tags, `texts` untrained."""
    folder = tmp_path_factory.mktemp("heads")
    tag_checkpoint(distilbert, sample_corpora / "ner", folder / "distilbert")
    tag_checkpoint(camembert, sample_corpora / "ner", folder / "camembert")
    text_checkpoint(distilbert, ["NEG", "NEUTRAL", "POS"], folder / "texts")
    return folder


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The error's one line."""
        (line,) = [line for line in self.err.splitlines() if "✘" in line]
        return line


@pytest.fixture
def command(capfd, monkeypatch) -> Callable[..., Result]:
    """Run a command, given by its name or its module, as the command line does, in this process."""

    def call(command: str | ModuleType, *arguments) -> Result:
        name = command if isinstance(command, str) else command.__name__.rpartition(".")[2]
        monkeypatch.setattr(sys, "argv", ["scripts", name.replace("_", "-"), *map(str, arguments)])
        with pytest.raises(SystemExit) as exit:
            run()
        captured = capfd.readouterr()
        return Result(exit.value.code or 0, captured.out, captured.err)

    return call
