"""Examples to DocBin files that `spacy train` reads, with the figures of the report."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy
import srsly
from spacy.attrs import ENT_IOB, ENT_TYPE, ORTH, SPACY
from spacy.language import Language
from spacy.strings import StringStore
from spacy.tokens import DocBin

from ..common.errors import UserError
from .blank import BlankPipeline
from .detokenize import spaces
from .examples import Example, LabelledText, Notes, SpannedText, TaggedSentence

# A DocBin cannot hold 2 GB (E871), and is built in memory: a shard has this many tokens at most,
# some 100 MB while it is made.
SHARD_TOKENS = 1_000_000
UNALIGNED = "entity that the pipeline's tokenizer cannot align"
# Encoders take 512 pieces at a time, and a piece can be a character.
LONG = 500
LONG_TOKEN = f"token of over {LONG} characters: an encoder may read its beginning alone"
# spaCy takes no empty token (E031). The sign for a character that was lost holds its place.
EMPTY = "\ufffd"
OUTSIDE, BEGIN, INSIDE = 2, 3, 1
NONE = {"count": 0, "first": []}
# What a Doc keeps of where it came from, in `user_data`: file, line, document, category.
Origin = dict[str, str | int]
# `srsly.msgpack_dumps` makes one each time, and looks up all that is registered: 0.3 ms.
PACKER = srsly.msgpack.Packer(use_bin_type=True)


def origin_of(example: Example, file: str) -> Origin:
    """Return where an example came from; `line` is a row or an item where a file has no lines."""
    origin = {
        "file": file,
        "line": example.number,
        "document": example.document,
        "category": example.category,
    }
    return {name: value for name, value in origin.items() if value not in (None, "")}


class Keys(dict):
    """The keys that spaCy gives strings, made when they are first asked for."""

    def __init__(self, strings: set[str]) -> None:
        self.store = StringStore()
        self.strings = strings

    def __missing__(self, word: str) -> int:
        self.strings.add(word)
        key = self[word] = self.store.add(word)
        return key


class Shard:
    """A DocBin in the making, as flat lists: with a Doc for each sentence most of the time would
    go into those (bench/convert.py)."""

    def __init__(self, entities: bool) -> None:
        attributes = ["ORTH", "ENT_IOB", "ENT_TYPE"] if entities else ["ORTH"]
        self.docbin = DocBin(attrs=attributes, store_user_data=True)
        self.keys = Keys(self.docbin.strings)
        self.seen: set[int] = set()
        # Of each token: the key of its string, and whether a space follows.
        self.words: list[int] = []
        self.followed: list[bool] = []
        # (first token, token after the last, key of the label), counted over the shard.
        self.entities: list[tuple[int, int, int]] = []
        self.ends: list[int] = []

    def end_document(self, cats: dict[str, float], origin: Origin) -> None:
        self.ends.append(len(self.words))
        self.docbin.cats.append(cats)
        self.docbin.user_data.append(PACKER.pack(origin))
        self.docbin.flags.append({"has_unknown_spaces": False})
        self.docbin.span_groups.append(b"")

    def add_text(self, nlp: Language, text: str, cats: dict[str, float], origin: Origin) -> None:
        doc = nlp.make_doc(text)
        array = doc.to_array([ORTH, SPACY])
        keys = array[:, 0].tolist()
        self.docbin.strings.update(nlp.vocab.strings[key] for key in set(keys) - self.seen)
        self.seen.update(keys)
        self.words += keys
        self.followed += array[:, 1].tolist()
        self.end_document(cats, origin)

    def add_entities(
        self,
        words: Sequence[str],
        followed: Sequence[bool],
        entities: list[tuple[int, int, str]],
        origin: Origin,
    ) -> None:
        first = len(self.words)
        keys = self.keys
        self.words += [keys[word] for word in words]
        self.followed += followed
        self.entities += [(first + start, first + end, keys[x]) for start, end, x in entities]
        self.end_document({}, origin)

    def to_disk(self, path: Path) -> None:
        attributes = self.docbin.attrs
        tokens = numpy.zeros((len(self.words), len(attributes)), dtype=numpy.uint64)
        tokens[:, attributes.index(ORTH)] = self.words
        if ENT_IOB in attributes:
            iob, kind = attributes.index(ENT_IOB), attributes.index(ENT_TYPE)
            tokens[:, iob] = OUTSIDE
            for start, end, label in self.entities:
                tokens[start:end, iob] = INSIDE
                tokens[start, iob] = BEGIN
                tokens[start:end, kind] = label
        followed = numpy.array(self.followed, dtype=bool).reshape(-1, 1)
        self.docbin.tokens = numpy.split(tokens, self.ends[:-1])
        self.docbin.spaces = numpy.split(followed, self.ends[:-1])
        self.docbin.to_disk(path)


class SplitWriter:
    """Writes one split: `name.spacy`, a file, or a folder of shards where one is not enough."""

    def __init__(
        self,
        folder: Path,
        name: str,
        pipeline: BlankPipeline,
        labels: Sequence[str] | None,
    ) -> None:
        self.folder = folder
        self.name = name
        self.pipeline = pipeline
        self.labels = labels
        self.shards: list[Path] = []
        self.examples = self.tokens = 0
        self.counts: Counter = Counter()
        self.unaligned = Notes()
        self.long_tokens = Notes()
        self.shard = Shard(entities=not labels)

    def close_shard(self) -> None:
        path = self.folder / f"{self.name}-{len(self.shards):05}.spacy"
        self.shard.to_disk(path)
        self.shards.append(path)
        self.shard = Shard(entities=not self.labels)

    def add(self, example: Example, place: str, file: str) -> int:
        """Write one example, and which file it came from; return how many of its tokens were empty.

        Raises UserError for a text that is longer than spaCy takes.
        """
        if len(self.shard.words) >= SHARD_TOKENS:
            self.close_shard()
        self.pipeline.renew()
        before = len(self.shard.words)
        empty = 0
        tagged = isinstance(example, TaggedSentence)
        size = sum(map(len, example.words)) if tagged else len(example.text)
        limit = self.pipeline.nlp.max_length
        # Of words half of that, for the spaces between them.
        if size > (limit // 2 if tagged else limit):
            raise UserError(
                f"{place}: a text of {size:,} characters; spaCy takes {limit:,}, spaces included. "
                "Cut it, or is this the right format?"
            )
        words = example.words if tagged else example.text.split()
        if size > LONG and max(map(len, words)) > LONG:
            tokens = words if tagged else map(str, self.pipeline.nlp.make_doc(example.text))
            for token in tokens:
                if len(token) > LONG:
                    self.long_tokens.add(LONG_TOKEN, f"{place}: {token[:40]}")
        origin = origin_of(example, file)
        if tagged:
            empty = self.tagged(example, place, origin)
        elif isinstance(example, LabelledText):
            labels = example.own_labels
            cats = {label: float(label in labels) for label in self.labels}
            self.shard.add_text(self.pipeline.nlp, example.text, cats, origin)
            self.counts.update(labels)
        else:
            self.spanned(example, place, origin)
        self.examples += 1
        self.tokens += len(self.shard.words) - before
        return empty

    def tagged(self, example: TaggedSentence, place: str, origin: Origin) -> int:
        words = example.words
        empty = words.count("")
        if empty:
            words = [word or EMPTY for word in words]
        followed = spaces(words, self.pipeline.language)
        self.shard.add_entities(words, followed, example.entities, origin)
        for start, end, label in example.entities:
            self.counts[label] += 1
            if not (
                self.pipeline.breaks_before(start, words, followed)
                and self.pipeline.breaks_before(end, words, followed)
            ):
                self.unaligned.add(UNALIGNED, f"{place}: {' '.join(words[start:end])[:60]}")
        return empty

    def spanned(self, example: SpannedText, place: str, origin: Origin) -> None:
        cuts = {offset for start, end, _ in example.spans for offset in (start, end)}
        words, followed, inside = self.pipeline.split(example.text, cuts)
        starts: dict[int, int] = {}
        ends: dict[int, int] = {}
        offset = 0
        for index, (word, space) in enumerate(zip(words, followed)):
            starts[offset] = index
            ends[offset + len(word)] = index + 1
            offset += len(word) + space
        entities = [(starts[start], ends[end], label) for start, end, label in example.spans]
        self.shard.add_entities(words, followed, entities, origin)
        for start, end, label in example.spans:
            self.counts[label] += 1
            if {start, end} & inside:
                self.unaligned.add(UNALIGNED, f"{place}: {example.text[start:end][:60]}")

    def close(self) -> None:
        self.close_shard()
        target = self.folder / f"{self.name}.spacy"
        if len(self.shards) == 1:
            self.shards[0].rename(target)
            return
        target.mkdir()
        for shard in self.shards:
            shard.rename(target / shard.name)

    def report(self) -> dict[str, object]:
        return {
            "examples": self.examples,
            "tokens": self.tokens,
            "labels" if self.labels else "entities": dict(sorted(self.counts.items())),
            "unaligned": self.unaligned.to_json().get(UNALIGNED, NONE),
            "long tokens": self.long_tokens.to_json().get(LONG_TOKEN, NONE),
        }
