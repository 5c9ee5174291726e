"""Restore marks and capitals with a trained model, in texts of any length."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from spacy.util import minibatch
from transformers import AutoModelForSeq2SeqLM, EncoderDecoderModel, PreTrainedTokenizerBase

from ..common.errors import UserError
from ..encoders.checkpoint import open_checkpoint, open_config
from .chunks import begins_small
from .copying import Candidate, candidates, write
from .marks import ENDS, NONE, Token, forms, tokens_of
from .pieces import Pieces
from .task import check_sequence_to_sequence

# Texts that are read together, each from window to window.
BATCH = 32
# Of the pieces that a text may have as written, the share that a window reads: capitals and marks need
# more of them.
SHARE = 0.75
# The last words of a window that the next one decides on, with what follows, if no sentence ends in it;
# and words before it that a window reads, if its first word begins no sentence.
AHEAD, BEFORE = 8, 12
# All in capitals, a text of more words than this says nothing by them.
FEW_WORDS = 3


class Restored(NamedTuple):
    """A text with its marks and capitals.

    words: those of the text as they are written, with the mark after each. kept: how many of them the
    model does not know, or could not read because they are too long: these keep their letters as they were.
    """

    source: str
    text: str
    words: list[tuple[str, str]]
    kept: int


class Word(NamedTuple):
    """A word: the pieces that the model reads, the ways to write it, whether the tokenizer knows it."""

    spoken: tuple[int, ...]
    candidates: Sequence[Candidate]
    known: bool

    @property
    def longest(self) -> int:
        return max(len(one.ids) for one in self.candidates)


class Reading:
    """A text that is read window by window.

    decided: how its first words are written. begins: whether the word after these begins a sentence.
    """

    def __init__(self, words: Sequence[Word]) -> None:
        self.words = words
        self.decided: list[Candidate] = []
        self.begins = True

    @property
    def unfinished(self) -> bool:
        return len(self.decided) < len(self.words)

    def window(self, size: int, length: int) -> tuple[int, int]:
        """Return where the next window begins and ends: with a sentence or some words before those to
        decide on, and with at most `size` pieces to read and `length` to write."""
        begin = end = len(self.decided)
        half = size // 2, length // 2
        while begin > max(end - BEFORE, 0) and not self.begins_at(begin):
            left = (
                size - len(self.words[begin - 1].spoken),
                length - len(self.decided[begin - 1].ids),
            )
            if left[0] < half[0] or left[1] < half[1]:
                break
            size, length = left
            begin -= 1
        while end < len(self.words):
            size -= len(self.words[end].spoken)
            length -= self.words[end].longest
            if end > len(self.decided) and min(size, length) < 0:
                break
            end += 1
        return begin, end

    def begins_at(self, place: int) -> bool:
        """Return whether a sentence begins at a word."""
        if place == len(self.decided):
            return self.begins
        return starts(self.decided, place)

    def choices(self, begin: int, end: int) -> list[Sequence[Candidate]]:
        """Return the ways to write the words of a window: for those that are decided, one."""
        decided = [[one] for one in self.decided[begin:]]
        return [*decided, *(word.candidates for word in self.words[len(self.decided) : end])]

    def accept(self, begin: int, written: list[Candidate]) -> None:
        """Decide on the words of a window: all if it is the last one, else those up to the end of a sentence
        or up to some words before its own."""
        fresh = written[len(self.decided) - begin :]
        if begin + len(written) < len(self.words):
            places = (n for n in range(len(fresh) - 1, 0, -1) if starts(fresh, n))
            place = next(places, None)
            self.begins = place is not None
            fresh = fresh[: place or max(len(fresh) - AHEAD, 1)]
        self.decided += fresh


def starts(words: Sequence[Candidate], place: int) -> bool:
    """Return whether a sentence begins at a word that is written."""
    return words[place - 1].mark in ENDS and not begins_small(words[place].form)


class Restorer:
    """A model that restores marks and capitals, and changes no word.

    limit: the greatest number of pieces in the texts that it learnt from. spaced: the marks that have a
    space before them, as ? has in French.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        model: EncoderDecoderModel,
        limit: int,
        spaced: str,
    ) -> None:
        self.model, self.limit, self.spaced = model.eval(), limit, spaced
        self.pieces = Pieces(tokenizer)
        self.word = lru_cache(100_000)(self.new_word)

    def new_word(self, word: str, mark: str, written: bool) -> Word:
        """Return a word with the ways to write it, none if the model cannot read it.

        mark: that which the text has, or NONE; it stays. written: whether the word stays as it is.
        """
        spoken = self.pieces.of(word.lower())
        known = self.pieces.unknown not in spoken
        marks = (
            [mark if mark in self.pieces.marks else NONE] if mark else [NONE, *self.pieces.marks]
        )
        shapes = forms(word.lower()) if known and not written else [word]
        one = Word(spoken, candidates(shapes, marks, self.pieces), known)
        fits = spoken and one.candidates and max(one.longest, len(spoken)) <= self.limit // 4
        return one if fits else Word(spoken, [], False)

    def words_of(self, tokens: Sequence[Token]) -> list[Word | None]:
        """Return the word of each token, or None if it has none. What a text has of capitals and marks
        stays, unless it is all in capitals."""
        found = [token.word for token in tokens if token.word]
        loud = len(found) > FEW_WORDS and not any(map(str.islower, chain.from_iterable(found)))
        return [
            self.word(token.word, token.mark, not loud and token.word != token.word.lower())
            if token.word
            else None
            for token in tokens
        ]

    def text_of(self, tokens: Sequence[Token], written: Sequence[tuple[str, str] | None]) -> str:
        """Return the text of tokens whose words are written in a way; None: as they are."""
        parts = []
        for token, one in zip(tokens, written):
            word, mark = one or (token.word, NONE)
            added = "" if token.mark else mark
            space = " " if added and added in self.spaced else ""
            parts.append(f"{token.before}{word}{token.after}{space}{added}")
        return " ".join(parts)

    def restore(self, texts: Iterable[str]) -> Iterator[Restored]:
        """Yield each text with its marks and capitals, its white space collapsed."""
        for batch in minibatch(texts, BATCH):
            split = [tokens_of(text) for text in batch]
            words = [self.words_of(tokens) for tokens in split]
            readings = [Reading([one for one in row if one and one.candidates]) for row in words]
            while going := [reading for reading in readings if reading.unfinished]:
                self.read(going)
            for source, tokens, row, reading in zip(batch, split, words, readings):
                decided = iter(reading.decided)
                written = [
                    (one.form, one.mark or token.mark)
                    if word and word.candidates and (one := next(decided))
                    else None
                    for token, word in zip(tokens, row)
                ]
                yield Restored(
                    source,
                    self.text_of(tokens, written),
                    [
                        one or (token.word, token.mark)
                        for token, one in zip(tokens, written)
                        if token.word
                    ],
                    sum(not word.known for word in row if word),
                )

    def read(self, readings: list[Reading]) -> None:
        """Read the next window of each text."""
        length = self.model.config.decoder.max_position_embeddings - 1
        windows = [one.window(int(self.limit * SHARE), length) for one in readings]
        spoken = [
            [
                self.pieces.begin,
                *(id for word in one.words[slice(*window)] for id in word.spoken),
                self.pieces.end,
            ]
            for one, window in zip(readings, windows)
        ]
        choices = [one.choices(*window) for one, window in zip(readings, windows)]
        for one, window, written in zip(
            readings, windows, write(self.model, self.pieces, spoken, choices)
        ):
            one.accept(window[0], written)


def open_restorer(checkpoint: str, revision: str | None = None) -> Restorer:
    """Return the restorer of a checkpoint. Raises UserError if it is none."""
    check_sequence_to_sequence(checkpoint, open_config(checkpoint, revision))
    tokenizer, model = open_checkpoint(checkpoint, AutoModelForSeq2SeqLM, revision=revision)
    settings = getattr(model.config, "restoring", None)
    if not isinstance(settings, dict) or not {"max_pieces", "spaced"} <= set(settings):
        raise UserError(
            f"{checkpoint}: restores no marks and capitals; give a checkpoint that `train-restorer` made."
        )
    return Restorer(tokenizer, model, settings["max_pieces"], settings["spaced"])
