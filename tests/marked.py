"""Documents with entities or labels, from a line."""

import re

import spacy
from spacy.tokens import Doc, Span

VOCAB = spacy.blank("fr").vocab


def tagged(marked: str) -> Doc:
    """Return a text with entities, written as words separated by spaces: [La Sorbonne|ORG] est là .

    "_" between two words: no space is between them. White space within an entity is a word if it is
    no plain space.
    """
    words: list[str] = []
    spaces: list[bool] = []
    entities = []
    for part in re.findall(r"\[[^\]]+\|\w+\]|[^\[]+", marked):
        span = re.fullmatch(r"\[(.+)\|(\w+)\]", part)
        start = len(words)
        for piece in re.findall(r"[^ _]+|[ _]", span[1] if span else part):
            if piece == " ":
                spaces[-1:] = [True]
            elif piece != "_":
                words.append(piece)
                spaces.append(False)
        if span:
            entities.append((start, len(words), span[2]))
    doc = Doc(VOCAB, words=words, spaces=spaces)
    doc.set_ents([Span(doc, *entity) for entity in entities], default="outside")
    return doc


def labelled(text: str, *labels: str, of: tuple[str, ...] = ("neg", "pos")) -> Doc:
    doc = spacy.blank("fr").make_doc(text)
    doc.cats = {label: float(label in labels) for label in of}
    return doc
