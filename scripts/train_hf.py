"""Train a Hugging Face head with transformers' Trainer: `python -m scripts train-hf TASK OUTPUT`.

On several GPUs: `torchrun --standalone --nproc_per_node 2 -m scripts train-hf …`.
"""

import json
import shutil
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy
from spacy.tokens import Doc
from spacy.util import load_config
from spacy.vocab import Vocab
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed
from wasabi import msg

from .common.errors import UserError, warn
from .common.files import check_folder, discard, written_beside
from .common.languages import blank
from .common.probabilities import CALIBRATION
from .common.settings import check_settings
from .common.trainer import (
    begin,
    finished_state,
    in_best_precision,
    last_checkpoint,
    training_arguments,
)
from .corpora.docbins import check_label, read_docs
from .encoders.checkpoint import max_length, open_checkpoint, save_errors, strip_local_path
from .encoders.fingerprint import folder_digest
from .encoders.snapshot import snapshot
from .serving.gold import is_annotated, split_sha256
from .serving.metrics import score_categories, score_entities
from .train import SPLITS, split_paths
from .training.calibrate import Calibrated, announce
from .training.head_trainer import KEEP_BEST, HeadTrainer
from .training.heads import Head, Rows, TextHead, TokenHead, divide_logits, new_head
from .training.plan import imbalanced
from .training.prepare import freeze
from .wrap import pipeline_of

CONFIG = Path(__file__).parents[1] / "configs" / "trainer.cfg"
CARD = """---
library_name: transformers
pipeline_tag: {kind}
base_model: {encoder}
---
{encoder} with a head for {task}, fine-tuned on {corpus} ({lang}) for {steps:,} updates; {metric} on
its dev split {score:.3f}. All settings and the scores during training are in `training.json`.

Licence: not stated; those of {encoder} and of {corpus} apply.
"""


def annotated(path: Path, task: str) -> list[Doc]:
    """Return the documents of a split that are annotated for a task; count the others in a warning.

    Raises UserError if there are none, or if `textcat` finds a text with several labels.
    """
    docs = list(read_docs(path, Vocab()))
    kept = [doc for doc in docs if is_annotated(doc, task) and doc.text.strip()]
    if not any(doc.ents if task == "ner" else doc.cats for doc in kept):
        what = "entities" if task == "ner" else "texts with labels"
        raise UserError(f"{path} has no {what}: not a corpus for `{task}`.")
    if task == "textcat":
        for doc in kept:
            check_label(path, doc)
    if len(kept) < len(docs):
        warn(
            f"{path}: {len(docs) - len(kept):,} of {len(docs):,} texts have no annotation: left out"
        )
    return kept


def choose_head(task: str, docs: dict[str, list[Doc]]) -> Head:
    """Return the head for the labels of train; warn about labels that only dev has. Raises UserError
    if there are too few."""
    make = {
        "ner": TokenHead,
        "textcat": lambda docs: TextHead(docs, exclusive=True),
        "textcat_multilabel": lambda docs: TextHead(docs, exclusive=False),
    }[task]
    head, other = make(docs["train"]), make(docs["dev"])
    if task == "textcat" and len(head.labels) < 2:
        raise UserError(
            f"--corpus: the only label in train is {head.labels[0]}; `textcat` needs two or more."
        )
    if unknown := sorted(set(other.labels) - set(head.labels)):
        warn(f"--corpus: labels of dev that train does not have: {', '.join(unknown)}")
    return head


class Scorer:
    """Scores predictions on dev, as `evaluate` does on gold tokens.

    name: what the best checkpoint is chosen by.
    """

    def __init__(self, task: str, head: Head, train: list[Doc]) -> None:
        self.task, self.labels = task, head.labels
        if task == "ner":
            self.name, self.key = "entity F", "ents_f"
            return
        counts = [sum(doc.cats.get(label, 0) > 0 for doc in train) for label in self.labels]
        if imbalanced(counts):
            self.name, self.key = "macro F", "cats_macro_f"
        elif task == "textcat":
            self.name, self.key = "accuracy", "accuracy"
        else:
            self.name, self.key = "micro F", "cats_micro_f"

    def __call__(self, predicted: list[Doc], gold: list[Doc]) -> dict[str, float]:
        """Return the main score as `score`, and all single figures under spaCy's names."""
        if self.task == "ner":
            scores = score_entities(predicted, gold)
        else:
            threshold = None if self.task == "textcat" else 0.5
            scores = score_categories(predicted, gold, self.labels, threshold)
        figures = {name: float(x) for name, x in scores.items() if isinstance(x, (int, float))}
        return {"score": figures.get(self.key, 0.0), **figures}


def open_encoder(
    encoder: str, commit: str | None, head: Head
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Return a tokenizer with its maximum length set, and a model with a new head. Raises UserError
    for a tokenizer without offsets or padding."""
    tokenizer, model = open_checkpoint(
        encoder, head.component.auto_class, allow_new_head=True, revision=commit,
        id2label=dict(enumerate(head.labels)), label2id=head.ids, ignore_mismatched_sizes=True,
        **head.settings,
    )  # fmt: skip
    lacks = "tokenizer.json, and so no character offsets" if not tokenizer.is_fast else ""
    lacks = lacks or ("pad token" if tokenizer.pad_token is None else "")
    if lacks:
        raise UserError(f"{encoder}: its tokenizer has no {lacks}; choose another encoder.")
    tokenizer.model_max_length = max_length(tokenizer, model)
    new_head(model)
    return tokenizer, model


def calibrate(
    head: Head, model: PreTrainedModel, docs: list[Doc], rows: Rows, logits: numpy.ndarray
) -> Calibrated:
    """Divide a model's logits by the temperature that fits dev best, or leave it as it is.

    docs: those of dev, with their rows and logits.
    """
    result = head.calibration(docs, rows, logits)
    if result.left or divide_logits(model, result.temperature):
        return result
    return Calibrated(left=f"the last layer of {type(model).__name__} does not give its logits")


def report_long(path: Path, rows: Rows, head: Head, tokenizer: PreTrainedTokenizerBase) -> None:
    """Print how many texts of a split have more pieces than the encoder accepts, if any."""
    if rows.long:
        warn(
            f"{path}: {rows.long:,} texts have more than {tokenizer.model_max_length:,} pieces: "
            f"{head.long}"
        )


def write(
    output: Path,
    logs: Path,
    head: Head,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    about: dict[str, Any],
    train: Path,
) -> None:
    """Write the checkpoint with its head, the pipeline and TensorBoard's logs, all or none.

    about: the contents of training.json. train: the split that the pipeline records.
    """
    # What the last call set is not part of the tokenizer.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    nlp = pipeline_of(
        head.component, about["task"], tokenizer, model, about["lang"], about["encoder"],
        about["revision"],
    )  # fmt: skip
    nlp.config["paths"]["train"] = str(train)
    nlp.config["training"]["seed"] = about["training"]["seed"]
    if about["calibration"]:
        nlp.meta[CALIBRATION] = {about["task"]: about["calibration"]}
    kind = "token" if isinstance(head, TokenHead) else "text"
    card = CARD.format(kind=f"{kind}-classification", **about)
    with written_beside(output) as folder, save_errors(output):
        checkpoint = folder / "checkpoint"
        model.save_pretrained(checkpoint)
        tokenizer.save_pretrained(checkpoint)
        (checkpoint / "README.md").write_text(card, encoding="utf8")
        (checkpoint / "training.json").write_text(json.dumps(about, indent=1), encoding="utf8")
        nlp.to_disk(folder / "model-best")
        shutil.copytree(logs, folder / "logs")


def train_hf(
    task: str,
    output: Path,
    corpus: Path,
    lang: str,
    encoder: str,
    revision: str,
    config: Path | None,
    overrides: dict[str, Any],
) -> None:
    """Train an encoder with a Hugging Face head on a converted corpus.

    task: ner, textcat or textcat_multilabel. An interrupted training resumes when run again with the
    same arguments. Raises UserError.
    """
    # A warning from transformers about torch, which users can do nothing about.
    warnings.filterwarnings("ignore", message=".*torch.cpu.amp.autocast.*", category=FutureWarning)
    path = config or CONFIG
    check_settings(path, overrides, ("training", "encoder"), "configs/trainer.cfg")
    sections = load_config(path, overrides=overrides)
    settings, frozen_layers = dict(sections["training"]), sections["encoder"]["frozen_layers"]
    named, output = output, output.resolve()
    check_folder(output)
    blank(lang)
    splits = split_paths(corpus)
    work = output.with_name(f"{output.name}.unfinished")
    arguments = training_arguments(settings, work, **KEEP_BEST)
    set_seed(arguments.seed)
    folder, commit = snapshot(encoder, revision, weights=False)
    docs = {split: annotated(splits[split], task) for split in SPLITS}
    head = choose_head(task, docs)
    scorer = Scorer(task, head, docs["train"])
    tokenizer, model = open_encoder(encoder, commit, head)
    if frozen_layers:
        freeze(model.base_model, frozen_layers)
    # Texts of similar length share batches of dev, as they do those of train.
    docs["dev"].sort(key=lambda doc: len(doc.text))
    about = {
        "task": task, "lang": lang, "corpus": corpus.resolve().name,
        "encoder": strip_local_path(encoder), "revision": commit, "training": settings,
        "frozen_layers": frozen_layers,
        "splits_sha256": {split: split_sha256(splits[split]) for split in SPLITS},
    }  # fmt: skip
    with arguments.main_process_first(desc="work folder"):
        if arguments.process_index == 0:
            files = {} if commit else {"encoder_sha256": folder_digest(folder)}
            begin(work, about | files, "training", "corpus or encoder")
    rows = {split: head.rows(docs[split], tokenizer) for split in SPLITS}
    checkpoint = last_checkpoint(work)
    finished = finished_state(checkpoint)
    if finished:
        # A copy, because the loaded weights are mapped from a file that is deleted at the end.
        best = work / Path(finished.best_model_checkpoint).name
        model = deepcopy(head.component.auto_class.from_pretrained(best))
    arguments = in_best_precision(arguments, settings.get("bf16", False), model.base_model)
    trainer = HeadTrainer(
        head, model, arguments, tokenizer, rows["train"], rows["dev"], docs["dev"], scorer,
        scorer.name,
    )  # fmt: skip
    main = trainer.is_world_process_zero()
    if main:
        for split in SPLITS:
            report_long(splits[split], rows[split], head, tokenizer)
        msg.info(
            f"{type(model).__name__}, {model.num_parameters():,} parameters: "
            f"{len(docs['train']):,} texts, {len(docs['dev']):,} in dev, labels {', '.join(head.labels)}"
        )
    with save_errors(work):
        trainer.resume(checkpoint, finished)
    found = trainer.predict(rows["dev"], metric_key_prefix="dev")
    trainer.close()
    if main:
        if not numpy.isfinite(found.predictions).all():
            raise UserError(
                f"the training diverged; delete {work} and lower --training.learning_rate."
            )
        # Without Trainer's mixed precision.
        model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
        calibrated = calibrate(head, model, docs["dev"], rows["dev"], found.predictions)
        about |= {
            "steps": trainer.state.global_step, "metric": scorer.name,
            "score": found.metrics["dev_score"], "scores": trainer.evaluations("loss", "score"),
            "calibration": None if calibrated.left else {
                "temperature": calibrated.temperature, "examples": calibrated.examples
            },
        }  # fmt: skip
        write(output, work / "logs", head, tokenizer, model, about, splits["train"])
    # Wait until no process has a file in the work folder open.
    trainer.accelerator.wait_for_everyone()
    if main:
        discard(work)
        announce(task, calibrated)
        msg.good(f"{named / 'model-best'}: {scorer.name} {about['score']:.3f} on dev")
    trainer.leave()
