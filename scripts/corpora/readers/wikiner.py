"""WikiNER: one sentence per line of space-separated `word|POS|tag` (Nothman et al. 2013)."""

from collections.abc import Iterator

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ..examples import Format, Log, TaggedSentence
from ..options import Options
from ..sample import Sample
from .iob import DOCUMENT
from .tags import TAG, TagDecoder


def has_documents(file: RawFile) -> bool:
    """Return whether blank lines separate documents, reading up to the first that does."""
    lines = (bool(line.strip(" ")) and not line.startswith(DOCUMENT) for _, line in file.lines())
    # Sentence, boundary, sentence: each `in` resumes where the previous one stopped.
    return True in lines and False in lines and True in lines


def read(file: RawFile, options: Options, log: Log) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file; blank lines, if any, separate documents.

    Raises UserError for a token that is not word|POS|tag.
    """
    decoder = TagDecoder(file, log, lines_per_word=0, advice="fix it, or check the format")
    # That there are documents is known only from the end of the first one.
    document = 1 if has_documents(file) else None
    filled = False
    for number, line in file.lines():
        tokens = [token.rsplit("|", 2) for token in line.split(" ") if token]
        if not tokens or line.startswith(DOCUMENT):
            log.lines["documents" if tokens else "blank"] += 1
            if document and filled:
                document += 1
            filled = False
            continue
        for token in tokens:
            if len(token) != 3:
                raise UserError(
                    f"{file.location(number)}: {'|'.join(token)[:40]!r} is not word|POS|tag; fix "
                    "it, or check the format."
                )
        words, tags = [word for word, _, _ in tokens], [tag for _, _, tag in tokens]
        log.lines["sentences"] += 1
        entities = decoder.trim(words, decoder.decode(tags, number), number)
        yield TaggedSentence(words, entities, number, document)
        filled = True
    decoder.close()


def recognises(sample: Sample) -> bool:
    """Return whether all words of the first lines are word|POS|tag."""
    # The last line may be cut.
    lines = [x for x in sample.lines[:-1] or sample.lines if not x.startswith(DOCUMENT)][:20]
    tokens = [token.rsplit("|", 2) for line in lines for token in line.split(" ") if token]
    return bool(tokens) and all(len(x) == 3 and TAG.fullmatch(x[2]) for x in tokens)


# The original is a single file without splits.
FORMAT = Format(
    "word|POS|tag, one sentence per line",
    read,
    options=("encoding",),
    recognises=recognises,
    dev_ratio=0.1,
    test_ratio=0.1,
)
