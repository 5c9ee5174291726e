"""Hugging Face's token classification: a list of tokens and a list of tags in each row.

JSON Lines, a JSON array or Parquet. Tags are strings, or numbers whose names are those of a ClassLabel
in the schema of Parquet or given by --label-names.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from ...common.errors import UserError
from ...common.label_names import parse_label_names
from ...common.rawfile import RawFile, plain_path
from ..examples import EMPTY_TEXT, Format, Log, TaggedSentence
from ..options import Options
from ..records import JSON
from ..sample import RECORDS, Sample
from .columns import find_column
from .tabular import Row, item_of, json_rows, parquet
from .tags import TAG, TagDecoder

# Default names of columns, in the order in which they are preferred.
TOKENS = ("tokens", "words", "token", "word")
TAGS = ("ner_tags", "ner_tag", "ner", "ner_labels", "tags", "labels", "label", "entities")
PARQUET = ".parquet"


def rows_of(file: RawFile, log: Log) -> Iterator[Row]:
    """Yield (number, row) for each row. Raises UserError for a suffix that is not read."""
    suffix = plain_path(Path(file.name)).suffix.lower()
    if suffix == PARQUET:
        return parquet(file, log)
    if suffix in JSON:
        return json_rows(file, log)
    raise UserError(f"{file}: not a suffix of this format; it reads .jsonl, .json and .parquet.")


def feature_names(feature: Any) -> Sequence[str]:
    """Return the class names of a list of ClassLabel, as any version of `datasets` describes it."""
    inner = item_of(feature)
    if not isinstance(inner, dict) or inner.get("_type") != "ClassLabel":
        return ()
    names = inner.get("names")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return names
    return ()


def names_in_schema(file: RawFile) -> dict[str, Sequence[str]]:
    """Return the names of tags of each column of a Parquet file, whose reader refuses a damaged one."""
    try:
        schema = pyarrow.parquet.read_schema(file.path)
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"][
            "features"
        ]
        return {name.casefold(): feature_names(feature) for name, feature in features.items()}
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(x, str) for x in value)


def is_tags(value: Any) -> bool:
    """Return whether a value may be tags or their numbers."""
    if not isinstance(value, list) or not value:
        return False
    return all(type(x) is int for x in value) or all(isinstance(x, str) for x in value)


class TagNames:
    """The tags of a file as strings.

    Types of entities without B- and I-, as Few-NERD has them, are read as I-: neighbours of one type
    are one entity. They are taken for such if the names are known, or the first rows have O and none
    of them a prefix.
    """

    def __init__(self, file: RawFile, options: Options, column: str, rows: list[Row]) -> None:
        self.option = parse_label_names("--label-names", options.label_names or "")
        schema = {} if self.option or rows_are_json(file) else names_in_schema(file)
        self.names = self.option or {str(n): x for n, x in enumerate(schema.get(column, ()))}
        seen: set[str] = set(self.names.values())
        if not seen:
            for _, row in rows:
                tags = row.get(column)
                seen.update(x for x in tags if isinstance(x, str)) if is_tags(tags) else None
        labels = seen - {"O"}
        self.plain = "O" in seen and bool(labels) and not any(TAG.fullmatch(x) for x in labels)

    def read(self, tags: list[Any], location: str) -> list[str]:
        """Return the tags of a row. Raises UserError for what is neither a tag nor a number with a
        name."""
        return [self.tag(tag, location) for tag in tags]

    def tag(self, tag: Any, location: str) -> str:
        if type(tag) is not int and not isinstance(tag, str):
            raise UserError(
                f"{location}: {str(tag)[:40]!r} is not a tag; write a string or a number."
            )
        if type(tag) is int or tag in self.names:
            name = self.names.get(str(tag))
            if name is None:
                known = f"; there are names for {', '.join(self.names)[:80]}" if self.names else ""
                raise UserError(
                    f"{location}: tag {tag} is a number without a name{known}; name all of them: "
                    "--label-names 0=O,1=B-PER,2=I-PER,…"
                )
            tag = name
        if not self.plain or tag == "O":
            return tag
        if TAG.fullmatch(tag):
            raise UserError(
                f"{location}: tag {tag[:40]!r} has a prefix, and those of the first rows have none; "
                "write all of them with B- and I-."
            )
        return f"I-{tag}"


def rows_are_json(file: RawFile) -> bool:
    return plain_path(Path(file.name)).suffix.lower() in JSON


def read(file: RawFile, options: Options, log: Log) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file.

    Raises UserError for a missing column, rows with as many tags as tokens, and numbers of tags that
    have no names.
    """
    first = list(islice(rows_of(file, Log()), RECORDS))
    columns = list(dict.fromkeys(name for _, row in first for name in row))
    where = file.location(1)
    tokens_column = find_column(
        dict.fromkeys(columns), options.text_column or "", TOKENS, "--text-column", where
    )
    tags_column = find_column(
        dict.fromkeys(columns), options.label_column or "", TAGS, "--label-column", where
    )
    names = TagNames(file, options, tags_column, first)
    log.layout.update(tokens=tokens_column, tag_column=tags_column)
    others = [name for name in TAGS if name in columns and name != tags_column]
    others += [
        name for name in columns if name.endswith("_tags") and name not in (*others, tags_column)
    ]
    if others:
        log.layout["also in the file"] = ", ".join(others)
    decoder = TagDecoder(
        file, log, lines_per_word=0, advice="fix it, or name the column with --label-column"
    )
    for number, row in rows_of(file, log):
        location = file.location(number)
        words, tags = row.get(tokens_column), row.get(tags_column)
        if words in (None, []):
            log.skip(EMPTY_TEXT, location)
            continue
        if tags is None:
            log.skip("without annotation", location)
            continue
        if not is_tokens(words) or not isinstance(tags, list):
            raise UserError(
                f"{location}: {tokens_column} and {tags_column} must be lists, of strings and of tags; "
                f"found {str(words)[:40]} and {str(tags)[:40]}."
            )
        if len(words) != len(tags):
            raise UserError(
                f"{location}: {len(words)} {tokens_column} but {len(tags)} {tags_column}; a tag for "
                "each token is needed, so fix or remove the row."
            )
        entities = decoder.decode(names.read(tags, location), number)
        yield TaggedSentence(words, decoder.trim(words, entities, number), number)
    decoder.close()


def recognises(sample: Sample) -> bool:
    """Return whether rows have a list of tokens and one of as many tags."""
    if sample.suffix == PARQUET:
        lists = {x.name.casefold(): x.type for x in sample.schema if has_items(x.type)}
        tokens = [name for name in TOKENS if name in lists]
        return any(not pyarrow.types.is_integer(lists[x].value_type) for x in tokens) and any(
            x in lists for x in TAGS
        )
    for record in sample.objects:
        row = {name.casefold(): value for name, value in record.items()}
        tokens = next((row[x] for x in TOKENS if is_tokens(row.get(x))), [])
        if any(is_tags(row.get(x)) and len(row[x]) == len(tokens) for x in TAGS):
            return True
    return False


def has_items(kind: pyarrow.DataType) -> bool:
    """Return whether an Arrow type is a list of strings or of integers."""
    types = pyarrow.types
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    item = kind.value_type
    return types.is_integer(item) or types.is_string(item) or types.is_large_string(item)


FORMAT = Format(
    "Hugging Face: tokens and ner_tags in JSON Lines, JSON or Parquet",
    read,
    options=("encoding", "text_column", "label_column", "label_names"),
    recognises=recognises,
)
