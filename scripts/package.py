"""Build a wheel of a trained pipeline, and try it in an environment of its own."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from importlib.metadata import version as version_of
from pathlib import Path
from textwrap import shorten
from typing import Any

import srsly
from packaging.version import InvalidVersion, Version
from spacy.language import Language
from spacy.util import get_package_path, is_package
from thinc.api import NumpyOps, get_current_ops
from wasabi import msg

from .common.errors import UserError, warn
from .common.files import check_folder, written_beside
from .common.sources import corpora_of, source
from .serving.metrics import headline, read_metrics, scored_on
from .serving.pipeline import TASKS, encoder_revision, hf_head, load, onnx_part, pipeline_path
from .serving.strip import looked_up, own_strings, strip_local_paths
from .to_onnx import scored_on_onnx
from .wheel import bundle, components, trial

# What the file that travels with a ready-made head, or with an ONNX model, imports besides spaCy.
HF_HEAD_NEEDS = ["spacy-transformers>=1.4,<1.5", "transformers>=4.49,<5", "torch>=2.6"]
ONNX_NEEDS = ["onnxruntime>=1.20", "tokenizers>=0.20"]
# The file in a wheel with the components that spaCy lacks.
CODE = "components.py"
# spaCy's command line, started in less time: see scripts/__main__.py.
SPACY = """
import atexit, gc
gc.set_threshold(10_000)
atexit.register(gc.freeze)
from spacy.cli import setup_cli
setup_cli()
"""
RUNTIMES = TORCH, ONNX = "torch", "onnx"
# Characters of a text in which the wheel is tried that are printed; of what is found in it, twice as many.
SHOWN = 50


def check_name(name: str, version: str) -> None:
    """Raise UserError for a name or version that a wheel would change."""
    if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", name):
        raise UserError(
            f"--name {name}: not a valid package name; write the language, then words of a-z and "
            "0-9 with a single _ before each, as in fr_flue_trf."
        )
    try:
        normal = str(Version(version))
    except InvalidVersion as error:
        raise UserError(f"--version {version}: not a version; write it as in 1.2.0.") from error
    if normal != version:
        raise UserError(f"--version {version}: wheels write it as {normal} (PEP 440); use that.")


def check_language(name: str, pipeline: str) -> None:
    """Raise UserError if a package's name does not begin with the pipeline's language.

    Read from meta.json, as loading takes seconds; if there is none, `load` reports it.
    """
    try:
        folder = (
            get_package_path(pipeline) if is_package(pipeline) else Path(pipeline_path(pipeline))
        )
        lang = srsly.read_json(folder / "meta.json")["lang"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if not name.startswith(f"{lang}_"):
        raise UserError(f"--name {name}: must begin with the pipeline's language, {lang}_.")


def onnx_name(name: str) -> str:
    """Return the name of a pipeline's form for ONNX Runtime: fr_flue_onnx for fr_flue_trf."""
    return f"{name.removesuffix('_trf')}_onnx"


def describe(
    nlp: Language, scored: list[dict[str, Any]], name: str, version: str, encoder: str | None
) -> None:
    """Fill in the pipeline's meta: tasks, training corpora, scores, licences.

    scored: one or more metrics; of a score that several have, `performance` has the first one's. The
    sources and the licence that a pipeline made elsewhere states are kept.
    """
    metrics, corpus = scored[0], scored[0]["trained_on"]
    nlp.meta["name"] = name.split("_", 1)[1]
    nlp.meta["version"] = version
    made = corpus and f"trained on {corpus}"
    if hf_head(nlp) is not None:
        made = made or "as it was published"
        nlp.meta["requirements"] = HF_HEAD_NEEDS
    light = onnx_part(nlp)
    if light is not None:
        made = f"{made or 'as it was published'}, for ONNX Runtime in {light.onnx.settings['precision']}"
        nlp.meta["requirements"] = ONNX_NEEDS
    # Each task once.
    tasks = " and ".join(dict.fromkeys(TASKS[one["task"]] for one in scored))
    about = [f"{tasks.capitalize()} ({nlp.lang})", encoder, made]
    results = [
        f"{headline(one['raw_text'])} on {one['examples']:,} examples of {scored_on(one)}, raw text"
        for one in scored
    ]
    nlp.meta["description"] = f"{'; '.join([', '.join(filter(None, about)), *results])}."
    if not nlp.meta["license"]:
        nlp.meta["license"] = "MIT (the code; corpus and encoder under the terms of their sources)"
    if not nlp.meta.get("sources"):
        origins = [("corpora", one) for one in corpora_of(corpus)]
        origins += [("encoders", encoder)] if encoder else []
        nlp.meta["sources"] = [source(kind, origin) for kind, origin in origins]
        if revision := encoder_revision(nlp):
            nlp.meta["sources"][-1]["revision"] = revision
    performance = {key: value for one in reversed(scored) for key, value in one["raw_text"].items()}
    # By which a page finds its wheel.
    nlp.meta["weights"] = metrics["weights"]
    nlp.meta["performance"] = {**performance, "speed": metrics["speed"]["words_per_second"]}
    nlp.meta["notes"] = f"Scored on {'; '.join(map(scored_on, scored))}; seed {metrics['seed']}."


def code_of(nlp: Language) -> str | None:
    """Return the name of the module of `wheel` that a pipeline needs, if it needs one."""
    named = nlp.config.to_str()
    if onnx_part(nlp) is not None:
        return bundle.ONNX
    ours = any(name in named for name in (components.TRANSFORMER, components.TOK2VEC))
    return bundle.TORCH if ours or hf_head(nlp) is not None else None


def build(nlp: Language, folder: Path) -> Path:
    """Write the pipeline into `folder` and return the wheel built from it."""
    (folder / "build").mkdir(parents=True)
    nlp.to_disk(folder / "pipeline")
    if not looked_up(nlp):
        own_strings(nlp).to_disk(folder / "pipeline" / "vocab" / "strings.json")
    package = [sys.executable, "-c", SPACY, "package", folder / "pipeline", folder / "build"]
    if code := code_of(nlp):
        (folder / CODE).write_text(bundle.bundle(code), encoding="utf8")
        package += ["--code", folder / CODE]
    run_tool([*package, "--build", "none"])
    (written,) = (folder / "build").iterdir()
    # spaCy has setuptools downloaded for each wheel, which is here. In its folder, as a build.py of the
    # user's would be run instead.
    run_tool([sys.executable, "-m", "build", "--wheel", "--no-isolation"], cwd=written)
    return next((written / "dist").glob("*.whl"))


def run_tool(command: Sequence[str | Path], cwd: Path | None = None) -> None:
    """Run a program that builds a wheel. Raises UserError with the end of what it printed if it fails."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, errors="replace")
    if result.returncode:
        raise UserError(f"the wheel was not built: {(result.stdout + result.stderr)[-600:]}")


def python_of(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    windows = environment / "Scripts" / "python.exe"
    return windows if windows.exists() else environment / "bin" / "python"


def try_wheel(wheel: Path, name: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Install the wheel in a new virtual environment. Return its predictions for a few texts, and
    the packages that it needs to load but does not require. Raises UserError.

    Nothing of this project is in that environment. It borrows the packages installed in the running
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
    # The lines of the errors themselves; the code that a traceback quotes is indented.
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
    """Return whether two pipelines' predictions for a text are the same: entities, probabilities but
    for rounding, or a list of both."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return all(abs(one[label] - other[label]) < 0.01 for label in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other


def build_and_try(nlp: Language, folder: Path, name: str) -> tuple[Path, list[dict[str, Any]]]:
    """Return a wheel, and its predictions for a few texts, which are the pipeline's own.

    Packages without which it does not load, as some tokenizers need them, are added to its
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
    # On a GPU, floats differ from those of the CPU on which the wheel is tried.
    if isinstance(get_current_ops(), NumpyOps):
        for answer, expected in zip(answers, trial.annotate(nlp), strict=True):
            if not alike(answer["found"], expected["found"]):
                raise UserError(
                    f"{wheel.name} predicts {answer['found']} for {answer['text'][:50]!r}, and the "
                    f"pipeline {expected['found']}: not the same pipeline."
                )
    return wheel, answers


def package(
    pipeline: str,
    metrics: Path,
    output: Path,
    name: str,
    version: str,
    gpu_id: int,
    also: Sequence[Path] = (),
    runtime: str = TORCH,
    corpora: Sequence[Path] = (),
    precision: str = "int8",
    max_loss: float = 0.01,
) -> None:
    """Build a wheel of a pipeline, then install and load it offline in an environment of its own,
    which borrows those of the installed packages that the wheel requires.

    The wheel has the name of the metrics' file unless another `name` is given. also: other metrics of
    the same pipeline, for its description. runtime "onnx": of its form for ONNX Runtime; corpora,
    precision and max_loss as in `to_onnx`.
    """
    if runtime not in RUNTIMES:
        raise UserError(f"--runtime {runtime}: expected one of {', '.join(RUNTIMES)}.")
    name = name or (onnx_name(metrics.stem) if runtime == ONNX else metrics.stem)
    check_name(name, version)
    check_folder(output)
    check_language(name, pipeline)
    nlp = load(pipeline, gpu_id)
    scored = [read_metrics(path, nlp) for path in (metrics, *also)]
    if runtime == ONNX:
        nlp, scored = scored_on_onnx(pipeline, scored, corpora, precision, max_loss)
    encoder = strip_local_paths(nlp)
    describe(nlp, scored, name, version, encoder)
    with tempfile.TemporaryDirectory(prefix="package-") as temporary:
        wheel, answers = build_and_try(nlp, Path(temporary), name)
        with written_beside(output) as folder:
            shutil.move(wheel, folder / wheel.name)
    for answer in answers:
        found = shorten(str(answer["found"]), 2 * SHOWN, placeholder=" …")
        print(f"  {answer['text'][:SHOWN]!r} → {found}")
    size = (output / wheel.name).stat().st_size / 1e6
    msg.good(f"{output / wheel.name} ({size:.0f} MB)")
    msg.good("installed and loaded offline, with only the packages that it requires")
    if looked_up(nlp):
        warn(
            f"it contains the words of its training corpus, which {', '.join(looked_up(nlp))} may need"
        )


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
