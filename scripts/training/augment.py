"""Training texts as users write them: several sentences, other case, no punctuation."""

import random
from collections.abc import Callable, Iterable, Iterator

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import registry

# Sentences of a joined text.
FEWEST, MOST = 2, 6
# The key of their number in its user data.
JOINED = "joined"


def follows(doc: Doc, before: Doc) -> bool:
    """Return whether a sentence may stand after another: it is of the same document, or of the same
    file where documents are not marked."""
    return all(doc.user_data.get(key) == before.user_data.get(key) for key in ("file", "document"))


def join_neighbours(
    docs: Iterable[Doc], share: float, choice: random.Random | None = None
) -> Iterator[Doc]:
    """Yield documents in their order, a share of them joined with those that follow: FEWEST to MOST.

    A document with labels stays alone: a label is about one text. share: of the documents, 0 to 1.
    choice: chooses what is joined; by default Python's `random`, which spaCy seeds.
    """
    draw = choice or random
    # A group begins so often that the share of documents in groups is `share`.
    mean = (FEWEST + MOST) / 2
    begins = share / (share + mean * (1 - share))
    group: list[Doc] = []
    size = 1
    for doc in docs:
        if group and (len(group) == size or doc.cats or not follows(doc, group[-1])):
            yield joined(group)
            group = []
        if not group:
            size = draw.randint(FEWEST, MOST) if draw.random() < begins and not doc.cats else 1
        group.append(doc)
    if group:
        yield joined(group)


def joined(docs: list[Doc]) -> Doc:
    """Return documents as one, a space between them, with their entities; its user data say how many
    there were."""
    if len(docs) == 1:
        return docs[0]
    text = Doc.from_docs(docs, exclude=["user_data"])
    text.user_data[JOINED] = len(docs)
    return text


def rewritten(doc: Doc, change: Callable[[str], str], kept: list[int]) -> Doc:
    """Return a document of some of its tokens, given by index in order, each changed.

    The tokens of an entity must be kept. Left-out tokens leave a space, so that no words run together.
    """
    places = {index: place for place, index in enumerate(kept)}
    words = [change(doc[index].text) for index in kept]
    ends = [*kept[1:], len(doc)]
    spaces = [end > i + 1 or bool(doc[i].whitespace_) for i, end in zip(kept, ends)]
    copy = Doc(doc.vocab, words, spaces)
    ents = [Span(copy, places[ent.start], places[ent.end - 1] + 1, ent.label_) for ent in doc.ents]
    missing = [Span(copy, place, place + 1) for i, place in places.items() if not doc[i].ent_iob]
    copy.set_ents(ents, missing=missing)
    copy.cats = dict(doc.cats)
    return copy


def unpunctuated(doc: Doc) -> Doc:
    """Return a document without its punctuation, except inside entities, in lower case, as speech
    recognition and chats write."""
    kept = [token.i for token in doc if token.ent_type or not token.is_punct]
    return rewritten(doc, str.lower, kept) if kept else doc


def recased(change: Callable[[str], str]) -> Callable[[Doc], Doc]:
    """Return a function that changes each token of a document."""
    return lambda doc: rewritten(doc, change, list(range(len(doc))))


@registry.augmenters("project.vary_texts.v1")
def vary_texts(
    lower_case: float, upper_case: float, no_punctuation: float
) -> Callable[[Language, Example], Iterator[Example]]:
    """Return an augmenter that changes shares of the examples, in place of the original: to lower
    case, to upper case, to lower case without punctuation. The shares' sum is at most 1.

    Raises ValueError for other shares.
    """
    shares = lower_case, upper_case, no_punctuation
    if min(shares) < 0 or sum(shares) > 1:
        raise ValueError(f"shares of {', '.join(map(str, shares))}: give 0 to 1, at most 1 in all")
    changes = recased(str.lower), recased(str.upper), unpunctuated

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        drawn = random.random() if any(shares) else 1.0
        for share, change in zip(shares, changes):
            if drawn < share and len(example.reference):
                reference = change(example.reference)
                example = Example(nlp.make_doc(reference.text), reference)
                break
            drawn -= share
        yield example

    return augment
