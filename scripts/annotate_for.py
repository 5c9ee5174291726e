"""Raw texts with a pipeline's predictions, in the format of an annotation tool, the least certain first."""

from collections.abc import Iterator
from pathlib import Path

from spacy.language import Language
from spacy.util import minibatch
from tqdm import tqdm
from wasabi import msg

from .common.annotate import forgetting, pipe
from .common.errors import UserError, warn
from .common.files import check_folder, written_beside
from .common.precision import check_precision
from .corpora.candidates import TOO_LONG
from .corpora.examples import Log
from .corpora.options import Options
from .corpora.texts import raw_texts, text_files
from .serving.pipeline import load, set_precision, task_labels, threshold_of
from .serving.preannotations import (
    TOOLS,
    Project,
    Suggested,
    check_tool,
    least_certain_first,
    suggested,
)

# Texts whose words are kept in the pipeline's vocabulary at a time.
CHUNK = 2000


def project_of(pipeline: str, nlp: Language, task: str) -> Project:
    """Return what is to be annotated. Raises UserError if the pipeline does not have the task, or has
    several and none is named."""
    labels = task_labels(nlp)
    if task and task not in labels:
        raise UserError(f"--task {task}: the pipeline has {', '.join(labels)}.")
    if not task and len(labels) > 1:
        raise UserError(
            f"{pipeline}: predicts {' and '.join(labels)}, but people annotate one at a time; pass --task."
        )
    task = task or next(iter(labels))
    return Project(task, labels[task], nlp)


def texts_in(source: Path, longest: int, options: Options, log: Log) -> Iterator[tuple[str, str]]:
    """Yield each text as it is written, and its origin. Raises UserError.

    longest: in characters; longer texts are skipped, and counted in the log as empty ones are.
    """
    for path in text_files(source):
        name = path.name if path == source else path.relative_to(source).as_posix()
        for raw in raw_texts(path, options, log, exact=True):
            if len(raw.text) > longest:
                log.skip(TOO_LONG, f"{path}:{raw.number}")
            else:
                yield raw.text, f"{name}:{raw.number}"


def predicted(project: Project, texts: Iterator[tuple[str, str]]) -> Iterator[Suggested]:
    """Yield what the pipeline predicts of each text."""
    nlp, task, labels = project.nlp, project.task, project.labels
    threshold = threshold_of(nlp, task)
    for chunk in minibatch(texts, CHUNK):
        with forgetting(nlp):
            for doc, (_, origin) in zip(pipe(nlp, [text for text, _ in chunk]), chunk):
                yield suggested(doc, origin, task, labels, threshold)


def check_new(output: Path) -> None:
    """Raise UserError for a folder with files: people may have corrected what an earlier call wrote."""
    check_folder(output)
    if output.exists() and any(not path.name.startswith(".") for path in output.iterdir()):
        raise UserError(
            f"{output}: is not empty; name a new folder, so that no annotation is lost."
        )


def annotate_for(
    tool: str,
    pipeline: str,
    source: Path,
    output: Path,
    task: str,
    limit: int,
    options: Options,
    gpu_id: int,
    precision: str,
) -> None:
    """Write texts with a pipeline's predictions into a new folder, as a tool imports them.

    limit: the number of texts to write (0: all). Raises UserError.
    """
    check_new(output)
    check_precision("--precision", precision)
    text_files(source)
    nlp = load(pipeline, gpu_id)
    project = project_of(pipeline, nlp, task)
    check_tool(tool, project)
    set_precision(nlp, precision)
    log = Log()
    texts = texts_in(source, nlp.max_length, options, log)
    found = list(tqdm(predicted(project, texts), f"predict {source.name}", unit=" texts"))
    reasons = {kind: note["count"] for kind, note in log.skipped.to_json().items()}
    if not found:
        why = ", ".join(f"{count:,} {kind}" for kind, count in reasons.items()) or "it is empty"
        raise UserError(f"{source}: no texts to annotate ({why}); check the file.")
    total = len(found)
    known = any(each.certainty is not None for each in found)
    found = least_certain_first(found)[: limit or None]
    with written_beside(output) as folder:
        how = TOOLS[tool](found, project, folder)
    for kind, count in reasons.items():
        warn(f"{count:,} texts skipped: {kind} ({log.skipped.locations[kind][0]})")
    order = "the least certain first"
    if not known:
        order = "in their order, as this pipeline states no confidence of its entities"
    marks = sum(len(each.entities) + len(each.labels) for each in found)
    kind = "entities" if project.task == "ner" else "labels"
    msg.good(f"{output}: {len(found):,} of {total:,} texts with {marks:,} {kind}, {order}")
    print(f"{tool}: {how}")
