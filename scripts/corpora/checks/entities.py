"""Entities that are annotated in one way here and in another there; borders that look wrong."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy
from spacy.attrs import ENT_IOB, ORTH
from spacy.tokens import Span, Token

from .borders import HALF_WORD, PUNCTUATION, SPACE, problems
from .findings import EXAMPLES, FIRST, WARNING, Finding, Notes, Places, Text, in_words

CHECK = "entities"
OUTSIDE = 2
# A text that is an entity this often in train is expected to be one elsewhere.
OFTEN = 2
ARTICLES = {
    "fr": "le la les l' l’ un une des", "en": "the a an", "es": "el la los las un una",
    "it": "il lo la i gli le l' l’ un uno una", "pt": "o a os as um uma",
    "de": "der die das den dem des ein eine", "nl": "de het een",
}  # fmt: skip
FINAL = frozenset([".", "!", "?", "…", "..."])
WAYS = ("inside", "outside")
VARIED = {
    "article": "entity with its article inside in one place and outside in another",
    "final": "entity with the punctuation after it inside in one place and outside in another",
}


class Variants:
    """A text, how often it is annotated in each of several ways, and the first place of each."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.counts: Counter[str] = Counter()
        self.places: dict[str, str] = {}

    def add(self, way: str, place: str) -> None:
        self.counts[way] += 1
        self.places.setdefault(way, place)

    @property
    def rarest(self) -> int:
        return min(self.counts.values())

    @property
    def first(self) -> str:
        """The first place of the rarest way whose places are known."""
        return self.places[min(self.places, key=self.counts.__getitem__)]

    def __str__(self) -> str:
        return f"{self.text}: {', '.join(in_words(self.counts))} ({self.first})"


def varying(keys: numpy.ndarray, ways: numpy.ndarray) -> tuple[int, set[int]]:
    """Return how many of some keys occur in several ways, and at most EXAMPLES of these: those of which
    even the rarest way is frequent."""
    if not len(keys):
        return 0, set()
    pairs, counts = numpy.unique(numpy.stack([keys, ways]), axis=1, return_counts=True)
    values, first, number = numpy.unique(pairs[0], return_index=True, return_counts=True)
    several = number > 1
    rarest = numpy.minimum.reduceat(counts, first)[several]
    order = numpy.argsort(-rarest, kind="stable")[:EXAMPLES]
    return int(several.sum()), set(values[several][order].tolist())


def finding_of(what: str, count: int, found: Iterable[Variants]) -> Iterator[Finding]:
    """Yield a finding on texts with several variants, if there are any: first those of which even the
    rarest is frequent. The places are those of the rarest."""
    ordered = sorted(found, key=lambda variants: -variants.rarest)[:EXAMPLES]
    if count:
        first = [variants.first for variants in ordered[:FIRST]]
        yield Finding(WARNING, CHECK, what, count, first, list(map(str, ordered)))


class Edge(NamedTuple):
    """An article or final punctuation next to an entity, or the entity's own. bare: the entity without
    it. name: VARIED's. way: inside or outside."""

    name: str
    way: str
    token: Token
    bare: Span

    @property
    def key(self) -> int:
        """A hash that is the same inside and outside."""
        words = tuple(token.orth for token in self.bare)
        return hash((self.name, self.token.text.lower(), words, self.bare.label))


def edges_of(span: Span, articles: frozenset[str]) -> Iterator[Edge]:
    doc, start, end = span.doc, span.start, span.end
    for name, marks, inner, outer, bare in (
        ("article", articles, start, start - 1, slice(start + 1, end)),
        ("final", FINAL, end - 1, end, slice(start, end - 1)),
    ):
        if len(span) > 1 and doc[inner].text.lower() in marks:
            rest = Span(doc, bare.start, bare.stop, span.label)
            yield Edge(name, "inside", doc[inner], rest)
        beside = 0 <= outer < len(doc) and doc[outer].ent_iob == OUTSIDE
        if beside and doc[outer].text.lower() in marks:
            yield Edge(name, "outside", doc[outer], span)


class Entities:
    """Finds what is inconsistent by hashes of the words of entities: 25 bytes an entity, and 8 for each
    article or punctuation at its edge.

    A corpus is read twice: `add` learns which texts are entities, `revisit` finds them elsewhere.
    """

    def __init__(self, language: str) -> None:
        self.articles = frozenset(ARTICLES.get(language, "").split())
        self.labels: dict[str, int] = {}
        # By entity. Its words count, whatever is between them.
        self.keys, self.label, self.train = array("q"), array("i"), array("b")
        self.first, self.length = array("Q"), array("i")
        self.edges = {(name, way): array("q") for name in VARIED for way in WAYS}
        self.borders = Notes()

    def add(self, text: Text) -> None:
        for span in text.doc.ents:
            words = tuple(token.orth for token in span)
            self.keys.append(hash(words))
            self.label.append(self.labels.setdefault(span.label_, len(self.labels)))
            self.train.append(text.split == "train")
            self.first.append(words[0])
            self.length.append(len(words))
            for edge in edges_of(span, self.articles):
                self.edges[edge.name, edge.way].append(edge.key)
            for problem in problems(span, text.string):
                shown = slice(span.start_char, span.end_char)
                if problem == HALF_WORD:
                    shown = slice(max(0, span.start_char - 1), span.end_char + 1)
                self.borders.add(problem, text.place, repr(text.string[shown])[1:-1])

    def prepare(self) -> None:
        """Find out, between the two readings, what the second one is to look at."""
        keys, label, train = (numpy.asarray(x) for x in (self.keys, self.label, self.train))
        self.several, self.shown = varying(keys, label)
        self.labelled: dict[int, Variants] = {}
        values, counts = numpy.unique(keys[train == 1], return_counts=True)
        often = counts >= OFTEN
        self.often = dict(zip(values[often].tolist(), counts[often].tolist()))
        known = numpy.isin(keys, values[often])
        begins = numpy.stack(
            [numpy.asarray(self.first)[known], numpy.asarray(self.length, "u8")[known]]
        )
        # The longest first.
        self.lengths: defaultdict[int, list[int]] = defaultdict(list)
        for first, length in numpy.unique(begins, axis=1).T.tolist()[::-1]:
            self.lengths[first].append(length)
        # By name of VARIED: how many there are, those that are shown, and what is known of these.
        self.varied: dict[str, tuple[int, set[int], dict[int, Variants]]] = {}
        for name in VARIED:
            inside, outside = (numpy.asarray(self.edges[name, way]) for way in WAYS)
            ways = numpy.repeat([0, 1], [len(inside), len(outside)])
            self.varied[name] = (*varying(numpy.concatenate([inside, outside]), ways), {})
        # Of entities of train: how often each is untagged, the text, and the first place.
        self.untagged: dict[int, tuple[int, str, str]] = {}

    def revisit(self, text: Text) -> None:
        for span in text.doc.ents:
            key = hash(tuple(token.orth for token in span))
            if key in self.shown:
                variants = self.labelled.setdefault(key, Variants(span.text))
                variants.add(span.label_, text.place)
            for edge in edges_of(span, self.articles):
                _, shown, found = self.varied[edge.name]
                if edge.key in shown:
                    variants = found.setdefault(edge.key, Variants(edge.bare.text))
                    variants.add(edge.way, text.place)
        self.find_untagged(text)

    def find_untagged(self, text: Text) -> None:
        """Find entities of train where they are marked as none; of two that overlap, the first one or
        else the longer one."""
        if not self.lengths:
            return
        words, outside = (column.tolist() for column in text.doc.to_array([ORTH, ENT_IOB]).T)
        start = 0
        while start < len(words):
            end = start + 1
            for length in self.lengths.get(words[start], ()):
                window = slice(start, start + length)
                key = hash(tuple(words[window]))
                if key in self.often and outside[window] == [OUTSIDE] * length:
                    end = start + length
                    if key not in self.untagged:
                        self.untagged[key] = (0, text.doc[start:end].text, text.place)
                    count, *rest = self.untagged[key]
                    self.untagged[key] = (count + 1, *rest)
                    break
            start = end

    def findings(self, places: Places) -> Iterator[Finding]:
        if not self.labels:
            return
        for kind in (SPACE, HALF_WORD, PUNCTUATION):
            if self.borders.counts[kind]:
                yield self.borders.finding(WARNING, CHECK, kind)
        for name, what in VARIED.items():
            count, _, found = self.varied[name]
            yield from finding_of(what, count, found.values())
        yield from finding_of(
            "entity text with several labels", self.several, self.labelled.values()
        )
        what = f"text tagged {OFTEN} times or more in train that is untagged elsewhere"
        yield from finding_of(what, len(self.untagged), self.untagged_variants())

    def untagged_variants(self) -> Iterator[Variants]:
        for key, (count, string, place) in self.untagged.items():
            variants = Variants(string)
            variants.counts.update({"tagged": self.often[key], "untagged": count})
            variants.places["untagged"] = place
            yield variants
