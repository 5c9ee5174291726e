"""Serve pipelines on this machine: a page to try them, and a JSON API."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

import typer
from spacy.language import Language
from spacy.training.loop import DIR_MODEL_BEST

from .common.devices import use_device
from .common.errors import UserError
from .common.precision import check_precision
from .serving.pipeline import load, set_precision, task_labels

NEEDED = ("fastapi", "uvicorn")
FILE_BYTES = 200_000_000


def check_installed() -> None:
    """Raise UserError if the packages that serving needs are missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            f"serve needs {' and '.join(missing)}: pip install -r requirements-serve.txt, or start it with "
            "`python3 run.py serve`, which installs them."
        )


def named(pipelines: Sequence[str]) -> dict[str, str]:
    """Return the pipelines by name, given as NAME=PIPELINE or as PIPELINE, which has that of its folder
    or package. Raises UserError for two of one name."""
    found: dict[str, str] = {}
    for given in pipelines:
        name, equals, pipeline = given.partition("=")
        if not equals or "/" in name or "\\" in name:
            pipeline = given
            path = Path(given).resolve() if Path(given).exists() else Path(given)
            name = path.parent.name if path.name == DIR_MODEL_BEST else path.name
        if name in found:
            raise UserError(
                f"{found[name]} and {pipeline} are both called {name}; name one: "
                f"serve {found[name]} OTHER={pipeline}."
            )
        found[name] = pipeline
    return found


def serve(
    pipelines: Sequence[str],
    host: str,
    port: int,
    max_texts: int,
    max_chars: int,
    max_seconds: int,
    corpora: Sequence[Path],
    hosts: Sequence[str],
    origins: Sequence[str],
    gpu_id: int,
    precision: str,
) -> None:
    """Serve pipelines until Ctrl-C.

    corpora: to take examples from; by default, for this machine alone, those the pipelines were trained on.
    hosts: names by which the server may be called, besides localhost and the machine's own. origins: of
    pages elsewhere that may use the API. Raises UserError.
    """
    check_installed()
    from .web.annotator import Annotator
    from .web.app import make_app
    from .web.checks import Limits
    from .web.examples import own_corpora, read_examples
    from .web.server import listen, run

    check_precision("--precision", precision)
    names = named(pipelines)
    with listen(host, port) as listening:
        loaded: dict[str, Language] = {}
        for name, pipeline in names.items():
            loaded[name] = load(pipeline, gpu_id)
            if (longest := loaded[name].max_length) < max_chars:
                raise UserError(
                    f"--max-chars {max_chars:,}: {name} reads texts of up to {longest:,} characters."
                )
            set_precision(loaded[name], precision)
        local = ip_address(listening.getsockname()[0]).is_loopback
        examples = {
            name: read_examples(
                corpora or (own_corpora(nlp) if local else ()), list(task_labels(nlp))
            )
            for name, nlp in loaded.items()
        }
        # One thread for all: they would only take each other's time. It must choose the GPU itself.
        thread = ThreadPoolExecutor(1, "annotate", use_device, (gpu_id,))
        annotators = {name: Annotator(name, nlp, thread) for name, nlp in loaded.items()}
        limits = Limits(max_texts, max_chars, max_seconds, FILE_BYTES)
        app = make_app(annotators, limits, examples, hosts, origins)
        address = listening.getsockname()
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        # Not wasabi's msg.good, which wraps lines and may cut the address.
        typer.echo(f"http://{shown}:{address[1]} serves {', '.join(names)}; Ctrl-C ends it")
        run(app, listening, thread)
