"""What the machine can compute with."""

import torch


def processor_has_bfloat16() -> bool:
    """Tell whether this processor multiplies matrices in bfloat16 (AMX or AVX512_BF16)."""
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def has_gpu() -> bool:
    """Tell whether transformers' Trainer finds a GPU: NVIDIA's, or Apple's."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def has_bfloat16() -> bool:
    """Tell whether the device that Trainer uses computes in bfloat16."""
    if torch.cuda.is_available():
        # Older GPUs only act as if, and slowly.
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return not has_gpu() and processor_has_bfloat16()
