"""An encoder-decoder: an encoder that was pretrained, and a small decoder that begins untrained."""

from typing import Any

import torch
from transformers import (
    MODEL_FOR_MASKED_LM_MAPPING,
    BertConfig,
    BertLMHeadModel,
    EncoderDecoderModel,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ..common.errors import UserError, first_line
from ..encoders.checkpoint import open_checkpoint


def open_encoder(
    name: str, revision: str | None
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Return the tokenizer of an encoder, and the encoder without its head. Raises UserError."""
    tokenizer, encoder = open_checkpoint(name, revision=revision)
    if type(encoder.config) not in MODEL_FOR_MASKED_LM_MAPPING or encoder.config.is_encoder_decoder:
        raise UserError(
            f"encoder {name}: a {encoder.config.model_type} model, no encoder of BERT's family; "
            "choose one that was pretrained on masked text, as `pretrain` makes."
        )
    if getattr(encoder, "pooler", True) is None:
        # Its checkpoint has none, and nothing reads it; but the class that opens the encoder-decoder
        # again would make one at random, and say so.
        encoder.pooler = type(encoder)(encoder.config).pooler
    return tokenizer, encoder


def new_decoder(
    shape: dict[str, Any], tokenizer: PreTrainedTokenizerBase, encoder: PreTrainedModel, length: int
) -> BertLMHeadModel:
    """Return a BERT that attends to an encoder of its width, with the encoder's embeddings of pieces to
    read and to write.

    shape: the section [model]. length: the greatest number of pieces. Its positions are absolute: in
    transformers 4, relative ones fail on the cached pieces of the encoder. Raises UserError for an invalid
    shape.
    """
    shape = dict(shape)
    dropout = shape.pop("dropout")
    if not 0 <= dropout < 1:
        raise UserError(f"--model.dropout {dropout}: expected 0 or a fraction such as 0.1.")
    embeddings = encoder.get_input_embeddings()
    try:
        decoder = BertLMHeadModel(
            BertConfig(
                vocab_size=embeddings.num_embeddings, hidden_size=embeddings.embedding_dim,
                max_position_embeddings=length, position_embedding_type="absolute",
                type_vocab_size=1, is_decoder=True, add_cross_attention=True,
                hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
                pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.cls_token_id,
                eos_token_id=tokenizer.sep_token_id, **shape,
            )
        )  # fmt: skip
    except (ValueError, TypeError, RuntimeError, ZeroDivisionError) as error:
        raise UserError(
            f"[model]: invalid shape for an encoder of width {embeddings.embedding_dim}; "
            f"{first_line(error)}."
        ) from error
    with torch.no_grad():
        # The layer that writes pieces shares them.
        decoder.get_input_embeddings().weight.copy_(embeddings.weight)
    return decoder


def encoder_decoder(
    shape: dict[str, Any], tokenizer: PreTrainedTokenizerBase, encoder: PreTrainedModel, length: int
) -> EncoderDecoderModel:
    """Return the two as one model that `generate` can use, up to `length` pieces."""
    decoder = new_decoder(shape, tokenizer, encoder, length)
    model = EncoderDecoderModel(encoder=encoder, decoder=decoder)
    special = {
        "decoder_start_token_id": tokenizer.cls_token_id, "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    model.config.update({**special, "vocab_size": decoder.config.vocab_size})
    model.generation_config = GenerationConfig(**special, max_length=length)
    # They are other weights under a second name, so no checkpoint has them; Trainer warned of that when it
    # resumed.
    model._keys_to_ignore_on_save = [f"decoder.{name}" for name in decoder._tied_weights_keys]
    return model
