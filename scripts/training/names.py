"""Other names in the place of a text's entities: more contexts for a name, more names for a context."""

import random
import unicodedata
from collections import defaultdict

from spacy.tokens import Doc, Span

# Longer ones are seldom names of what the text is about.
LONGEST = 6
# Distinct names of each kind, the first ones; more would fill the memory and teach little.
MOST = 20_000
VOWELS = "aeiouyhœ"


def kind_of(entity: Span) -> tuple[str, bool]:
    """Return what a name must share with another to stand in its place: its label, and whether it
    begins with a vowel, so that l'Orne does not become l'Loire."""
    first = unicodedata.normalize("NFKD", entity.text[0]).casefold()[:1]
    return entity.label_, first in VOWELS


class Names:
    """The entities of a corpus, each distinct one once, by kind."""

    def __init__(self) -> None:
        self.names: defaultdict[tuple[str, bool], dict[str, tuple[list[str], list[bool]]]]
        self.names = defaultdict(dict)
        # The same as lists, to draw from; made when the first text is changed.
        self.drawn: dict[tuple[str, bool], list[tuple[list[str], list[bool]]]] = {}

    def add(self, doc: Doc) -> None:
        for entity in doc.ents:
            found = self.names[kind_of(entity)]
            if len(entity) <= LONGEST and len(found) < MOST:
                words = [token.text for token in entity]
                found.setdefault(entity.text, (words, [bool(t.whitespace_) for t in entity]))

    def swap(self, doc: Doc, share: float) -> Doc:
        """Return a copy of a document in which a share of the entities have become others of their kind.

        Python's `random`, which spaCy seeds, chooses. Annotation of entities alone is copied.
        """
        if not self.drawn:
            self.drawn = {kind: list(names.values()) for kind, names in self.names.items()}
        words: list[str] = []
        spaces: list[bool] = []
        spans: list[tuple[int, int, str]] = []
        done = 0

        def copy(end: int) -> None:
            words.extend(token.text for token in doc[done:end])
            spaces.extend(bool(token.whitespace_) for token in doc[done:end])

        for entity in doc.ents:
            copy(entity.start)
            start, done = len(words), entity.start
            others = self.drawn.get(kind_of(entity))
            if others and random.random() < share:
                new, between = random.choice(others)
                words += new
                spaces += [*between[:-1], bool(entity[-1].whitespace_)]
            else:
                copy(entity.end)
            done = entity.end
            spans.append((start, len(words), entity.label_))
        copy(len(doc))
        copied = Doc(doc.vocab, words, spaces)
        copied.ents = [Span(copied, start, end, label) for start, end, label in spans]
        return copied
