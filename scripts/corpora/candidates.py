"""The texts of a raw corpus that may become silver text: none of the gold corpus, and none twice."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from spacy.vocab import Vocab

from .docbins import read_docs
from .duplicates import TextIndex
from .examples import Log, Notes
from .options import Options
from .texts import RawText, raw_texts, text_files

# The splits of an index of texts, each protected from those before it.
SPLITS = ("silver", "train", "dev", "test")
IN_TEST = "text of the corpus's dev or test"
IN_TRAIN = "text of the corpus's train, where it is annotated"
DUPLICATE = "duplicate"
TOO_LONG = "longer than spaCy's maximum"


class Source(NamedTuple):
    """Raw text, and what to read of it. limit: the number of texts to annotate, the first ones (0: all)."""

    path: Path
    limit: int = 0
    options: Options = Options()


def key_of(text: str) -> int:
    """Return a hash of a text that is the same whatever its case and its whitespace."""
    return hash("".join(text.split()).casefold())


class Candidates:
    """The texts of a source that are to be annotated: none of the gold corpus, and none twice.

    Whatever is left out is counted in the log of its file. May be iterated several times.
    """

    def __init__(self, source: Source, corpus: Path, longest: int) -> None:
        self.source, self.corpus, self.longest = source, corpus, longest
        self.files = text_files(source.path)
        self.logs: dict[Path, Log] = {}
        self.found: Counter[Path] = Counter()

    def index(self) -> TextIndex:
        """Return an index of the gold texts."""
        index = TextIndex(SPLITS)
        for split in SPLITS[1:]:
            path = self.corpus / f"{split}.spacy"
            for doc in read_docs(path, Vocab()) if path.exists() else ():
                index.protect(split, key_of(doc.text))
        return index

    def reason(self, text: str, index: TextIndex) -> str:
        """Return why a text is left out, "" if it is not."""
        key = key_of(text)
        if len(text) > self.longest:
            return TOO_LONG
        if index.is_leak("train", key):
            return IN_TEST
        if index.is_leak("silver", key):
            return IN_TRAIN
        return "" if index.is_first("silver", key) else DUPLICATE

    def all(self) -> Iterator[tuple[str, RawText]]:
        """Yield the texts without regard to the limit."""
        index = self.index()
        self.logs, self.found = {}, Counter()
        for path in self.files:
            log = self.logs[path] = Log()
            for raw in raw_texts(path, self.source.options, log):
                if reason := self.reason(raw.text, index):
                    log.skip(reason, f"{path}:{raw.number}")
                    continue
                self.found[path] += 1
                yield self.name(path), raw

    def __iter__(self) -> Iterator[tuple[str, RawText]]:
        """Yield each text with the name of its file."""
        return islice(self.all(), self.source.limit or None)

    def name(self, path: Path) -> str:
        """Return the path of a file relative to the source."""
        root = self.source.path
        return path.name if path == root else path.relative_to(root).as_posix()

    def unread(self) -> dict[str, Any]:
        """Return what the report of a conversion says of files that were ignored."""
        notes = Notes()
        for path in self.files[len(self.logs) :]:
            notes.add("file not read, as --limit was reached before", str(path))
        return notes.to_json()

    def report(self, task: str, digests: dict[str, str]) -> dict[str, Any]:
        """Return the report on the files that were read, in the form of `convert`."""
        options = {k: v for k, v in self.source.options._asdict().items() if v is not None}
        return {
            str(path): {
                "format": "silver", "split": "train",
                "examples": self.found[path] + sum(log.skipped.counts.values()),
                "written": {"train": self.found[path]},
                "skipped": log.skipped.to_json(), "repaired": {}, "lines": dict(log.lines),
                "layout": {"annotated for": task, **log.layout}, "options": options,
                "sha256": digests[self.name(path)],
            }
            for path, log in self.logs.items()
        }  # fmt: skip
