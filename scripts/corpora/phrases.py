"""Carving of a corpus that holds the phrases of its sentences, as SST-2's train does."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from .units import limit_of


def sentences_of(texts: Sequence[str]) -> dict[str, list[str]]:
    """Return of each text the sentences that it is a phrase of: the texts that hold its tokens,
    between spaces, in a row, and that no other text holds. A sentence has none."""
    found: dict[str, list[str]] = {text: [] for text in texts}
    # How long the texts are that begin with these two tokens, or are this one.
    lengths: defaultdict[str, set[int]] = defaultdict(set)
    for text in found:
        tokens = text.split(" ")
        lengths[" ".join(tokens[:2])].add(len(tokens))
    # The longest first: what is in a phrase is in its sentence as well, and found there.
    for text in sorted(found, key=lambda text: -text.count(" ")):
        if found[text]:
            continue
        tokens = text.split(" ")
        # Where each token begins, and where one after the last would.
        offsets = [0]
        for token in tokens:
            offsets.append(offsets[-1] + len(token) + 1)
        for index, start in enumerate(offsets[:-1]):
            for head in {tokens[index], " ".join(tokens[index : index + 2])}:
                for length in lengths.get(head, ()):
                    if index + length < len(offsets) and length < len(tokens):
                        sentences = found.get(text[start : offsets[index + length] - 1])
                        if sentences is not None and text not in sentences[-1:]:
                            sentences.append(text)
    return found


def in_turn(sentences: Sequence[str], strata: dict[str, int], seed: int) -> list[str]:
    """Return sentences in random order, such that each stratum has its share of any first part."""
    members: defaultdict[int, list[str]] = defaultdict(list)
    for sentence in sentences:
        members[strata[sentence]].append(sentence)
    draw = random.Random(seed)
    places = []
    for stratum in members.values():
        draw.shuffle(stratum)
        places += [((i + 0.5) / len(stratum), text) for i, text in enumerate(stratum)]
    return [text for _, text in sorted(places)]


def place_phrases(
    texts: Sequence[str], strata: Sequence[int], sizes: dict[str, int], seed: int
) -> list[str]:
    """Return the split of each text: of `sizes` as many as that at most, the others in train.

    Sentences are drawn; a phrase goes with them where all of its sentences do, and else to train.
    So no text of a carved split is in a text of another. Only of a text that occurs more often than
    `limit` (see units.limit_of) single copies fill what room is left.
    """
    texts = [" ".join(text.split()) for text in texts]
    copies = Counter(texts)
    sentences = sentences_of(texts)
    phrases: defaultdict[str, list[str]] = defaultdict(list)
    for phrase, holders in sentences.items():
        for sentence in holders:
            phrases[sentence].append(phrase)
    # Backwards, so that the first of each text is what stays.
    stratum = dict(zip(reversed(texts), reversed(strata)))
    waiting = in_turn([text for text in sentences if not sentences[text]], stratum, seed)
    split_of: dict[str, str] = {}
    rooms = {}
    for split, size in sizes.items():
        outside = {phrase: len(holders) for phrase, holders in sentences.items()}
        later = []
        for sentence in waiting:
            gained = [p for p in phrases[sentence] if outside[p] == 1]
            gain = copies[sentence] + sum(copies[phrase] for phrase in gained)
            if gain > size:
                later.append(sentence)
                continue
            size -= gain
            split_of.update(dict.fromkeys([sentence, *gained], split))
            for phrase in phrases[sentence]:
                outside[phrase] -= 1
        waiting = later
        rooms[split] = size
    places = [split_of.get(text, "train") for text in texts]
    limit = limit_of(sizes)
    often = [i for i, text in enumerate(texts) if copies[text] > limit and text not in split_of]
    random.Random(seed).shuffle(often)
    for split, room in rooms.items():
        for row in often[:room]:
            places[row] = split
        often = often[room:]
    return places
