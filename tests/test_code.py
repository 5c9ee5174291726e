"""spaCy's own commands with --code scripts/code.py, from another working directory."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from thinc.api import Config

from scripts.config import fill, training_config
from scripts.train import train

from .conftest import ROOT

CODE = ROOT / "scripts" / "code.py"
# Runs each command in a process of its own, as `python -m spacy` does: forked from one that has
# imported the libraries, which takes seconds, but nothing of this project.
PROGRAM = """
import json, os, sys
import requests, spacy, spacy_transformers, torch.utils.tensorboard
from transformers import AutoModel, AutoModelForMaskedLM, CamembertConfig, CamembertTokenizerFast
from transformers.loss import loss_utils
from spacy.cli import setup_cli
from spacy.util import import_file

spacy.blank("fr")
AutoModel.from_config(CamembertConfig(vocab_size=9, hidden_size=12, num_hidden_layers=1))

def load(code, folder):
    import_file("python_code", code)
    print(spacy.load(folder).pipe_names)

for name, arguments in json.load(sys.stdin).items():
    assert "scripts" not in sys.modules
    sys.stdout.flush()
    child = os.fork()
    if not child:
        log = os.open(f"{name}.log", os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 1), os.dup2(log, 2)
        sys.argv = ["spacy", *arguments]
        load(*arguments) if name == "load" else setup_cli()
        sys.exit(0)
    print(json.dumps([name, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]))
"""


class Ran(NamedTuple):
    """Where the commands ran, and what they exited with and printed."""

    folder: Path
    codes: dict[str, int]
    logs: dict[str, str]


@pytest.fixture(scope="module")
def ran(tmp_path_factory, camembert, sample_corpora) -> Ran:
    folder = tmp_path_factory.mktemp("elsewhere")
    vocab = spacy.blank("fr").vocab
    for task in ("ner", "textcat"):
        for split in ("train", "dev"):
            docs = DocBin().from_disk(sample_corpora / task / f"{split}.spacy").get_docs(vocab)
            (folder / task).mkdir(exist_ok=True)
            DocBin(docs=list(docs)[: 120 if split == "train" else 5]).to_disk(
                folder / task / f"{split}.spacy"
            )
        fill(*training_config(task, {})[:2]).to_disk(folder / f"{task}.cfg")
    _, merged, _ = training_config("ner", {})
    merged.to_disk(folder / "merged.cfg")
    (folder / "texts.txt").write_text("Marie Curie vit à Paris.\n", encoding="utf8")
    short = {
        "settings.encoder": str(camembert), "settings.max_steps": 2, "settings.eval_frequency": 2,
        "settings.batch_words": 100,
    }  # fmt: skip
    train("ner", folder / "trained", [folder / "ner"], "fr", -1, short)

    given = [word for name, value in short.items() for word in (f"--{name}", str(value))]
    paths = {
        task: [f"--paths.{split}={task}/{split}.spacy" for split in ("train", "dev")]
        for task in ("ner", "textcat")
    }
    model, dev = "trained/model-best", "ner/dev.spacy"
    commands = {
        "train": ["train", "ner.cfg", "--output", "out", *paths["ner"], *given],
        "debug-config-ner": ["debug", "config", "ner.cfg", *paths["ner"]],
        "debug-config-trained": ["debug", "config", f"{model}/config.cfg"],
        "debug-data-ner": ["debug", "data", "ner.cfg", *paths["ner"], *given],
        "debug-data-textcat": ["debug", "data", "textcat.cfg", *paths["textcat"], *given],
        "debug-data-trained": ["debug", "data", f"{model}/config.cfg"],
        "evaluate": ["evaluate", model, dev, "--output", "scores.json"],
        "benchmark-speed": ["benchmark", "speed", model, dev, "--batches", "30", "--warmup", "1"],
        "apply": ["apply", model, "texts.txt", "annotated.spacy"],
        "fill-config": ["init", "fill-config", "merged.cfg", "filled.cfg"],
    }
    commands = {name: [*words, "--code", str(CODE)] for name, words in commands.items()}
    commands["load"] = [str(CODE), model]
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(commands), cwd=folder,
        stdout=subprocess.PIPE, text=True, check=True,
        # Waiting threads of a busy machine would spin.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    codes = dict(json.loads(line) for line in process.stdout.splitlines())
    assert list(codes) == list(commands)
    logs = {name: (folder / f"{name}.log").read_text("utf8") for name in commands}
    return Ran(folder, codes, logs)


@pytest.mark.parametrize(
    "name, printed",
    [
        ("train", "Saved pipeline to output directory"),
        ("debug-config-ner", "Config is valid"),
        ("debug-config-trained", "Config is valid"),
        ("debug-data-ner", "Pipeline can be initialized with data"),
        ("debug-data-textcat", "Pipeline can be initialized with data"),
        ("debug-data-trained", "Pipeline can be initialized with data"),
        ("evaluate", "Results"),
        ("benchmark-speed", "words/s"),
        ("apply", "Loaded model"),
        ("fill-config", "Auto-filled config with all values"),
        ("load", "['transformer', 'ner']"),
    ],
)
def test_a_command_of_spacys(ran, name, printed):
    assert ran.codes[name] == 0, ran.logs[name]
    assert printed in ran.logs[name] and "Traceback" not in ran.logs[name]


def test_the_files_that_they_write(ran):
    assert spacy.load(ran.folder / "out" / "model-best").pipe_names == ["transformer", "ner"]
    assert 0 <= srsly.read_json(ran.folder / "scores.json")["ents_f"] <= 1
    (doc,) = DocBin().from_disk(ran.folder / "annotated.spacy").get_docs(spacy.blank("fr").vocab)
    assert doc.text.startswith("Marie Curie vit à Paris.") and doc.has_annotation("ENT_IOB")
    filled = Config().from_disk(ran.folder / "filled.cfg", interpolate=False)
    assert filled == Config().from_disk(ran.folder / "ner.cfg", interpolate=False)
