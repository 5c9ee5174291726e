"""Tiny checkpoints with masked-LM heads, and a raw text."""

import shutil

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    CamembertConfig,
    CamembertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedTokenizerFast,
    set_seed,
)

from ..conftest import sample_words


@pytest.fixture(scope="session")
def masked(distilbert, camembert, tmp_path_factory):
    """The checkpoints with masked-LM heads: distilbert, camembert and bert."""
    folders = {}
    for source, config_class, model_class in (
        (distilbert, DistilBertConfig, DistilBertForMaskedLM),
        (camembert, CamembertConfig, CamembertForMaskedLM),
    ):
        folder = tmp_path_factory.mktemp("masked") / source.name
        shutil.copytree(source, folder)
        set_seed(0)
        model_class(config_class.from_pretrained(source)).save_pretrained(folder)
        folders[source.name.removeprefix("tiny-")] = folder
    folders["bert"] = tmp_path_factory.mktemp("masked") / "tiny-bert"
    config = BertConfig(
        vocab_size=800, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(folders["bert"])
    AutoTokenizer.from_pretrained(distilbert).save_pretrained(folders["bert"])
    return folders


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "sample.txt"
    path.write_text("\n".join(sample_words()), "utf8")
    return path


@pytest.fixture
def hub(tmp_path, camembert, distilbert):
    """The root of a hub with me/tiny: main is a CamemBERT, v1 a DistilBERT."""
    root = tmp_path / "hub"
    shutil.copytree(camembert, root / "models/me/tiny")
    shutil.copytree(distilbert, root / "models/me/tiny@v1")
    return root


@pytest.fixture
def unigram():
    """A unigram tokenizer like XLM-R's, with Metaspace alone, and a BERT of width 8 for it."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁le", "▁chat", "▁dort", "a", "t", "▁кот", ","]
    tokenizer = Tokenizer(models.Unigram([(p, -float(i)) for i, p in enumerate(pieces)], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        unk_token="<unk>", mask_token="<mask>", model_max_length=16,
    )  # fmt: skip
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(fast), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, pad_token_id=1,
    )  # fmt: skip
    return BertModel(config).eval(), fast
