"""Silver text: raw text annotated by a trained pipeline, the teacher, added to the train split of a
converted corpus."""

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import srsly
from filelock import FileLock, Timeout
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training.corpus import walk_corpus
from spacy.util import minibatch
from spacy.vocab import Vocab
from tqdm import tqdm
from wasabi import msg

from .common.annotate import forgetting, pipe
from .common.errors import UserError, warn
from .common.files import LOCK, check_folder, discard, sha256, written_beside
from .common.precision import check_precision
from .common.weights import weights_hash
from .convert import print_report
from .corpora.candidates import Candidates, Source
from .corpora.docbins import read_docs
from .corpora.examples import SPLITS
from .corpora.report import corpus_report
from .corpora.texts import RawText
from .corpora.writer import NONE, PACKER
from .serving.gold import read_gold, split_sha256
from .serving.metrics import labels_given
from .serving.pipeline import counting, load, set_precision, task_labels, threshold_of
from .training.student import GOLD_SHARD, SILVER, SILVER_SHARD

# Texts that are annotated and written at a time: what a kill loses.
CHUNK = 2000
# Key of the report: what the silver text was made of.
MADE_OF = "silver"
STATE = "silver.json"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder of shards."""
    return split_sha256(path) if path.is_dir() else sha256(path)


def labels_of(nlp: Language, task: str, doc: Doc) -> dict[str, float]:
    """Return a classified text's labels as 0 or 1: 1 for those that the pipeline assigns."""
    given = labels_given(doc, threshold_of(nlp, task))
    return {label: float(label in given) for label in doc.cats}


def annotate(
    nlp: Language, task: str, texts: list[tuple[str, RawText]], target: Path
) -> dict[str, Any]:
    """Write annotated texts as a DocBin; return its numbers of examples, tokens and labels.

    texts: each with the name of its file. Of the teacher's annotation only that of the task is kept;
    probabilities are user data.
    """
    attributes = ["ORTH", "ENT_IOB", "ENT_TYPE"] if task == "ner" else ["ORTH"]
    docbin = DocBin(attrs=attributes)
    tokens, counts = 0, Counter()
    # The teacher's vocabulary would keep every word.
    with forgetting(nlp):
        for doc, (file, raw) in zip(pipe(nlp, [raw.text for _, raw in texts]), texts):
            probabilities = {} if task == "ner" else dict(doc.cats)
            doc.cats = {} if task == "ner" else labels_of(nlp, task, doc)
            origin = {"file": file, "line": raw.number, SILVER: probabilities}
            docbin.add(doc)
            docbin.user_data.append(PACKER.pack(origin))
            tokens += len(doc)
            counts.update(entity.label_ for entity in doc.ents if task == "ner")
            counts.update(label for label, value in doc.cats.items() if value)
        # Set only now, so that `add` does not pack each Doc's own user data as well.
        docbin.store_user_data = True
        partial = target.with_name(f".{target.name}")
        docbin.to_disk(partial)
    os.replace(partial, target)
    return {"examples": len(texts), "tokens": tokens, "labels": dict(counts)}


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Write what the silver text is made of, and what each shard that is done contains."""
    partial = folder / f".{STATE}"
    srsly.write_json(partial, state)
    os.replace(partial, folder / STATE)


def begin(work: Path, made_of: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a folder of unfinished silver text, or a new one if it is empty.

    Raises UserError if it is something else, or the silver text was made of something else.
    """
    if not (work / STATE).is_file():
        if any(path.name not in (LOCK, f".{STATE}") for path in work.iterdir()):
            raise UserError(f"{work}: not the folder of unfinished silver text; move it away.")
        write_state(work, {MADE_OF: made_of, "shards": []})
    state = srsly.read_json(work / STATE)
    check_same(work, state[MADE_OF], made_of)
    return state


def check_same(folder: Path, earlier: dict[str, Any] | None, made_of: dict[str, Any]) -> None:
    """Raise UserError if a folder holds silver text that was made of something else."""
    if earlier is None:
        raise UserError(
            f"{folder}: holds a corpus that `silver` did not make; name another folder."
        )
    for what, value in made_of.items():
        if earlier.get(what) != value:
            raise UserError(
                f"{folder}: holds silver text with another {what.replace('_', ' ')}; delete it, or "
                "name another folder."
            )


def copy_shards(source: Path, target: Path, prefix: str) -> None:
    """Copy a .spacy file, or a folder of shards, into a folder of shards."""
    target.mkdir(exist_ok=True)
    for number, shard in enumerate(walk_corpus(source, ".spacy")):
        shutil.copyfile(shard, target / f"{prefix}-{number:05}.spacy")


def counted(path: Path) -> dict[str, Any]:
    """Return what the report of a conversion says of a split, counted in its documents."""
    examples = tokens = 0
    labels, entities = Counter(), Counter()
    for doc in read_docs(path, Vocab()):
        examples += 1
        tokens += len(doc)
        labels.update(label for label, value in doc.cats.items() if value)
        entities.update(entity.label_ for entity in doc.ents)
    kind = {"labels": dict(labels)} if labels else {"entities": dict(entities)}
    counts = {"examples": examples, "tokens": tokens, **kind}
    return {"from": path.stem, **counts, "unaligned": NONE, "long tokens": NONE, "duplicates": 0}


def report_on(
    corpus: Path, lang: str, made_of: dict[str, Any], shards: list[dict], read: dict[str, Any]
) -> dict[str, Any]:
    """Return the report on the gold corpus and the silver text, as `convert` writes it."""
    gold = corpus_report(corpus / "report.json")
    report = {
        "language": lang, "read": {}, "splits": {}, "shared": {}, "seed": None, "removed": [],
        "texts annotated in several ways": 0, "ignored": {},
        "carved": {"by": None, "asked": {}, "came out": {}, "texts in several splits": 0}, **gold,
    }  # fmt: skip
    splits = {
        split: report["splits"].get(split) or counted(corpus / f"{split}.spacy")
        for split in SPLITS
        if (corpus / f"{split}.spacy").exists()
    }
    train = dict(splits["train"])
    kind = "entities" if made_of["task"] == "ner" else "labels"
    labels = sum((Counter(shard["labels"]) for shard in shards), Counter(train.get(kind, {})))
    train |= {
        "examples": train["examples"] + sum(shard["examples"] for shard in shards),
        "tokens": train["tokens"] + sum(shard["tokens"] for shard in shards),
        kind: dict(sorted(labels.items())),
    }
    texts = sum(shard["examples"] for shard in shards)
    return {
        **report, "read": {**report["read"], **read}, "splits": {**splits, "train": train},
        "removed": [], MADE_OF: made_of, "silver texts": texts,
    }  # fmt: skip


def gold_task(nlp: Language, corpus: Path, task: str) -> str:
    """Return the task of a teacher that a corpus is annotated for.

    Raises UserError if there is none, or several, or a split is missing.
    """
    for split in ("train", "dev"):
        if not (corpus / f"{split}.spacy").exists():
            raise UserError(
                f"{corpus / split}.spacy is missing: convert a corpus with a {split} split."
            )
    gold = read_gold(corpus / "dev.spacy", Vocab(), task_labels(nlp), task)
    return gold.task


def silver(
    nlp: Language, source: Source, output: Path, corpus: Path, task: str = ""
) -> dict[str, Any]:
    """Annotate raw text with a teacher, and write it as a converted corpus: train is that of the gold
    corpus and the silver text, dev and test are those of the gold corpus. Returns the report.

    An interrupted run is continued; one that is done is left as it is. Raises UserError.
    """
    check_folder(output)
    # `.` has no name to append to.
    output = output if output.name.strip(".") else output.resolve()
    if output.resolve() == corpus.resolve():
        raise UserError(f"{output}: is the gold corpus; name another folder.")
    task = gold_task(nlp, corpus, task)
    candidates = Candidates(source, corpus, nlp.max_length)
    total = sum(1 for _ in tqdm(candidates, f"read {source.path.name}", unit=" texts"))
    digests = {candidates.name(path): file_sha256(path) for path in candidates.logs}
    read = candidates.report(task, digests)
    if not total:
        raise UserError(f"{source.path}: no text to annotate; see --limit, or give other text.")
    made_of = {
        "teacher": weights_hash(nlp),
        "task": task,
        "text": digests,
        "limit": source.limit,
        "options": {k: v for k, v in source.options._asdict().items() if v is not None},
        "corpus": {
            split: split_sha256(corpus / f"{split}.spacy")
            for split in SPLITS
            if (corpus / f"{split}.spacy").exists()
        },
    }
    if output.exists() and any(output.iterdir()):
        report = corpus_report(output / "report.json")
        check_same(output, report.get(MADE_OF), made_of)
        print(f"{output}: the silver text is there already")
        return report
    work = output.with_name(f"{output.name}.unfinished")
    check_folder(work)
    work.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work / LOCK, timeout=0):
            state = begin(work, made_of)
            fill(nlp, task, candidates, total, work, state)
            report = report_on(corpus, nlp.lang, made_of, state["shards"], read)
            report["ignored"] = {**report["ignored"], **candidates.unread()}
            with written_beside(output) as folder:
                copy_shards(corpus / "train.spacy", folder / "train.spacy", GOLD_SHARD)
                copy_shards(work, folder / "train.spacy", SILVER_SHARD)
                for split in ("dev", "test"):
                    path = corpus / f"{split}.spacy"
                    if path.is_dir():
                        copy_shards(path, folder / path.name, split)
                    elif path.exists():
                        shutil.copyfile(path, folder / path.name)
                srsly.write_json(folder / "report.json", report)
    except Timeout as error:
        raise UserError(
            f"{work}: another `silver` is running there; name another output."
        ) from error
    discard(work)
    return report


def fill(
    nlp: Language,
    task: str,
    candidates: Candidates,
    total: int,
    work: Path,
    state: dict[str, Any],
) -> None:
    """Annotate the candidates that are not in the shards of `work` yet."""
    done = len(state["shards"])
    if done:
        warn(f"{work}: continuing after {done:,} shards of an interrupted run")
    with tqdm(total=total, desc=f"annotate {candidates.source.path.name}", unit=" texts") as bar:
        for number, texts in enumerate(minibatch(candidates, CHUNK)):
            if number >= done:
                target = work / f"{number:05}.spacy"
                shard = annotate(nlp, task, texts, target)
                state["shards"].append(shard)
                write_state(work, state)
            bar.update(len(texts))
    if head := counting(nlp):
        msg.info(", ".join(f"{count:,} {what}" for what, count in head.counts.items()))


def silver_and_print(
    teacher: str, source: Source, output: Path, corpus: Path, task: str, gpu_id: int, precision: str
) -> None:
    """Make silver text and print its report. Raises UserError."""
    check_precision("--precision", precision)
    nlp = load(teacher, gpu_id)
    set_precision(nlp, precision)
    report = silver(nlp, source, output, corpus, task)
    print_report(report)
    msg.good(f"{output}: {report['silver texts']:,} silver texts, and the corpus {corpus}")
