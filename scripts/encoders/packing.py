"""Pack raw text into blocks of pieces for masked-language-model training."""

from collections.abc import Iterable
from pathlib import Path

import numpy
import torch
from spacy.util import minibatch
from transformers import PreTrainedTokenizerBase

from ..common.errors import UserError
from ..common.raw_text import read_lines, split

# Lines tokenized at a time.
BATCH_LINES = 1000


class Blocks(torch.utils.data.Dataset):
    """Blocks of piece ids in a memory-mapped file: int32, (blocks, block size)."""

    def __init__(self, path: Path, size: int, special: list[int]) -> None:
        self.rows = numpy.memmap(path, numpy.int32, mode="r").reshape(-1, size)
        self.special = special

    def close(self) -> None:
        """Unmap the file: Windows does not delete a mapped one."""
        del self.rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Return a block's piece ids and the mask of its special tokens, which stay unmasked."""
        row = numpy.array(self.rows[index], numpy.int64)
        special = numpy.isin(row, self.special).astype(numpy.int64)
        return {
            "input_ids": torch.from_numpy(row),
            "special_tokens_mask": torch.from_numpy(special),
        }

    def entropy(self) -> float:
        """Return the unigram entropy of the pieces, without special tokens, in nats.

        It is the loss of a model that knows each piece's frequency and ignores the context.
        """
        counts = numpy.bincount(self.rows.reshape(-1))
        counts[[index for index in self.special if index < len(counts)]] = 0
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * numpy.log(shares)).sum())


def pack(
    lines: Iterable[str],
    tokenizer: PreTrainedTokenizerBase,
    path: Path,
    size: int,
    max_blocks: int = 0,
) -> int:
    """Write lines to a file as blocks of `size` pieces; return the number of blocks.

    A block is [CLS] and then lines, each followed by [SEP], until it is full; a line can continue
    in the next block. An incomplete last block is dropped. max_blocks: the maximum number of blocks
    (0: no limit).
    """
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    buffer: list[int] = []
    count = 0
    with path.open("wb") as stream:
        for batch in minibatch(lines, BATCH_LINES):
            encoded = tokenizer(batch, add_special_tokens=False, verbose=False)["input_ids"]
            for ids in encoded:
                buffer += [*ids, sep]
            full = len(buffer) // (size - 1)
            full = min(full, max_blocks - count) if max_blocks else full
            rows = numpy.array(buffer[: full * (size - 1)], numpy.int32).reshape(full, size - 1)
            numpy.insert(rows, 0, cls, axis=1).tofile(stream)
            buffer = buffer[full * (size - 1) :]
            count += full
            if max_blocks and count == max_blocks:
                break
    return count


def pack_text(
    text: Path, encoding: str | None, tokenizer: PreTrainedTokenizerBase, work: Path, data: dict
) -> None:
    """Write train.blocks and dev.blocks. Raises UserError if there is too little text."""
    size = data["block_size"]
    for name, held_out, max_blocks in (("train", False, 0), ("dev", True, data["eval_blocks"])):
        lines = split(read_lines(text, encoding), held_out)
        if not pack(lines, tokenizer, work / f"{name}.blocks", size, max_blocks):
            part = "the held-out part" if held_out else "the text"
            raise UserError(
                f"{text}: {part} does not fill a block of {size} pieces; give more text, or a "
                "smaller --data.block_size."
            )
