"""Trimmed vocabularies: the same pieces and hidden states as before, with fewer embeddings."""

import shutil

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

from scripts.common.errors import UserError
from scripts.encoders import trim
from scripts.encoders.trim import choose_pieces, count_words, trim_vocabulary

from ..conftest import sample_words
from ..heads import text_checkpoint

ENCODERS = ["distilbert", "camembert", "bert"]


def test_trim_keeps_hidden_states_and_round_trip(unigram):
    model, tokenizer = unigram
    text = "le chat dort, le chat"
    ids = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        before = model(**ids).last_hidden_state
    used = {*ids["input_ids"][0].tolist(), 1, 3, tokenizer.mask_token_id}
    model, cut = trim_vocabulary(model, tokenizer, sorted(used))
    assert len(cut) == len(used) == model.config.vocab_size < len(tokenizer)
    new = cut(text, return_tensors="pt")
    with torch.no_grad():
        after = model(**new).last_hidden_state
    assert torch.equal(before, after)
    assert cut.convert_ids_to_tokens(new["input_ids"][0]) == tokenizer.convert_ids_to_tokens(
        ids["input_ids"][0]
    )
    assert (cut.pad_token_id, cut.mask_token_id) == (1, len(cut) - 1)
    # A removed piece becomes the unknown token, not another piece.
    assert cut.unk_token_id in cut("кот")["input_ids"]


def test_pieces_are_chosen_for_the_languages_and_can_be_too_few(unigram):
    tokenizer = unigram[1]
    counts = count_words(tokenizer.backend_tokenizer, ["fr"])
    kept = choose_pieces(tokenizer, counts, 11)
    pieces = set(tokenizer.convert_ids_to_tokens(kept))
    assert {"▁le", "▁chat", "▁dort", "<s>", "<mask>"} - pieces <= {"▁dort"}
    assert "▁кот" not in pieces
    with pytest.raises(UserError, match="too few"):
        choose_pieces(tokenizer, counts, 3)
    with pytest.raises(UserError, match="no large word list"):
        count_words(tokenizer.backend_tokenizer, ["tlh"])


def opened(folder):
    return AutoTokenizer.from_pretrained(folder), AutoModelForMaskedLM.from_pretrained(
        folder
    ).eval()


@pytest.mark.parametrize("name", ENCODERS)
def test_texts_whose_pieces_are_kept_have_the_same_hidden_states(
    command, masked, text, tmp_path, name
):
    """And the same pieces and predictions, with WordPiece, unigram and a masked-LM head."""
    out = tmp_path / "out"
    result = command(trim, masked[name], out, "--text", text, "--pieces", 700)
    assert result.code == 0, result.err
    assert "of the pieces of held-out text are lost" in result.out
    tokenizer, model = opened(masked[name])
    cut, small = opened(out)
    config = AutoConfig.from_pretrained(out)
    # transformers does not add pieces of its own.
    assert len(cut) == config.vocab_size == 700 < len(tokenizer)
    assert config.pad_token_id == cut.pad_token_id == tokenizer.pad_token_id
    assert cut.special_tokens_map == tokenizer.special_tokens_map
    assert cut.model_max_length == 512
    head = small.get_output_embeddings()
    assert head.weight.data_ptr() == small.get_input_embeddings().weight.data_ptr()
    assert head.weight.shape == (700, 32) and head.bias.shape == (700,)
    kept = set(cut.get_vocab())
    same = 0
    for line in sample_words()[:200]:
        old, new = tokenizer(line, return_tensors="pt"), cut(line, return_tensors="pt")
        assert old.keys() == new.keys()
        pieces = old.tokens()
        assert tokenizer.decode(old["input_ids"][0]) == cut.decode(new["input_ids"][0]) or (
            set(pieces) - kept
        )
        if set(pieces) <= kept:
            same += 1
            assert new.tokens() == pieces
            ids = torch.tensor(
                tokenizer.convert_tokens_to_ids(cut.convert_ids_to_tokens(range(700)))
            )
            with torch.no_grad():
                before = model(**old, output_hidden_states=True)
                after = small(**new, output_hidden_states=True)
            assert torch.equal(before.hidden_states[-1], after.hidden_states[-1])
            assert torch.allclose(before.logits[..., ids], after.logits, atol=1e-5)
    assert same > 20


def test_a_language_with_weights_in_float16(command, distilbert, tmp_path):
    result = command(
        trim, distilbert, tmp_path / "out", "--language", "fr", "--pieces", 500, "--half"
    )
    assert result.code == 0, result.err
    model = AutoModelForMaskedLM.from_pretrained(tmp_path / "out")
    assert model.dtype == torch.float32 and model.config.vocab_size == 500
    size = (tmp_path / "out" / "model.safetensors").stat().st_size
    n = model.base_model.num_parameters()
    assert 2 * n < size < 2 * n + 8000
    card = (tmp_path / "out" / "README.md").read_text("utf8")
    assert "trimmed from 800 to 500 pieces: those of fr" in card


def test_other_heads_are_kept_and_other_vocabularies_refused(command, distilbert, tmp_path):
    text_checkpoint(distilbert, ["a", "b"], tmp_path / "head")
    (tmp_path / "one.txt").write_text("Marie vit à Lens.")
    options = ("--language", "fr", "--pieces", 500, "--measure", tmp_path / "one.txt")
    result = command(trim, tmp_path / "head", tmp_path / "out", *options)
    assert result.code == 0, result.err
    assert "of the pieces of held-out text are lost" in result.out
    old, new = (
        AutoModelForSequenceClassification.from_pretrained(tmp_path / name)
        for name in ("head", "out")
    )
    assert torch.equal(old.classifier.weight, new.classifier.weight)
    bpe = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE({"a": 0, "b": 1}, [])), pad_token="a", unk_token="b"
    )
    shutil.copytree(
        distilbert, tmp_path / "bpe", ignore=shutil.ignore_patterns("*token*", "vocab*")
    )
    bpe.save_pretrained(tmp_path / "bpe")
    result = command(trim, tmp_path / "bpe", tmp_path / "no", "--language", "fr", "--pieces", 1)
    assert result.code == 1 and not (tmp_path / "no").exists()
    assert "only WordPiece and unigram vocabularies" in result.line or "few" in result.line
