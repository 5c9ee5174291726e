"""Carving of a corpus that contains phrases of its own sentences, as SST-2's train split does."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from .groups import max_group_size


def sentences_of(texts: Sequence[str]) -> dict[str, list[str]]:
    """Return, for each text, the sentences that contain it as a contiguous sequence of tokens.

    Sentences are the texts that no other text contains; for them the list is empty.
    """
    found: dict[str, list[str]] = {text: [] for text in texts}
    # Lengths of the texts that begin with these two tokens, or consist of this one.
    lengths: defaultdict[str, set[int]] = defaultdict(set)
    for text in found:
        tokens = text.split(" ")
        lengths[" ".join(tokens[:2])].add(len(tokens))
    # The longest first: what a phrase contains is found in its sentence already.
    for text in sorted(found, key=lambda text: -text.count(" ")):
        if found[text]:
            continue
        tokens = text.split(" ")
        # Offsets of the tokens, and of the end of the text plus one.
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


def stratified_shuffle(sentences: Sequence[str], strata: dict[str, int], seed: int) -> list[str]:
    """Return sentences in random order, with the strata in proportion in every prefix."""
    members: defaultdict[int, list[str]] = defaultdict(list)
    for sentence in sentences:
        members[strata[sentence]].append(sentence)
    draw = random.Random(seed)
    positions = []
    for stratum in members.values():
        draw.shuffle(stratum)
        positions += [((i + 0.5) / len(stratum), text) for i, text in enumerate(stratum)]
    return [text for _, text in sorted(positions)]


def assign_phrases(
    texts: Sequence[str], strata: Sequence[int], sizes: dict[str, int], seed: int
) -> list[str]:
    """Return the split of each text: at most `sizes` in each carved split, the others in train.

    Sentences are drawn at random. A phrase is assigned to a split if all of its sentences are, and
    otherwise to train, so that no text of a carved split is contained in a text of another split.
    The exception are texts with more copies than `max_group_size`: single copies of them fill what
    remains of a split.
    """
    texts = [" ".join(text.split()) for text in texts]
    copies = Counter(texts)
    sentences = sentences_of(texts)
    phrases: defaultdict[str, list[str]] = defaultdict(list)
    for phrase, holders in sentences.items():
        for sentence in holders:
            phrases[sentence].append(phrase)
    # In reverse, so that the first copy of each text determines its stratum.
    stratum = dict(zip(reversed(texts), reversed(strata)))
    waiting = stratified_shuffle([text for text in sentences if not sentences[text]], stratum, seed)
    split_of: dict[str, str] = {}
    remaining = {}
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
        remaining[split] = size
    assigned = [split_of.get(text, "train") for text in texts]
    limit = max_group_size(sizes)
    frequent = [i for i, text in enumerate(texts) if copies[text] > limit and text not in split_of]
    random.Random(seed).shuffle(frequent)
    for split, count in remaining.items():
        for row in frequent[:count]:
            assigned[row] = split
        frequent = frequent[count:]
    return assigned
