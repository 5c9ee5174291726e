"""Minuscule encoder-decoders of families other than Marian's own, with random weights.

The weights are large, so that what they write depends on what they read and are told.
"""

import json
from pathlib import Path

import sentencepiece
from transformers import (
    AutoTokenizer,
    BartConfig,
    BartForSequenceClassification,
    BertConfig,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MarianTokenizer,
    MBart50TokenizerFast,
    MBartConfig,
    MBartForConditionalGeneration,
    MBartTokenizerFast,
    NllbTokenizerFast,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    T5Config,
    T5ForConditionalGeneration,
    T5TokenizerFast,
    set_seed,
)

from scripts.seq2seq.small_marian import Pairs, new_marian, train_pieces, write_tokenizer

# Of all of them; nothing that they write is longer.
LONGEST = 12
SHAPE = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "init_std": 0.5,
    "max_position_embeddings": 40,
}  # fmt: skip
# What T5's own checkpoints list.
TASKS = {
    "summarization": {"prefix": "summarize: ", "num_beams": 4, "max_length": 9},
    "translation_en_to_de": {"prefix": "translate English to German: ", "num_beams": 3,
                             "max_length": 10, "early_stopping": True},
    "translation_en_to_fr": {"prefix": "translate English to French: ", "num_beams": 2,
                             "max_length": 11, "early_stopping": True},
}  # fmt: skip

# Of the decoder of a minuscule restorer.
DECODER = {
    "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
    "initializer_range": 0.1, "dropout": 0.0,
}  # fmt: skip


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Path:
    if model.can_generate():
        model.generation_config.update(max_length=LONGEST, min_length=4, num_beams=2)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def write_all(pairs: Pairs, bert: Path, folder: Path) -> dict[str, Path]:
    """Write a checkpoint of each family into a folder; return their folders by name."""
    set_seed(0)
    pieces = folder / "sentencepiece.bpe.model"
    pieces.write_bytes(train_pieces([side for pair in pairs for side in pair], 300))
    names = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary += [names.id_to_piece(n) for n in range(3, len(names))]
    listed = folder / "vocab.json"
    listed.write_text(json.dumps({piece: n for n, piece in enumerate(vocabulary)}), "utf8")
    return {
        "mbart": many_languages(MBartTokenizerFast, pieces, folder / "mbart"),
        "mbart50": many_languages(MBart50TokenizerFast, pieces, folder / "mbart50"),
        "nllb": many_languages(NllbTokenizerFast, pieces, folder / "nllb"),
        "m2m100": m2m100(listed, pieces, folder / "m2m100"),
        "t5": t5(pieces, folder / "t5"),
        "several": several(pairs, folder / "several"),
        "bert2bert": bert2bert(bert, folder / "bert2bert"),
        "bart-classifier": classifier(bert, folder / "bart-classifier"),
    }


def many_languages(kind: type, pieces: Path, folder: Path) -> Path:
    tokenizer = kind(vocab_file=str(pieces), model_max_length=40)
    settings = {**SHAPE, "vocab_size": len(tokenizer), "decoder_start_token_id": 2}
    if kind is NllbTokenizerFast:
        return save(M2M100ForConditionalGeneration(M2M100Config(**settings)), tokenizer, folder)
    return save(MBartForConditionalGeneration(MBartConfig(**settings)), tokenizer, folder)


def m2m100(listed: Path, pieces: Path, folder: Path) -> Path:
    tokenizer = M2M100Tokenizer(str(listed), str(pieces), model_max_length=40)
    # Eight more, as in the published ones.
    size = max(tokenizer.lang_code_to_id.values()) + 9
    config = M2M100Config(**SHAPE, vocab_size=size, decoder_start_token_id=2)
    return save(M2M100ForConditionalGeneration(config), tokenizer, folder)


def t5(pieces: Path, folder: Path) -> Path:
    tokenizer = T5TokenizerFast(str(pieces), model_max_length=40)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2,
        initializer_factor=5.0, decoder_start_token_id=0, task_specific_params=TASKS,
    )  # fmt: skip
    return save(T5ForConditionalGeneration(config), tokenizer, folder)


def several(pairs: Pairs, folder: Path) -> Path:
    write_tokenizer(pairs, 300, folder, (">>eng<<", ">>deu<<"))
    tokenizer = MarianTokenizer.from_pretrained(folder)
    model = new_marian(tokenizer, width=32)
    for parameter in model.parameters():
        parameter.data.mul_(10)
    return save(model, tokenizer, folder)


def bert2bert(encoder: Path, folder: Path) -> Path:
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    shape = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, initializer_range=0.5, max_position_embeddings=40,
    )  # fmt: skip
    config = EncoderDecoderConfig.from_encoder_decoder_configs(shape, shape)
    config.decoder_start_token_id = tokenizer.cls_token_id
    config.eos_token_id, config.pad_token_id = tokenizer.sep_token_id, tokenizer.pad_token_id
    return save(EncoderDecoderModel(config), tokenizer, folder)


def classifier(encoder: Path, folder: Path) -> Path:
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    config = BartConfig(**SHAPE, vocab_size=len(tokenizer))
    return save(BartForSequenceClassification(config), tokenizer, folder)
