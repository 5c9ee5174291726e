"""Generation that copies: a model chooses capitals and marks, and can write no other words."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from transformers import EncoderDecoderModel, LogitsProcessor, LogitsProcessorList

from .marks import NONE
from .pieces import Pieces


class Candidate(NamedTuple):
    """A way to write a word: its pieces, its form, and the mark after it."""

    ids: tuple[int, ...]
    form: str
    mark: str


def candidates(forms: Sequence[str], marks: Sequence[str], pieces: Pieces) -> list[Candidate]:
    """Return the ways to write a word that may have these forms, with one of these marks after it. There
    are none if the tokenizer finds no pieces in it."""
    spelled = [(form, pieces.of(form)) for form in forms]
    return [
        Candidate((*ids, pieces.marks[mark]) if mark else ids, form, mark)
        for form, ids in spelled
        if ids
        for mark in marks
    ]


class Copy:
    """A text that is being written piece by piece, of words that are given.

    written: the way in which each word is written, so far.
    """

    def __init__(self, words: Sequence[Sequence[Candidate]], end: int) -> None:
        self.words, self.end = words, end
        self.written: list[Candidate] = []
        # Before the first word there is one without pieces, which is complete.
        self.possible: Sequence[Candidate] = [Candidate((), "", NONE)]
        self.place, self.count = 0, -1

    def following(self) -> Sequence[Candidate]:
        """Return the candidates of the next word: none after the last one."""
        return self.words[self.count + 1] if self.count + 1 < len(self.words) else []

    def complete(self) -> Candidate | None:
        """Return what the pieces of the current word are, if they can be all of it. Of several, as of words
        whose pieces are unknown, it is the first."""
        return next((one for one in self.possible if len(one.ids) == self.place), None)

    def allowed(self) -> set[int]:
        """Return the pieces that may come next."""
        ids = {one.ids[self.place] for one in self.possible if len(one.ids) > self.place}
        if self.complete():
            ids |= {one.ids[0] for one in self.following()} or {self.end}
        return ids

    def add(self, id: int) -> None:
        """Go on with a piece that is allowed."""
        longer = [one for one in self.possible if one.ids[self.place : self.place + 1] == (id,)]
        if longer:
            self.possible, self.place = longer, self.place + 1
            return
        if self.count >= 0:
            self.written.append(self.complete())
        self.possible = [one for one in self.following() if one.ids[0] == id]
        self.place, self.count = 1, self.count + 1


class Copying(LogitsProcessor):
    """Forbid the pieces that do not go on with the words of each text of a batch. For greedy search."""

    def __init__(self, copies: list[Copy]) -> None:
        self.copies = copies

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        if input_ids.shape[1] > 1:
            for copy, id in zip(self.copies, input_ids[:, -1].tolist()):
                if copy.count < len(copy.words):
                    copy.add(id)
        allowed = torch.full_like(scores, -torch.inf)
        for row, copy in enumerate(self.copies):
            ids = list(copy.allowed()) if copy.count < len(copy.words) else [copy.end]
            allowed[row, ids] = scores[row, ids]
        return allowed


@torch.no_grad()
def write(
    model: EncoderDecoderModel,
    pieces: Pieces,
    spoken: list[list[int]],
    texts: list[Sequence[Sequence[Candidate]]],
) -> list[list[Candidate]]:
    """Return how the model writes the words of texts.

    spoken: the ids of each text to read, with the special tokens. texts: the candidates of each word;
    each word has some.
    """
    copies = [Copy(words, pieces.end) for words in texts]
    batch = pieces.tokenizer.pad({"input_ids": spoken}, return_tensors="pt").to(model.device)
    longest = max(sum(max(len(one.ids) for one in word) for word in words) for words in texts)
    model.generate(
        **batch, num_beams=1, do_sample=False, max_length=None, max_new_tokens=longest + 1,
        logits_processor=LogitsProcessorList([Copying(copies)]),
    )  # fmt: skip
    for copy in copies:
        # The end is the last piece, which no later call adds.
        if copy.count < len(copy.words):
            copy.written.append(copy.complete())
    return [copy.written for copy in copies]
