"""Train a pipeline as `spacy train` does; if interrupted, its best pipeline so far is kept."""

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import srsly
import torch
from spacy.cli._util import setup_gpu
from spacy.training import loop
from spacy.training.initialize import init_nlp
from spacy.training.loop import DIR_MODEL_BEST
from spacy.util import dict_to_dot
from spacy.vocab import Vocab
from thinc.api import Config
from transformers import PreTrainedTokenizerBase
from wasabi import msg

from .common.devices import device_settings, use_device
from .common.errors import UserError, first_line, warn
from .common.files import check_whole
from .common.languages import blank
from .common.settings import config_errors
from .config import override, training_config
from .corpora.docbins import CLASSIFIERS, read_annotated
from .corpora.report import corpus_report
from .encoders.checkpoint import max_length, open_checkpoint
from .encoders.snapshot import revision_of, snapshot
from .training.baseline import Baseline, problems
from .training.calibrate import calibrate_saved
from .training.plan import Plan, Split, check_ranges
from .training.readers import ONE, SEVERAL
from .training.stream import sample_of, stream, streams
from .training.unfinished import LOGS, PLAN, WORK, unfinished, wrap_logger
from .wheel.windows import too_long

SPLITS = ("train", "dev")
PREPARE = "project.prepare_training.v1"


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, encoder: str) -> None:
    """Raise UserError for a SentencePiece tokenizer without its own file, which spaCy saves."""
    if getattr(tokenizer, "vocab_file", "") is None:
        raise UserError(
            f"encoder {encoder}: {type(tokenizer).__name__} without {tokenizer.vocab_files_names['vocab_file']};"
            ' put that file beside tokenizer.json, or set "tokenizer_class": "PreTrainedTokenizerFast" '
            "in tokenizer_config.json."
        )


def warn_about_cut_tokens(
    path: Path, words: Counter[str], tokenizer: PreTrainedTokenizerBase
) -> None:
    """Warn if tokens of a split have more pieces than the encoder's maximum: the only text that is
    cut. words: how often each token occurs in the split."""
    # No character becomes more than 18 pieces (U+FDFA, spelled out).
    shortest = tokenizer.model_max_length // 18
    long = [word for word in words if len(word) > shortest]
    cut = sum(words[long[index]] for index in too_long(long, tokenizer))
    if cut:
        warn(
            f"{path}: {cut:,} tokens have more pieces than the encoder's maximum of "
            f"{tokenizer.model_max_length:,}; the rest of each is not read"
        )


def split_paths(corpus: Path) -> dict[str, Path]:
    """Return the files, or folders of shards, to train with. Raises UserError if one is missing."""
    check_whole(corpus)
    paths = {split: corpus / f"{split}.spacy" for split in SPLITS}
    for split, path in paths.items():
        if not path.exists():
            raise UserError(
                f"{path} is missing: convert a corpus with a {split} split (--dev-ratio)."
            )
    return paths


def set_readers(path: Path, config: Config, resolved: Config) -> None:
    """Let what reads the paths of the splits read several, where there are several.

    resolved: the config, references resolved. Raises UserError if nothing reads them, or can.
    """
    for split in SPLITS:
        paths = resolved["paths"][split]
        sections = resolved.get("corpora", {})
        found = [name for name in sections if paths in dict_to_dot(sections[name]).values()]
        if not found:
            raise UserError(
                f"{path}: nothing in [corpora] reads ${{paths.{split}}}, which --corpus sets; "
                "compare configs/base.cfg."
            )
        for name in found if isinstance(paths, list) else ():
            reader = sections[name].get("@readers")
            if reader not in (ONE, *SEVERAL.values()):
                raise UserError(
                    f"{path}: [corpora.{name}] reads one corpus; let its @readers be {SEVERAL[split]}."
                )
            config["corpora"][name]["@readers"] = SEVERAL[split]


def check_annotation(path: Path, config: Config, corpora: Sequence[Path], read: Split) -> None:
    """Raise UserError if there is nothing to learn one of several tasks from, or if a config is not
    made for examples that are annotated for one task only.

    config: references resolved. corpora: the paths of a split, which `read` is about.
    """
    tasks = tasks_of(config)
    classifiers = [name for name in tasks if tasks[name] in CLASSIFIERS]
    parsers = [name for name in tasks if tasks[name] == "ner"]
    if not classifiers or not parsers:
        return
    for what, count in (("entities", read.with_entities), ("labels", sum(read.labelled))):
        if not count:
            raise UserError(f"{' and '.join(map(str, corpora))}: no {what} to learn from.")
    if len(corpora) == 1 and all(read.labelled):
        return
    prepare = config.get("initialize", {}).get("after_init") or {}
    if prepare.get("@callbacks") != PREPARE:
        raise UserError(
            f"{path}: texts without labels would be learnt from as if no label were right; let "
            f"@callbacks of [initialize.after_init] be {PREPARE}, as in configs/base.cfg."
        )
    order = list(tasks)
    if order.index(classifiers[-1]) < order.index(parsers[-1]):
        raise UserError(
            f"{path}: with texts without entities, `{classifiers[-1]}` has to come after "
            f"`{parsers[-1]}` in [nlp] pipeline: the last one passes the gradients to the encoder."
        )


def tasks_of(config: Config) -> dict[str, str]:
    """Return the factories of the components that a config trains, such as `ner`, by name, in order."""
    components = config.get("components", {})
    names = config["nlp"]["pipeline"]
    return {name: components.get(name, {}).get("factory", "") for name in names}


def localise_encoder(config: Config) -> tuple[str, PreTrainedTokenizerBase, int] | None:
    """Let a config's transformer, if it has one, read the local files of its encoder.

    Returns the encoder's name as the config states it, possibly a reference, the tokenizer with its
    maximum length set, and the width of the encoder's vectors. Raises UserError for an encoder that
    cannot be used.
    """
    resolved = config.interpolate()
    if "transformer" not in resolved["nlp"]["pipeline"]:
        return None
    # A transformer sourced from another pipeline names no encoder.
    encoder = resolved["components"]["transformer"].get("model", {}).get("name")
    if encoder is None:
        return None
    settings = resolved.get("settings", {})
    checkpoint, commit = snapshot(encoder, revision_of(settings), weights=False)
    # Opened here to report in one line what is wrong with it; spaCy would show a traceback.
    tokenizer, opened = open_checkpoint(encoder, revision=commit)
    check_vocabulary(tokenizer, encoder)
    tokenizer.model_max_length = max_length(tokenizer, opened)
    if settings:
        config["settings"]["revision"] = commit
    # spaCy gets a local folder: for a hub id it would use the main branch, and check no file.
    model = config["components"]["transformer"]["model"]
    written, model["name"] = model["name"], str(checkpoint)
    return written, tokenizer, opened.config.hidden_size


def train_pipeline(
    path: Path, config: Config, encoder: str, gpu_id: int, work: Path, baselines: list[Baseline]
) -> None:
    """Train as `spacy train` does. `encoder` is what the saved config names as the encoder, if any.

    Raises UserError for what spaCy rejects, and if the device runs out of memory.
    """
    setup_gpu(gpu_id)
    try:
        with config_errors(path):
            nlp = init_nlp(config, use_gpu=gpu_id)
        if encoder:
            nlp.get_pipe_config("transformer")["model"]["name"] = encoder
        wrap_logger(nlp, work, baselines)
        # spaCy's own messages are discarded: they repeat errors and name temporary folders.
        loop.train(nlp, work / WORK, use_gpu=gpu_id, stdout=io.StringIO())
    except (MemoryError, RuntimeError) as error:
        # On a CPU, torch has no error of its own for this; any other is a bug.
        kinds = (MemoryError, torch.OutOfMemoryError)
        if not isinstance(error, kinds) and "allocate memory" not in str(error):
            raise
        raise UserError(
            f"the device's memory is full ({first_line(error)}); give a smaller --settings.batch_words, "
            "or a larger --settings.accumulate."
        ) from error
    except ValueError as error:
        # spaCy numbers its errors; any other is a bug.
        if not str(error).startswith("[E"):
            raise
        raise UserError(f"the training failed: {first_line(error)}.") from error


def train(
    name: str,
    output: Path,
    corpora: Sequence[Path],
    lang: str,
    gpu_id: int,
    overrides: dict[str, Any],
) -> None:
    """Train a pipeline on converted corpora, with settings of a config replaced by `overrides`.

    name: a config file, or tasks of configs/ (see `training_config`). Raises UserError.
    """
    path, config, settings_given = training_config(name, overrides)
    blank(lang)
    use_device(gpu_id)
    found = list(map(split_paths, corpora))
    splits = {split: [paths[split] for paths in found] for split in SPLITS}
    written = dict_to_dot(config)
    if not {f"paths.{split}" for split in SPLITS} <= set(written):
        raise UserError(
            f"{path}: no train and dev in [paths], which --corpus sets; `python -m scripts config "
            f"{name}` prints it with spaCy's defaults filled in."
        )
    given: dict[str, Any] = {"nlp.lang": lang}
    for split in SPLITS:
        paths = [str(one) for one in splits[split]]
        given[f"paths.{split}"] = paths if len(paths) > 1 else paths[0]
    device = device_settings(gpu_id)
    given |= {key: device[key] for key in device if key in written and key not in overrides}
    config = override(config, given)
    with config_errors(path):
        resolved = config.interpolate()
    check_ranges(resolved)
    set_readers(path, config, resolved)
    tasks = set(tasks_of(resolved).values())
    report = corpus_report(corpora[0] / "report.json") if len(corpora) == 1 else {}
    if streamed := streams(resolved, report):
        stream(config, tasks_of(resolved), report)
    shares = {split: resolved["corpora"].get(split, {}).get("joined", 0.0) for split in SPLITS}
    read = {
        split: [
            sample_of(one, tasks, report["splits"][split], shares[split])
            if streamed
            else Split.of(read_annotated(one, tasks, Vocab()), shares[split])
            for one in splits[split]
        ]
        for split in SPLITS
    }
    train, dev = (Split.of_all(read[split], balanced=split == "train") for split in SPLITS)
    for split, whole in zip(SPLITS, (train, dev)):
        check_annotation(path, resolved, splits[split], whole)
    encoder, width = "", 0
    if local := localise_encoder(config):
        encoder, tokenizer, width = local
        for split in SPLITS:
            for one, part in zip(splits[split], read[split]):
                warn_about_cut_tokens(one, part.tokens, tokenizer)
    plan = Plan(config, settings_given)
    with config_errors(path):
        plan.propose_all(train, tasks, width, gpu_id >= 0)
    sizes = [(one.resolve().name, len(part.lengths)) for one, part in zip(corpora, read["train"])]
    plan.show(train, dev, sizes)
    baselines = Baseline.of(dev, config.interpolate()["training"]["score_weights"])
    with unfinished(output) as work:
        if "paths.logs" in written:
            config["paths"]["logs"] = str(work / LOGS)
            (work / LOGS).mkdir()
            srsly.write_json(work / LOGS / PLAN, {"epoch": plan.epoch})
        train_pipeline(path, config, encoder, gpu_id, work, baselines)
        calibrate_saved(work / DIR_MODEL_BEST, splits["dev"], gpu_id)
    meta = srsly.read_json(output / "model-best" / "meta.json")
    scores = {key: value for key, value in meta["performance"].items() if isinstance(value, float)}
    shown = f"{output / 'model-best'}: {', '.join(f'{k} {v:.3f}' for k, v in scores.items())}"
    if not_learnt := problems(baselines, meta["performance"]):
        print(shown)
        for problem in not_learnt:
            warn(problem)
    else:
        msg.good(shown)


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
