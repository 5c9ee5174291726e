"""Read back what `annotate` has written."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
import pytest
import srsly
from spacy.language import Language
from spacy.tokens import Doc

from scripts.serving.pipeline import load, onnx_part
from scripts.serving.predictions import confidences


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


def check_annotation(
    command: Callable, pipeline: Path, texts: list[str], folder: Path, *options
) -> int:
    """Check that `annotate` writes what a pipeline predicts of texts without line breaks, all of it, and
    goes on; return the number of entities and probabilities."""
    (folder / "lines.txt").write_text("\n".join(texts), "utf8")
    nlp = load(str(pipeline))
    if onnx_part(nlp) is None:
        # It is measured otherwise, and in bfloat16 probabilities differ in the third digit.
        options += ("--precision", "float32")
    for again in (False, True):
        for part in parts(folder / "annotated")[1:]:
            part.unlink()
        arguments = (pipeline, folder / "lines.txt", folder / "annotated", "--part-rows", 20)
        result = command("annotate", *arguments, *options)
        assert result.code == 0, result.err
        assert not again or f"20 of {len(texts)} rows are annotated already" in result.out
    rows, found = table(folder / "annotated"), 0
    docs = list(nlp.pipe(texts))
    assert len(rows) == len(docs) and not errors(folder / "annotated")
    for row, doc in zip(rows, docs):
        assert row["text"] == doc.text
        assert ("entities" in row, "cats" in row) != (False, False)
        if "entities" in row:
            ((entities, _),) = annotated([row | {"cats": {}}])
            assert entities == entities_of(doc)
            given = [entity.get("confidence") for entity in row["entities"]]
            stated = [value for value in given if value is not None]
            assert stated == pytest.approx(confidences(doc), abs=1e-5)
            found += len(entities)
        if "cats" in row:
            assert row["cats"] == pytest.approx(doc.cats, abs=1e-5)
            found += len(doc.cats)
    return found
