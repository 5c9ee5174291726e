"""Hostile corpora: each conversion ends in one line that says what is wrong, where, and what to do."""

import bz2
import gzip
import lzma
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from spacy.tokens import DocBin

from scripts import convert
from scripts.common.errors import UserError
from scripts.corpora.options import Options

from .cases import (
    BYTES,
    COLUMNS,
    IOB,
    JSON,
    PNG,
    TAKEN,
    WIKINER,
    XML,
    Case,
    delimited,
    folder,
    full,
    half,
    link,
    table,
    tarred,
    tree,
    unreadable,
    zipped,
)

SST2, FLUE = delimited("sentence", "label"), delimited("Text", "Label")
# Each has one é, on the third line.
READERS: dict[str, tuple[str, bytes]] = {
    "sst2": ("sst2 in.tsv", SST2),
    "cls": ("cls in.review", XML.encode()),
    "flue": ("cls in.tsv", FLUE),
    "iob": ("iob in.iob", IOB),
    "wikiner": ("wikiner in.wikiner", WIKINER),
    "fasttext": ("fasttext in.txt", "bon __label__1\nmal __label__0\nété __label__0\n".encode()),
    "csv": ("table in.csv", delimited("text", "label", ",")),
    "tsv": ("table in.tsv", delimited("text", "label")),
    "jsonl": ("table in.jsonl", (JSON + '{"text": "été", "label": "a"}\n').encode()),
    "parquet": ("table in.parquet", table(**COLUMNS)),
}


def hazards(reader: str, file: str, good: bytes) -> Iterator[tuple]:
    """Yield (name, files, fragments) for everything that can go wrong with any reader."""
    broken = {
        "cls": f"{file}:1: malformed XML | get a fresh copy",
        "parquet": f"{file}: row 1: invalid or truncated Parquet file | get a fresh copy",
    }.get(reader)
    gone = f"{file}: no such file or folder | check the path"
    yield "missing", {}, gone
    yield "dangling", link("nowhere"), gone
    yield "loop", link(file), gone
    yield "full", good, "train-00000.spacy: No space left on device"
    one = f"{file}: all texts have the same label | a classifier needs two"
    if reader in ("iob", "wikiner"):
        yield "one", good.replace(b"B-LOC", b"O"), f"{file}: no entities found, every tag is O"
    elif reader == "parquet":
        yield "one", table(text=["bon", "mal"], label=["a", "a"]), one
    else:
        pairs = {"cls": (b">1<", b">4<"), "jsonl": (b'"b"', b'"a"')}
        yield "one", good.replace(*pairs.get(reader, (b"0\n", b"1\n"))), one
    yield "empty", b"", broken or f"{file}: no examples found (the file is empty)"
    yield "png", PNG, broken or f"{file}:3: NUL character, so this is not plain text"
    yield "random", BYTES, broken or f"{file}:1: not valid UTF-8"
    yield "zip", zipped(good), broken or f"{file}:1: NUL character, so this is not plain text"
    yield "folder", folder, f"{file}: no corpus files found"
    unusable = {f"{file}/README": "train", f"{file}/in.md": "dev", f"{file}/up": link("..")}
    yield "unusable", unusable, f"{file}: no corpus files found; file names must contain train"
    if reader in ("cls", "flue"):
        yield "category", {f"{file}/a/train.review": XML}, f"{file}: no category 'x'; use one of a"
    else:
        two = {f"{file}/train.a": good, f"{file}/train.b": good}
        yield (
            "two",
            two,
            f"{file}: both train.a and train.b are named after the train split | --split",
        )
    short = f"{file}: the compressed file is truncated or corrupt | get a fresh copy"
    yield "gzip", gzip.compress(good)[:-12], broken if reader == "parquet" else short
    yield "encoding", good, "--encoding klingon: unknown encoding | iso-8859-1"
    yield "unreadable", good, f"{file}: Permission denied"
    if reader == "parquet":
        yield "truncated", good[:-20], broken
        offsets = pyarrow.array([0, 1, 2], "int32").buffers()[1]
        latin = pyarrow.StringArray.from_buffers(2, offsets, pyarrow.py_buffer(b"a\xe9"))
        yield "latin", table(text=latin, label=["a", "b"]), f"{file}: row | byte 0xe9"
        long = table(text=["bon", "x" * 1_200_000], label=["a", "b"])
        yield "long", long, f"{file}: row 2: text of 1,200,000 characters | maximum is 1,000,000"
        return
    yield "bz2", bz2.compress(good)[:-12], short
    yield "xz", lzma.compress(good)[:-12], short
    nul = good.replace("é".encode(), b"\0", 1)
    latin = good.decode().encode("iso-8859-1")
    if reader == "cls":
        yield "nul", nul, f"{file}:3: malformed XML | get a fresh copy"
        yield "latin", latin, f"{file}:3: malformed XML"
        long = XML.replace("fin", "x" * 11_000_000)
        yield "long", long, f"{file}: item 3: text of 11,000,000 characters | maximum is 1,000,000"
        return
    yield "nul", nul, f"{file}:3: NUL character, so this is not plain text"
    yield "latin", latin, f"{file}:3: not valid UTF-8 (byte 0xe9) | pass --encoding iso-8859-1"
    yield "utf-16", good.decode().encode("utf-16-le"), f"{file}:1: | --encoding utf-16-le"
    line = good.count(b"\n") + 1
    yield "long", good + b"x" * 11_000_000, f"{file}:{line}: line longer than 10,000,000 characters"
    if reader in ("sst2", "flue", "csv", "tsv"):
        mark = b"," if reader == "csv" else b"\t"
        header, rows = good.split(b"\n", 1)
        few, many = good.replace(b"fin" + mark, b"fin "), good.replace(b"mal", b"m" + mark)
        yield "few", few, f"{file}:5: expected 2 columns | found 1 | fix the line"
        yield "many", many, f"{file}:4: expected 2 columns | found 3 | fix the line"
        twice = header + mark + b"label\n" + rows.replace(b"\n", mark + b"1\n")
        yield "twice", twice, f"{file}:1: duplicate column name | 'label' | rename"
        yield "header", rows, f"{file}: | no column | --columns"


def general() -> Iterator[Case]:
    options = {"encoding": " --encoding klingon", "category": " --category x"}
    patches = {"unreadable": unreadable, "full": full(DocBin)}
    for reader, (arguments, good) in READERS.items():
        for hazard, files, fragments in hazards(reader, arguments.split()[1], good):
            case = Case(f"{reader}-{hazard}", arguments + options.get(hazard, ""), files, fragments)
            yield case._replace(patch=patches.get(hazard, case.patch))


def lines(name: str, bad: str, fragments: str, good: str = JSON, options: str = "") -> Case:
    """Return a case with an invalid line after valid ones."""
    place = f"in.jsonl:{good.count(chr(10)) + 1}: "
    return Case(f"json-{name}", f"table in.jsonl {options}", good + bad, f"{place} | {fragments}")


def entity(name: str, spans: str, fragments: str, options: str = "") -> Case:
    bad = f'{{"text": "Marie à  Lens", "entities": {spans}}}\n'
    return lines(name, bad, fragments, ENTITIES, options)


ENTITIES = '{"text": "Marie à Lens", "entities": [[0, 5, "PER"], [8, 12, "LOC"]]}\n'
NO_ENTITY = '{"text": "bon", "entities": []}\n'
NESTED = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
BOMB = f'<!DOCTYPE items [<!ENTITY l0 "ha">{NESTED}]>\n' + XML.replace("bon", "&l11;")
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n' + XML.replace("bon", "&x;")
HARM = "in.review: declares a DTD or entities | remove the declaration"
CODED = '<?xml version="1.0" encoding="{}"?>\n' + XML
CODED_LATIN = CODED.format("iso-8859-1").encode("iso-8859-1")
NO_FILE = "in.tar.gz: no corpus files found; file names must contain train"
REVIEW = "fr/train.review"
NO_REST = "in.iob: | no examples left for train"
TAG = "I- or E- tag that continues no entity"
STRICT = "omit --strict"
LIMIT = "text of | maximum is 1,000,000"
OVER = "1,000 distinct labels, such as | check that this is the label column"
MANY = "1,100 distinct labels, such as | check that this is the right column"
CSV = "text,label\nbon,a\n"
TEXTS, X, X_TOKENS = ["bon", "mal"], b"x" * 2**20, (b"x" * 999 + b"|A|O ") * 1100
NUMBERS = range(1100)
NEW_LABELS = "".join(f"t{i},l{i}\n" for i in NUMBERS)
NEW_SPANS = "".join(NO_ENTITY.replace("[]", f'[[0, 3, "l{i}"]]') for i in NUMBERS)
DAY = pyarrow.array([10**15] * 2, pyarrow.timestamp("s"))
IN_TAKEN = {"in.iob": IOB, "taken": "mine"}
IN_SPLITS = {"in/train": IOB, "in/test": IOB}
LINKED = {"in.iob": IOB, "taken": link("nowhere/deep")}

CONVERSIONS = [
    *general(),
    # Labels and tags
    Case("sst2-label", "sst2 in.tsv", SST2 + b"x\t2\n", "in.tsv:6: invalid label '2' | 0 or 1"),
    Case("sst2-unlabelled", "sst2 in.tsv", "index\tsentence\n0\ta\n", "in.tsv: | 1 without label"),
    Case("json-o", "table in.jsonl", NO_ENTITY * 3, "in.jsonl: no entities found"),
    Case("iob-tags", "iob in.iob", "B-LOC\nO\n\nO\n", "in.iob:1: only one column, 'B-LOC'"),
    Case("wikiner-tags", "wikiner in.w", "O O B-LOC\n", "in.w:1: 'O' is not word|POS|tag; fix it"),
    Case("iob-halfway", "iob in.iob", IOB + b"bon\n", "in.iob:5: expected 2 columns, found 1 | fix the line"),
    Case("wikiner-halfway", "wikiner in.w", WIKINER + b"x|O\n", "in.w:5: 'x|O' is not word|POS"),
    Case("iob-tag", "iob in.iob", IOB + b"bon B_LOC\n", "in.iob:5: 'B_LOC' is not a tag | fix it"),
    Case("iob-no-tags", "iob in.iob", "a b\nc d\n", "in.iob:1: no column of tags | --tag-column"),
    Case("iob-token-9", "iob in.iob --token-column 9", IOB, "in.iob:1: | --token-column"),
    Case("iob-token-0", "iob in.iob --token-column 0", IOB, "--token-column | from 1"),
    Case("csv-labels", "table in.csv", f"text,label\n{NEW_LABELS}", f"in.csv:1002: over {OVER}"),
    Case("json-spans", "table in.jsonl", NEW_SPANS, f"in.jsonl: {MANY}"),
    Case("iob-labels", "iob in.iob", "".join(f"x B-l{i}\n" for i in NUMBERS), f"in.iob: {MANY}"),
    Case("w-labels", "wikiner in.w", "".join(f"x|N|B-l{i}\n" for i in NUMBERS), f"in.w: {MANY}"),
    Case("iob-50-mb", "iob in.iob", b"x" * 50_000_000, "in.iob:1: line longer than 10,000,000"),
    Case("iob-text", "iob in.iob", IOB + X + b" O\n", f"in.iob:3: {LIMIT}"),
    Case("wikiner-text", "wikiner in.w", WIKINER + X_TOKENS, f"in.w:5: {LIMIT}"),
    # CSV
    Case("csv-quote", "table in.csv", CSV + 'x,"b\nx,a\n', "in.csv:3: invalid quoting | double the"),
    Case("csv-label", "table in.csv --label-column a", CSV, "in.csv:2: no column 'a' in text, label"),
    Case("csv-text", "table in.csv --text-column a", CSV, "in.csv:2: no column | --text-column"),
    Case("xlsx", "table in.xlsx", zipped(b"<a/>"), "in.xlsx: not an Excel workbook | .csv"),
    # JSON lines
    lines("not", "no\n", "not a JSON object | write one object per line"),
    lines("array", '["x"]\n', "found a list"),
    lines("scalar", "5\n", "found a int"),
    lines("no-text", '{"corps": "x", "label": "a"}\n', "no column 'text or | --text-column"),
    lines("no-label", '{"text": "x", "mark": "a"}\n', "no column 'label or | --label-column"),
    lines("labels", '{"text": "x", "label": ["a", {}]}\n', "{} in a list is neither a label nor"),
    lines("object", '{"text": "x", "label": {"a": "b"}}\n', "'b' in column 'a', which tells with 0"),
    lines("deep", "[" * 100_000 + "\n", "not a JSON object | write one object per line"),
    lines("digits", f'{{"text": "x", "label": {"9" * 5000}}}\n', "not a JSON object"),
    lines("mixed", ENTITIES, "labels and entities in one corpus | convert them separately"),
    lines("surrogate-text", '{"text": "x\\ud800", "label": "a"}\n', "surrogate"),
    lines("surrogate-label", '{"text": "x", "label": "\\ud800"}\n', "surrogate"),
    entity("surrogate", '[[0, 5, "\\ud800"]]', "surrogate"),
    entity("outside", '[[0, 50, "PER"]]', "entity 0–50 is empty or outside its text of 13 characters"),
    entity("reversed", '[[5, 0, "PER"]]', "entity 5–0 is empty or outside | offsets count"),
    entity("nothing", '[[5, 5, "PER"]]', "entity 5–5 is empty"),
    entity("negative", '[[-3, 5, "PER"]]', "entity -3–5 is empty or outside"),
    entity("float", '[[0, 5.0, "PER"]]', "[0, 5.0, 'PER'] is not an entity; write [start, end, label]"),
    entity("unlabelled", '[{"start": 0, "end": 5}]', "is not an entity; write [start, end, label]"),
    entity("space", '[[7, 9, "A"]]', f"entity of whitespace only, dropped | {STRICT}", "--strict"),
    entity("overlap", '[[0, 5, "A"], [3, 7, "B"]]', "entities 0–5 and 3–7 overlap | --overlaps"),
    entity("edge", '[[0, 6, "A"]]', f"leading or trailing whitespace | {STRICT}", "--strict"),
    entity("longest", '[[0, 5, "A"], [0, 7, "B"]]', STRICT, "--strict --overlaps longest"),
    # Parquet
    Case("parquet-columns", "table in.parquet", table(body=TEXTS), "in.parquet: row 1: no column"),
    Case("parquet-date", "table in.parquet", table(text=TEXTS, label=DAY), "in.parquet: row 1: "),
    # XML and archives
    Case("xml-bomb", "cls in.review", BOMB, HARM),
    Case("xml-outside", "cls in.review", OUTSIDE, HARM),
    Case("xml-doctype", "cls in.review", "<!DOCTYPE items>\n" + XML, HARM),
    Case("xml-short", "cls in.review", XML[:-40], "in.review:5: malformed XML | get a fresh copy"),
    Case("xml-root", "cls in.review", "<items>\n</items>\n", "in.review: no <item> found"),
    Case("xml-encoding", "cls in.review", CODED.format("klingon"), "in.review: | klingon"),
    Case("xml-bytes", "cls in.review", CODED.format("shift_jis"), "in.review: | shift_jis"),
    Case("tar-climbs", "cls in.tar.gz", tarred(f"../../{REVIEW}", XML.encode()), NO_FILE),
    Case("tar-absolute", "cls in.tar.gz", tarred(f"/{REVIEW}", XML.encode()), NO_FILE),
    Case("tar-link", "cls in.tar.gz", tarred(REVIEW, b"", "/etc/passwd", tarfile.SYMTYPE), NO_FILE),
    Case("tar-hard", "cls in.tar.gz", tarred(REVIEW, b"", "/etc/passwd", tarfile.LNKTYPE), NO_FILE),
    Case("tar-other", "cls in.tar.gz", tarred("fr/readme.txt", b"x"), NO_FILE),
    Case("tar-cut", "cls in.tar.gz", half(tarred(REVIEW, BYTES * 9)), "in.tar.gz: | is truncated"),
    Case("tar-short", "cls in.tar.gz", tarred(REVIEW, BYTES)[:60], "in.tar.gz: | is truncated"),
    *(
        Case(f"tar-{format}", f"{format} in.tgz", tarred("train", b"x"), "in.tgz: archives are not supported | unpack it")
        for format in ("sst2", "iob", "wikiner", "table")
    ),
    # Files, options
    Case("pipe", "iob in.iob", lambda path, made: os.mkfifo(path), "in.iob: | file"),
    Case("taken", "iob in.iob taken", IN_TAKEN, TAKEN),
    Case("parent-taken", "iob in.iob taken/out", IN_TAKEN, TAKEN),
    Case("dangling-output", "iob in.iob taken", LINKED, "taken: "),
    Case("strict-iob", "iob in.iob --strict", IOB + b"\nx I-LOC\n", f"in.iob:6: {TAG} | {STRICT}"),
    Case("strict-w", "wikiner in.w --strict", WIKINER + b"x|N|I-LOC", f"in.w:5: {TAG} | {STRICT}"),
    Case("strict-long", "iob in.iob --strict --max-words 1", IOB, f"in.iob:3: sentence | {STRICT}"),
    Case("columns-json", "table in.jsonl --columns text,label", JSON, "in.jsonl: --columns"),
    Case("cls-encoding", "cls in.review --encoding utf-8", CODED_LATIN, "in.review:4: malformed XML"),
    Case("report-taken", "iob in.iob", {"in.iob": IOB, "out/report.json/x": "mine"}, "out/report.json: already exists as a folder"),
    Case("category", "cls in.review --category a", XML, "--category: selects a folder"),
    Case("ratios-all", "iob in.iob --dev-ratio .5 --test-ratio .5", IOB, NO_REST),
    Case("ratios-more", "iob in.iob --dev-ratio .9 --test-ratio .9", IOB, NO_REST),
    Case("ratio-dev", "iob in.iob --split dev --test-ratio .2", IOB, "in.iob: no train split"),
    Case("ratio-split", "iob in --test-ratio .2", IN_SPLITS, "in/train: | omit --test-ratio"),
    Case("language", "iob in.iob --lang zz", IOB, "spaCy has no language 'zz'; use a code"),
    Case("language-package", "iob in.iob --lang ja", IOB, "'ja' | sudachipy"),
]  # fmt: skip


@pytest.mark.parametrize("case", CONVERSIONS, ids=lambda case: case.name)
def test_conversions(check, case):
    words = case.arguments.split()
    output = words.pop(2) if len(words) > 2 and not words[2].startswith("--") else "out"
    files = case.files if isinstance(case.files, dict) else {words[1]: case.files}
    arguments = [*words[:2], output, "--lang", "fr", *words[2:]]
    check(case._replace(files=files), convert, arguments)


@pytest.mark.parametrize("reader", READERS)
def test_an_option_of_another_format_is_refused(command, tmp_path, monkeypatch, reader):
    """Both on the command line and by the function that it calls."""
    monkeypatch.chdir(tmp_path)
    arguments, good = READERS[reader]
    name, source = arguments.split()
    Path(source).write_bytes(good)
    option, value = ("columns", ("1",)) if reader == "iob" else ("max_words", 1)
    given = (f"--{option.replace('_', '-')}", "1")
    result = command(convert, name, source, "out", "--lang", "fr", *given)
    assert result.code == 2 and f"No such option: {given[0]}" in result.err
    assert "Traceback" not in result.out + result.err
    with pytest.raises(
        UserError, match=f"{given[0]}: not an option of .* its options are --encoding"
    ):
        convert.convert(name, Path(source), Path("out"), "fr", options=Options(**{option: value}))
    assert tree(tmp_path) == {source: good}
