"""A trained pipeline to an installable wheel, tried in a clean environment."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import srsly
import typer
from packaging.version import InvalidVersion, Version
from spacy.language import Language
from wasabi import msg

from .devices import GPU_ID
from .encoders.checkpoint import neutral
from .errors import UserError, run
from .files import check_folder, written_beside
from .serving import borrowed
from .serving.annotate import TASKS, borrowed_head, encoder_name, load
from .serving.metrics import headline, read_metrics, scored_on

SOURCES = Path(__file__).parent.parent / "configs" / "sources.yml"
# What the file that goes with a ready-made head imports beside spaCy.
BORROWED_NEEDS = ["transformers>=4.49,<5", "torch>=2.6"]
TRIAL = Path(__file__).parent / "serving" / "trial.py"


def source(kind: str, name: str) -> dict[str, str]:
    """Return name, url and license of a corpus or an encoder, as spaCy's meta.json wants them."""
    known = srsly.read_yaml(SOURCES)[kind].get(name)
    if known is None:
        return {"name": name, "url": "", "license": "unknown", "author": ""}
    return {"name": known["title"], "url": known["url"], "license": known["license"], "author": ""}


def neutralise(nlp: Language) -> str | None:
    """Take the building machine out of a pipeline; return the encoder's neutral name.

    spaCy and transformers record the paths of the corpora and of the encoder's folder.
    """
    name = encoder_name(nlp)
    config = nlp.config.copy()
    if "paths" in config:
        config["paths"] = dict.fromkeys(config["paths"])
    if name is not None and borrowed_head(nlp) is None:
        name = neutral(name)
        model = nlp.get_pipe("transformer").model
        model.attrs["name"] = name
        model.transformer.config._name_or_path = name
        model.tokenizer.name_or_path = name
        model.tokenizer.init_kwargs.pop("name_or_path", None)
        config["components"]["transformer"]["model"]["name"] = name
        if "encoder" in config.get("settings", {}):
            config["settings"]["encoder"] = name
    nlp.config = config
    return name


def describe(
    nlp: Language, metrics: dict[str, Any], name: str, version: str, encoder: str | None
) -> None:
    """Fill the pipeline's meta: what it does, on what it was trained, how well, under what terms.

    What a pipeline that was made elsewhere says of its sources and its licence stays.
    """
    scores, corpus = metrics["raw_text"], metrics["trained_on"]
    nlp.meta["name"] = name.split("_", 1)[1]
    nlp.meta["version"] = version
    made = corpus and f"trained on {corpus}"
    if borrowed_head(nlp) is not None:
        made = "as it was published"
        nlp.meta["requirements"] = BORROWED_NEEDS
    about = [f"{TASKS[metrics['task']].capitalize()} ({nlp.lang})", encoder, made]
    nlp.meta["description"] = (
        f"{', '.join(filter(None, about))}; "
        f"{headline(scores)} on {metrics['examples']:,} examples of {scored_on(metrics)}, raw text."
    )
    if not nlp.meta["license"]:
        nlp.meta["license"] = "MIT (the code; corpus and encoder under the terms of their sources)"
    if not nlp.meta.get("sources"):
        origins = (("corpora", corpus), ("encoders", encoder))
        nlp.meta["sources"] = [source(kind, origin) for kind, origin in origins if origin]
    nlp.meta["performance"] = {**scores, "speed": metrics["speed"]["words_per_second"]}
    nlp.meta["notes"] = f"Scored on {scored_on(metrics)}; seed {metrics['seed']}."


def build(nlp: Language, folder: Path) -> Path:
    """Write the pipeline into `folder` and return the wheel built from it."""
    nlp.to_disk(folder / "pipeline")
    (folder / "build").mkdir()
    command = [sys.executable, "-m", "spacy", "package", folder / "pipeline", folder / "build"]
    if borrowed_head(nlp) is not None:
        command += ["--code", borrowed.__file__]
    result = subprocess.run(
        [*command, "--build", "wheel"], capture_output=True, text=True, errors="replace"
    )
    wheel = next((folder / "build").glob("*/dist/*.whl"), None)
    if wheel is None:
        raise UserError(
            "the wheel was not built (a package registry is needed for setuptools): "
            f"{(result.stdout + result.stderr)[-600:]}"
        )
    return wheel


def python_of(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    windows = environment / "Scripts" / "python.exe"
    return windows if windows.exists() else environment / "bin" / "python"


def try_wheel(wheel: Path, name: str) -> list[dict[str, Any]]:
    """Install the wheel into a new virtual environment and return what it says of a few texts.

    The environment has nothing of this project: it borrows the installed packages of the running
    one (so that torch is not downloaded again), is offline, and runs in a folder of its own.
    """
    with tempfile.TemporaryDirectory(prefix="try-") as temporary:
        environment = Path(temporary) / "env"
        venv.create(environment, with_pip=False)
        python = python_of(environment)
        query = "import sysconfig; print(sysconfig.get_path('purelib'))"
        purelib = subprocess.check_output([python, "-I", "-c", query], text=True).strip()
        borrowed = [path for path in sys.path if path.endswith("site-packages")]
        Path(purelib, "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf8")
        install = [python, "-I", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        for step in (
            [*install, "--disable-pip-version-check", wheel.resolve()],
            [python, "-I", TRIAL.resolve(), name],
        ):
            result = subprocess.run(step, cwd=temporary, capture_output=True, text=True)
            if result.returncode:
                raise UserError(
                    f"{wheel.name} cannot be installed and loaded: {result.stderr[-600:]}"
                )
    return json.loads(result.stdout)


def main(
    pipeline: str = typer.Argument(..., help="Folder of a trained pipeline"),
    metrics: Path = typer.Argument(..., help="What `evaluate` wrote: metrics/<pipeline>.json"),
    output: Path = typer.Argument(..., help="Folder for the wheel"),
    name: str = typer.Option(..., help="Name of the package, e.g. fr_flue_trf"),
    version: str = typer.Option("0.1.0", help="Version of the package"),
    gpu_id: int = GPU_ID,
) -> None:
    """Build a wheel of a pipeline, then install and load it offline in a clean environment."""
    check_folder(output)
    try:
        Version(version)
    except InvalidVersion as error:
        raise UserError(f"--version {version}: no version; write it as 1.2.0.") from error
    nlp = load(pipeline, gpu_id)
    scores = read_metrics(metrics, nlp)
    if not re.fullmatch(r"\w+", name):
        raise UserError(f"--name {name}: letters, digits and _ alone, as in fr_flue_trf.")
    if not name.startswith(f"{nlp.lang}_"):
        raise UserError(f"--name {name}: must begin with the pipeline's language, {nlp.lang}_.")
    encoder = neutralise(nlp)
    describe(nlp, scores, name, version, encoder)
    with tempfile.TemporaryDirectory(prefix="package-") as temporary:
        wheel = build(nlp, Path(temporary))
        answers = try_wheel(wheel, name)
        with written_beside(output) as folder:
            shutil.move(wheel, folder / wheel.name)
    for answer in answers:
        print(f"  {answer['text'][:50]!r} → {answer['found']}")
    size = (output / wheel.name).stat().st_size / 1e6
    msg.good(f"{output / wheel.name} ({size:.0f} MB)")
    msg.good("installed and loaded offline in a clean environment")


if __name__ == "__main__":
    run(main)
