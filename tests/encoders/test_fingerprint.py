"""Trainings depend on their encoder's contents, whether it is a folder or a hub id."""

import re
import shutil

import pytest
import srsly
from weasel.cli.run import project_run

from scripts.encoders import fingerprint

from ..conftest import ROOT
from ..hub import Failure, commit_of, pointed_at, serve

NAME = "me/tiny"


@pytest.fixture
def written(command, tmp_path):
    """Run the command; return what it wrote and, in one line, what it printed."""

    def call(encoder, *options, output=tmp_path / "encoder.json"):
        result = command(fingerprint, encoder, output, *options)
        assert result.code == 0, result.err
        said = re.sub(r"\x1b\[[\d;]*m", "", result.out + result.err)
        return srsly.read_json(output), " ".join(said.split())

    return call


def test_a_folder_is_identified_by_its_files(written, distilbert, tmp_path):
    folder, output = tmp_path / "encoder", tmp_path / "encoder.json"
    shutil.copytree(distilbert, folder)
    first, _ = written(folder)
    assert first == {"encoder": str(folder), "sha256": first["sha256"]}
    assert len(first["sha256"]) == 64
    # Files that are not read do not count, and the output is not touched.
    (folder / "README.md").write_text("a card")
    (folder / "logs").mkdir()
    before = output.stat().st_mtime_ns
    again, said = written(folder)
    assert again == first and said.endswith(", unchanged")
    assert output.stat().st_mtime_ns == before
    # The same files elsewhere have the same hash under another name.
    other, said = written(distilbert)
    assert other == {"encoder": str(distilbert), "sha256": first["sha256"]}
    assert "another" not in said
    written(folder)
    seen = {first["sha256"]}
    for name in ("config.json", "tokenizer.json", "model.safetensors", "vocab.txt"):
        with (folder / name).open("ab") as stream:
            stream.write(b" ")
        now, said = written(folder)
        assert now["sha256"] not in seen and "changed: steps" in said
        seen.add(now["sha256"])
    (folder / "added_tokens.json").write_text("{}")
    assert written(folder)[0]["sha256"] not in seen


def test_a_hub_id_is_identified_by_its_commit(written, hub, tmp_path):
    main, tagged = (commit_of(hub / f"models/me/tiny{ending}") for ending in ("", "@v1"))
    with pointed_at(hub, tmp_path / "cache"):
        first, _ = written(NAME)
        assert first == {"encoder": NAME, "revision": "main", "commit": main}
        assert written(NAME)[1] == f"✔ {NAME}: commit {main[:12]}, unchanged"
        assert written(NAME, "--revision", "v1")[0] == {
            "encoder": NAME, "revision": "v1", "commit": tagged,
        }  # fmt: skip
        assert written(NAME, "--revision", tagged)[0]["commit"] == tagged
        written(NAME)
        # Only the config was downloaded.
        names = {path.name for path in (tmp_path / "cache").rglob("snapshots/*/*")}
        assert names == {"config.json"}
        (hub / "models/me/tiny/README.md").write_text("The branch moves.")
        now, said = written(NAME)
    assert now["commit"] == commit_of(hub / "models/me/tiny") != main
    assert "changed: steps that depend on it will run again" in said


def test_a_hub_that_does_not_answer_changes_nothing(written, command, hub, tmp_path):
    cache, output = tmp_path / "cache", tmp_path / "encoder.json"
    with pointed_at(hub, cache):
        first, _ = written(NAME)
        (hub / "models/me/tiny/README.md").write_text("The branch moves.")
        # Another program downloads it.
        written(NAME, output=tmp_path / "other.json")
    # A server error, an expired login, a deleted repository.
    (tmp_path / "gone").mkdir()
    for root, failure in (
        (hub, Failure(500, b"")), (hub, Failure(401, b"")), (tmp_path / "gone", None),
    ):  # fmt: skip
        with pointed_at(root, cache, failure):
            again, said = written(NAME)
            assert again == first and f"using commit {first['commit'][:12]}" in said
    with pointed_at(hub, cache, Failure(500, b"")):
        # Without an earlier fingerprint, the cache's commit is used.
        output.unlink()
        now, said = written(NAME)
        assert now["commit"] == commit_of(hub / "models/me/tiny") and "the last one known" in said
    with pointed_at(hub, tmp_path / "empty", Failure(500, b"")):
        output.unlink()
        result = command(fingerprint, NAME, output)
        assert result.code == 1 and "the server has a problem" in result.line
        assert not output.exists()


@pytest.mark.parametrize(
    "encoder, options, message",
    [
        ("{tmp}", (), "neither model.safetensors nor pytorch_model.bin in it"),
        ("{distilbert}", ("--revision", "v1"), "is a folder; only the hub has revisions"),
        ("assets/encoders/nowhere", (), "Repo id must be"),
    ],
)
def test_not_an_encoder(command, distilbert, tmp_path, encoder, options, message):
    name = encoder.format(tmp=tmp_path, distilbert=distilbert)
    result = command(fingerprint, name, tmp_path / "e.json", *options)
    assert result.code == 1 and message in result.line and not (tmp_path / "e.json").exists()


def test_an_unreadable_fingerprint_is_replaced(written, distilbert, tmp_path):
    first, _ = written(distilbert)
    for broken in ("{", "[1]"):
        (tmp_path / "encoder.json").write_text(broken)
        assert written(distilbert)[0] == first


PROJECT = """
vars:
  encoder_a: {folder}
  encoder_b: me/tiny
  revision_b: ""
workflows:
  a: [identity-a, train-a]
  b: [identity-b, train-b]
commands:
  - name: identity-a
    script: ["python -m scripts.encoders.fingerprint ${{vars.encoder_a}} encoders/a.json"]
  - name: identity-b
    script: ['python -m scripts.encoders.fingerprint ${{vars.encoder_b}} encoders/b.json --revision "${{vars.revision_b}}"']
  - name: train-a
    script: ["python train.py a ${{vars.encoder_a}}"]
    deps: [encoders/a.json]
    outputs: [trained/a]
  - name: train-b
    script: ['python train.py b ${{vars.encoder_b}} --revision "${{vars.revision_b}}"']
    deps: [encoders/b.json]
    outputs: [trained/b]
"""


@pytest.fixture
def project(tmp_path, distilbert, hub, monkeypatch):
    """Return a function that runs a workflow and returns whether its training ran."""
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "scripts").symlink_to(ROOT / "scripts")
    shutil.copytree(distilbert, folder / "encoder")
    (folder / "project.yml").write_text(PROJECT.format(folder="encoder"), "utf8")
    (folder / "train.py").write_text(
        "import pathlib, sys, time\n"
        "pathlib.Path('trained').mkdir(exist_ok=True)\n"
        "pathlib.Path('trained', sys.argv[1]).write_text(str(time.time_ns()))\n"
    )
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.syspath_prepend(str(ROOT))

    def trains(workflow, endpoint, **variables):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        output = folder / "trained" / workflow
        before = output.read_text() if output.exists() else ""
        overrides = {f"vars.{name}": value for name, value in variables.items()}
        project_run(folder, workflow, overrides=overrides)
        return output.read_text() != before

    return trains


def test_the_project_engine_retrains_when_the_encoder_changes(project, hub, tmp_path, capfd):
    encoder = tmp_path / "p/encoder"
    with serve(hub) as endpoint:
        assert project("a", endpoint) and project("b", endpoint)
        capfd.readouterr()
        assert not any(project(workflow, endpoint) for workflow in ("a", "b", "a"))
        assert capfd.readouterr().out.count("Skipping 'train-") == 3
        # Changed files in the folder, and another folder with the same files.
        (encoder / "config.json").write_text((encoder / "config.json").read_text("utf8") + "\n")
        assert project("a", endpoint) and not project("a", endpoint)
        shutil.copytree(encoder, tmp_path / "p/again")
        assert project("a", endpoint, encoder_a="again")
        # Another revision, and a branch that moved.
        assert project("b", endpoint, revision_b="v1") and project("b", endpoint)
        (hub / "models/me/tiny/README.md").write_text("The branch moves.")
        assert project("b", endpoint) and not project("b", endpoint)
    # Without the hub nothing is retrained.
    assert not project("b", "http://127.0.0.1:9")
