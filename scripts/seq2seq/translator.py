"""Translate any number of texts, in batches of sentences of about the same length."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..common.errors import UserError
from ..encoders.checkpoint import max_length
from .sentences import Segment, segments, sentencizer
from .task import Task

# Sentences that are sorted by length at a time; results come after so many.
WINDOW = 1000
# Pieces of a batch, padding included.
BATCH_PIECES = 2048
# What a model takes at a time if its checkpoint does not say, as T5's; and transformers' default for
# what it writes, which says nothing about the checkpoint.
USUAL_LENGTH, DEFAULT_LENGTH = 512, 20


class Sentence(NamedTuple):
    """The translation of a sentence, or of a part of one that was too long for the model (`cut`).

    score: mean log probability that the model gives the pieces; None if not asked for. complete:
    whether the translation has an end, rather than having reached the length limit.
    """

    source: str
    translation: str
    pieces: int
    score: float | None
    cut: bool
    complete: bool


class Translation(NamedTuple):
    """The translation of a text, with its sentences."""

    source: str
    translation: str
    sentences: list[Sentence]

    @property
    def score(self) -> float | None:
        """Mean log probability of the pieces of all sentences; None if there is none."""
        scores = [one.score * one.pieces for one in self.sentences if one.score is not None]
        return sum(scores) / sum(one.pieces for one in self.sentences) if scores else None


class Generated(NamedTuple):
    """What a model wrote for a sentence; ids: with what its decoder started with."""

    ids: list[int]
    complete: bool
    score: float | None = None


def batches(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    """Yield segments sorted by length, in batches of at most BATCH_PIECES pieces with padding."""
    batch: list[Segment] = []
    for segment in sorted(segments, key=lambda one: len(one.ids)):
        if batch and len(segment.ids) * (len(batch) + 1) > BATCH_PIECES:
            yield batch
            batch = []
        batch.append(segment)
    if batch:
        yield batch


class Translator:
    """A sequence-to-sequence model with a task.

    language: of spaCy's sentencizer (default: that of the task). beams: 0 for what the checkpoint
    says. cut, incomplete: how many sentences were too long for the encoder, and how many translations
    reached the length limit, so far.
    Raises UserError if the language is unknown to spaCy, or if the prefix leaves no room for a text.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        model: PreTrainedModel,
        task: Task = Task(),
        language: str = "",
        beams: int = 0,
    ) -> None:
        self.tokenizer, self.model, self.task = tokenizer, model, task
        self.nlp = sentencizer(language or task.language, required=bool(language))
        self.cut = self.incomplete = 0
        self.limit = self.length_of(model.get_encoder())
        settings = {**task.settings, **({"num_beams": beams} if beams else {})}
        stated = settings.pop("max_length", model.generation_config.max_length)
        longest = self.length_of(model.get_decoder())
        if stated != DEFAULT_LENGTH:
            longest = min(longest, stated)
        # The first piece is what the decoder starts with. The same text always has the same
        # translation.
        self.new = longest - 1
        self.settings = {**settings, "max_new_tokens": self.new, "do_sample": False}
        if len(self.encode("")) >= self.limit:
            raise UserError(f"--prefix: it is longer than the {self.limit} pieces the model takes.")

    def length_of(self, part: PreTrainedModel) -> int:
        """Return how many pieces the encoder or the decoder takes at a time."""
        stated = min(max_length(self.tokenizer, part), getattr(part.config, "n_positions", 10**9))
        return stated if stated < 10**9 else USUAL_LENGTH

    def setting(self, name: str) -> Any:
        """Return what is set for `generate`, here or in the checkpoint."""
        return self.settings.get(name, getattr(self.model.generation_config, name))

    def encode(self, sentence: str) -> list[int]:
        """Return the ids of a sentence, with those of the task."""
        return self.tokenizer(self.task.prefix + sentence)["input_ids"]

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True).strip()

    def ends(self, ids: list[int]) -> tuple[int, bool]:
        """Return how many of the ids a decoder started with or wrote, the end included, and whether it
        wrote the end. What follows is padding."""
        end = self.setting("eos_token_id")
        ends = end if isinstance(end, list) else [end]
        # The piece that the decoder starts with may be the one that ends sentences.
        last = next((place for place, one in enumerate(ids) if place and one in ends), None)
        if last is None:
            return len(ids), end is None and len(ids) <= self.new
        # At the length limit, many checkpoints force an end.
        forced = self.setting("forced_eos_token_id") is not None
        return last + 1, not (forced and last == self.new)

    def batch(self, ids: list[list[int]]) -> dict[str, torch.Tensor]:
        """Return input_ids and attention_mask: (sentences, pieces)."""
        padded = self.tokenizer.pad({"input_ids": ids}, return_tensors="pt")
        return {name: padded[name] for name in ("input_ids", "attention_mask")}

    @torch.inference_mode()
    def generate(self, ids: list[list[int]]) -> list[Generated]:
        """Return what the model writes for a batch of sentences, given by their ids."""
        written = self.model.generate(**self.batch(ids), **self.settings).tolist()
        found = []
        for sequence in written:
            length, complete = self.ends(sequence)
            found.append(Generated(sequence[:length], complete))
        return found

    @torch.inference_mode()
    def score(self, ids: list[int], written: list[int]) -> float:
        """Return the mean log probability of the pieces written for a sentence."""
        decoder_ids = torch.tensor([written])
        logits = self.model(**self.batch([ids]), decoder_input_ids=decoder_ids[:, :-1]).logits[0]
        losses = torch.nn.functional.cross_entropy(logits, decoder_ids[0, 1:], reduction="none")
        # A language that is forced was not chosen.
        return -losses[self.setting("forced_bos_token_id") is not None :].mean().item()

    def window(self, texts: list[list[Segment]], scored: bool) -> Iterator[Translation]:
        """Yield the translations of texts, given by their segments, in the same order."""
        # Each different sentence once.
        wanted = {one.text: one for one in chain.from_iterable(texts) if one.ids}
        found: dict[str, Generated] = {}
        for batch in batches(wanted.values()):
            for segment, written in zip(batch, self.generate([one.ids for one in batch])):
                score = self.score(segment.ids, written.ids) if scored else None
                found[segment.text] = written._replace(score=score)
        for text in texts:
            sentences = []
            for segment in text:
                if segment.ids:
                    ids, complete, score = found[segment.text]
                    sentences.append(
                        Sentence(segment.text, self.decode(ids), len(ids) - 1, score, segment.cut,
                                 complete)
                    )  # fmt: skip
            self.incomplete += sum(not one.complete for one in sentences)
            left = iter(sentences)
            translated = "".join(next(left).translation if one.ids else one.text for one in text)
            yield Translation("".join(one.text for one in text), translated, sentences)

    def translate(self, texts: Iterable[str], scored: bool = False) -> Iterator[Translation]:
        """Yield the translation of each text, in order, as soon as a window of sentences is done.

        scored: compute the scores, which takes one more pass over each translation.
        """
        window: list[list[Segment]] = []
        for text in texts:
            window.append([])
            for sentence in segments(text, self.nlp, self.encode, self.limit):
                self.cut += any(one.cut for one in sentence)
                window[-1] += sentence
            if sum(map(len, window)) >= WINDOW:
                yield from self.window(window, scored)
                window = []
        yield from self.window(window, scored)
