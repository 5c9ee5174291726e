"""JSON values one after the other: JSON Lines, or the elements of an array, which is streamed."""

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

import ijson

from ..common.errors import UserError, first_line
from ..common.rawfile import BYTE_ORDER_MARKS, RawFile
from ..common.split_names import SPLIT_WORDS

END = object()
# An object with the examples under one of these keys, and others such as "version" beside it.
HOLDERS = ("data", "examples", "rows", "items", "records", "documents", "texts")
HOLDER = re.compile(rb'"(%s)"\s*:\s*\[\s*\{(\s*"row_idx")?' % "|".join(HOLDERS).encode())
JSON = (".jsonl", ".ndjson", ".json")
WRITE = 'write one object per line, {"text": …, "label": …}, or an array of them'


def is_array(file: RawFile) -> bool:
    """Return whether a file is one JSON array, rather than JSON Lines: those of spaCy 2 may be arrays
    too, but begin with a text."""
    head = file.head()
    mark = next((mark for mark, _ in BYTE_ORDER_MARKS if head.startswith(mark)), b"")
    # Every second byte or more is NUL in UTF-16 and UTF-32, which `elements` refuses.
    begin = b"".join(head.removeprefix(mark).replace(b"\0", b"").split())[:2]
    return begin[:1] == b"[" and begin[1:] in (b"[", b"{", b"]", b"")


def prefix_of(file: RawFile) -> str:
    """Return where in a single object the array of examples is, as ijson names it: {"data": [{…}, …]};
    "" if the file is an array or JSON Lines.

    The viewer of Hugging Face has {"rows": [{"row_idx": 0, "row": {…}}, …]}.
    """
    head = file.head().removeprefix(BYTE_ORDER_MARKS[0][0])
    found = HOLDER.search(head) if head.lstrip().startswith(b"{") else None
    if not found:
        return ""
    first, _, rest = head.lstrip().partition(b"\n")
    if rest.strip() and first.rstrip().endswith(b"}"):
        return ""
    name = found[1].decode()
    events = ijson.parse(io.BytesIO(head))
    try:
        # Anywhere else than at the top, it is a part of the first example.
        if not any(event[:2] == (name, "start_array") for event in events):
            return ""
    except (ijson.JSONError, ValueError):
        return ""
    return f"{name}.item.row" if found[2] else f"{name}.item"


def watched(
    file: RawFile, events: Iterator[tuple[str, str, Any]], name: str
) -> Iterator[tuple[str, str, Any]]:
    """Yield the events of a JSON object with the examples under a key. Raises UserError if there are
    others, or another split, under another key."""
    others = {f"{key}.item" for key in (*HOLDERS, *chain(*SPLIT_WORDS.values())) if key != name}
    for event in events:
        if event[1] == "start_map" and event[0] in others:
            raise UserError(
                f"{file}: examples under {name!r} and {event[0].removesuffix('.item')!r} of one object; "
                "write each to a file of its own."
            )
        yield event


def check_characters(value: Any) -> None:
    """Raise ValueError for an escaped lone surrogate, which is not a character."""
    json.dumps(value, ensure_ascii=False).encode()


def lines_of_json(file: RawFile, lines: Counter) -> Iterator[tuple[int, Any]]:
    """Yield (line number, value) for each line that is not blank; of invalid JSON, a UserError."""
    for number, line in file.lines():
        if not line.strip():
            lines["blank"] += 1
            continue
        try:
            value = json.loads(line)
            if "\\u" in line:
                check_characters(value)
        except (ValueError, RecursionError) as error:
            value = UserError(f"{file.location(number)}: not a JSON object ({error}); {WRITE}.")
        yield number, value


def elements(file: RawFile, prefix: str = "item") -> Iterator[tuple[int, Any]]:
    """Yield (number from 1, element) for each element of an array, holding one in memory at a time.

    prefix: where the array is, as ijson names it, if it is not the whole file.

    Raises UserError for invalid JSON.
    """
    file.unit = "item"
    number = 0
    with file.open() as stream:
        head = file.head()
        for mark, encoding in BYTE_ORDER_MARKS:
            if head.startswith(mark):
                if encoding != "utf-8-sig":
                    raise UserError(f"{file}: JSON in {encoding}; write it in UTF-8.")
                stream.read(len(mark))
        name = prefix.partition(".")[0]
        if name in HOLDERS:
            stream = watched(file, ijson.parse(stream, use_float=True), name)
            found = ijson.items(stream, prefix)
        else:
            found = ijson.items(stream, prefix, use_float=True)
        while True:
            try:
                value = next(found, END)
                if value is not END:
                    check_characters(value)
            except (ijson.JSONError, ValueError, RecursionError) as error:
                raise UserError(
                    f"{file.location(number + 1)}: invalid or truncated JSON "
                    f"({first_line(error)[:120]}); get a fresh copy, or fix it."
                ) from error
            if value is END:
                return
            number += 1
            yield number, value


def json_values(
    file: RawFile, lines: Counter | None = None, tolerant: bool = False
) -> Iterator[tuple[int, Any]]:
    """Yield (number, value) for each line of JSON Lines or each element of an array.

    lines: counts the lines of each kind. tolerant: whether the UserError about a line is yielded
    instead of raised. Raises UserError for invalid JSON, with its line or the number of its element.
    """
    lines = Counter() if lines is None else lines
    prefix = "item" if is_array(file) else prefix_of(file)
    for number, value in elements(file, prefix) if prefix else lines_of_json(file, lines):
        if isinstance(value, UserError) and not tolerant:
            raise value
        lines["rows"] += 1
        yield number, value


def json_objects(
    file: RawFile, lines: Counter | None = None, tolerant: bool = False
) -> Iterator[tuple[int, Any]]:
    """Yield what `json_values` does, of a value that is not an object its UserError if `tolerant`.

    Raises UserError for a value that is not an object.
    """
    for number, value in json_values(file, lines, tolerant):
        if not isinstance(value, dict | UserError):
            value = UserError(
                f"{file.location(number)}: not a JSON object (found a {type(value).__name__}); "
                f"{WRITE}."
            )
            if not tolerant:
                raise value
        yield number, value
