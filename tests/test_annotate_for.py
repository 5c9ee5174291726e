"""Pre-annotations for annotation tools: the tools' formats, read back; the order; hostile texts."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import spacy

from scripts.corpora.readers import doccano, label_studio, prodigy

from .corpora.reading import read
from .small import small_pipeline

TEXTS = [
    "Marie Dupont vit à Paris  depuis 2010.",
    "🎉🎉 Jean Martin et la ville de Lyon !",
    "\tRien à signaler.",
    "La France et l'Allemagne, selon Pierre.",
    "Ce film est excellent et très bon.",
    "Un livre nul, mauvais et ennuyeux.",
]
TOOLS = ("label-studio", "doccano", "prodigy", "brat")


@pytest.fixture(scope="module")
def pipelines(sample_corpora, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pipelines")
    for name in ("ner", "textcat", "textcat_multilabel"):
        small_pipeline(sample_corpora, name).to_disk(folder / name)
    small_pipeline(sample_corpora, "ner", "textcat", epochs=1).to_disk(folder / "two")
    return folder


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join([*TEXTS, "", "   "]), encoding="utf8")
    return path


@pytest.fixture
def write(command, pipelines, source, tmp_path):
    """Run the command for a tool and a pipeline; return the folder, and what was printed as a line."""

    def call(tool, pipeline, *options, texts=source):
        output = tmp_path / "out" / f"{tool}-{len(list(tmp_path.glob('out/*')))}"
        result = command("annotate-for", tool, pipelines / pipeline, texts, output, *options)
        assert result.code == 0, result.err
        return output, " ".join((result.out + result.err).split())

    return call


def predicted(path: Path) -> dict[str, list]:
    """Return the entities of each text, or its labels."""
    nlp = spacy.load(path)
    found = {}
    for doc in nlp.pipe(TEXTS):
        if path.name == "textcat":
            found[doc.text] = [max(doc.cats, key=doc.cats.get)]
        elif path.name == "textcat_multilabel":
            found[doc.text] = sorted(label for label, value in doc.cats.items() if value >= 0.5)
        else:
            found[doc.text] = [(e.start_char, e.end_char, e.label_) for e in doc.ents]
    return found


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


def from_label_studio(folder: Path, tmp_path: Path) -> list:
    """Read tasks whose predictions were submitted as they are."""
    tasks = json.loads((folder / "tasks.json").read_text("utf8"))
    for task in tasks:
        (prediction,) = task.pop("predictions")
        task["annotations"] = [{"id": 1, "result": prediction["result"]}]
    (tmp_path / "export.json").write_text(json.dumps(tasks), encoding="utf8")
    return read(label_studio, tmp_path / "export.json")[0]


def from_doccano(folder: Path, tmp_path: Path) -> list:
    return read(doccano, folder / "texts.jsonl")[0]


def from_prodigy(folder: Path, tmp_path: Path) -> list:
    """Read tasks that were accepted as they are."""
    lines = [json.dumps({**row, "answer": "accept"}) for row in rows(folder / "tasks.jsonl")]
    (tmp_path / "out.jsonl").write_text("\n".join(lines), encoding="utf8")
    return read(prodigy, tmp_path / "out.jsonl")[0]


READERS = {"label-studio": from_label_studio, "doccano": from_doccano, "prodigy": from_prodigy}


@pytest.mark.parametrize("tool", READERS)
@pytest.mark.parametrize("pipeline", ["ner", "textcat", "textcat_multilabel"])
def test_round_trip(write, pipelines, tmp_path, tool, pipeline):
    folder, said = write(tool, pipeline)
    examples = READERS[tool](folder, tmp_path)
    expected = predicted(pipelines / pipeline)
    assert len(examples) == len(expected) == 6 and any(expected.values())
    if pipeline == "ner":
        assert {x.text: x.spans for x in examples} == expected
        assert [x.text for x in examples] == TEXTS
        assert "6 of 6 texts" in said and "in their order, as this pipeline" in said
    else:
        texts = {text.strip(): labels for text, labels in expected.items()}
        assert {x.text: list(x.all_labels) for x in examples} == texts
        assert "the least certain first" in said
    assert "2 texts skipped: empty text" in said


def test_label_studio_tasks_and_their_interface(write, pipelines):
    folder, _ = write("label-studio", "ner")
    task = json.loads((folder / "tasks.json").read_text("utf8"))[0]
    assert task["data"] == {"text": TEXTS[0], "origin": "texts.txt:1"}
    (prediction,) = task["predictions"]
    meta = spacy.load(pipelines / "ner").meta
    assert prediction["model_version"] == f"fr_{meta['name']}-{meta['version']}"
    for result in prediction["result"]:
        start, end = result["value"]["start"], result["value"]["end"]
        assert result["value"]["text"] == TEXTS[0][start:end]
        assert (result["type"], result["from_name"], result["to_name"]) == (
            "labels",
            "label",
            "text",
        )
    view = ElementTree.parse(folder / "interface.xml").getroot()
    labels = [item.get("value") for item in view.iter("Label")]
    assert labels == list(spacy.load(pipelines / "ner").get_pipe("ner").labels)
    assert view.find("Text").attrib == {"name": "text", "value": "$text"}
    for pipeline, choice in (("textcat", "single"), ("textcat_multilabel", "multiple")):
        folder, _ = write("label-studio", pipeline)
        view = ElementTree.parse(folder / "interface.xml").getroot()
        assert view.find("Choices").get("choice") == choice and len(list(view.iter("Choice"))) == 2


def test_prodigy_tasks_have_tokens_or_options(write):
    folder, said = write("prodigy", "ner")
    for row in rows(folder / "tasks.jsonl"):
        assert all(row["text"][x["start"] : x["end"]] == x["text"] for x in row["tokens"])
        for span in row["spans"]:
            first, last = (row["tokens"][span[key]] for key in ("token_start", "token_end"))
            assert (first["start"], last["end"]) == (span["start"], span["end"])
    assert "prodigy ner.manual DATASET blank:fr tasks.jsonl --label " in said
    folder, said = write("prodigy", "textcat")
    row = rows(folder / "tasks.jsonl")[0]
    assert row["config"] == {"choice_style": "single"} and len(row["accept"]) == 1
    assert {"id": row["accept"][0], "text": row["accept"][0]} in row["options"]
    assert "tasks.jsonl --label " in said and " --exclusive" in said


def test_brat_files(write, pipelines):
    folder, _ = write("brat", "ner")
    expected = predicted(pipelines / "ner")
    texts = sorted(folder.glob("*.txt"))
    assert [path.read_text("utf8") for path in texts] == TEXTS
    for path in texts:
        text, spans = path.read_text("utf8"), []
        for line in path.with_suffix(".ann").read_text("utf8").splitlines():
            _, mark, content = line.split("\t")
            label, start, end = mark.split()
            assert text[int(start) : int(end)] == content
            spans.append((int(start), int(end), label))
        assert spans == expected[text]
    assert (folder / "annotation.conf").read_text("utf8").startswith("[entities]\nLOC\n")


def test_texts_of_several_lines(write, pipelines, tmp_path):
    nlp = spacy.load(pipelines / "ner")
    ruler = nlp.add_pipe("entity_ruler", before="ner")
    ruler.add_patterns([{"label": "LOC", "pattern": "Mont\nBlanc"}])
    nlp.to_disk(pipelines / "lines")
    table = tmp_path / "texts.csv"
    with table.open("w", newline="", encoding="utf8") as stream:
        csv.writer(stream).writerows([["corps"], ["Le Mont\nBlanc,  ici"]])
    folder, _ = write("brat", "lines", "--text-column", "corps", texts=table)
    assert (folder / "1.txt").read_bytes() == b"Le Mont\nBlanc,  ici"
    assert "LOC 3 7;8 13\tMont Blanc\n" in (folder / "1.ann").read_text("utf8")


@pytest.mark.parametrize("pipeline", ["textcat", "textcat_multilabel"])
def test_the_least_certain_texts_come_first(write, pipelines, pipeline):
    nlp = spacy.load(pipelines / pipeline)
    certainty = {}
    for doc in nlp.pipe(TEXTS):
        values = doc.cats.values()
        exclusive = pipeline == "textcat"
        certainty[doc.text] = max(values) if exclusive else min(abs(x - 0.5) for x in values)
    ordered = sorted(TEXTS, key=certainty.__getitem__)
    folder, said = write("doccano", pipeline, "--limit", "4")
    found = rows(folder / "texts.jsonl")
    assert [row["text"] for row in found] == ordered[:4] and "4 of 6 texts" in said
    assert found[0]["certainty"] == pytest.approx(certainty[ordered[0]], abs=1e-4)


def test_confidences_of_entities(command, heads, source, tmp_path):
    result = command("wrap", heads / "distilbert", tmp_path / "wrapped", "--lang", "fr")
    assert result.code == 0, result.err
    outputs = {}
    for tool in ("label-studio", "brat"):
        outputs[tool] = tmp_path / tool
        result = command("annotate-for", tool, tmp_path / "wrapped", source, outputs[tool])
        assert result.code == 0 and "the least certain first" in result.out, result.err
    tasks = json.loads((outputs["label-studio"] / "tasks.json").read_text("utf8"))
    scores = []
    for task in tasks:
        (prediction,) = task["predictions"]
        each = [result["score"] for result in prediction["result"]]
        assert all(0 <= score <= 1 for score in each)
        assert prediction.get("score") == (min(each) if each else None)
        scores.append(min(each, default=2))
    assert scores == sorted(scores) and scores[0] < 1
    assert "#1\tAnnotatorNotes T1\tconfidence 0." in (outputs["brat"] / "1.ann").read_text("utf8")


def test_refusals_write_nothing(command, pipelines, source, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "1.ann").write_text("T1\tPER 0 1\ta\n")
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"\x00\xff" * 50)
    out = tmp_path / "new"
    for arguments, message in {
        ("brat", "textcat", source, out): "brat marks spans of text",
        ("brat", "ner", source, full): "is not empty; name a new folder",
        ("doccano", "two", source, out): "predicts ner and textcat, but people annotate one",
        (
            "doccano",
            "ner",
            source,
            out,
            "--task",
            "textcat",
        ): "--task textcat: the pipeline has ner",
        ("doccano", "ner", empty, out): "no texts to annotate (2 empty text); check the file",
        ("doccano", "ner", binary, out): "binary.txt:1: NUL character",
        ("doccano", "ner", tmp_path / "x", out): "no such file or folder",
        ("doccano", "missing", source, out): "no trained pipeline found",
    }.items():
        tool, name, *others = arguments
        result = command("annotate-for", tool, pipelines / name, *others)
        assert result.code == 1 and message in result.line
        assert not out.exists()
    assert [path.name for path in full.iterdir()] == ["1.ann"]
    result = command("annotate-for", "doccano", pipelines / "two", source, out, "--task", "ner")
    assert result.code == 0 and len(rows(out / "texts.jsonl")) == 6
