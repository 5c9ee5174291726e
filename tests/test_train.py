"""Real, short trainings for both tasks on a tiny checkpoint of each tokenizer type."""

import shutil

import pytest
import spacy
import srsly
import torch
from spacy.tokens import DocBin
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from thinc.api import Config

from scripts import convert, evaluate, train
from scripts.encoders.tokenizer_fixes import fix_offsets
from scripts.training.prepare import prepare_training

from .conftest import ROOT, SAMPLE

CORPORA = {"ner": ("wikiner", SAMPLE / "ner-fr"), "textcat": ("cls", SAMPLE / "cls-fr")}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """The samples, converted; the training texts include one of 600 words and an empty one."""
    folder = tmp_path_factory.mktemp("corpus")
    for task, (format, source) in CORPORA.items():
        convert.convert(format, source, folder / task, "fr")
    path = folder / "textcat" / "train.spacy"
    nlp = spacy.blank("fr")
    docs = list(DocBin().from_disk(path).get_docs(nlp.vocab))[:200]
    long = nlp.make_doc("Un film interminable . " * 150)
    long.cats = {"negative": 1.0, "positive": 0.0}
    DocBin(docs=[*docs, long]).to_disk(path)
    return folder


@pytest.mark.parametrize("encoder", ["distilbert", "camembert"])
@pytest.mark.parametrize("task", ["textcat", "ner"])
def test_training(command, request, corpora, tmp_path, encoder, task):
    checkpoint = request.getfixturevalue(encoder)
    output = tmp_path / "trained"
    result = command(
        train, ROOT / "configs" / f"{task}.cfg", output,
        "--corpus", corpora / task, "--lang", "fr",
        "--settings.encoder", checkpoint, "--settings.max_steps", 60,
        "--settings.eval_frequency", 30, "--settings.batch_words", 500,
        "--settings.learn_rate", 2e-3, "--settings.accumulate", 2,
    )  # fmt: skip
    assert result.code == 0, result.out + result.err
    assert [p.name for p in sorted(output.iterdir())] == ["logs", "model-best"]

    # A tenth of the steps is warm-up, or a quarter, and TensorBoard has the values of the console.
    config = Config().from_disk(output / "model-best" / "config.cfg")
    warmup = {"textcat": 6, "ner": 15}[task]
    assert config["settings"]["warmup_steps"] == warmup
    events = EventAccumulator(str(output / "logs"))
    events.Reload()
    rates = {event.step: event.value for event in events.Scalars("learn_rate")}
    assert rates[0] == 0 and rates[30] == pytest.approx(2e-3 * (60 - 30) / (60 - warmup))
    losses = [event.value for event in events.Scalars(f"loss/{task}")]
    assert len(losses) == 3
    # Losses are sums over 30 updates (1 at step 0): the last thirty have a lower one than the first.
    assert losses[2] < losses[1]
    assert [event.step for event in events.Scalars("score/overall")] == [0, 30, 60]

    # The trained pipeline loads with spacy.load, and annotates empty and long texts.
    nlp = spacy.load(output / "model-best")
    assert nlp.get_pipe("transformer").model.transformer.dtype == torch.float32
    long = "Marie Curie travaille à Paris . " * 200
    docs = list(nlp.pipe([long, "", "😀", "Marie Curie travaille à Paris ."]))
    if task == "textcat":
        assert all(sum(doc.cats.values()) == pytest.approx(1, abs=1e-3) for doc in docs)
    else:
        assert [len(doc.ents) for doc in docs[1:2]] == [0]

    # evaluate: the scores on raw text and, for entities, on gold tokens.
    metrics = tmp_path / "metrics" / "fr_tiny_trf.json"
    result = command(evaluate, output / "model-best", corpora / task, metrics, "--about", "samples")
    assert result.code == 0
    found = srsly.read_json(metrics)
    assert (found["pipeline"], found["split"], found["about"]) == ("fr_tiny_trf", "test", "samples")
    assert found["seed"] == 0 and found["encoder"] == str(checkpoint)
    assert found["versions"]["spacy"] == spacy.__version__
    assert found["speed"]["words_per_second"] > 0 and found["examples"] in (187, 212)
    assert ("gold_tokens" in found) == (task == "ner")
    if task == "textcat":
        result = command(evaluate, output / "model-best", corpora / "ner", tmp_path / "m.json")
        assert result.code == 1 and "texts without labels" in result.line
    kind = "ents_per_type" if task == "ner" else "cats_f_per_type"
    assert {"p", "r", "f"} == set(next(iter(found["raw_text"][kind].values())))


def test_two_trainings_with_the_same_seed_give_the_same_weights(
    command, distilbert, corpora, tmp_path
):
    weights = []
    for name in ("a", "b"):
        result = command(
            train, ROOT / "configs" / "ner.cfg", tmp_path / name,
            "--corpus", corpora / "ner", "--lang", "fr", "--settings.encoder", distilbert,
            "--settings.max_steps", 3, "--settings.dev_limit", 5, "--settings.batch_words", 100,
            "--settings.precision", "float32",
        )  # fmt: skip
        assert result.code == 0
        nlp = spacy.load(tmp_path / name / "model-best")
        weights.append(nlp.get_pipe("transformer").model.transformer.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_frozen_layers_keep_their_weights(command, camembert, corpora, tmp_path):
    result = command(
        train, ROOT / "configs" / "textcat.cfg", tmp_path / "out",
        "--corpus", corpora / "textcat", "--lang", "fr", "--settings.encoder", camembert,
        "--settings.max_steps", 3, "--settings.dev_limit", 5, "--settings.batch_words", 100,
        "--settings.frozen_layers", 2, "--settings.eval_frequency", 3,
    )  # fmt: skip
    assert result.code == 0
    from transformers import AutoModel

    before = AutoModel.from_pretrained(camembert).state_dict()
    nlp = spacy.load(tmp_path / "out" / "model-best")
    after = nlp.get_pipe("transformer").model.transformer.state_dict()
    changed = {
        ".".join(key.split(".")[:3])
        for key in before
        if not key.startswith("pooler") and not torch.equal(before[key], after[key])
    }
    assert changed <= {"encoder.layer.1"}


def test_bfloat16_affects_only_the_forward_pass(camembert):
    nlp = spacy.blank("fr")
    nlp.add_pipe("transformer", config={"model": {"name": str(camembert)}})
    nlp.initialize()
    exact = nlp("Marie Curie")._.trf_data.model_output.last_hidden_state
    prepare_training("bfloat16", 0)(nlp)
    rough = nlp("Marie Curie")._.trf_data.model_output.last_hidden_state
    assert rough.dtype == exact.dtype == "float32"
    assert not (rough == exact).all() and abs(rough - exact).max() < 0.1
    assert all(
        p.dtype == torch.float32 for p in nlp.get_pipe("transformer").model.transformer.parameters()
    )


def test_offsets_of_camemberts_pieces_exclude_the_space_before_a_word(camembert):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(camembert)
    fix_offsets(tokenizer.backend_tokenizer)
    text = "Marie Curie travaille à Paris"
    encoding = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    assert not any(text[start:end].startswith(" ") for start, end in encoding["offset_mapping"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--corpus", "nowhere"], "nowhere/train.spacy is missing"),
        (["--settings.encoder", "{empty}"], "no config.json in it"),
        (
            ["--settings.encoder", "no/such-encoder"],
            "not a complete checkpoint (local folder or hub id): no connection",
        ),
        (["--settings.precision", "int8"], "settings.precision 'int8'"),
        (["--settings.eval_frequency", "0"], "settings.eval_frequency 0: give 1 or more"),
        (["--settings.accumulate", "0"], "settings.accumulate 0: give 1 or more"),
        (["--settings.batch_words", "0"], "settings.batch_words 0: give 1 or more"),
        (["--settings.epochs", "-1"], "settings.epochs -1: give 0 or more"),
        (["--settings.dropout", "2.0"], "training.dropout 2.0: give 0 or more, and less than 1"),
    ],
)
def test_user_errors_are_reported_in_one_line(
    command, monkeypatch, corpora, camembert, tmp_path, arguments, message
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty").mkdir()
    arguments = [argument.format(empty=tmp_path / "empty") for argument in arguments]
    defaults = ["--corpus", corpora / "ner", "--lang", "fr", "--settings.encoder", camembert]
    result = command(train, ROOT / "configs" / "ner.cfg", tmp_path / "out", *defaults, *arguments)
    assert result.code == 1
    assert message in result.line
    assert not (tmp_path / "out" / "model-best").exists()


def test_a_sentencepiece_tokenizer_without_its_own_file_is_refused(
    command, corpora, camembert, tmp_path
):
    """spaCy saves that file, and would end in a traceback."""
    shutil.copytree(camembert, tmp_path / "encoder")
    (tmp_path / "encoder" / "sentencepiece.bpe.model").unlink()
    result = command(
        train, ROOT / "configs" / "ner.cfg", tmp_path / "out", "--corpus", corpora / "ner",
        "--lang", "fr", "--settings.encoder", tmp_path / "encoder",
    )  # fmt: skip
    assert result.code == 1 and "without sentencepiece.bpe.model" in result.line
    assert not (tmp_path / "out").exists()
