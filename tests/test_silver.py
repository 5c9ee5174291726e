"""Silver text: raw text of any kind, annotated by a teacher, beside a gold corpus."""

import csv
import gzip
import json
import os
import signal
import time
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.tokens import DocBin

from scripts.corpora.docbins import read_docs
from scripts.corpora.report import corpus_report
from scripts.training.student import SILVER

from .processes import start_command
from .small import small_pipeline

RAW = Path(__file__).parent.parent / "assets" / "sample" / "raw-fr" / "recits.txt"


def lines(count: int) -> list[str]:
    """Return lines of the sample's raw text, each once."""
    found = dict.fromkeys(" ".join(x.split()) for x in RAW.read_text("utf8").splitlines())
    return [line for line in found if line][:count]


@pytest.fixture(scope="module")
def teachers(sample_corpora, tmp_path_factory) -> Path:
    """Teachers of two tasks, hardly trained, and another one for entities."""
    folder = tmp_path_factory.mktemp("teachers")
    small_pipeline(sample_corpora, "ner").to_disk(folder / "ner")
    small_pipeline(sample_corpora, "ner", epochs=1, examples=50).to_disk(folder / "other")
    small_pipeline(sample_corpora, "textcat", epochs=1).to_disk(folder / "textcat")
    return folder


def texts_of(path: Path, silver: bool = True) -> list[str]:
    """Return the silver texts of a train split, or the gold ones."""
    docs = read_docs(path / "train.spacy", spacy.blank("fr").vocab)
    return [doc.text for doc in docs if (SILVER in doc.user_data) == silver]


def test_entities(command, teachers, few_corpora, sample_corpora, tmp_path):
    corpus, output = few_corpora / "ner", tmp_path / "out"
    gold = {
        split: [doc.text for doc in read_docs(corpus / f"{split}.spacy", spacy.blank("fr").vocab)]
        for split in ("train", "dev", "test")
    }
    others = list(read_docs(sample_corpora / "ner" / "train.spacy", spacy.blank("fr").vocab))
    raw = [" ".join(doc.text.split()) for doc in others[300:330]]
    leaks = [gold["test"][3].upper(), gold["dev"][5].replace(" ", "  "), gold["train"][2], raw[4]]
    text = tmp_path / "raw.txt.gz"
    with gzip.open(text, "wt", encoding="utf8") as stream:
        stream.write("\n".join([*raw, "", *leaks, "  "]))
    result = command("silver", teachers / "ner", text, output, "--corpus", corpus)
    assert result.code == 0, result.err
    assert texts_of(output) == raw and texts_of(output, silver=False) == gold["train"]
    for split in ("dev", "test"):
        assert (output / f"{split}.spacy").read_bytes() == (corpus / f"{split}.spacy").read_bytes()

    nlp = spacy.load(teachers / "ner")
    docs = list(read_docs(output / "train.spacy", nlp.vocab))[len(gold["train"]) :]
    for number, (doc, found) in enumerate(zip(docs, nlp.pipe(raw)), 1):
        assert [(e.text, e.label_) for e in doc.ents] == [(e.text, e.label_) for e in found.ents]
        assert doc.has_annotation("ENT_IOB") and not doc.cats
        assert doc.user_data == {"file": "raw.txt.gz", "line": number, SILVER: {}}
    assert sum(len(doc.ents) for doc in docs) > 5

    report = corpus_report(output / "report.json")
    read = report["read"][str(text)]
    assert read["examples"] == 36 and read["written"] == {"train": 30}
    assert {kind: note["count"] for kind, note in read["skipped"].items()} == {
        "empty text": 2, "duplicate": 1, "text of the corpus's dev or test": 2,
        "text of the corpus's train, where it is annotated": 1,
    }  # fmt: skip
    assert report["splits"]["train"]["examples"] == len(gold["train"]) + 30
    assert report["splits"]["test"]["examples"] == len(gold["test"])
    assert len(read["sha256"]) == 64 and report["silver texts"] == 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw.txt.gz"]


def test_classes(command, teachers, few_corpora, tmp_path):
    """Labels are 0 or 1, as spaCy wants them; the teacher's probabilities are kept."""
    text = tmp_path / "raw.txt"
    text.write_text("\n".join(lines(20)), "utf8")
    arguments = (teachers / "textcat", text, tmp_path / "out", "--corpus", few_corpora / "textcat")
    result = command("silver", *arguments)
    assert result.code == 0, result.err
    nlp = spacy.load(teachers / "textcat")
    docs = list(read_docs(tmp_path / "out" / "train.spacy", nlp.vocab))
    silver = [doc for doc in docs if SILVER in doc.user_data]
    for doc, found in zip(silver, nlp.pipe(lines(20)), strict=True):
        assert doc.user_data[SILVER] == pytest.approx(found.cats, abs=1e-6)
        assert sorted(doc.cats.values()) == [0, 1]
        assert found.cats[max(doc.cats, key=doc.cats.get)] == max(found.cats.values())
    labels = srsly.read_json(tmp_path / "out" / "report.json")["splits"]["train"]["labels"]
    assert sum(labels.values()) == len(docs)


def test_several_labels(command, few_corpora, teachers, tmp_path):
    nlp = spacy.load(teachers / "textcat")
    several = spacy.blank("fr")
    several.add_pipe("textcat_multilabel", config={"threshold": 0.4})
    docs = list(read_docs(few_corpora / "textcat" / "train.spacy", several.vocab))
    several.initialize(lambda: [spacy.training.Example(nlp.make_doc(d.text), d) for d in docs])
    several.to_disk(tmp_path / "teacher")
    text = tmp_path / "raw.txt"
    text.write_text("\n".join(lines(5)), "utf8")
    result = command(
        "silver", tmp_path / "teacher", text, tmp_path / "out", "--corpus", few_corpora / "textcat"
    )
    assert result.code == 0, result.err
    docs = read_docs(tmp_path / "out" / "train.spacy", nlp.vocab)
    for doc in [doc for doc in docs if SILVER in doc.user_data]:
        probabilities = doc.user_data[SILVER]
        assert doc.cats == {label: float(probabilities[label] >= 0.4) for label in probabilities}


def write_csv(folder: Path, texts: list[str]) -> Path:
    with (folder / "raw.csv").open("w", encoding="utf8", newline="") as stream:
        csv.writer(stream).writerows([("id", "text"), *enumerate(texts)])
    return folder / "raw.csv"


def write_jsonl(folder: Path, texts: list[str]) -> Path:
    rows = [json.dumps({"body": text, "stars": 1}) for text in [*texts, 7]]
    (folder / "raw.jsonl").write_text("\n".join(rows), "utf8")
    return folder / "raw.jsonl"


def write_corpus(folder: Path, texts: list[str]) -> Path:
    (folder / "raw").mkdir()
    nlp = spacy.blank("fr")
    docs = list(nlp.pipe(texts))
    docs[0].ents = [docs[0].char_span(0, len(texts[0]), label="WRONG")]
    DocBin(docs=docs).to_disk(folder / "raw" / "train.spacy")
    return folder / "raw"


def write_folder(folder: Path, texts: list[str]) -> Path:
    (folder / "raw").mkdir()
    write_csv(folder / "raw", texts[5:])
    (folder / "raw" / "a.txt").write_text("\n".join(texts[:5]), "utf8")
    (folder / "raw" / "notes.pdf").write_bytes(b"%PDF")
    return folder / "raw"


@pytest.mark.parametrize(
    "write, options",
    [
        (write_csv, ()),
        (write_jsonl, ("--text-column", "body")),
        (write_corpus, ()),
        (write_folder, ()),
    ],
)
def test_kinds_of_raw_text(command, teachers, few_corpora, tmp_path, write, options):
    source = write(tmp_path, lines(12))
    arguments = (teachers / "ner", source, tmp_path / "out", "--corpus", few_corpora / "ner")
    result = command("silver", *arguments, *options)
    assert result.code == 0, result.err
    assert texts_of(tmp_path / "out") == lines(12)
    # The first three of them; a folder's second file is not read then, which is said.
    result = command(
        "silver", *arguments[:2], tmp_path / "few", *arguments[3:], *options, "--limit", 3
    )
    assert texts_of(tmp_path / "few") == lines(3)
    assert ("--limit was reached" in result.out) == (write is write_folder)


def test_a_killed_run_goes_on(command, teachers, few_corpora, tmp_path):
    text, output, work = tmp_path / "raw.txt", tmp_path / "out", tmp_path / "out.unfinished"
    text.write_text("\n".join(f"{line} {n}" for n in range(7) for line in lines(700)), "utf8")
    arguments = (teachers / "ner", text, output, "--corpus", few_corpora / "ner")
    log = tmp_path / "log"
    process = start_command("silver", *arguments, log=log)
    while not (work / "00001.spacy").exists():
        assert process.is_alive(), log.read_text("utf8")
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert not output.exists()

    # Not with another teacher, nor with other text.
    result = command("silver", teachers / "other", *arguments[1:])
    assert result.code == 1
    assert "out.unfinished: holds silver text with another teacher; delete it" in result.line
    other = tmp_path / "other.txt"
    other.write_text("Bonjour.", "utf8")
    result = command("silver", teachers / "ner", other, *arguments[2:])
    assert "holds silver text with another text" in result.line

    result = command("silver", *arguments)
    assert result.code == 0, result.err
    assert "continuing after" in result.err
    whole = command("silver", *arguments[:2], tmp_path / "whole", *arguments[3:])
    assert whole.code == 0, whole.err
    assert texts_of(output) == texts_of(tmp_path / "whole") and len(texts_of(output)) > 4000
    one, other = (srsly.read_json(tmp_path / x / "report.json") for x in ("out", "whole"))
    assert one == other
    assert not work.exists()

    # What is done stays, and is refused for another teacher or limit.
    before = (output / "report.json").stat().st_mtime_ns
    result = command("silver", *arguments)
    assert result.code == 0 and "is there already" in result.out
    assert (output / "report.json").stat().st_mtime_ns == before
    result = command("silver", *arguments, "--limit", 5)
    assert "out: holds silver text with another" in result.line


def test_what_is_refused(command, teachers, few_corpora, tmp_path):
    text = tmp_path / "raw.txt"
    text.write_text("Bonjour.\n", "utf8")
    ner, output = few_corpora / "ner", tmp_path / "out"

    def refusal(teacher="ner", source=text, to=output, corpus=ner, *options) -> str:
        result = command("silver", teachers / teacher, source, to, "--corpus", corpus, *options)
        assert result.code == 1 and not output.exists()
        return result.line

    assert "no such file or folder" in refusal(source=tmp_path / "none")
    assert "is the gold corpus" in refusal(to=ner)
    assert "holds a corpus that `silver` did not make" in refusal(to=few_corpora / "textcat")
    assert "train.spacy is missing" in refusal(corpus=tmp_path)
    assert "not a corpus for a text classifier" in refusal(teacher="textcat")
    assert "--task textcat: the pipeline has ner" in refusal(
        "ner", text, output, ner, "--task", "textcat"
    )
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n", "utf8")
    assert "no text to annotate" in refusal(source=empty)
    (tmp_path / "pdfs").mkdir()
    assert "no texts in this folder" in refusal(source=tmp_path / "pdfs")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", "utf8")
    assert "--text-column" in refusal(source=tmp_path / "x.csv")


def test_a_ready_made_head(command, heads, few_corpora, tmp_path):
    """What a Hugging Face head counts is printed."""
    text = tmp_path / "raw.txt"
    text.write_text("\n".join(lines(20)), "utf8")
    assert command("wrap", heads / "distilbert", tmp_path / "teacher", "--lang", "fr").code == 0
    arguments = (tmp_path / "teacher", text, tmp_path / "out", "--corpus", few_corpora / "ner")
    result = command("silver", *arguments)
    assert result.code == 0, result.err
    assert "20 texts" in result.out and texts_of(tmp_path / "out") == lines(20)
