"""The CPU or GPU that pipelines and encoders run on, and what it can compute with."""

from typing import Any

import torch
from thinc.api import require_gpu

from .errors import UserError, first_line


def use_device(gpu_id: int) -> None:
    """Put pipelines that are loaded from now on on a GPU; -1 leaves them on the CPU.

    Raises UserError if there is no such GPU, or no cupy to use it with.
    """
    if gpu_id < 0:
        return
    try:
        require_gpu(gpu_id)
    # cupy raises a RuntimeError for a device number that does not exist.
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"--gpu-id {gpu_id}: {first_line(error)}; leave it out to use the CPU."
        ) from error


def device_settings(gpu_id: int) -> dict[str, Any]:
    """Return the settings of a training config that a GPU needs; the configs are made for a CPU.

    They are defaults: the user's own overrides win. A config without a transformer has none of
    these keys.
    """
    if gpu_id < 0:
        return {}
    return {
        "system.gpu_allocator": "pytorch",
        # float16 in the encoder's forward pass, with scaled losses; no faster on a CPU.
        "components.transformer.model.mixed_precision": True,
        # Padded pieces per batch: the default of spacy-transformers, chosen for GPUs. The configs
        # have a quarter of it, which stays in a CPU's caches.
        "components.transformer.max_batch_items": 4096,
    }


def has_gpu() -> bool:
    """Return whether transformers' Trainer finds a GPU, NVIDIA's or Apple's."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()
