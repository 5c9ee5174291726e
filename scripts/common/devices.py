"""The device that a pipeline is trained, or used, on."""

from typing import Any

import typer
from thinc.api import require_gpu

from .errors import UserError, first_line

# The option of every command that loads a pipeline.
GPU_ID = typer.Option(-1, help="GPU to use, -1 for the CPU")


def use_device(gpu_id: int) -> None:
    """Let pipelines be on a GPU that are loaded from now on; -1 leaves them on the CPU.

    Raises UserError where there is no such GPU, or nothing to use it with.
    """
    if gpu_id < 0:
        return
    try:
        require_gpu(gpu_id)
    # cupy's error, of a number that no GPU has, is a RuntimeError.
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"--gpu-id {gpu_id}: {first_line(error)}; leave it out to use the CPU."
        ) from error


def device_settings(gpu_id: int) -> dict[str, Any]:
    """Return what a training config has otherwise on a GPU than on the CPU, which it is made for.

    To be put under what the user gave. A config without a transformer has none of these keys.
    """
    if gpu_id < 0:
        return {}
    return {
        "system.gpu_allocator": "pytorch",
        # float16 in the encoder's forward pass, with its losses scaled; no speed on a CPU.
        "components.transformer.model.mixed_precision": True,
        # Pieces, padding included, that the encoder gets at a time: the default of
        # spacy-transformers, made for GPUs. A fourth of it keeps a CPU's caches warm (annotate.py).
        "components.transformer.max_batch_items": 4096,
    }
