"""Writing of examples to DocBin files for `spacy train`, with counts for the report."""

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
from .detokenize import infer_spaces
from .examples import Example, LabelledText, Notes, SpannedText, TaggedSentence

# A DocBin is limited to 2 GB (E871) and built in memory: a new shard is begun after this many
# tokens, for which about 100 MB are needed.
SHARD_TOKENS = 1_000_000
UNALIGNED = "entity that is not aligned with the tokenizer's tokens"
# In characters. Encoders accept 512 wordpieces, each of which may be a single character.
LONG = 500
LONG_TOKEN = f"token of more than {LONG} characters, which an encoder may truncate"
# The replacement character, as spaCy does not accept empty tokens (E031).
EMPTY = "\ufffd"
OUTSIDE, BEGIN, INSIDE = 2, 3, 1
NONE = {"count": 0, "first": []}
# Where a Doc came from, stored in its `user_data`: file, line, document, category.
Origin = dict[str, str | int]
# `srsly.msgpack_dumps` creates one per call and queries its registry, which takes 0.3 ms.
PACKER = srsly.msgpack.Packer(use_bin_type=True)


def origin_of(example: Example, file: str) -> Origin:
    """Return where an example came from; `line` is the row or item in files without lines."""
    origin = {
        "file": file,
        "line": example.number,
        "document": example.document,
        "category": example.category,
    }
    return {name: value for name, value in origin.items() if value not in (None, "")}


class StringHashes(dict):
    """Maps strings to their hashes in a StringStore, which are computed on first access."""

    def __init__(self, strings: set[str]) -> None:
        self.store = StringStore()
        self.strings = strings

    def __missing__(self, word: str) -> int:
        self.strings.add(word)
        hash_value = self[word] = self.store.add(word)
        return hash_value


class Shard:
    """A DocBin under construction, as flat lists: most of the time would otherwise be spent on
    creating a Doc per sentence (bench/convert.py)."""

    def __init__(self, entities: bool) -> None:
        attributes = ["ORTH", "ENT_IOB", "ENT_TYPE"] if entities else ["ORTH"]
        self.docbin = DocBin(attrs=attributes, store_user_data=True)
        self.hashes = StringHashes(self.docbin.strings)
        self.added: set[int] = set()
        # For each token, the hash of its string, and whether a space follows.
        self.words: list[int] = []
        self.spaces: list[bool] = []
        # (start, end, hash of the label), with token indices in the shard, the end exclusive.
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
        hashes = array[:, 0].tolist()
        self.docbin.strings.update(nlp.vocab.strings[x] for x in set(hashes) - self.added)
        self.added.update(hashes)
        self.words += hashes
        self.spaces += array[:, 1].tolist()
        self.end_document(cats, origin)

    def add_entities(
        self,
        words: Sequence[str],
        spaces: Sequence[bool],
        entities: list[tuple[int, int, str]],
        origin: Origin,
    ) -> None:
        first = len(self.words)
        hashes = self.hashes
        self.words += [hashes[word] for word in words]
        self.spaces += spaces
        self.entities += [(first + start, first + end, hashes[x]) for start, end, x in entities]
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
        spaces = numpy.array(self.spaces, dtype=bool).reshape(-1, 1)
        self.docbin.tokens = numpy.split(tokens, self.ends[:-1])
        self.docbin.spaces = numpy.split(spaces, self.ends[:-1])
        self.docbin.to_disk(path)


class SplitWriter:
    """Writes one split as `name.spacy`: a file, or a folder if it needs several shards."""

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

    def add(self, example: Example, location: str, file: str) -> int:
        """Write one example and the `file` it came from; return the number of its empty tokens.

        `location` is used in messages. Raises UserError for a text longer than `max_length`.
        """
        if len(self.shard.words) >= SHARD_TOKENS:
            self.close_shard()
        self.pipeline.limit_vocab()
        before = len(self.shard.words)
        empty = 0
        tagged = isinstance(example, TaggedSentence)
        size = sum(map(len, example.words)) if tagged else len(example.text)
        limit = self.pipeline.nlp.max_length
        # Half for tagged words, as there may be a space after each.
        if size > (limit // 2 if tagged else limit):
            raise UserError(
                f"{location}: text of {size:,} characters, where spaCy's maximum is {limit:,}, spaces "
                "included; split the text, or check the format."
            )
        words = example.words if tagged else example.text.split()
        if size > LONG and max(map(len, words)) > LONG:
            tokens = words if tagged else map(str, self.pipeline.nlp.make_doc(example.text))
            for token in tokens:
                if len(token) > LONG:
                    self.long_tokens.add(LONG_TOKEN, f"{location}: {token[:40]}")
        origin = origin_of(example, file)
        if tagged:
            empty = self.add_tagged(example, location, origin)
        elif isinstance(example, LabelledText):
            labels = example.all_labels
            cats = {label: float(label in labels) for label in self.labels}
            self.shard.add_text(self.pipeline.nlp, example.text, cats, origin)
            self.counts.update(labels)
        else:
            self.add_spanned(example, location, origin)
        self.examples += 1
        self.tokens += len(self.shard.words) - before
        return empty

    def add_tagged(self, example: TaggedSentence, location: str, origin: Origin) -> int:
        words = example.words
        empty = words.count("")
        if empty:
            words = [word or EMPTY for word in words]
        spaces = example.spaces or infer_spaces(words, self.pipeline.language)
        self.shard.add_entities(words, spaces, example.entities, origin)
        for start, end, label in example.entities:
            self.counts[label] += 1
            if not (
                self.pipeline.is_boundary(start, words, spaces)
                and self.pipeline.is_boundary(end, words, spaces)
            ):
                self.unaligned.add(UNALIGNED, f"{location}: {' '.join(words[start:end])[:60]}")
        return empty

    def add_spanned(self, example: SpannedText, location: str, origin: Origin) -> None:
        cuts = {offset for start, end, _ in example.spans for offset in (start, end)}
        words, spaces, inside = self.pipeline.tokenize(example.text, cuts)
        starts: dict[int, int] = {}
        ends: dict[int, int] = {}
        offset = 0
        for index, (word, space) in enumerate(zip(words, spaces)):
            starts[offset] = index
            ends[offset + len(word)] = index + 1
            offset += len(word) + space
        entities = [(starts[start], ends[end], label) for start, end, label in example.spans]
        self.shard.add_entities(words, spaces, entities, origin)
        for start, end, label in example.spans:
            self.counts[label] += 1
            if {start, end} & inside:
                self.unaligned.add(UNALIGNED, f"{location}: {example.text[start:end][:60]}")

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
