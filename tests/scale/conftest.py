"""A quick pipeline, and files of every kind to annotate with it."""

import bz2
import gzip
import json
import lzma
from datetime import date
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from pyarrow import CompressedOutputStream
from spacy.language import Language

from scripts import annotate
from scripts.serving.pipeline import load

from ..conftest import sample_words
from ..small import small_pipeline


@pytest.fixture(scope="session")
def quick(sample_corpora, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("quick") / "pipeline"
    small_pipeline(sample_corpora, "ner", "textcat", epochs=2, examples=100).to_disk(folder)
    return folder


@pytest.fixture(scope="session")
def nlp(quick) -> Language:
    return load(str(quick))


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return sample_words()


@pytest.fixture(scope="session")
def kinds(texts, tmp_path_factory) -> Path:
    """A folder with 20 texts in each kind of file, and rows that have none."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "a").mkdir()
    (folder / "a" / "lines.txt").write_text("\n\n".join(texts[:20]), "utf8")
    table = "text,mark\n" + "".join(f'"{text}",{n}\n' for n, text in enumerate(texts[20:40]))
    (folder / "table.csv.gz").write_bytes(gzip.compress((table + ",empty\n").encode()))
    rows = [{"text": text, "n": n, "tags": [n, "x"]} for n, text in enumerate(texts[40:60])]
    lines = [json.dumps(row) for row in rows] + ["{not json", '{"text": 7, "n": 0.5}']
    (folder / "rows.jsonl.bz2").write_bytes(bz2.compress("\n".join(lines).encode()))
    (folder / "array.json.xz").write_bytes(
        lzma.compress(json.dumps([{"text": text, "m": True} for text in texts[60:80]]).encode())
    )
    columns = {"text": [*texts[80:100], None], "day": [date(2020, 1, 1)] * 21}
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "z.parquet", row_group_size=7)
    with CompressedOutputStream(str(folder / "tab.tsv.zst"), "zstd") as stream:
        stream.write(("text\tmark\n" + f"{texts[100]}\t1\n").encode())
    (folder / "latin.txt").write_bytes("déjà\nvu".encode("latin-1"))
    (folder / "empty.csv").touch()
    (folder / "page.pdf").touch()
    (folder / ".hidden.txt").write_text("hidden")
    return folder


@pytest.fixture
def run(command, quick, tmp_path):
    """Run the command on input; return the result. The output is `out` of the temporary folder."""

    def call(*arguments, pipeline=quick, output=tmp_path / "out"):
        return command(annotate, pipeline, *arguments[:1], output, *arguments[1:])

    return call
