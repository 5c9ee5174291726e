"""Commands for training: print a complete config, train with spaCy or transformers, distill."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import EPILOG, SETTINGS, Encoding, GpuId, PageLanguage, Pipeline, Precision, Revision

PANEL = "Train"
Config = Annotated[
    str,
    typer.Argument(
        help="Task (ner, textcat, textcat_multilabel, ner+textcat) or config file; one of `spacy init config` works too"
    ),
]


def config(context: typer.Context, config: Config) -> None:
    """Print the complete config of a training, to save and edit.

    Any setting of the config can follow: --nlp.lang en --settings.max_steps 500.
    """
    from ..common.settings import parse_settings
    from ..config import TEXTS, show_config

    show_config(config, parse_settings(context.args, TEXTS))


def train(
    context: typer.Context,
    config: Config,
    output: Annotated[Path, typer.Argument(help="Folder for model-best and TensorBoard's logs")],
    corpus: Annotated[
        list[Path],
        typer.Option(help="Folder with train.spacy and dev.spacy; can be given several times"),
    ],
    lang: Annotated[str, typer.Option(help="Language of the pipeline's tokenizer: fr, en, xx…")],
    gpu_id: GpuId = -1,
) -> None:
    """Train a pipeline on a converted corpus, or on several.

    Of several, each contributes the same number of examples: smaller ones are repeated. For ner+textcat, each needs entities, or labels, or both.

    Learning rate, words and examples of an update, updates, warm-up and evaluations are proposed from the corpus and the encoder, and printed with the reasons. Any setting of the config can follow, and wins: --settings.learn_rate 3e-5, --settings.epochs 3. With --settings.max_steps, warmup_steps becomes a tenth of it, for entities a quarter, unless given too.
    """
    from ..common.settings import parse_settings
    from ..config import TEXTS
    from ..train import train

    train(config, output, corpus, lang, gpu_id, parse_settings(context.args, TEXTS))


def learning_curve(
    context: typer.Context,
    config: Config,
    output: Annotated[
        Path, typer.Argument(help="Folder of the curve, e.g. training/mine-curve; it resumes there")
    ],
    corpus: Annotated[Path, typer.Option(help="Folder with train, dev and test")],
    lang: Annotated[str, typer.Option(help="Language of the pipeline's tokenizer: fr, en, xx…")],
    shares: Annotated[str, typer.Option(help="Percentages of train to train on")] = "10,25,50,100",
    seeds: Annotated[str, typer.Option(help="Seeds, of the samples and of the training")] = "0,1,2",
    split: Annotated[str, typer.Option(help="The split that all are scored on")] = "test",
    page: Annotated[
        Path | None,
        typer.Option(help="Page to write", show_default="reports/<name of the folder>.html"),
    ] = None,
    page_language: PageLanguage = "",
    gpu_id: GpuId = -1,
) -> None:
    """Show whether more annotation would pay: train on shares.

    Trains on growing shares of a corpus with several seeds, and scores all on one split. Each sample is part of the next larger one, and each training as long as `train` proposes for so many examples, unless settings say otherwise; dev is the whole in all. The pipelines are not kept. Run again, it goes on where it stopped. Settings of the config can follow, as for `train`.
    """
    from ..common.settings import parse_settings
    from ..config import TEXTS
    from ..learning_curve import Request, learning_curve, numbers_of, shares_of

    page = page or Path("reports", f"{output.resolve().name}.html")
    request = Request(
        config, output, corpus, lang, shares_of(shares), numbers_of("--seeds", seeds, int), split,
        page, page_language, gpu_id, parse_settings(context.args, TEXTS),
    )  # fmt: skip
    learning_curve(request)


def train_hf(
    context: typer.Context,
    task: Annotated[
        Literal["ner", "textcat", "textcat_multilabel"], typer.Argument(help="What is learned")
    ],
    output: Annotated[
        Path, typer.Argument(help="Folder for checkpoint, model-best and TensorBoard's logs")
    ],
    corpus: Annotated[Path, typer.Option(help="Folder with train.spacy and dev.spacy")],
    lang: Annotated[str, typer.Option(help="Language of the pipeline's tokenizer: fr, en, xx…")],
    encoder: Annotated[str, typer.Option(help="Encoder to fine-tune: a folder or a hub id")],
    revision: Revision = "",
    config: Annotated[
        Path | None,
        typer.Option(help="Config file with the settings", show_default="configs/trainer.cfg"),
    ] = None,
) -> None:
    """Train a Hugging Face head with transformers' Trainer.

    Writes a checkpoint that transformers opens, and the same as a spaCy pipeline; the best by its score on dev. Settings can be overridden: --training.learning_rate 3e-5. An interrupted training resumes when run again. On several GPUs: torchrun --standalone --nproc_per_node 2 -m scripts train-hf …
    """
    from ..common.settings import parse_settings
    from ..train_hf import train_hf

    given = parse_settings(context.args)
    train_hf(task, output, corpus, lang, encoder, revision, config, given)


RawTexts = Annotated[
    Path,
    typer.Argument(
        help="Raw text: a file or folder of lines (.txt, .trs), tables (.csv, .jsonl, .parquet…) or DocBins, also .gz; or a converted corpus"
    ),
]
Gold = Annotated[Path, typer.Option(help="Folder of the gold corpus: train, dev and, if any, test")]
Limit = Annotated[int, typer.Option(min=0, help="Number of texts to annotate, the first; 0: all")]
OneTask = Annotated[
    str,
    typer.Option(help="ner, textcat or textcat_multilabel, if teacher and corpus share several"),
]
TextColumn = Annotated[
    str | None,
    typer.Option(help="Name of the text column of tables (default: text, review or sentence)"),
]


def silver(
    teacher: Pipeline,
    text: RawTexts,
    output: Annotated[Path, typer.Argument(help="Folder for *.spacy and report.json")],
    corpus: Gold,
    limit: Limit = 0,
    task: OneTask = "",
    text_column: TextColumn = None,
    encoding: Encoding = None,
    gpu_id: GpuId = -1,
    precision: Precision = "auto",
) -> None:
    """Annotate raw text with a pipeline, to train on.

    The result is a converted corpus: train is that of the gold corpus and the silver text, dev and test are the gold ones. No text of the gold corpus becomes silver, and none twice. An interrupted run goes on when run again.
    """
    from ..corpora.options import Options
    from ..silver import Source, silver_and_print

    source = Source(text, limit, Options(encoding=encoding, text_column=text_column))
    silver_and_print(teacher, source, output, corpus, task, gpu_id, precision)


def distill(
    context: typer.Context,
    teacher: Pipeline,
    text: RawTexts,
    output: Annotated[Path, typer.Argument(help="Folder for model-best and the silver text")],
    corpus: Gold,
    limit: Limit = 0,
    task: OneTask = "",
    text_column: TextColumn = None,
    encoding: Encoding = None,
    gold_alone: Annotated[
        bool,
        typer.Option(help="Also train on the gold corpus alone, to see what the text is worth"),
    ] = True,
    gpu_id: GpuId = -1,
    precision: Precision = "auto",
) -> None:
    """Train a small, fast pipeline to do as a larger one does.

    The small one, the student, needs spaCy alone. The larger one, the teacher, annotates raw text, as `silver` does; the student learns from that and the gold corpus, of classes also the teacher's probabilities. Teacher and student are compared on the gold test split: scores, words a second, size. Settings of configs/student.cfg can be overridden: --settings.width 128. The silver text is kept: another student of the same teacher and text begins with its training.
    """
    from ..common.settings import parse_settings
    from ..corpora.options import Options
    from ..distill import distill
    from ..silver import Source

    source = Source(text, limit, Options(encoding=encoding, text_column=text_column))
    settings = parse_settings(context.args)
    distill(teacher, source, output, corpus, task, gpu_id, precision, settings, gold_alone)


def add_to(app: typer.Typer) -> None:
    for command in (config, train, learning_curve, train_hf, distill):
        app.command(rich_help_panel=PANEL, context_settings=SETTINGS, epilog=EPILOG)(command)
    app.command(rich_help_panel=PANEL, epilog=EPILOG)(silver)
