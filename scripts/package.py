"""A trained pipeline to an installable wheel, tried in an environment of its own."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import srsly
from packaging.version import InvalidVersion, Version
from spacy.language import Language
from spacy.util import get_package_path, is_package
from thinc.api import NumpyOps, get_current_ops
from wasabi import msg

from .common.errors import UserError, warn
from .common.files import check_folder, written_beside
from .common.sources import source
from .serving.metrics import headline, read_metrics, scored_on
from .serving.pipeline import TASKS, encoder_revision, hf_head, load
from .serving.strip import looked_up, own_strings, strip_local_paths
from .wheel import components, trial

# What the file that goes with a ready-made head imports beside spaCy.
HF_HEAD_NEEDS = ["transformers>=4.49,<5", "torch>=2.6"]


def check_name(name: str, version: str) -> None:
    """Raise UserError for a name or a version that a wheel does not keep as it is."""
    if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", name):
        raise UserError(
            f"--name {name}: no name that a package keeps; write the language, then words of a-z "
            "and 0-9, each after one _, as in fr_flue_trf."
        )
    try:
        normal = str(Version(version))
    except InvalidVersion as error:
        raise UserError(f"--version {version}: no version; write it as 1.2.0.") from error
    if normal != version:
        raise UserError(f"--version {version}: wheels write it {normal} (PEP 440); write that.")


def check_language(name: str, pipeline: str) -> None:
    """Raise UserError for a package's name that does not begin with the language of a pipeline.

    Of its meta.json, as to load it takes long; where there is none, `load` says so.
    """
    try:
        folder = get_package_path(pipeline) if is_package(pipeline) else Path(pipeline)
        lang = srsly.read_json(folder / "meta.json")["lang"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if not name.startswith(f"{lang}_"):
        raise UserError(f"--name {name}: must begin with the pipeline's language, {lang}_.")


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
    if hf_head(nlp) is not None:
        made = "as it was published"
        nlp.meta["requirements"] = HF_HEAD_NEEDS
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
        if revision := encoder_revision(nlp):
            nlp.meta["sources"][-1]["revision"] = revision
    nlp.meta["performance"] = {**scores, "speed": metrics["speed"]["words_per_second"]}
    nlp.meta["notes"] = f"Scored on {scored_on(metrics)}; seed {metrics['seed']}."


def build(nlp: Language, folder: Path) -> Path:
    """Write the pipeline into `folder` and return the wheel built from it."""
    (folder / "build").mkdir(parents=True)
    nlp.to_disk(folder / "pipeline")
    if not looked_up(nlp):
        own_strings(nlp).to_disk(folder / "pipeline" / "vocab" / "strings.json")
    # -B: spaCy imports the file that travels, and would leave it compiled in this project.
    command = [sys.executable, "-B", "-m", "spacy", "package"]
    command += [folder / "pipeline", folder / "build"]
    named = nlp.config.to_str()
    ours = any(name in named for name in (components.TRANSFORMER, components.TOK2VEC))
    if ours or hf_head(nlp) is not None:
        command += ["--code", components.__file__]
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


def try_wheel(wheel: Path, name: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Install the wheel into a new virtual environment. Return what it says of a few texts, and the
    packages that it does not require, but does not load without. Raises UserError.

    The environment has nothing of this project: it borrows the installed packages of the running
    one, so that torch is not downloaded again, and hides those that the wheel does not require. It
    is offline, and runs in a folder of its own.
    """
    with tempfile.TemporaryDirectory(prefix="try-") as temporary:
        environment = Path(temporary) / "env"
        venv.create(environment, with_pip=False)
        python = python_of(environment)

        def run_python(*arguments: str | Path) -> subprocess.CompletedProcess:
            return subprocess.run(
                [python, "-I", *arguments], cwd=temporary, capture_output=True,
                env={**os.environ, "HF_HUB_OFFLINE": "1"}, encoding="utf8", errors="replace",
            )  # fmt: skip

        query = "import sysconfig; print(sysconfig.get_path('purelib'))"
        purelib = run_python("-c", query).stdout.strip()
        packages = [path for path in sys.path if path.endswith("site-packages")]
        Path(purelib, "shared.pth").write_text("\n".join(packages) + "\n", encoding="utf8")
        install = ("-m", "pip", "install", "--quiet", "--no-index", "--no-deps")
        result = run_python(*install, "--disable-pip-version-check", wheel.resolve())
        if result.returncode == 0:
            result = run_python(Path(trial.__file__).resolve(), name)
    said = json.loads((result.stdout.splitlines() or ['{"asked": {}}'])[-1])
    if result.returncode == 0:
        return said["answers"], []
    # What the errors say; the code that they quote is indented.
    errors = "\n".join(line for line in result.stderr.splitlines() if line[:1].strip())
    missing = [
        package
        for module, package in said["asked"].items()
        if re.search(rf"\b{module}\b", errors, re.IGNORECASE)
    ]
    if not missing:
        raise UserError(f"{wheel.name} cannot be installed and loaded: {result.stderr[-600:]}")
    return [], missing


def alike(one: Any, other: Any) -> bool:
    """Tell whether two pipelines found the same in a text: entities, or probabilities."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return all(abs(one[label] - other[label]) < 0.01 for label in one)
    return one == other


def build_and_try(nlp: Language, folder: Path, name: str) -> tuple[Path, list[dict[str, Any]]]:
    """Return a wheel and what it says of a few texts, which is what the pipeline says.

    A package that it does not load without, as some tokenizers have one, is added to its
    requirements. Raises UserError.
    """
    for attempt in itertools.count(1):
        wheel = build(nlp, folder / str(attempt))
        answers, missing = try_wheel(wheel, name)
        if not missing:
            break
        msg.info(f"added to its requirements: {', '.join(missing)}")
        needs = [f"{package}>={version_of(package)}" for package in missing]
        nlp.meta["requirements"] = [*nlp.meta.get("requirements", []), *needs]
    # Floats of another device are not the same.
    if isinstance(get_current_ops(), NumpyOps):
        for answer, expected in zip(answers, trial.annotate(nlp), strict=True):
            if not alike(answer["found"], expected["found"]):
                raise UserError(
                    f"{wheel.name} says {answer['found']} of {answer['text'][:50]!r}, where the "
                    f"pipeline says {expected['found']}: not the same pipeline."
                )
    return wheel, answers


def package(
    pipeline: str, metrics: Path, output: Path, name: str, version: str, gpu_id: int
) -> None:
    """Build a wheel of a pipeline, then install and load it offline in an environment of its own,
    which borrows the installed packages, but only those that the wheel requires."""
    check_name(name, version)
    check_folder(output)
    check_language(name, pipeline)
    nlp = load(pipeline, gpu_id)
    scores = read_metrics(metrics, nlp)
    encoder = strip_local_paths(nlp)
    describe(nlp, scores, name, version, encoder)
    with tempfile.TemporaryDirectory(prefix="package-") as temporary:
        wheel, answers = build_and_try(nlp, Path(temporary), name)
        with written_beside(output) as folder:
            shutil.move(wheel, folder / wheel.name)
    for answer in answers:
        print(f"  {answer['text'][:50]!r} → {answer['found']}")
    size = (output / wheel.name).stat().st_size / 1e6
    msg.good(f"{output / wheel.name} ({size:.0f} MB)")
    msg.good("installed and loaded offline, with no other package than those that it requires")
    if looked_up(nlp):
        warn(
            f"it holds the words of its training corpus, which {', '.join(looked_up(nlp))} may need"
        )


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
