"""WikiNER: one sentence a line, `word|POS|tag` between spaces, plain or .bz2 (Nothman et al. 2013)."""

from pathlib import Path
from typing import Iterator

from ..errors import UserError
from .examples import Format, Notes, TaggedSentence, lines
from .tags import TagDecoder


def read(path: Path, skipped: Notes, repaired: Notes) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file; blank lines separate documents and are passed over.

    Raises UserError for a token that is not word|POS|tag.
    """
    decoder = TagDecoder()
    for number, line in lines(path):
        tokens = [token.rsplit("|", 2) for token in line.split(" ") if token]
        if not tokens:
            continue
        place = f"{path}:{number}"
        for token in tokens:
            if len(token) != 3:
                raise UserError(f"{place}: {'|'.join(token)[:40]!r} is not word|POS|tag.")
        words, _, tags = zip(*tokens)
        yield TaggedSentence(list(words), decoder.decode(tags, place))
    decoder.note_repairs(repaired)


# The original is one file without splits.
FORMAT = Format(read, dev_ratio=0.1, test_ratio=0.1)
