"""Configs of trainings: the project's base and tasks, printed complete, and those of spaCy's own."""

import pytest
import spacy
from spacy.cli.init_config import init_config
from spacy.util import dict_to_dot
from thinc.api import Config

from scripts import train
from scripts.config import CONFIGS, fill, find_config, training_config
from scripts.corpora import docbins

from .conftest import ROOT

TASKS = ("ner", "textcat", "textcat_multilabel")
# Two updates, for configs that have [settings] …
SHORT = (
    "--settings.max_steps", 2, "--settings.eval_frequency", 2, "--settings.dev_limit", 5,
    "--settings.batch_words", 100, "--settings.learn_rate", 1e-3, "--settings.batch_examples", 2,
    "--settings.accumulate", 1,
    # What is faster differs from one moment to the next, and so would what is learnt.
    "--settings.precision", "float32",
)  # fmt: skip
# … and for those of `spacy init config`.
SPACYS = ("--training.max_steps", 2, "--training.eval_frequency", 2, "--corpora.dev.limit", 5)
NAME = "components.transformer.model.name"


def read(path) -> Config:
    return Config().from_disk(path, interpolate=False)


@pytest.fixture
def spacys(tmp_path):
    """Write a config as `spacy init config` does; return its path."""

    def write(*pipeline: str, gpu: bool = False) -> str:
        path = tmp_path / "spacys.cfg"
        init_config(lang="fr", pipeline=list(pipeline), gpu=gpu).to_disk(path)
        return str(path)

    return write


@pytest.mark.parametrize("task", TASKS)
def test_a_tasks_file_holds_the_tasks_own_settings_and_base_all_others(task):
    base, own = dict_to_dot(read(CONFIGS / "base.cfg")), dict_to_dot(read(CONFIGS / f"{task}.cfg"))
    assert not set(base) & set(own)
    places = ("nlp.pipeline", f"components.{task}.", "training.score_weights.")
    assert all(name.startswith(places) for name in own)
    _, merged, _ = training_config(task, {})
    # What `train` proposes of the updates that base.cfg has.
    warm_up = {"settings.warmup_steps": 500 if task == "ner" else 200}
    assert dict_to_dot(merged) == {**base, **own, **warm_up}


def test_a_config_is_named_by_its_file_or_its_task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("ner") == CONFIGS / "ner.cfg"
    assert str(find_config("other/ner")) == "other/ner"
    (tmp_path / "ner").write_text("mine")
    assert str(find_config("ner")) == "ner"


def test_a_users_task_file_is_merged_over_the_base(tmp_path):
    own = read(CONFIGS / "ner.cfg")
    own["components"]["ner"]["model"]["hidden_width"] = 32
    own["nlp"]["batch_size"] = 7
    own.to_disk(tmp_path / "own.cfg")
    _, config, _ = training_config(str(tmp_path / "own.cfg"), {"settings.max_steps": 3})
    _, wanted, _ = training_config("ner", {"settings.max_steps": 3, "nlp.batch_size": 7})
    wanted["components"]["ner"]["model"]["hidden_width"] = 32
    assert config == wanted and config["settings"]["max_steps"] == 3


def test_warm_up_follows_max_steps_unless_it_is_given(tmp_path):
    def warmup(name, **settings) -> int:
        overrides = {f"settings.{key}": value for key, value in settings.items()}
        _, config, _ = training_config(str(name), overrides)
        return config["settings"]["warmup_steps"]

    # As `train` proposes it: a quarter for entities, a tenth for labels.
    assert warmup("ner") == 500 and warmup("ner", max_steps=500) == 125
    assert warmup("textcat") == 200 and warmup("textcat", max_steps=500) == 50
    assert warmup("ner+textcat", max_steps=500) == 125
    assert warmup("ner", max_steps=500, warmup_steps=7) == 7
    # A task's own file, and a full config, which is taken as it is.
    own = read(CONFIGS / "ner.cfg")
    own["settings"] = {"max_steps": 300}
    own.to_disk(tmp_path / "own.cfg")
    assert warmup(tmp_path / "own.cfg") == 75
    _, full, _ = training_config("ner", {"settings.max_steps": 300, "settings.warmup_steps": 9})
    full.to_disk(tmp_path / "full.cfg")
    assert warmup(tmp_path / "full.cfg") == 9 and warmup(tmp_path / "full.cfg", max_steps=20) == 5


@pytest.mark.parametrize("task", TASKS)
def test_config_prints_the_complete_config_and_nothing_else(
    command, distilbert, sample_corpora, tmp_path, task
):
    result = command("config", task, "--settings.encoder", "no/such-encoder")
    assert result.code == 0 and not result.err
    assert result.out.startswith("[paths]\ntrain = null\n") and result.out.endswith("\n")
    mine = tmp_path / "mine.cfg"
    mine.write_text(result.out, encoding="utf8")
    found = read(mine)
    assert found["settings"]["encoder"] == "no/such-encoder"
    assert found["components"]["transformer"]["model"]["name"] == "${settings.encoder}"
    assert found == fill(mine, found)

    # It trains as the task does.
    saved = []
    for config, output in ((mine, "a"), (task, "b")):
        result = command(
            train, config, tmp_path / output, "--corpus", sample_corpora / task, "--lang", "fr",
            "--settings.encoder", distilbert, *SHORT,
        )  # fmt: skip
        assert result.code == 0, result.err
        saved.append(read(tmp_path / output / "model-best" / "config.cfg"))
    assert saved[0] == saved[1]
    assert saved[0]["settings"]["warmup_steps"] == 0 and saved[0]["paths"]["logs"] is None


@pytest.mark.parametrize("pipeline", [["ner"], ["textcat"], ["tok2vec", "textcat_multilabel"]])
def test_training_with_spacys_config_without_a_transformer(
    command, spacys, sample_corpora, tmp_path, pipeline
):
    corpus = sample_corpora / ("ner" if pipeline == ["ner"] else "textcat")
    config = spacys(*pipeline)
    result = command(train, config, tmp_path / "out", "--corpus", corpus, "--lang", "fr", *SPACYS)
    assert result.code == 0, result.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model-best"]
    nlp = spacy.load(tmp_path / "out" / "model-best")
    assert nlp.pipe_names == read(config)["nlp"]["pipeline"] and "transformer" not in nlp.pipe_names
    assert "settings" not in nlp.config


@pytest.mark.parametrize("task, encoder", [("ner", "camembert"), ("textcat", "distilbert")])
def test_training_with_spacys_config_with_a_transformer(
    command, request, spacys, sample_corpora, tmp_path, monkeypatch, task, encoder
):
    checkpoint = request.getfixturevalue(encoder)
    # As the user typed it, relative.
    monkeypatch.chdir(checkpoint.parent)
    result = command(
        train, spacys(task, gpu=True), tmp_path / "out", "--corpus", sample_corpora / task,
        "--lang", "xx", *SPACYS, f"--{NAME}", checkpoint.name,
    )  # fmt: skip
    assert result.code == 0, result.err
    nlp = spacy.load(tmp_path / "out" / "model-best")
    assert nlp.pipe_names == ["transformer", task] and nlp.lang == "xx"
    model = nlp.config["components"]["transformer"]["model"]
    assert model["name"] == checkpoint.name and "settings" not in nlp.config
    assert model["@architectures"] == "spacy-transformers.TransformerModel.v3"


def test_each_split_is_read_once_before_a_training(
    command, distilbert, sample_corpora, tmp_path, monkeypatch
):
    read, reader = [], docbins.read_docs

    def read_docs(path, vocab):
        read.append(path.name)
        return reader(path, vocab)

    monkeypatch.setattr(docbins, "read_docs", read_docs)
    result = command(
        train, "textcat", tmp_path / "out", "--corpus", sample_corpora / "textcat", "--lang", "fr",
        "--settings.encoder", distilbert, "--settings.precision", "int8",
    )  # fmt: skip
    assert result.code == 1 and "int8" in result.line
    assert read == ["train.spacy", "dev.spacy"]


def without(*names: str):
    def change(config: Config) -> None:
        for name in names:
            del config[name]

    return change


def fixed_path(config: Config) -> None:
    config["corpora"]["train"]["path"] = "mine.spacy"


def unknown_function(config: Config) -> None:
    config["training"]["batcher"]["@batchers"] = "mine.v1"


def unknown_reference(config: Config) -> None:
    config["training"]["dropout"] = "${settings.dropout}"


def wrong_type(config: Config) -> None:
    config["training"]["max_epochs"] = "many"


def sourced(config: Config) -> None:
    config["components"]["ner"] = {"source": "no_such_pipeline"}


def empty(config: Config) -> None:
    config["nlp"]["pipeline"] = []


@pytest.mark.parametrize(
    "pipeline, gpu, change, corpus, arguments, message",
    [
        (["ner"], False, None, "textcat", [], "train.spacy has no entities: not a corpus"),
        (["textcat"], True, None, "ner", [], "train.spacy has texts without labels"),
        (["tagger"], False, None, "ner", [], "spacys.cfg: [E143] Labels for component 'tagger'"),
        (["ner"], False, None, "ner", ["--settings.max_steps", 3], "--settings.max_steps: no such setting in"),
        (["ner"], False, None, "ner", ["--nlp.nonsense", 3], "nonsense: no such setting in"),
        (["ner"], False, None, "ner", ["--training.max_steps", "many"], "a number"),
        (["ner"], True, None, "ner", [f"--{NAME}", "no/such-encoder"], "encoder no/such-encoder: "),
        (["ner"], False, without("paths", "corpora", "initialize"), "ner", [], "spacys.cfg: no train and dev in [paths]"),
        (["ner"], False, fixed_path, "ner", [], "nothing in [corpora] reads ${paths.train}"),
        (["ner"], False, unknown_function, "ner", [], "spacys.cfg: [E893] Could not find function 'mine.v1'"),
        (["ner"], False, unknown_reference, "ner", [], "spacys.cfg: "),
        (["ner"], False, wrong_type, "ner", [], "spacys.cfg: max_epochs: "),
        (["ner"], False, sourced, "ner", [], "spacys.cfg: [E050] Can't find model 'no_such_pipeline'"),
        (["ner"], False, empty, "ner", [], "spacys.cfg: no component to train in [nlp] pipeline"),
    ],
)  # fmt: skip
def test_what_spacys_configs_cannot_be_trained_with(
    command, spacys, sample_corpora, tmp_path, monkeypatch,
    pipeline, gpu, change, corpus, arguments, message,
):  # fmt: skip
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = spacys(*pipeline, gpu=gpu)
    config = read(path)
    if change:
        change(config)
        config.to_disk(path)
    result = command(
        train, path, tmp_path / "out", "--corpus", sample_corpora / corpus, "--lang", "fr",
        *arguments,
    )  # fmt: skip
    assert result.code == 1 and message in result.line
    assert "Traceback" not in result.out + result.err and not (tmp_path / "out").exists()


def test_a_config_without_paths_is_filled(command, spacys, sample_corpora, tmp_path):
    path = spacys("ner")
    config = read(path)
    without("paths", "corpora", "initialize")(config)
    config.to_disk(path)
    result = command("config", path)
    assert result.code == 0
    (tmp_path / "mine.cfg").write_text(result.out, encoding="utf8")
    result = command(
        train, tmp_path / "mine.cfg", tmp_path / "out", "--lang", "fr",
        "--corpus", sample_corpora / "ner", *SPACYS[:4],
    )  # fmt: skip
    assert result.code == 0, result.err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nonsense"], "nonsense: no such config file"),
        ([ROOT / "README.md"], "README.md: not a valid config ("),
        (["ner", "--settings.nonsense", 3], "--settings.nonsense: no such setting in"),
        (["ner", "--nlp.lang", "zz"], "[E048] Can't import language zz"),
        (
            ["ner", "--components.ner.factory", "nonsense"],
            "[E002] Can't find factory for 'nonsense'",
        ),
    ],
)
def test_what_cannot_be_printed(command, arguments, message):
    result = command("config", *arguments)
    assert result.code == 1 and message in result.line and not result.out
