"""fastText's training format: a text a line, with `__label__` before each of its labels.

Labels are words anywhere in the line, as for fastText itself (Joulin et al. 2017).
"""

import re
from collections.abc import Iterator

from ...common.rawfile import RawFile
from ..examples import EMPTY_TEXT, WITHOUT_LABEL, Example, Format, Log, labelled
from ..options import Options
from ..records import JSON
from ..sample import Sample
from .labels import LabelReader

LABEL = re.compile(r"(?<!\S)__label__(\S*)\s*")
# A line, or its text, as programs write a field of CSV that has a quote in it.
QUOTED = re.compile(r'"(?:[^"]|"")*"')
QUOTED_LINE = re.compile(r'"__label__(?:[^"]|"")*"')


def unquoted(field: str) -> str:
    return field[1:-1].replace('""', '"')


def parse(line: str) -> tuple[str, list[str]]:
    """Return the text of a line, and its labels."""
    return LABEL.sub("", line).strip(), [name for name in LABEL.findall(line) if name]


def has_quoted_texts(file: RawFile) -> bool:
    """Return whether all texts with a space are quoted, as a file with spaces between its columns
    has them."""
    texts = (parse(line)[0] for _, line in file.lines())
    quoted = [bool(QUOTED.fullmatch(text)) for text in texts if " " in text]
    return len(quoted) > 1 and all(quoted)


def read(file: RawFile, options: Options, log: Log) -> Iterator[Example]:
    """Yield the texts of a file that have a label."""
    csv = options.quoting != "none"
    all_quoted = csv and has_quoted_texts(file)
    labels = LabelReader(file, options)
    for number, line in file.lines():
        location = file.location(number)
        if not line.strip():
            log.lines["blank"] += 1
            continue
        if csv and QUOTED_LINE.fullmatch(line.strip()):
            line = unquoted(line.strip())
            log.layout["quotes removed around"] = "lines"
        text, names = parse(line)
        # A quote within a field is doubled.
        if csv and QUOTED.fullmatch(text) and (all_quoted or '""' in text[1:-1]):
            text = unquoted(text).strip()
            log.layout["quotes removed around"] = "texts"
        if not names:
            log.skip(WITHOUT_LABEL, location)
        elif not text:
            log.skip(EMPTY_TEXT, location)
        else:
            found = {label for name in names for label in labels.read(name)}
            yield labelled(text, found, number)
    labels.close(log)


def recognises(sample: Sample) -> bool:
    """Return whether most lines begin or end with a label."""
    if not sample.lines or sample.suffix in JSON:
        return False
    found = [line for line in sample.lines if LABEL.search(line) or QUOTED_LINE.match(line)]
    return len(found) > len(sample.lines) / 2


FORMAT = Format(
    "fastText: a text a line, with `__label__` before each of its labels",
    read,
    options=("encoding", "label_names", "label_separator", "quoting"),
    labels=None,
    recognises=recognises,
)
