"""Vectors of texts, or of their tokens, from an encoder as it is: what a linear model learns from."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import torch
from spacy.tokens import Doc
from spacy.util import minibatch
from tokenizers import Encoding
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..common.errors import UserError
from ..common.precision import AUTO, choose_precision, choose_threads
from ..wheel.tags import encoded_windows, token_places
from .checkpoint import max_length, open_checkpoint

# Documents whose windows are sorted by length together, and pieces of a batch, padding included.
BUFFER, BATCH = 500, 2048


class Frozen(NamedTuple):
    """An encoder to read with."""

    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel

    @property
    def layers(self) -> list[int]:
        """Hidden states that are put side by side: after half of the layers, three quarters, and all.
        What an entity is is clearer in the middle than at the end, what is said of a thing is not."""
        depth = self.model.config.num_hidden_layers
        return sorted({max(1, depth // 2), max(1, 3 * depth // 4), depth})


class Vectors(NamedTuple):
    """One row per text or token, float16: (rows, width). owner: the number of the text that each is
    of, or of. token: which token of it; -1 for a text."""

    values: numpy.ndarray
    owner: numpy.ndarray
    token: numpy.ndarray


def open_frozen(encoder: str, revision: str = "", precision: str = AUTO) -> Frozen:
    """Open an encoder to read with. Raises UserError, also for one without a fast tokenizer."""
    tokenizer, model = open_checkpoint(encoder, revision=revision or None)
    if not tokenizer.is_fast:
        raise UserError(
            f"{encoder}: its tokenizer has no tokenizer.json, and so no character offsets; choose "
            "another encoder."
        )
    tokenizer.model_max_length = max_length(tokenizer, model)
    choose_threads(model)
    choose_precision(model, precision)
    return Frozen(tokenizer, model)


def batches(rows: list[Encoding]) -> Iterator[list[int]]:
    """Yield the numbers of rows in batches of similar length."""
    batch: list[int] = []
    for index in sorted(range(len(rows)), key=lambda index: -len(rows[index].ids)):
        if batch and len(rows[batch[0]].ids) * (len(batch) + 1) > BATCH:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def read(rows: list[Encoding], frozen: Frozen) -> list[numpy.ndarray]:
    """Return the vectors of the pieces of each row: (pieces, width)."""
    pad = frozen.tokenizer.pad_token_id or 0
    found: list[Any] = [None] * len(rows)
    for batch in batches(rows):
        longest = max(len(rows[index].ids) for index in batch)
        ids = torch.full((len(batch), longest), pad)
        mask = torch.zeros((len(batch), longest), dtype=torch.long)
        for place, index in enumerate(batch):
            own = rows[index].ids
            ids[place, : len(own)] = torch.tensor(own)
            mask[place, : len(own)] = 1
        with torch.no_grad():
            output = frozen.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        states = torch.cat([output.hidden_states[layer] for layer in frozen.layers], -1).float()
        for place, index in enumerate(batch):
            found[index] = states[place, : len(rows[index].ids)].numpy()
    return found


def text_vectors(docs: list[Doc], frozen: Frozen) -> list[numpy.ndarray]:
    """Return the mean vector of the pieces of each text, (1, width). Those that two windows of a long
    text share count twice."""
    rows, owners = encoded_windows(docs, frozen.tokenizer)
    pieces: list[list[numpy.ndarray]] = [[] for _ in docs]
    for owner, vectors in zip(owners, read(rows, frozen)):
        pieces[owner].append(vectors)
    return [numpy.concatenate(own).mean(0, keepdims=True) for own in pieces]


def token_vectors(docs: list[Doc], frozen: Frozen) -> Iterator[tuple[list[int], numpy.ndarray]]:
    """Yield the tokens of each document that have pieces, and the vectors of their first ones."""
    rows, owners = encoded_windows(docs, frozen.tokenizer)
    vectors = read(rows, frozen)
    for places in token_places(docs, rows, owners):
        own = [vectors[row][column] for _, row, column in places]
        yield [token for token, *_ in places], numpy.array(own).reshape(len(own), -1)


@contextmanager
def vectors_of(docs: Iterable[Doc], frozen: Frozen, tokens: bool) -> Iterator[Vectors]:
    """Yield the vectors of documents, or of their tokens, which are on the disk until then.

    They take two bytes a number; only BUFFER documents are in memory.
    """
    owner, token = [], []
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "vectors"
        with path.open("wb") as file:
            for number, batch in enumerate(minibatch(docs, BUFFER)):
                if tokens:
                    read_tokens, found = zip(*token_vectors(batch, frozen))
                else:
                    read_tokens, found = [[-1]] * len(batch), text_vectors(batch, frozen)
                for index, (own, vectors) in enumerate(zip(read_tokens, found)):
                    owner.append(numpy.full(len(own), number * BUFFER + index))
                    token.append(numpy.array(own, int))
                    file.write(vectors.astype("f2").tobytes())
        rows = sum(map(len, owner))
        values = numpy.memmap(path, "f2", "r").reshape(rows, -1)
        yield Vectors(values, numpy.concatenate(owner), numpy.concatenate(token))
        # Windows cannot delete a file that is mapped.
        values._mmap.close()
