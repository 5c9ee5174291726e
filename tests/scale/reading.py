"""Read back what `annotate` has written."""

from pathlib import Path

import pyarrow.parquet
import pytest
import srsly
from spacy.language import Language
from spacy.tokens import Doc


def parts(output: Path) -> list[Path]:
    return sorted(output.glob("part-*"))


def table(output: Path) -> list[dict]:
    """Return the rows of all Parquet parts, in order; the parts have the same columns."""
    tables = [pyarrow.parquet.read_table(path) for path in parts(output)]
    assert len({str(each.schema) for each in tables}) == 1
    return [row for each in tables for row in each.to_pylist()]


def errors(output: Path) -> list[dict]:
    found = sorted((output / "_errors").glob("*.jsonl"))
    return [record for path in found for record in srsly.read_jsonl(path)]


def predicted(nlp: Language, texts: list[str]) -> list[tuple]:
    """Return what a pipeline itself predicts, as `annotated` does of rows. The last bits of
    probabilities depend on which texts share a batch."""
    return [(entities_of(doc), pytest.approx(doc.cats, abs=1e-6)) for doc in nlp.pipe(texts)]


def entities_of(doc: Doc) -> list[tuple]:
    return [(e.start_char, e.end_char, e.label_, e.text) for e in doc.ents]


def annotated(rows: list[dict]) -> list[tuple]:
    keys = ("start", "end", "label", "text")
    return [([tuple(e[key] for key in keys) for e in row["entities"]], row["cats"]) for row in rows]
