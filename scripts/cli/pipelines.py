"""Commands for trained pipelines: predict, score, draw, package, share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import (
    EPILOG,
    Corpus,
    Encoding,
    GpuId,
    MaxLoss,
    Metrics,
    OnnxPrecision,
    PageLanguage,
    Pipeline,
    Precision,
    Revision,
)

PANEL = "Evaluate and share"


def predict(
    pipeline: Pipeline,
    corpus: Corpus,
    output: Annotated[Path, typer.Argument(help="DocBin to write, e.g. metrics/fr_flue_trf.spacy")],
    split: Annotated[str, typer.Option(help="The split to predict")] = "test",
    gpu_id: GpuId = -1,
    precision: Precision = "auto",
) -> None:
    """Write a pipeline's predictions on a split of a corpus.

    On raw text, with its own tokenizer and labels. `evaluate` does this itself, unless metrics/NAME.spacy is there already.
    """
    from ..predict import predict

    predict(pipeline, corpus, output, split, gpu_id, precision)


def annotate_for(
    tool: Annotated[
        Literal["label-studio", "doccano", "prodigy", "brat"],
        typer.Argument(help="The annotation tool that is to import them", show_choices=True),
    ],
    pipeline: Pipeline,
    texts: Annotated[
        Path,
        typer.Argument(
            help="Texts: lines of a file, rows of a table, a .spacy file, or a folder of these"
        ),
    ],
    output: Annotated[Path, typer.Argument(help="New folder, e.g. metrics/to-annotate")],
    task: Annotated[
        str, typer.Option(help="ner, textcat or textcat_multilabel, if the pipeline has several")
    ] = "",
    limit: Annotated[
        int, typer.Option(min=0, help="How many texts to write, of those ordered; 0: all")
    ] = 0,
    text_column: Annotated[
        str | None, typer.Option(help="Name of a table's text column (default: text, review…)")
    ] = None,
    encoding: Encoding = None,
    gpu_id: GpuId = -1,
    precision: Precision = "auto",
) -> None:
    """Write predictions on raw texts for an annotation tool.

    People correct them there instead of annotating from nothing; `convert` reads what the tool exports. Texts whose least certain entity or label is the least certain
    come first; texts without entities come last. Texts keep their whitespace.
    """
    from ..annotate_for import annotate_for
    from ..corpora.options import Options

    options = Options(encoding=encoding, text_column=text_column)
    annotate_for(tool, pipeline, texts, output, task, limit, options, gpu_id, precision)


def evaluate(
    pipeline: Pipeline,
    corpus: Corpus,
    output: Annotated[
        Path, typer.Argument(help="JSON file to write, e.g. metrics/fr_flue_trf.json")
    ],
    split: Annotated[str, typer.Option(help="The split to evaluate on")] = "test",
    about: Annotated[
        str, typer.Option(help="Where the split comes from (default: as in configs/sources.yml)")
    ] = "",
    task: Annotated[
        str,
        typer.Option(
            help="ner, textcat or textcat_multilabel, if pipeline and corpus share several"
        ),
    ] = "",
    names: Annotated[
        str,
        typer.Option(
            "--map", help="Rename the pipeline's labels: PERSON=PER,GPE=LOC; DATE= drops one"
        ),
    ] = "",
    gpu_id: GpuId = -1,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Predict again, even if predictions exist")
    ] = False,
    precision: Precision = "auto",
) -> None:
    """Score a pipeline on a split of a corpus.

    On raw text, with its own tokenizer, and for entities on gold tokens too. Accepts any spaCy pipeline with `ner`, `textcat` or `textcat_multilabel`. An entity is correct if
    its first and last character and its label are. The predictions are written beside the metrics, and used again by later calls.
    """
    from ..evaluate import evaluate

    evaluate(pipeline, corpus, output, split, about, task, names, gpu_id, fresh, precision)


def report(
    pipeline: Pipeline,
    corpus: Corpus,
    metrics: Metrics,
    output: Annotated[Path, typer.Argument(help="HTML file to write")],
    limit: Annotated[
        int, typer.Option(min=1, help="Maximum number of examples, the surest errors first")
    ] = 10_000,
    gpu_id: GpuId = -1,
    checked: Annotated[
        Path | None, typer.Option("--check", help="What `check --json` wrote, to show too")
    ] = None,
    page_language: PageLanguage = "",
) -> None:
    """Draw a pipeline's page: scores, errors, examples.

    One HTML file: the score with its interval, labels, kinds of errors, calibration, slices, curves of the training, and examples beside their
    gold annotation to search and filter. Reads what `evaluate` wrote, and the training's log.
    """
    from ..report import report

    report(pipeline, corpus, metrics, output, limit, gpu_id, checked, page_language)


def index(
    output: Annotated[Path, typer.Argument(help="HTML file to write")] = Path("reports/index.html"),
    metrics: Annotated[Path, typer.Option(help="Folder of the metrics")] = Path("metrics"),
    training: Annotated[
        Path | None,
        typer.Option(help="Folder of the pipelines", show_default="training, beside the metrics"),
    ] = None,
    packages: Annotated[
        Path | None,
        typer.Option(help="Folder of the wheels", show_default="packages, beside the metrics"),
    ] = None,
    page_language: PageLanguage = "",
) -> None:
    """List all scored pipelines on a page, in a table that sorts.

    Scores with their intervals, corpora, encoders, sizes, speeds, and links to what there is of each pipeline: page, config, metrics, wheel. Comparisons and learning curves are below. `report` writes it again each time, beside its page.
    """
    from ..index import index

    index(output, metrics, training, packages, page_language)


def package(
    pipeline: Pipeline,
    metrics: Metrics,
    output: Annotated[Path, typer.Argument(help="Folder for the wheel")],
    name: Annotated[
        str, typer.Option(help="Name of the package (default: that of the metrics, fr_flue_trf)")
    ] = "",
    version: Annotated[str, typer.Option(help="Version of the package")] = "0.1.0",
    also: Annotated[
        list[Path],
        typer.Option(help="Other metrics of the pipeline to state; can be given several times"),
    ] = [],
    runtime: Annotated[
        str, typer.Option(help="torch, or onnx: needs neither torch nor transformers")
    ] = "torch",
    corpus: Annotated[
        list[Path],
        typer.Option(help="For onnx, as in `to-onnx` (default: the metrics' corpora in corpus/)"),
    ] = [],
    precision: OnnxPrecision = "int8",
    max_loss: MaxLoss = 0.01,
    gpu_id: GpuId = -1,
) -> None:
    """Build a wheel, and load it offline in a clean environment.

    That environment sees only those of the installed packages that the wheel requires. `--runtime onnx` does what `to-onnx` does before, and names the wheel fr_flue_onnx instead of fr_flue_trf.
    """
    from ..package import package

    package(
        pipeline, metrics, output, name, version, gpu_id, also, runtime, corpus, precision, max_loss
    )


def to_onnx(
    pipeline: Pipeline,
    output: Annotated[Path, typer.Argument(help="Folder; the pipeline is its model-best")],
    corpus: Annotated[
        list[Path],
        typer.Option(
            help="Corpus to measure on: dev to quantise, test to say what it costs; can be given several times"
        ),
    ],
    precision: OnnxPrecision = "int8",
    max_loss: MaxLoss = 0.01,
) -> None:
    """Write a pipeline for ONNX Runtime, without torch.

    It needs spaCy, onnxruntime and tokenizers alone. `evaluate`, `report` and `package` accept it like any other. Prints scores, shares of equal results and time beside those of the pipeline.
    """
    from ..to_onnx import to_onnx

    to_onnx(pipeline, output, corpus, precision, max_loss)


def wrap(
    checkpoint: Annotated[
        str,
        typer.Argument(help="Hugging Face checkpoint with a head: a folder, or an id on the hub"),
    ],
    output: Annotated[Path, typer.Argument(help="Folder; the pipeline is its model-best")],
    lang: Annotated[str, typer.Option(help="Language of spaCy's tokenizer: fr, en, xx…")],
    labels: Annotated[
        str,
        typer.Option(
            help="Other names for its labels: LABEL_0=negative,LABEL_1=positive; LABEL_3=B-PER"
        ),
    ] = "",
    revision: Revision = "",
) -> None:
    """Wrap a ready-made Hugging Face head as a spaCy pipeline.

    Its weights are included. `evaluate`, `report` and `package` accept it like any other.
    """
    from ..wrap import wrap

    wrap(checkpoint, output, lang, labels, revision)


def export(
    pipeline: Pipeline,
    metrics: Metrics,
    output: Annotated[Path, typer.Argument(help="Hugging Face folder to write")],
    licence: Annotated[
        str, typer.Option("--license", help="Its licence, by the hub's name for it: mit, …")
    ] = "",
    gpu_id: GpuId = -1,
) -> None:
    """Write the encoder of a pipeline as a Hugging Face folder.

    As it was fine-tuned, with a model card. A ready-made head is included. spaCy's components are not: they read one vector per spaCy
    token, which no head in transformers does.
    """
    from ..export import export

    export(pipeline, metrics, output, licence, gpu_id)


def push(
    folder: Annotated[Path, typer.Argument(help="What `export`, `pretrain` or `trim` wrote")],
    repository: Annotated[
        str, typer.Argument(help="USER/NAME, or ORGANISATION/NAME", metavar="USER/NAME")
    ],
    shown: Annotated[str, typer.Option("--token", hidden=True)] = "",
    public: Annotated[
        bool, typer.Option("--public", help="Make the repository public if it is new; else private")
    ] = False,
) -> None:
    """Upload a Hugging Face folder to the hub.

    Uses your login on this machine (`hf auth login`), or a token with write access in $HF_TOKEN.
    """
    from ..push import push

    push(folder, repository, shown, public)


def add_to(app: typer.Typer) -> None:
    for command in (
        predict,
        annotate_for,
        evaluate,
        report,
        index,
        package,
        to_onnx,
        wrap,
        export,
        push,
    ):
        app.command(rich_help_panel=PANEL, epilog=EPILOG)(command)
