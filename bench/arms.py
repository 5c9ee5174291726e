"""A process that annotates texts in one of the ways that `python -m bench.inference` compares.

    python -m bench.arms ARM

ARM is an Arm in JSON. It loads, and then answers each line of its standard input, a JSON list of a
command and its arguments, with a line of JSON. Nothing is imported before it is needed, so that
time and memory are those of what is loaded.
"""

import importlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

START = time.perf_counter()
PIPELINE, BARE, HF_DEFAULT, HF_SORTED = "pipeline", "bare", "hf-default", "hf-sorted"
BATCH_SIZE = 1000
# Of the bare encoder, padding included; of transformers.pipeline, sorted by length.
BATCH_PIECES, HF_BATCH = 1024, 16


class Arm(NamedTuple):
    """One way of annotating.

    kind: a spaCy pipeline, its bare encoder, or transformers.pipeline with that. path: the pipeline's
    folder, package or wheel. unpacked: of a wheel, the folder with its content. task: "ner" or
    "textcat". enable: only these components (all if empty). bfloat16: run the encoder in it. packages:
    a folder with packages, in place of all that are installed.
    """

    kind: str
    path: str
    task: str
    unpacked: str = ""
    enable: tuple[str, ...] = ()
    bfloat16: bool = False
    packages: str = ""


def load_pipeline(arm: Arm) -> Any:
    """Return a pipeline; a folder may need this project's functions, a wheel brings them."""
    import spacy

    settings = {"enable": list(arm.enable)} if arm.enable else {}
    name = arm.path
    if arm.unpacked:
        sys.path.insert(0, arm.unpacked)
        name = Path(arm.path).name.partition("-")[0]
    elif (Path(name) / "model-best").is_dir():
        name = str(Path(name) / "model-best")
    # A wheel brings its components; a folder's need what they are made with, and no more of it.
    for module in ("spacy", "scripts.wheel.onnx", "scripts.code"):
        importlib.import_module(module)
        try:
            nlp = spacy.load(name, **settings)
            break
        except ValueError as error:
            if module == "scripts.code" or not re.search("E893|E002", str(error)):
                raise
    if arm.bfloat16:
        from scripts.common.precision import run_in_bfloat16
        from scripts.serving.pipeline import encoder_of

        run_in_bfloat16(encoder_of(nlp))
    return nlp


def encode_bucketed(encoder: Any, tokenizer: Any, texts: list[str]) -> list[Any]:
    """Return batches of piece ids and masks, by length, of at most BATCH_PIECES with padding; a text
    that is too long for the encoder is cut into several."""
    import torch

    encoded = tokenizer(
        texts, truncation=True, return_overflowing_tokens=True, add_special_tokens=True
    )
    batches: list[list[list[int]]] = []
    for row in sorted(encoded["input_ids"], key=len):
        # The rows are in order: this one is the longest.
        if not batches or (len(batches[-1]) + 1) * len(row) > BATCH_PIECES:
            batches.append([])
        batches[-1].append(row)
    tensors = []
    for rows in batches:
        longest = max(map(len, rows))
        pad = tokenizer.pad_token_id or 0
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        tensors.append((ids, mask))
    return tensors


def bare_reader(encoder: Any, tokenizer: Any) -> Callable[[list[str]], float]:
    """Return a function that times an encoder's forward pass alone, without tokenization."""
    import torch

    prepared: dict[int, list[Any]] = {}

    def read(texts: list[str]) -> float:
        if len(texts) not in prepared:
            prepared[len(texts)] = encode_bucketed(encoder, tokenizer, texts)
        start = time.perf_counter()
        with torch.inference_mode():
            for ids, mask in prepared[len(texts)]:
                encoder(input_ids=ids, attention_mask=mask)
        return time.perf_counter() - start

    return read


def hf_reader(arm: Arm, nlp: Any, encoder: Any, tokenizer: Any) -> Callable[[list[str]], float]:
    """Return a function that times transformers.pipeline with an encoder and a head of the pipeline's
    labels, untrained: for speed only."""
    import transformers

    task, name = {
        "ner": ("token-classification", "AutoModelForTokenClassification"),
        "textcat": ("text-classification", "AutoModelForSequenceClassification"),
    }[arm.task]
    labels = len(nlp.get_pipe(arm.task).labels)
    config = type(encoder.config).from_dict(encoder.config.to_dict())
    config.num_labels = 2 * labels + 1 if arm.task == "ner" else labels
    model = getattr(transformers, name).from_config(config).eval()
    model.base_model.load_state_dict(encoder.state_dict(), strict=False)
    settings = {"truncation": True} if arm.task == "textcat" else {}
    pipeline = transformers.pipeline(task, model=model, tokenizer=tokenizer, **settings)

    def read(texts: list[str]) -> float:
        start = time.perf_counter()
        if arm.kind == HF_DEFAULT:
            pipeline(texts)
        else:
            pipeline(sorted(texts, key=len), batch_size=HF_BATCH)
        return time.perf_counter() - start

    return read


def answers(doc: Any, task: str) -> list[list[Any]]:
    """Return what is annotated on a document: its best label, or its entities."""
    if task == "textcat":
        return [[max(doc.cats, key=doc.cats.__getitem__)]]
    return [[entity.start_char, entity.end_char, entity.label_] for entity in doc.ents]


def pipeline_reader(nlp: Any) -> Callable[[list[str]], float]:
    def read(texts: list[str]) -> float:
        start = time.perf_counter()
        for _ in nlp.pipe(texts, batch_size=BATCH_SIZE):
            pass
        return time.perf_counter() - start

    return read


def numbered(texts: list[str], count: int) -> Iterator[str]:
    """Yield so many texts, the given ones over and over, each with a running number."""
    return (f"{text} {number}" for number, text in enumerate(islice(cycle(texts), count)))


def peak_memory() -> int:
    """Return the most memory that this process has used so far, in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage, which begins with the memory of the process that started this one.
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(arm: Arm) -> None:
    # What libraries print goes to standard error.
    out = os.fdopen(os.dup(1), "w", encoding="utf8")
    os.dup2(2, 1)
    nlp = load_pipeline(arm)
    nlp("Une phrase.")
    seconds = time.perf_counter() - START
    read = pipeline_reader(nlp)
    if arm.kind != PIPELINE:
        model = nlp.get_pipe("transformer").model
        given = model.transformer.eval(), model.tokenizer
        read = bare_reader(*given) if arm.kind == BARE else hf_reader(arm, nlp, *given)
    print(json.dumps({"load": seconds, "path": str(nlp.path)}), file=out, flush=True)
    texts: list[str] = []
    for line in sys.stdin:
        command, *values = json.loads(line)
        result: Any = None
        if command == "texts":
            texts = json.loads(Path(values[0]).read_text(encoding="utf8"))
        elif command == "read":
            result = read(texts[: values[0]])
        elif command == "annotate":
            docs = nlp.pipe(texts, batch_size=BATCH_SIZE)
            result = [answers(doc, arm.task) for doc in docs]
        elif command == "stream":
            start, words = time.perf_counter(), 0
            for doc in nlp.pipe(numbered(texts, values[0]), batch_size=BATCH_SIZE):
                words += len(doc)
            result = words, time.perf_counter() - start
        elif command == "peak":
            result = peak_memory()
        print(json.dumps(result), file=out, flush=True)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    main(Arm(**{**given, "enable": tuple(given["enable"])}))
