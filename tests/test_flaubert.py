"""FlauBERT, the encoder that FLUE was made for: its tokenizer, in Python, returns no offsets."""

import json
import subprocess
import sys
import zipfile

import numpy
import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from spacy_transformers.align import get_alignment
from transformers import AutoModel, AutoTokenizer

from scripts import evaluate, package, train
from scripts.encoders import fill_mask, inspect, pretrain
from scripts.wheel.offsets import piece_offsets, with_offsets

from .conftest import ROOT
from .families import write_flaubert
from .processes import finish_command

TEXT = "«\xa0L’été\xa0», dit-elle au week-end… www"


@pytest.fixture(scope="module")
def flaubert(tmp_path_factory):
    return write_flaubert(tmp_path_factory.mktemp("flaubert") / "tiny-flaubert")


@pytest.fixture(scope="module")
def trained(flaubert, sample_corpora, tmp_path_factory):
    """Pipelines for both tasks; the classifier's after enough updates to beat its first evaluation."""
    folder = tmp_path_factory.mktemp("trained")
    for task, steps, every, limit in (("ner", 10, 10, 20), ("textcat", 100, 50, 40)):
        finish_command(
            "train", f"configs/{task}.cfg", folder / task, "--corpus", sample_corpora / task,
            "--lang", "fr", "--settings.encoder", flaubert, "--settings.max_steps", steps,
            "--settings.eval_frequency", every, "--settings.batch_words", 600,
            "--settings.dev_limit", limit, "--settings.learn_rate", 5e-3,
            "--settings.frozen_layers", 1, "--settings.precision", "float32", log=folder / "log",
        )  # fmt: skip
    return folder


def pieces_by_token(doc) -> list[tuple[str, list[str]]]:
    data = doc._.trf_data
    pieces = data.wordpieces.strings[0]
    return [(t.text, [pieces[i] for i in data.align[t.i].dataXd.ravel()]) for t in doc]


def joined(pieces: list[str]) -> str:
    return "".join(piece.replace("</w>", "") for piece in pieces)


def test_each_token_has_its_own_pieces(trained):
    """Also quotes and dots, which Moses replaces and moves, and a w after `</w>`."""
    nlp = spacy.load(trained / "ner" / "model-best")
    found = [(token, joined(pieces)) for token, pieces in pieces_by_token(nlp(TEXT)) if pieces]
    assert found == [
        ("«", '"'), ("L’", "L'"), ("été", "été"), ("»", '"'), (",", ","), ("dit", "dit-"),
        ("-elle", "t-elle"), ("au", "au"), ("week", "week"), ("-", "-"), ("end", "end"),
        ("…", "..."), ("www", "www"),
    ]  # fmt: skip


def test_offsets_of_pieces_in_the_text_and_of_others():
    assert piece_offsets("l’été", ["L", "'", "été"]) == [(0, 1), (1, 2), (2, 5)]
    # Pieces that are not in the text get no characters of it.
    assert piece_offsets("« a", [None, '"', "a", None]) == [(0, 0), (0, 1), (2, 3), (0, 0)]
    assert piece_offsets("\u200b a", [None, "a", None])[0] == (0, 0)
    # Unknown pieces, one per character or fewer.
    assert piece_offsets("a 日本 b", ["a", "", "", "b"])[1:3] == [(2, 3), (3, 4)]
    assert piece_offsets("a 日本語 b", ["a", "", "b"])[1] == (2, 5)
    # A quotation mark that is moved before the full stop.
    assert piece_offsets("Non. »", ["Non", '"', "."]) == [(0, 3), (5, 6), (3, 4)]
    assert piece_offsets("", []) == [] and piece_offsets("", [None, ""]) == [(0, 0), (0, 0)]


def test_every_token_of_the_samples_has_a_piece(flaubert, sample_corpora):
    nlp = spacy.blank("fr")
    plain = AutoTokenizer.from_pretrained(flaubert)
    tokenizer = with_offsets(AutoTokenizer.from_pretrained(flaubert))
    lost = without = 0
    for task in ("ner", "textcat"):
        for doc in DocBin().from_disk(sample_corpora / task / "dev.spacy").get_docs(nlp.vocab):
            encoding = tokenizer(doc.text, return_offsets_mapping=True)
            assert encoding["input_ids"] == plain(doc.text)["input_ids"]
            words = [token for token in doc if not token.is_space]
            offsets = encoding["offset_mapping"]
            for token in words:
                start, end = token.idx, token.idx + len(token)
                lost += not any(first < end and start < last for first, last in offsets)
            pieces = tokenizer.convert_ids_to_tokens(encoding["input_ids"])
            lengths = get_alignment([doc[:]], [pieces], tokenizer.all_special_tokens).lengths
            without += sum(not lengths[token.i] for token in words)
    # `without`: what spacy-transformers does by itself.
    assert lost == 0 < without


def test_the_tokenizer_returns_no_token_types(trained):
    """FlauBERT was pretrained without them; type 0 would add the embedding of <s> to each piece."""
    nlp = spacy.load(trained / "ner" / "model-best")
    assert nlp.get_pipe("transformer").model.tokenizer.model_input_names == [
        "input_ids", "attention_mask"
    ]  # fmt: skip
    assert nlp(TEXT)._.trf_data.wordpieces.token_type_ids is None


def test_frozen_embeddings_keep_their_weights_and_layers_learn(trained, flaubert):
    before = AutoModel.from_pretrained(flaubert).state_dict()
    nlp = spacy.load(trained / "textcat" / "model-best")
    after = nlp.get_pipe("transformer").model.transformer.state_dict()
    same = {name for name in before if before[name].equal(after[name])}
    assert {"embeddings.weight", "position_embeddings.weight", "layer_norm_emb.weight"} <= same
    assert {"attentions.0.q_lin.weight", "ffns.1.lin1.weight"}.isdisjoint(same)


@pytest.mark.parametrize("task", ["ner", "textcat"])
def test_evaluated_saved_and_loaded_again(command, trained, sample_corpora, tmp_path, task):
    model, metrics = trained / task / "model-best", tmp_path / "m.json"
    result = command(evaluate, model, sample_corpora / task, metrics)
    assert result.code == 0, result.err
    assert srsly.read_json(metrics)["examples"] > 100
    nlp = spacy.load(model)
    nlp.to_disk(tmp_path / "again")
    again = spacy.load(tmp_path / "again")
    docs = [pipeline(TEXT) for pipeline in (nlp, again)]
    vectors = [doc._.trf_data.model_output.last_hidden_state for doc in docs]
    assert numpy.array_equal(*vectors) and docs[0].cats == docs[1].cats
    assert pieces_by_token(docs[0]) == pieces_by_token(docs[1])


def test_the_wheel_loads_without_this_project(command, trained, sample_corpora, tmp_path):
    model, metrics = trained / "ner" / "model-best", tmp_path / "fr_flaubert_trf.json"
    assert command(evaluate, model, sample_corpora / "ner", metrics).code == 0
    result = command(package, model, metrics, tmp_path, "--name", "fr_flaubert_trf")
    assert result.code == 0 and "installed and loaded offline" in result.out
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    # `package` detected that it is required.
    meta = srsly.read_json(tmp_path / "site" / "fr_flaubert_trf" / "meta.json")
    assert any(needed.startswith("sacremoses>=") for needed in meta["requirements"])
    program = (
        f"import sys, json, spacy; sys.path.insert(0, {str(tmp_path / 'site')!r});"
        f"doc = spacy.load('fr_flaubert_trf')({TEXT!r}); data = doc._.trf_data;"
        "print(json.dumps([int(n) for n in data.align.lengths]), 'scripts' in sys.modules)"
    )
    printed = subprocess.check_output([sys.executable, "-c", program], text=True, cwd=tmp_path)
    here = spacy.load(model)(TEXT)._.trf_data.align.lengths
    assert printed.split("\n")[0] == f"{json.dumps([int(n) for n in here])} False"


def test_inspected_filled_and_pretrained_further(command, flaubert, tmp_path):
    result = command(inspect, flaubert, "L’été.", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert [piece["tokens"] for piece in found["pieces"] if not piece["special"]] == [
        ["L’"], ["L’"], ["été"], ["."]
    ]  # fmt: skip
    assert set(found["parameters"]) == {"embeddings", "layer 1", "layer 2"}
    result = command(fill_mask, flaubert, "Paris est [MASK].", "--json")
    assert result.code == 0 and len(json.loads(result.out)["gaps"][0]) == 5
    text = tmp_path / "text.txt"
    text.write_text("Marie vit à Lens, et Lens est une ville de France.\n" * 60, "utf8")
    result = command(
        pretrain, text, tmp_path / "out", "--encoder", flaubert, "--training.max_steps", 2,
        "--data.block_size", 16,
    )  # fmt: skip
    assert result.code == 0, result.err


def test_a_missing_sacremoses_is_named(
    command, flaubert, trained, sample_corpora, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    corpus, config = sample_corpora / "ner", ROOT / "configs" / "ner.cfg"
    for module, *arguments in (
        (inspect, flaubert, "mot"),
        (train, config, tmp_path / "out", "--corpus", corpus, "--lang", "fr",
         "--settings.encoder", flaubert),
        (evaluate, trained / "ner" / "model-best", corpus, tmp_path / "m.json"),
    ):  # fmt: skip
        result = command(module, *arguments)
        assert result.code == 1 and not list(tmp_path.iterdir())
        assert result.line.endswith(": a package is missing: pip install sacremoses")
