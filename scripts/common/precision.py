"""The precision and the number of threads with which a processor runs an encoder fastest: measured.

A processor's flags do not tell. With avx512_bf16 and without AMX, an Intel processor multiplies
bfloat16 at 0.58 of the speed of float32; with AMX, at twice that speed or more.
"""

import os
import time
from collections.abc import Callable
from functools import wraps
from statistics import median
from typing import Any

import torch
from transformers import PreTrainedModel
from wasabi import msg

from .devices import has_gpu
from .errors import UserError

AUTO, FLOAT32, BFLOAT16 = "auto", "float32", "bfloat16"
PRECISIONS = (AUTO, FLOAT32, BFLOAT16)
# bfloat16 costs accuracy and fewer threads may be slower later: they must be this much faster.
WORTHWHILE = {"precision": 1.1, "threads": 1.25}
# Rows and pieces of the texts that are read to measure: as many pieces as `max_batch_items`.
SHAPE = (16, 64)
PAIRS = 3


def in_float32(output: Any) -> Any:
    """Return an encoder's output with all floating-point tensors in it, however nested, in float32."""
    if isinstance(output, torch.Tensor):
        return output.float() if output.is_floating_point() else output
    if isinstance(output, (tuple, list)):
        return type(output)(in_float32(part) for part in output)
    if isinstance(output, dict):
        for name, part in output.items():
            output[name] = in_float32(part)
    return output


def run_in_bfloat16(encoder: PreTrainedModel) -> None:
    """Run the encoder's forward pass in bfloat16 from now on; its output is still float32.

    Weights and gradients stay in float32, and so does the saved model.
    """
    forward = encoder.forward

    @wraps(forward)
    def forward_in_bfloat16(*args, **kwargs):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return in_float32(forward(*args, **kwargs))

    encoder.forward = forward_in_bfloat16


def runs_in_bfloat16(encoder: PreTrainedModel) -> bool:
    """Return whether `run_in_bfloat16` was called."""
    return "forward" in vars(encoder)


def check_precision(name: str, precision: str) -> None:
    """Raise UserError, naming the setting, for a precision that does not exist."""
    if precision not in PRECISIONS:
        raise UserError(f"{name} {precision!r}: expected one of {', '.join(PRECISIONS)}.")


def forward_pass(encoder: PreTrainedModel, rows: int, pieces: int) -> Callable[[str], float]:
    """Return a function that reads a made-up text in a precision, and returns the seconds it took."""
    # RoBERTa's first positions are not for pieces; encoders with relative positions have no limit.
    pieces = max(1, min(pieces, getattr(encoder.config, "max_position_embeddings", pieces + 4) - 4))
    ids = torch.arange(rows * pieces).reshape(rows, pieces)
    ids %= encoder.get_input_embeddings().num_embeddings
    mask = torch.ones_like(ids)

    def read(precision: str) -> float:
        enabled = precision == BFLOAT16
        start = time.perf_counter()
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            encoder(input_ids=ids, attention_mask=mask)
        return time.perf_counter() - start

    return read


def works_in_bfloat16(encoder: PreTrainedModel) -> bool:
    """Return whether an encoder can run in bfloat16: DeBERTa's masks cannot."""
    try:
        forward_pass(encoder, 1, 2)(BFLOAT16)
    except RuntimeError:
        return False
    return True


def speed_of_bfloat16(encoder: PreTrainedModel) -> float:
    """Return how many times as fast as in float32 an encoder's forward pass is in bfloat16 here.

    The lowest of a few pairs, float32 and bfloat16 in turn: on a busy machine, one of them can be far
    off. Takes less than a second for a small encoder, and some for a base-size one.
    """
    training = encoder.training
    encoder.eval()
    # Where bfloat16 is emulated it can take fifty times as long: seen on a short text already.
    for rows, pieces in ((1, SHAPE[1]), SHAPE):
        read = forward_pass(encoder, rows, pieces)
        read(FLOAT32), read(BFLOAT16)
        ratio = min(read(FLOAT32) / read(BFLOAT16) for _ in range(PAIRS))
        if ratio < 0.5:
            break
    encoder.train(training)
    return ratio


def faster_precision(encoder: PreTrainedModel) -> str:
    """Return the precision, float32 or bfloat16, in which this CPU runs an encoder faster, as measured
    now; a line says by what ratio."""
    if not works_in_bfloat16(encoder):
        return FLOAT32
    ratio = speed_of_bfloat16(encoder)
    precision = BFLOAT16 if ratio >= WORTHWHILE["precision"] else FLOAT32
    msg.info(
        f"{precision}: here the encoder is {ratio:.2f} times as fast in bfloat16 as in float32"
    )
    return precision


def trains_in_bfloat16(encoder: PreTrainedModel) -> bool:
    """Return whether the device that Trainer chooses is faster in bfloat16: measured on a CPU."""
    if torch.cuda.is_available():
        # Older GPUs only emulate it, slowly.
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return not has_gpu() and faster_precision(encoder) == BFLOAT16


def choose_precision(encoder: PreTrainedModel, precision: str) -> str:
    """Run an encoder on a CPU in a precision from now on, and return which.

    "auto": bfloat16 if that is faster here, as measured now; a line says by what ratio. On a GPU
    nothing is changed. Raises UserError for an encoder that cannot run in bfloat16, if that is asked
    for.
    """
    if encoder.device.type != "cpu" or precision == FLOAT32:
        return precision
    if precision == AUTO:
        precision = faster_precision(encoder)
    elif not works_in_bfloat16(encoder):
        raise UserError(
            f"precision bfloat16: {type(encoder).__name__} cannot run in it; choose float32."
        )
    if precision == BFLOAT16:
        run_in_bfloat16(encoder)
    return precision


def choose_threads(encoder: PreTrainedModel) -> None:
    """Let torch use half, a quarter… of its threads if an encoder runs faster with them.

    On many cores a small encoder can. Nothing is measured if OMP_NUM_THREADS says how many to use.
    """
    most = torch.get_num_threads()
    if "OMP_NUM_THREADS" in os.environ or encoder.device.type != "cpu" or most == 1:
        return
    training = encoder.training
    encoder.eval()
    read = forward_pass(encoder, *SHAPE)
    seconds: dict[int, float] = {}
    count = most
    while count:
        torch.set_num_threads(count)
        read(FLOAT32)
        seconds[count] = median(read(FLOAT32) for _ in range(PAIRS))
        count //= 2
        # Ever fewer threads only get slower from here on.
        if seconds[min(seconds)] > 2 * min(seconds.values()):
            break
    encoder.train(training)
    best = min(seconds, key=seconds.__getitem__)
    ratio = seconds[most] / seconds[best]
    best = best if ratio >= WORTHWHILE["threads"] else most
    torch.set_num_threads(best)
    if best != most:
        msg.info(f"{best} threads: here the encoder is {ratio:.2f} times as fast as with {most}")
