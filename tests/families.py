"""Minuscule encoders of families other than conftest's two, with random weights."""

import json
from pathlib import Path

from sacremoses import MosesTokenizer
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    FlaubertConfig,
    FlaubertTokenizer,
    FlaubertWithLMHeadModel,
    set_seed,
)

from .conftest import sample_words

BERT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
RELATIVE = {**BERT, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
IDS = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")
# Model type -> settings of two layers of width 32.
SHAPES = {
    "albert": {**BERT, "embedding_size": 16},
    "bert": BERT,
    "deberta": RELATIVE,
    "deberta-v2": {**RELATIVE, "norm_rel_ebd": "layer_norm"},
    "distilbert": {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2},
    "electra": {**BERT, "embedding_size": 16},
    "flaubert": {"emb_dim": 32, "n_layers": 2, "n_heads": 2},
    "funnel": {
        "d_model": 32, "block_sizes": [1, 1], "n_head": 2, "d_head": 16, "d_inner": 64,
        "architectures": ["FunnelModel"],
    },
    "modernbert": {**BERT, **dict.fromkeys(IDS, 0)},
    "mpnet": BERT,
    "roberta": BERT,
    "xlm": {"emb_dim": 32, "n_layers": 2, "n_heads": 2},
    "xlm-roberta-xl": BERT,
    "xlnet": {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64},
}  # fmt: skip


def new_encoder(kind: str, **settings):
    """Return a family's encoder, with a vocabulary of 800 pieces."""
    set_seed(0)
    config = AutoConfig.for_model(kind, vocab_size=800, **{**SHAPES[kind], **settings})
    return AutoModel.from_config(config)


def write_encoder(kind: str, pieces: Path, output: Path, **settings) -> Path:
    """Write a family's encoder with another checkpoint's tokenizer; return its folder."""
    tokenizer = AutoTokenizer.from_pretrained(pieces)
    # No token types, which not every family accepts.
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    tokenizer.save_pretrained(output)
    new_encoder(kind, **settings).save_pretrained(output)
    return output


def write_flaubert(output: Path) -> Path:
    """Write a FlauBERT with its masked-language-model head and a BPE vocabulary over Moses tokens."""
    output.mkdir()
    moses = MosesTokenizer(lang="fr")
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = ["<s>", "</s>", "<pad>", "<unk>", *(f"<special{i}>" for i in range(10))]
    trainer = trainers.BpeTrainer(
        vocab_size=800, special_tokens=special, end_of_word_suffix="</w>", show_progress=False
    )
    words = (" ".join(moses.tokenize(line, escape=False)) for line in sample_words())
    bpe.train_from_iterator(words, trainer)
    model = json.loads(bpe.to_str())["model"]
    (output / "vocab.json").write_text(json.dumps(model["vocab"]), "utf8")
    merges = "".join(f"{first} {second}\n" for first, second in model["merges"])
    (output / "merges.txt").write_text(merges, "utf8")
    tokenizer = FlaubertTokenizer(
        output / "vocab.json", output / "merges.txt", model_max_length=512
    )
    tokenizer.save_pretrained(output)
    set_seed(0)
    config = FlaubertConfig(vocab_size=800, **SHAPES["flaubert"])
    FlaubertWithLMHeadModel(config).save_pretrained(output)
    return output
