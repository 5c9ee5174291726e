"""Raw text packed into blocks of pieces, for masked-language-model training."""

from collections.abc import Iterable
from pathlib import Path

import numpy
import torch
from spacy.util import minibatch
from transformers import PreTrainedTokenizerBase

# Lines that are cut into pieces at a time.
LINES = 1000


class Blocks(torch.utils.data.Dataset):
    """Blocks of pieces in a file that is mapped into memory, not read: (blocks, pieces) of int32."""

    def __init__(self, path: Path, size: int, special: list[int]) -> None:
        self.rows = numpy.memmap(path, numpy.int32, mode="r").reshape(-1, size)
        self.special = special

    def close(self) -> None:
        """Let the file go: Windows deletes none that is mapped."""
        del self.rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Return the pieces of a block, and which of them are never masked: the special ones."""
        row = numpy.array(self.rows[index], numpy.int64)
        special = numpy.isin(row, self.special).astype(numpy.int64)
        return {
            "input_ids": torch.from_numpy(row),
            "special_tokens_mask": torch.from_numpy(special),
        }

    def entropy(self) -> float:
        """Return the unigram entropy of the pieces, the special ones aside, in nats.

        It is the loss of a model that knows how frequent each piece is and looks at no context.
        """
        counts = numpy.bincount(self.rows.reshape(-1))
        counts[[index for index in self.special if index < len(counts)]] = 0
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * numpy.log(shares)).sum())


def pack(
    lines: Iterable[str], tokenizer: PreTrainedTokenizerBase, path: Path, size: int, most: int = 0
) -> int:
    """Write lines into blocks of `size` pieces, and return how many there are, `most` at most.

    A block is [CLS], then lines with [SEP] after each until it is full; a line goes on in the next
    block. What does not fill the last block is left out.
    """
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    buffer: list[int] = []
    count = 0
    with path.open("wb") as stream:
        for some in minibatch(lines, LINES):
            encoded = tokenizer(some, add_special_tokens=False, verbose=False)["input_ids"]
            for ids in encoded:
                buffer += [*ids, last]
            full = len(buffer) // (size - 1)
            full = min(full, most - count) if most else full
            rows = numpy.array(buffer[: full * (size - 1)], numpy.int32).reshape(full, size - 1)
            numpy.insert(rows, 0, first, axis=1).tofile(stream)
            buffer = buffer[full * (size - 1) :]
            count += full
            if most and count == most:
                break
    return count
