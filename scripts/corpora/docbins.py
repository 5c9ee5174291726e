"""Read and write DocBins: .spacy files, and folders of shards."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import srsly
from spacy.tokens import Doc, DocBin
from spacy.training.corpus import walk_corpus
from spacy.vocab import Vocab

from ..common.errors import UserError
from ..common.files import check_whole
from .examples import Example, LabelledText, SpannedText, TaggedSentence, labelled
from .writer import PACKER, SHARD_TOKENS

# Components that learn from the labels of texts; `ner` learns from entities.
CLASSIFIERS = {"textcat", "textcat_multilabel"}


def read_docs(path: Path, vocab: Vocab, remedy: str = "convert the corpus again") -> Iterator[Doc]:
    """Yield the annotated documents of a .spacy file, or of a folder of shards.

    remedy: what the user should do if a file is damaged or empty.
    Raises UserError if it is missing, damaged, empty, or part of an incomplete set.
    """
    check_whole(path)
    if not path.exists():
        raise UserError(f"{path} is missing: convert a corpus that has this split first.")
    empty = True
    for shard in walk_corpus(path, ".spacy"):
        try:
            docbin = DocBin().from_disk(shard)
        except ValueError as error:
            raise UserError(f"{shard}: damaged, or not a .spacy file; {remedy}.") from error
        # As get_docs does, but without msgpack's registered types: looking those up takes 0.3 ms.
        packed, docbin.user_data = docbin.user_data, []
        for doc, data in zip(docbin.get_docs(vocab), packed):
            if data is not None:
                doc.user_data.update(srsly.msgpack.unpackb(data, raw=False, object_pairs_hook=dict))
            empty = False
            yield doc
    if empty:
        raise UserError(f"{path} holds no examples; {remedy}.")


def write_docs(docs: Iterable[tuple[Doc, dict]], path: Path) -> None:
    """Write documents with all their annotation, each with its user data: plain values by name.

    `path` ends in .spacy: a file, or a folder of shards if one file would grow too large.
    """
    shards = [DocBin()]
    tokens = 0
    for doc, data in docs:
        if tokens >= SHARD_TOKENS:
            shards.append(DocBin())
            tokens = 0
        tokens += len(doc)
        shards[-1].add(doc)
        shards[-1].user_data.append(PACKER.pack(data))
    for number, shard in enumerate(shards):
        # Set only now, so that `add` does not pack each Doc's own user data as well.
        shard.store_user_data = True
        if len(shards) > 1:
            path.mkdir(exist_ok=True)
        shard.to_disk(path / f"{path.stem}-{number:05}.spacy" if len(shards) > 1 else path)


def example_of(doc: Doc, kind: type[Example]) -> Example:
    """Return what was written as `doc`, as an example of a kind."""
    line = doc.user_data["line"]
    if kind is LabelledText:
        labels = tuple(label for label, value in doc.cats.items() if value)
        return labelled(doc.text, labels, line)
    if kind is TaggedSentence:
        entities = [(entity.start, entity.end, entity.label_) for entity in doc.ents]
        return TaggedSentence([token.text for token in doc], entities, line)
    spans = [(entity.start_char, entity.end_char, entity.label_) for entity in doc.ents]
    return SpannedText(doc.text, spans, line)


def read_annotated(path: Path, tasks: Collection[str], vocab: Vocab) -> Iterator[Doc]:
    """Yield the documents of a split as `read_docs` does.

    tasks: components, of which `ner` and those of CLASSIFIERS count. Of both, a split may be annotated
    for one alone, and any document lack either annotation.
    Raises UserError if they have nothing to learn the tasks from.
    """
    both = "ner" in tasks and bool(CLASSIFIERS & set(tasks))
    has_entities = has_labels = all_outside = False
    for doc in read_docs(path, vocab):
        has_entities = has_entities or bool(doc.ents)
        has_labels = has_labels or bool(doc.cats)
        all_outside = all_outside or (both and doc.has_annotation("ENT_IOB"))
        if "textcat" in tasks and (doc.cats or not both):
            check_label(path, doc)
        yield doc
    if "ner" not in tasks or has_entities:
        return
    if not both:
        raise UserError(f"{path} has no entities: not a corpus for named entities.")
    if not has_labels:
        raise UserError(f"{path} has neither entities nor labels: nothing to learn from.")
    if all_outside:
        raise UserError(
            f"{path} has no entities, but tokens marked as outside of one, from which `ner` would learn "
            'that there are none; leave them unknown: doc.set_ents([], default="missing").'
        )


def check_label(path: Path, doc: Doc) -> None:
    """Raise UserError for a text that does not have exactly one label."""
    if not doc.cats:
        raise UserError(f"{path} has texts without labels: not a corpus for a text classifier.")
    labels = [label for label, value in doc.cats.items() if value]
    if len(labels) != 1:
        raise UserError(
            f"{path} has a text with {len(labels)} labels, {', '.join(labels)[:80] or 'none'}: "
            f"{doc.text[:40]!r}; `textcat` takes one label per text."
        )
