"""spaCy's own data: TRAIN_DATA of spaCy 2, training JSON of spaCy 2, DocBins of spaCy 3.

`[text, {"entities": [[start, end, label]…]}]` or `[text, {"cats": {label: 1.0}}]`, in JSON Lines, in an
array, or as the `annotations` of an object (NER Annotator); `{"paragraphs": [{"raw", "sentences":
[{"tokens": [{"orth", "ner"}]}], "cats"}]}` with BILUO tags; and `.spacy` files.
"""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ...common.errors import UserError, first_line, sift
from ...common.rawfile import RawFile, plain_path
from ..examples import EMPTY_TEXT, Example, Format, LabelledText, Log, TaggedSentence, labelled
from ..options import Options
from ..records import JSON, elements, json_values
from ..sample import Sample
from ..spans import Marked, spanned
from .spaces import spaces_in
from .table import claims_of
from .tags import TagDecoder

DOCBIN = ".spacy"
UNANNOTATED = "without annotation"
MISSING = "token without annotation (-), taken as outside of entities"
BOTH = "entities and labels of texts in one corpus; write them to two files and convert each"
# The keys of an annotation that are read.
READ = {"entities", "cats"}
# NER Annotator writes one object, in which texts that were not annotated are null.
ANNOTATOR = re.compile(rb'\s*\{\s*"(classes|annotations)"\s*:\s*\[')
# What DocBin raises for a damaged file.
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)


def true_labels(cats: dict[Any, Any], location: str) -> list[str]:
    """Return the labels of a text that are true. Raises UserError for values other than 0 and 1."""
    for label, value in cats.items():
        if value not in (0, 1) or not isinstance(value, (int, float)) or not str(label).strip():
            raise UserError(
                f"{location}: cats give {str(label)[:40]!r} the value {str(value)[:20]}; write 1 for "
                "a label that is true and 0 for others."
            )
    return [str(label) for label, value in cats.items() if value]


def text_with_labels(
    text: str, cats: dict[Any, Any], number: int, location: str, document: int | None = None
) -> LabelledText:
    """Return a text with its labels; one with a single label that is false is an answer to a question
    about this label alone."""
    labels = true_labels(cats, location)
    return labelled(text, labels, number, document, several=len(cats) == 1 and not labels)


def is_pair(value: Any) -> bool:
    """Return whether a JSON value is a text with its annotation."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], dict)
    )


def read_pair(value: list[Any], number: int, location: str, log: Log) -> Iterator[Marked | Example]:
    """Yield a text of TRAIN_DATA. Raises UserError for one with both kinds of annotation."""
    text, annotation = value
    entities, cats = annotation.get("entities"), annotation.get("cats")
    if entities and cats:
        raise UserError(f"{location}: {BOTH}.")
    if other := set(annotation) - READ:
        log.layout["keys not used"] = sorted({*other, *log.layout.get("keys not used", ())})
    if not isinstance(entities, (list, type(None))) or not isinstance(cats, (dict, type(None))):
        raise UserError(
            f'{location}: expected "entities": [[start, end, label], …] or "cats": {{label: 1, …}}, '
            f"found {str(annotation)[:60]}; fix it."
        )
    if not text.strip():
        log.skip(EMPTY_TEXT, location)
    elif cats:
        yield text_with_labels(text, cats, number, location)
    elif entities is not None:
        yield Marked(text, claims_of(entities, location), number)
    elif annotation.get("spans"):
        raise UserError(
            f'{location}: "spans" may overlap, which `ner` cannot learn; write those to be learned as '
            '"entities".'
        )
    else:
        log.skip(UNANNOTATED, location)


def are_objects(value: Any, **types: type | tuple[type, ...]) -> bool:
    """Return whether a JSON value is a list of objects whose values have these types."""
    return isinstance(value, list) and all(
        isinstance(x, dict) and all(isinstance(x.get(key), t) for key, t in types.items())
        for x in value
    )


def is_paragraph(value: Any) -> bool:
    """Return whether a JSON value is a paragraph of spaCy 2's training JSON."""
    return (
        are_objects([value], entities=(list, type(None)))
        and are_objects(value.get("sentences") or [], tokens=list)
        and all(
            are_objects(sentence["tokens"], orth=str, ner=(str, type(None)))
            for sentence in value.get("sentences") or []
        )
        and are_objects(value.get("cats") or [], label=str)
    )


class Paragraphs:
    """Reads the documents of spaCy 2's training JSON. An example is a paragraph, as in spaCy."""

    def __init__(self, file: RawFile, log: Log) -> None:
        self.log = log
        self.decoder = TagDecoder(file, log, lines_per_word=0, advice="fix it")

    def read(
        self, document: dict[str, Any], number: int, location: str
    ) -> Iterator[Marked | Example]:
        """Yield the paragraphs of a document. Raises UserError for one of another shape."""
        for index, paragraph in enumerate(document["paragraphs"], 1):
            place = f"{location}, paragraph {index}"
            if not is_paragraph(paragraph):
                raise UserError(
                    f'{place}: expected {{"sentences": [{{"tokens": [{{"orth", "ner"}}, …]}}, …]}}, '
                    f"found {str(paragraph)[:60]}; fix it."
                )
            yield from self.paragraph(paragraph, number, place)

    def paragraph(
        self, paragraph: dict[str, Any], number: int, location: str
    ) -> Iterator[Marked | Example]:
        sentences = [sentence["tokens"] for sentence in paragraph.get("sentences") or ()]
        tokens = [token for sentence in sentences for token in sentence]
        words = [token["orth"] for token in tokens]
        raw = paragraph.get("raw")
        text = raw if isinstance(raw, str) else " ".join(words)
        cats = {cat["label"]: cat.get("value") for cat in paragraph.get("cats") or ()}
        tags = [[token.get("ner") or "-" for token in sentence] for sentence in sentences]
        entities = self.entities(tags, number)
        marked = paragraph.get("entities")
        missing = sum(tag == "-" for sentence in tags for tag in sentence)
        if cats and (entities or marked):
            raise UserError(f"{location}: {BOTH}.")
        if not text.strip():
            self.log.skip(EMPTY_TEXT, location)
        elif cats:
            yield text_with_labels(text, cats, number, location, number)
        elif missing < len(tokens):
            for _ in range(missing):
                self.log.repair(MISSING, location)
            entities = self.decoder.trim(words, entities, number)
            spaces = [bool(token["space"]) for token in tokens if "space" in token]
            if len(spaces) < len(words):
                spaces = spaces_in(text, words) if isinstance(raw, str) else None
            yield TaggedSentence(words, entities, number, number, spaces)
        elif marked:
            yield Marked(text, claims_of(marked, location), number, number)
        else:
            self.log.skip(UNANNOTATED, location)

    def entities(self, tags: list[list[str]], number: int) -> list[tuple[int, int, str]]:
        """Return the entities of a paragraph; none goes over the end of a sentence."""
        entities: list[tuple[int, int, str]] = []
        offset = 0
        for sentence in tags:
            known = ["O" if tag == "-" else tag for tag in sentence]
            for start, end, label in self.decoder.decode(known, number):
                entities.append((offset + start, offset + end, label))
            offset += len(sentence)
        return entities


def read_json(file: RawFile, log: Log) -> Iterator[Marked | Example]:
    """Yield the texts of TRAIN_DATA or of training JSON. Raises UserError for other values."""
    paragraphs = Paragraphs(file, log)
    annotator = ANNOTATOR.match(file.head().removeprefix(b"\xef\xbb\xbf"))
    values = elements(file, "annotations.item") if annotator else json_values(file, log.lines)
    for number, value in values:
        location = file.location(number)
        if is_pair(value):
            yield from read_pair(value, number, location, log)
        elif isinstance(value, dict) and isinstance(value.get("paragraphs"), list):
            yield from paragraphs.read(value, number, location)
        elif value is None:
            log.skip(UNANNOTATED, location)
        else:
            raise UserError(
                f'{location}: neither [text, {{"entities": …}}], [text, {{"cats": …}}] nor a document '
                f'with "paragraphs": {str(value)[:60]}; fix it, or check the format.'
            )
    if paragraphs.decoder.prefixes:
        paragraphs.decoder.close()


def read_docbin(file: RawFile, log: Log) -> Iterator[Example]:
    """Yield the documents of a DocBin, their tokens as they are.

    Raises UserError for a damaged file, for documents with entities and labels, and if only span
    groups are annotated.
    """
    # spaCy takes seconds to import, and every command imports this module.
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    file.unit = "document"
    decoder = TagDecoder(file, log, lines_per_word=0)
    groups: set[str] = set()
    read = False
    number = 0
    try:
        with file.open() as stream:
            content = stream.read()
        for number, doc in enumerate(DocBin().from_bytes(content).get_docs(Vocab()), 1):
            location = file.location(number)
            log.lines["documents"] += 1
            groups.update(name for name, spans in doc.spans.items() if spans)
            annotated = doc.has_annotation("ENT_IOB")
            if doc.cats and doc.ents:
                raise UserError(f"{location}: {BOTH}.")
            if not doc.text.strip():
                log.skip(EMPTY_TEXT, location)
            elif doc.cats:
                read = True
                yield text_with_labels(doc.text, doc.cats, number, location)
            elif not annotated:
                log.skip(UNANNOTATED, location)
            else:
                read = read or bool(doc.ents)
                for token in doc:
                    if not token.ent_iob:
                        log.repair(MISSING, location)
                words = [token.text for token in doc]
                entities = [(entity.start, entity.end, entity.label_) for entity in doc.ents]
                entities = decoder.trim(words, entities, number)
                known = not doc.has_unknown_spaces
                spaces = [bool(token.whitespace_) for token in doc] if known else None
                yield TaggedSentence(words, entities, number, spaces=spaces)
    except DAMAGED as error:
        sift(str(file), error)
        raise UserError(
            f"{file.location(number + 1)}: damaged, or not a .spacy file ({first_line(error)[:80]}); "
            "get a fresh copy, or write it again."
        ) from error
    names = ", ".join(sorted(groups))
    if groups and not read:
        raise UserError(
            f"{file}: no entities and no cats, only spans in the groups {names[:200]}, which may overlap "
            "and `ner` cannot learn; set doc.ents from one of them and write the file again."
        )
    if groups:
        log.layout["span groups not used"] = names


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the examples of a file; see the module."""
    if plain_path(Path(file.name)).suffix.lower() == DOCBIN:
        return read_docbin(file, log)
    return spanned(lambda log: read_json(file, log), file, options, log)


def has_paragraphs(value: dict[str, Any]) -> bool:
    """Return whether an object has paragraphs, other than those of SQuAD's questions."""
    paragraphs = value.get("paragraphs")
    questions = isinstance(paragraphs, list) and any(
        "qas" in x for x in paragraphs if isinstance(x, dict)
    )
    return isinstance(paragraphs, list) and not questions


def recognises(sample: Sample) -> bool:
    """Return whether a file is a DocBin, or its first values are in one of the JSON shapes."""
    if sample.suffix == DOCBIN:
        return True
    if sample.suffix not in JSON:
        return False
    head = RawFile(sample.path, sample.encoding).head().removeprefix(b"\xef\xbb\xbf")
    if ANNOTATOR.match(head):
        file = RawFile(sample.path, sample.encoding)
        return any(is_pair(x) for _, x in islice(elements(file, "annotations.item"), 50))
    return any(map(is_pair, sample.records)) or any(map(has_paragraphs, sample.objects))


FORMAT = Format(
    "spaCy: TRAIN_DATA tuples in JSON, spaCy 2's training JSON, DocBin (.spacy)",
    read,
    options=("encoding", "overlaps"),
    labels=None,
    recognises=recognises,
)
