"""The real workflows with few training steps: the demo, an encoder, and the four pipelines."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import srsly
import torch
from transformers import AutoModel, AutoTokenizer

from scripts.common.files import sha256
from scripts.reporting.examples import SHOWN
from scripts.serving.pipeline import load

from .conftest import ROOT
from .hub import add_archive, add_corpora, serve

PROJECT = srsly.read_yaml(ROOT / "project.yml")
# The demo's pipeline is scored on the test splits of two corpora.
EXAMPLES = {"reviews": 212, "ner": 187}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A clean copy of the project, with the demo encoder's two wheels if they are downloaded here."""
    folder = tmp_path_factory.mktemp("project") / "p"
    listed = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in listed.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    downloads = ROOT / "assets" / "downloads"
    if downloads.is_dir():
        shutil.copytree(downloads, folder / "assets" / "downloads")
    return folder


def run(project, workflow, *options, **variables):
    command = [sys.executable, "-m", "spacy", "project", "run", workflow, str(project)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", **variables}
    # If set, Python would not compile modules into the folders that the engine watches.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    result = subprocess.run(
        [*command, *map(str, options)], cwd=project, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


def demo(project):
    return run(project, "demo", "--vars.steps_demo", 3)


@pytest.fixture(scope="module")
def first(project):
    return demo(project)


def test_the_demo_writes_metrics_a_wheel_and_pages(project, first):
    for task, examples in EXAMPLES.items():
        metrics = srsly.read_json(project / "metrics" / f"fr_demo_trf-{task}.json")
        assert metrics["examples"] == examples
        assert metrics["encoder"] == "assets/encoders/e5-small-fr-en"
        page = (project / "reports" / f"fr_demo_trf-{task}.html").read_text(encoding="utf8")
        assert page.count("<article") == SHOWN
        (data,) = re.findall(r'<script type="application/json" id="data">(.+?)</script>', page)
        assert len(srsly.json_loads(data)["items"]) == examples
    wheel = project / "packages" / "fr_demo_trf-0.1.0-py3-none-any.whl"
    assert wheel.stat().st_size > 5e7
    assert list((project / "training" / "fr_demo_trf" / "logs").glob("events.out.tfevents.*"))
    assert first.count("installed and loaded offline") == 1


def test_running_again_skips_everything(project, first):
    model = project / "training" / "fr_demo_trf" / "model-best" / "meta.json"
    before = model.stat().st_mtime_ns
    again = demo(project)
    assert again.count("Skipping") == 5
    assert model.stat().st_mtime_ns == before


def test_a_pipeline_for_each_task(project, first, distilbert):
    options = ("--vars.steps_demo_reviews", 2, "--vars.steps_demo_ner", 2)
    # The demo's encoder has been tried; a tiny one takes half the time.
    options += ("--vars.encoder_demo", distilbert, "--vars.frozen_layers_demo", 1)
    for task, examples in EXAMPLES.items():
        printed = run(project, f"demo-{task}", *options)
        assert printed.count("installed and loaded offline") == 1
        metrics = srsly.read_json(project / "metrics" / f"fr_demo_{task}_trf.json")
        assert metrics["examples"] == examples


def test_the_encoder_is_an_ordinary_folder_with_correct_offsets(project, first):
    folder = project / "assets" / "encoders" / "e5-small-fr-en"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder)
    assert len(tokenizer) == model.config.vocab_size == 40000
    text = "L'Express, à  Paris : « Zoé » & C°…"
    encoding = tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
    for piece, (start, end) in zip(encoding.tokens(), encoding["offset_mapping"][0].tolist()):
        assert text[start:end] == text[start:end].strip(), piece
    del encoding["offset_mapping"]
    with torch.no_grad():
        hidden = model(**encoding).last_hidden_state
    assert hidden.shape == (1, encoding["input_ids"].shape[1], 384)
    assert tokenizer.decode(encoding["input_ids"][0], skip_special_tokens=True).startswith(
        "L'Express"
    )
    # French and English text has no unknown pieces.
    assert tokenizer.unk_token_id not in encoding["input_ids"][0]


def test_the_encoder_captures_the_meaning_of_sentences(project, first):
    folder = project / "assets" / "encoders" / "e5-small-fr-en"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    texts = ["query: un chat dort sur le canapé", "query: a cat is asleep on the sofa",
             "query: le budget de la région a été voté"]  # fmt: skip
    encoding = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**encoding).last_hidden_state
    mask = encoding["attention_mask"][..., None]
    vectors = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
    similarity = vectors @ vectors.T
    assert similarity[0, 1] > similarity[0, 2] + 0.05


def test_spacy_aligns_each_piece_with_its_own_token(project, first):
    nlp = load(str(project / "training" / "fr_demo_trf" / "model-best"))
    doc = nlp("Marie Curie travaille à Paris.")
    data = doc._.trf_data
    pieces = data.wordpieces.strings[0]
    for token in doc:
        (rows,) = [data.align[token.i].data.flatten()]
        joined = "".join(pieces[row] for row in rows).replace("▁", "")
        assert joined == token.text


def test_an_encoder_from_raw_text_works_like_any_other(project):
    small = ("--vars.raw_steps", 4, "--vars.raw_layers", 1, "--vars.raw_width", 32)
    printed = run(project, "encoder", *small)
    assert "unigram entropy of the pieces" in printed and "gap 1" in printed
    encoder = project / "training" / "encoders" / "raw"
    model, tokenizer = AutoModel.from_pretrained(encoder), AutoTokenizer.from_pretrained(encoder)
    assert model.config.vocab_size == len(tokenizer) == 2000
    # Up to date: nothing is trained again, only the gap is filled.
    again = run(project, "encoder", *small)
    assert again.count("Skipping") == 2 and "gap 1" in again
    # The demo runs on it, and does not make its own.
    options = ("--vars.encoder_demo", "training/encoders/raw", "--vars.steps_demo_ner", 2,
               "--vars.frozen_layers_demo", 0)  # fmt: skip
    steps = ("encoder-demo", "fingerprint-demo", "corpus-demo-ner", "train-demo-ner")
    printed = [run(project, step, *options) for step in steps]
    assert "assets/encoders/e5-small-fr-en is not needed" in " ".join(printed[0].split())
    doc = load(str(project / "training" / "fr_demo_ner_trf"))("il y a un marché à Orléans")
    assert doc._.trf_data.model_output.last_hidden_state.shape[-1] == 32


@pytest.fixture
def hub(tmp_path, project, camembert, distilbert):
    """A hub with corpora and minuscule encoders under their real names, and FLUE's archive beside
    it, whose address, size and hash go into the project's copy."""
    root = tmp_path / "hub"
    add_corpora(root)
    shutil.copytree(camembert, root / "models" / "camembert-base")
    shutil.copytree(distilbert, root / "models" / "distilbert-base-multilingual-cased")
    archive = root / "datasets" / "files" / "cls-acl10-unprocessed.tar.gz"
    add_archive(archive, project / "assets/sample/cls-fr/fr")
    with serve(root) as endpoint:
        sources = srsly.read_yaml(project / "configs" / "sources.yml")
        flue = sources["corpora"]["flue"]["archive"]
        flue["url"] = f"{endpoint}/datasets/files/resolve/main/{archive.name}"
        flue["bytes"], flue["sha256"] = archive.stat().st_size, sha256(archive)
        srsly.write_yaml(project / "configs" / "sources.yml", sources)
        yield {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}


def test_the_four_pipelines_from_the_hub_to_wheels(project, hub):
    options = ("--vars.steps", 2)
    done = run(project, "all", *options, **hub)
    assert done.count("installed and loaded offline") == 4
    names = {"en_sst2_trf": 60, "fr_flue_trf": 212, "fr_wikiner_trf": 40, "en_conll_trf": 40}
    for name, examples in names.items():
        assert (project / "packages" / f"{name}-0.1.0-py3-none-any.whl").is_file()
        assert (project / "reports" / f"{name}.html").is_file()
        metrics = srsly.read_json(project / "metrics" / f"{name}.json")
        assert metrics["pipeline"] == name and metrics["examples"] == examples
    assert metrics["encoder"] == "distilbert-base-multilingual-cased"
    # The encoder's commit on the hub, in the metrics and in the wheel.
    wheel = project / "packages" / "en_conll_trf-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        sources = srsly.json_loads(archive.read("en_conll_trf/meta.json"))["sources"]
    assert len(metrics["encoder_revision"]) == 40
    assert sources[1]["revision"] == metrics["encoder_revision"]
    # Another pipeline is still up to date.
    assert run(project, "sst2", *options).count("Skipping") == 4


def test_run_lists_each_workflow_on_a_line():
    result = subprocess.run(
        [sys.executable, "-m", "spacy", "project", "run"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    for name in ("demo", "demo-ner", "encoder", "sst2", "flue", "ner-fr", "ner-en", "all"):
        assert f"\n{name} " in result.stdout


def test_the_readmes_reference_block_is_up_to_date(tmp_path):
    # Links depend on which assets exist: here, those of a clone.
    for path in ["project.yml", *(a["dest"] for a in PROJECT["assets"] if "sample" in a["dest"])]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).symlink_to(ROOT / path)
    result = subprocess.run(
        [sys.executable, "-m", "weasel", "document", str(tmp_path), "--output", str(tmp_path / "R.md")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0
    block = (tmp_path / "R.md").read_text(encoding="utf8")
    start, end = (
        "<!-- WEASEL: AUTO-GENERATED DOCS START (do not remove) -->",
        "<!-- WEASEL: AUTO-GENERATED DOCS END",
    )
    assert block[block.index(start) : block.index(end)] in Path(ROOT / "README.md").read_text(
        "utf8"
    )
