"""Tags of spaCy tokens: which piece has a token's tag, and which entities a sequence of tags means."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy
from spacy.tokens import Doc
from tokenizers import Encoding

# Pieces shared by neighbouring windows of a long text.
OVERLAP = 96
# Prefixes of BIOES and BILOU that IOB does not have.
IOB_PREFIXES = {"E": "I", "L": "I", "S": "B", "U": "B"}


def to_iob(tag: str) -> str:
    """Convert a BIOES or BILOU tag to IOB, the scheme that transformers decodes."""
    prefix, hyphen, label = tag.partition("-")
    if not hyphen or prefix in ("B", "I"):
        return tag
    # "work-of-art" is a type without a prefix; transformers would strip the "work-".
    return f"{IOB_PREFIXES[prefix]}-{label}" if prefix in IOB_PREFIXES else f"I-{tag}"


def entity_type(tag: str) -> str:
    """Return the entity type of an IOB tag: PER for B-PER."""
    return tag[2:] if tag.startswith(("B-", "I-")) else tag


def entity_types(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the entity types of IOB tags, sorted."""
    return tuple(sorted({entity_type(tag) for tag in tags} - {"O"}))


# Per document: token, row of pieces, column in that row.
Places = list[tuple[int, int, int]]


def first_pieces(
    pieces: Sequence[tuple[int, int]], tokens: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the indices of tokens, each with that of the first piece that overlaps it and is not the
    first of a token before it; a token without such a piece is passed over.

    pieces, tokens: their character offsets in the text, in order.
    """
    piece = 0
    first = bisect_right([end for _, end in tokens], pieces[0][0]) if pieces else len(tokens)
    for token in range(first, len(tokens)):
        start, end = tokens[token]
        while piece < len(pieces) and pieces[piece][1] <= start:
            piece += 1
        if piece == len(pieces):
            return
        if pieces[piece][0] < end:
            yield token, piece
            piece += 1


def encoded_windows(docs: Sequence[Doc], tokenizer: Any) -> tuple[list[Encoding], list[int]]:
    """Return the pieces of each window of each document, and which document each window is of.

    A document with more pieces than the encoder accepts has several windows, which overlap.
    tokenizer: one of transformers.
    """
    if not docs:
        return [], []
    encoded = tokenizer(
        [doc.text for doc in docs], truncation=True, return_overflowing_tokens=True,
        stride=min(OVERLAP, tokenizer.model_max_length // 4), verbose=False,
    )  # fmt: skip
    return encoded.encodings, encoded["overflow_to_sample_mapping"]


def token_places(
    docs: Sequence[Doc], rows: Sequence[Encoding], owners: Sequence[int]
) -> list[Places]:
    """Return the places of the first pieces of each document's tokens. White space has none.

    rows, owners: as from `encoded_windows`. Of the windows with a token, the one in which it is
    farthest from the edge is used.
    """
    # Per document: token -> distance from the edge, row, column.
    best: list[dict[int, tuple[int, int, int]]] = [{} for _ in docs]
    tokens = [[token for token in doc if not token.text.isspace()] for doc in docs]
    spans = [[(token.idx, token.idx + len(token)) for token in written] for written in tokens]
    for row, (encoding, number) in enumerate(zip(rows, owners)):
        mask, offsets = encoding.special_tokens_mask, encoding.offsets
        columns = [column for column, special in enumerate(mask) if not special]
        pieces = [offsets[column] for column in columns]
        for index, piece in first_pieces(pieces, spans[number]):
            token = tokens[number][index].i
            margin = min(piece, len(pieces) - 1 - piece)
            if margin > best[number].get(token, (-1,))[0]:
                best[number][token] = margin, row, columns[piece]
    return [
        [(token, row, column) for token, (_, row, column) in sorted(found.items())]
        for found in best
    ]


def log_softmax(logits: numpy.ndarray) -> numpy.ndarray:
    """Return the logarithm of the softmax over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - numpy.log(numpy.exp(shifted).sum(axis=-1, keepdims=True))


def forbidden(tags: Sequence[str]) -> numpy.ndarray:
    """Return what to add to the score of a tag (column) after another (row): minus infinity for an I-
    after O or another type, otherwise 0."""
    before = numpy.array([entity_type(tag) for tag in tags])
    inside = numpy.array([tag.startswith("I-") for tag in tags])
    return numpy.where(inside[None, :] & (before[:, None] != before[None, :]), -numpy.inf, 0.0)


def viterbi(scores: numpy.ndarray, transitions: numpy.ndarray, start: int) -> list[int]:
    """Return the tags with the highest sum of scores, (tokens, tags), and transitions; the text
    begins as after the tag `start`."""
    best, arrows = scores[0] + transitions[start], []
    for row in scores[1:]:
        paths = best[:, None] + transitions
        arrows.append(paths.argmax(axis=0))
        best = paths.max(axis=0) + row
    path = [int(best.argmax())]
    for arrow in reversed(arrows):
        path.append(int(arrow[path[-1]]))
    return path[::-1]


def decode(
    log_probabilities: numpy.ndarray, tags: Sequence[str]
) -> tuple[list[int], list[tuple[int, int, str, float]]]:
    """Return the most probable valid sequence of IOB tags, and its entities: first and last token,
    type, probability.

    log_probabilities: those of each token's tags, independent of each other, (tokens, tags). The
    probability of an entity is that of all valid sequences with exactly this span and type, by the
    forward-backward algorithm (Culotta and McCallum 2004).
    """
    scores = numpy.asarray(log_probabilities, "f8")
    if not len(scores):
        return [], []
    transitions, outside = forbidden(tags), list(tags).index("O")
    path = viterbi(scores, transitions, outside)
    # Of all valid sequences up to a tag, and from it on, itself in the first only.
    forward, backward = scores.copy(), numpy.zeros_like(scores)
    forward[0] += transitions[outside]
    for i in range(1, len(scores)):
        forward[i] += numpy.logaddexp.reduce(forward[i - 1][:, None] + transitions, axis=0)
        following = scores[-i] + backward[-i]
        backward[-i - 1] = numpy.logaddexp.reduce(transitions + following, axis=1)
    total = numpy.logaddexp.reduce(forward[-1])
    # An entity ends where no I- follows.
    ends = [index for index, tag in enumerate(tags) if not tag.startswith("I-")]
    names = [tags[index] for index in path]
    entities = []
    for first in (i for i, name in enumerate(names) if name.startswith("B-")):
        last = first
        while last + 1 < len(names) and names[last + 1].startswith("I-"):
            last += 1
        inside = sum(scores[i, path[i]] for i in range(first + 1, last + 1))
        after = 0.0
        if last + 1 < len(scores):
            after = numpy.logaddexp.reduce((scores + backward)[last + 1, ends])
        logarithm = forward[first, path[first]] + inside + after - total
        entities.append((first, last, names[first][2:], min(1.0, float(numpy.exp(logarithm)))))
    return path, entities
