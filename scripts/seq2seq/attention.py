"""Draw the attention of an encoder-decoder: in its encoder, in its decoder, and between the two."""

from pathlib import Path

import torch

from ..common.errors import UserError
from ..encoders.attention import View, attention_page, check_drawn, write_page
from .translator import Translation, Translator

STEPS = "A row is the step that writes the piece."


def attention_views(translator: Translator, ids: list[int], written: list[int]) -> list[View]:
    """Return the encoder's self-attention, the decoder's, and the cross-attention for a sentence.

    ids: the sentence's. written: what the decoder started with, and wrote; it is made to write the same
    again (teacher forcing). The model was opened with attn_implementation="eager".
    """
    names = translator.tokenizer.convert_ids_to_tokens
    read, given, steps = names(ids), names(written[:-1]), names(written[1:])
    with torch.inference_mode():
        output = translator.model(
            **translator.batch([ids]),
            decoder_input_ids=torch.tensor([written[:-1]]),
            output_attentions=True,
        )
    return [
        View("encoder and decoder", steps, read, output.cross_attentions, False,
             f"Cross-attention: what the decoder reads in the source. {STEPS}"),
        View("encoder", read, read, output.encoder_attentions, False,
             "Self-attention of the encoder: a piece sees the whole sentence."),
        View("decoder", steps, given, output.decoder_attentions, True,
             f"Self-attention of the decoder: it sees only what is written. {STEPS}"),
    ]  # fmt: skip


def write_attention(translator: Translator, translation: Translation, path: Path) -> None:
    """Write the page for the translation of one sentence. Raises UserError for several, or long ones."""
    if len(translation.sentences) != 1:
        raise UserError(
            f"--attention: the text has {len(translation.sentences)} sentences; give one of them."
        )
    (sentence,) = translation.sentences
    ids = translator.encode(sentence.source)
    check_drawn(len(ids))
    (written,) = translator.generate([ids])
    check_drawn(len(written.ids), "the translation")
    views = attention_views(translator, ids, written.ids)
    language = translator.nlp.lang
    texts = [sentence.source, sentence.translation]
    write_page(path, attention_page(translator.tokenizer.name_or_path, views, language, texts))
