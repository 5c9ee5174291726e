"""CoNLL-U with entities in MISC: tags (NER=B-PER), or brackets (Entity=(1-person-new … Entity=1)).

Words are those of the text: of `3-4 du` with the syntactic words 3 and 4, the range counts. An entity
of a part of it is widened to the whole. Nodes that are not in the text (8.1) are passed over.
"""

import re
from collections import Counter
from collections.abc import Iterator

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ..examples import Format, Log, TaggedSentence
from ..options import Options
from ..sample import Sample
from ..spans import TWICE, Claim, without_overlaps
from .conllu_lines import COLUMNS, ID, WIDTH, CoNLLU, Sentence, Words
from .layout import CHUNKS
from .mentions import Mentions, Place
from .tags import TAG, TagDecoder

# Keys of MISC that hold entities, in lower case, and may name types without B- and I-.
ENTITY_KEYS = ("ner", "ne", "entity", "namedentity", "ent", "name")
OUTSIDE = ("_", "O", "")
NAMED = re.compile(r"[A-Za-z_]+_\d+(?:-[A-Za-z_]+_\d+)*")
# Distinct values that are looked at of each key of MISC.
VALUES = 2000
WIDENED = "entity of a part of a word (3-4 du), widened to all of it"


def is_tag(value: str) -> bool:
    match = TAG.fullmatch(value)
    return match is not None and bool(match[2])


class Keys:
    """The keys of MISC in a file, with their counts and first distinct values."""

    def __init__(self, file: RawFile) -> None:
        self.counts: Counter = Counter()
        self.values: dict[str, set[str]] = {}
        for sentence in CoNLLU(file, Log()).sentences():
            for node in sentence.nodes:
                for key, value in node.misc.items():
                    self.counts[key] += 1
                    values = self.values.setdefault(key, set())
                    if len(values) < VALUES:
                        values.add(value)

    def style(self, key: str) -> str:
        """Return how a key gives entities: "brackets", "tags", "types", "names" (of NameTag: per_1), or
        "" if it does not."""
        values = self.values[key] - set(OUTSIDE)
        if values and all(is_tag(value) for value in values):
            return "" if {value[2:] for value in values} <= CHUNKS else "tags"
        if key not in ENTITY_KEYS or not values:
            return ""
        if all(Mentions.matches(value) for value in values):
            return "brackets"
        if all(NAMED.fullmatch(value) for value in values):
            return "names"
        if any(is_tag(value) for value in values):
            # Some are no tags: refused where they are.
            return "tags"
        return "" if key == "name" or values <= {"Yes", "No"} else "types"

    def chosen(self, file: RawFile) -> tuple[str, str]:
        """Return the key with the entities, and its style. Raises UserError if none or several have."""
        styles = {key: style for key in self.values if (style := self.style(key))}
        if not styles:
            keys = ", ".join(f"{key} ({n:,})" for key, n in self.counts.most_common(8))
            raise UserError(
                f"{file}: no entities in MISC, which has {f'the keys {keys}' if keys else 'no keys'}; "
                "expected NER=B-PER or Entity=(1-person…; name another format if they are elsewhere."
            )
        known = [key for key in styles if key in ENTITY_KEYS]
        if len(known) == 1:
            return known[0], styles[known[0]]
        if len(styles) > 1:
            found = ", ".join(f"{key} ({self.counts[key]:,})" for key in styles)
            raise UserError(
                f"{file}: entities in several keys of MISC: {found}; remove all but one of them."
            )
        return next(iter(styles.items()))


def tagged(
    sentence: Sentence, words: Words, key: str, style: str, decoder: TagDecoder
) -> list[tuple[int, int, str, bool]]:
    """Return the entities given by tags, as (start, end, label, whether widened) in words."""
    ranges = {
        number
        for node in sentence.nodes
        if node.kind == "-" and node.misc.get(key, "_") not in OUTSIDE
        for number in range(node.first, node.last + 1)
    }
    units: list[tuple[int, str]] = []
    for node, index in zip(sentence.nodes, words.index):
        # A range has the tag of its words where it has none of its own.
        own = node.kind == "-" and node.misc.get(key, "_") not in OUTSIDE
        if not own and (node.kind or node.first in ranges):
            continue
        tag = node.misc.get(key, "_")
        tag = "O" if tag in OUTSIDE else tag
        if style == "types" and tag != "O":
            tag = f"I-{tag}"
        if tag not in decoder.cache:
            decoder.split(tag, decoder.file.location(node.number))
        units.append((index, tag))
    found = []
    for start, end, label in decoder.decode([tag for _, tag in units], sentence.number):
        first, last = units[start][0], units[end - 1][0]
        widened = (start and units[start - 1][0] == first) or (
            end < len(units) and units[end][0] == last
        )
        found.append((first, last + 1, label, bool(widened)))
    return found


def named(sentence: Sentence, words: Words, key: str) -> list[tuple[int, int, str, bool]]:
    """Return the entities given by names with numbers, as NameTag writes them: NE=P_1-pf_2."""
    found: dict[str, list[tuple[int, Place]]] = {}
    for node, index, place in zip(sentence.nodes, words.index, words.places):
        value = node.misc.get(key, "_")
        if not place.empty and value not in OUTSIDE:
            for name in value.split("-"):
                found.setdefault(name, []).append((index, place))
    return [
        (x[0][0], x[-1][0] + 1, name.rpartition("_")[0], not (x[0][1].first and x[-1][1].last))
        for name, x in found.items()
    ]


def read(file: RawFile, options: Options, log: Log) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file; see the module.

    Raises UserError for a line that is not CoNLL-U, a file without entities in MISC, or with entities
    in several keys, and for nested entities without --overlaps.
    """
    key, style = Keys(file).chosen(file)
    reader = CoNLLU(file, log)
    decoder = TagDecoder(file, log, lines_per_word=0, advice="fix it")
    log.layout["entities in MISC"] = f"{key} ({style})"
    for sentence in reader.sentences():
        location = file.location(sentence.number)
        words = Words(sentence, log)
        if style == "brackets":
            mentions = Mentions(file, log, reader.fields)
            for node, index, place in zip(sentence.nodes, words.index, words.places):
                if value := node.misc.get(key):
                    mentions.add(value, index, place, node.number)
            found = mentions.close(location)
        elif style == "names":
            found = named(sentence, words, key)
        else:
            found = tagged(sentence, words, key, style, decoder)
        claims: list[Claim] = []
        for start, end, label, widened in found:
            if widened:
                log.repair(WIDENED, location)
            claim = Claim(start, end, label)
            if claim in claims:
                log.repair(TWICE, location)
            else:
                claims.append(claim)
        entities = without_overlaps(claims, location, options, log, "entities of words")
        entities = decoder.trim(words.words, entities, sentence.number)
        log.lines["tokens"] += len(words.words)
        yield TaggedSentence(
            words.words,
            entities,
            sentence.number,
            sentence.document,
            words.known_spaces(sentence.text),
        )
    if style in ("tags", "types"):
        decoder.close()


def are_tags(values: list[str], column: int) -> bool:
    """Return whether a column holds tags, and nothing else where it is filled. Lemmas may look like
    tags (S-Bahn), but for O."""
    filled = [value for value in values if value != "_"]
    return (column > 2 or "O" in filled) and bool(filled) and all(map(TAG.fullmatch, filled))


def recognises(sample: Sample) -> bool:
    """Return whether lines are those of CoNLL-U, with MISC rather than tags in the last column."""
    if sample.suffix in (".csv", ".json", ".jsonl"):
        return False
    # The last line may be cut.
    lines = sample.lines[:-1] or sample.lines
    plus = next((m[1].split() for x in lines if (m := COLUMNS.fullmatch(x))), None)
    if plus and not {"ID", "FORM", "MISC"} <= set(plus):
        return False
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    width = len(plus) if plus else WIDTH
    if not rows or not all(len(row) == width for row in rows):
        return False
    place, misc = (plus.index("ID"), plus.index("MISC")) if plus else (0, WIDTH - 1)
    if not all(ID.fullmatch(row[place]) for row in rows):
        return False
    # Tags in another column, or in place of MISC: a file with a token a line.
    if any(are_tags([row[column] for row in rows], column) for column in range(2, width)):
        return False
    return all(row[misc] == "_" or "=" in row[misc] or "|" in row[misc] for row in rows)


FORMAT = Format(
    "CoNLL-U with entities in MISC (NER=B-PER, or Entity= with brackets)",
    read,
    options=("encoding", "overlaps"),
    recognises=recognises,
)
