"""spaCy's own data: TRAIN_DATA, training JSON of version 2, DocBins."""

import json
import random

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from scripts.common.errors import UserError
from scripts.corpora.readers import recognise, spacy_data

from .reading import counts, docs, read

TEXT = "Ada Lovelace vit à Londres."
ENTITIES = [[0, 12, "PER"], [19, 26, "LOC"]]


def lines(*values) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


@pytest.mark.parametrize(
    "name, content",
    [
        ("train.json", json.dumps([[TEXT, {"entities": ENTITIES}], ["Rien.", {"entities": []}]], indent=1)),
        ("train.json", json.dumps([[TEXT, {"entities": ENTITIES}], ["Rien.", {"entities": []}]])),
        ("train.jsonl", lines([TEXT, {"entities": ENTITIES}], ["Rien.", {"entities": []}])),
        (
            "train.json",
            "\ufeff" + json.dumps(
                {
                    "classes": ["PER", "LOC"],
                    "annotations": [[TEXT, {"entities": ENTITIES}], None, ["Rien.", {"entities": []}]],
                },
                indent=2,
            ),
        ),
    ],
    ids=["array", "array in a line", "lines", "NER Annotator"],
)  # fmt: skip
def test_entities_of_train_data(write, name, content):
    path = write(name, content)
    assert recognise(path) == "spacy"
    texts, log = read(spacy_data, path)
    assert [(x.text, x.spans) for x in texts] == [
        (TEXT, [tuple(x) for x in ENTITIES]),
        ("Rien.", []),
    ]
    assert counts(log.skipped) == ({"without annotation": 1} if "null" in content else {})


def test_labels_of_train_data(write):
    path = write(
        "train.jsonl",
        lines(
            ["Bon.", {"cats": {"pos": 1.0, "neg": 0.0}}],
            ["Mauvais.", {"cats": {"pos": False, "neg": True}, "entities": []}],
            ["Bof.", {"cats": {"pos": 0, "neg": 0}}],
            ["", {"cats": {"pos": 1}}],
            ["Rien.", {}],
            ["Lien.", {"links": {}}],
        ),
    )
    texts, log = read(spacy_data, path)
    assert [x.all_labels for x in texts] == [("pos",), ("neg",), ()]
    assert counts(log.skipped) == {"empty text": 1, "without annotation": 2}
    assert log.layout["keys not used"] == ["links"]


def test_a_label_alone_that_is_false_is_an_answer(write):
    path = write(
        "train.jsonl", lines(["Oui.", {"cats": {"sport": 1}}], ["Non.", {"cats": {"sport": 0}}])
    )
    texts, _ = read(spacy_data, path)
    assert [(x.all_labels, x.several) for x in texts] == [(("sport",), False), ((), True)]


@pytest.mark.parametrize(
    "value, message",
    [
        ([TEXT, {"entities": ENTITIES, "cats": {"a": 1}}], "entities and labels of texts in one corpus"),
        ([TEXT, {"cats": {"a": 0.7}}], "'a' the value 0.7"),
        ([TEXT, {"cats": {"a": "1"}}], "'a' the value 1"),
        ([TEXT, {"cats": ["a"]}], "expected .*cats"),
        ([TEXT, {"entities": ["O", "U-PER"]}], "O is not an entity"),
        ([TEXT, {"entities": {"PER": [0, 3]}}], "expected"),
        ([TEXT, {"entities": [[0, 99, "PER"]]}], "outside its text"),
        ([TEXT, {"entities": [[0, 12, "PER"], [4, 12, "PER"]]}], "overlap"),
        ([TEXT, {"spans": {"sc": [[0, 3, "X"]]}}], "spans.* may overlap"),
        (["a", "b"], "neither"),
        ({"paragraphs": [{"sentences": [{"tokens": ["a"]}]}]}, "paragraph 1: expected"),
        ({"paragraphs": [3]}, "paragraph 1: expected"),
        ({"paragraphs": [{"sentences": [{"tokens": [{"orth": "a", "ner": "PER"}]}]}]}, "'PER' is not a tag"),
        (
            {
                "paragraphs": [
                    {
                        "sentences": [{"tokens": [{"orth": "Ada", "ner": "U-PER"}]}],
                        "cats": [{"label": "a", "value": 1.0}],
                    }
                ]
            },
            "entities and labels of texts",
        ),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(write, value, message):
    with pytest.raises(UserError, match=f"train.jsonl:1.*{message}"):
        read(spacy_data, write("train.jsonl", lines(value)))


def token(word: str, tag: str | None = "O") -> dict:
    return {"orth": word, "tag": "-", **({} if tag is None else {"ner": tag})}


def test_training_json_of_version_2(write):
    first = [token("Ada", "B-PER"), token("Lovelace", "L-PER"), token("vit", "-"), token(".")]
    second = [token("L'"), token("Est", "U-LOC"), token(".")]
    document = {
        "id": 0,
        "paragraphs": [
            {
                "raw": "Ada Lovelace vit. L'Est.",
                "sentences": [{"tokens": first}, {"tokens": second}],
            },
            {
                "raw": "Non annoté",
                "sentences": [{"tokens": [token("Non", None), token("annoté", "-")]}],
            },
            {"sentences": [{"tokens": [token("Seul")]}], "cats": []},
        ],
    }
    path = write("train.json", json.dumps([document, {"id": 1, "paragraphs": []}], indent=1))
    assert recognise(path) == "spacy"
    paragraphs, log = read(spacy_data, path)
    assert [(p.words, p.entities) for p in paragraphs] == [
        (["Ada", "Lovelace", "vit", ".", "L'", "Est", "."], [(0, 2, "PER"), (5, 6, "LOC")]),
        (["Seul"], []),
    ]
    assert paragraphs[0].spaces == [True, True, False, True, False, False, False]
    assert paragraphs[1].spaces is None
    assert counts(log.skipped) == {"without annotation": 1}
    assert counts(log.repaired) == {spacy_data.MISSING: 1}
    assert log.layout["tags"] == "BILUO"


def test_labels_of_training_json(write):
    def paragraph(text: str, good: float) -> dict:
        cats = [{"label": "bon", "value": good}, {"label": "mauvais", "value": 1 - good}]
        tokens = [token(word) for word in text.split()]
        return {"raw": text, "sentences": [{"tokens": tokens}], "cats": cats}

    documents = [
        {"paragraphs": [paragraph("Très bien", 1.0)]},
        {"paragraphs": [paragraph("Nul", 0.0)]},
    ]
    texts, _ = read(spacy_data, write("train.jsonl", lines(*documents)))
    assert [(x.text, x.all_labels) for x in texts] == [
        ("Très bien", ("bon",)),
        ("Nul", ("mauvais",)),
    ]


def docbin(*made: Doc) -> bytes:
    return DocBin(docs=made, store_user_data=True).to_bytes()


def annotated(text: str, spans=(), cats={}, missing: bool = False, groups={}) -> Doc:
    doc = spacy.blank("fr")(text)
    doc.cats = dict(cats)
    if not missing:
        doc.set_ents([Span(doc, *span) for span in spans])
    for name, group in groups.items():
        doc.spans[name] = [Span(doc, *span) for span in group]
    return doc


def test_docbin_with_entities(write, tmp_path):
    whole = annotated("Ada Lovelace vit à L'Est.", [(0, 2, "PER"), (5, 6, "LOC")])
    partly = annotated("Ici Londres demain")
    partly.set_ents([Span(partly, 1, 2, "LOC")], default="missing")
    path = write(
        "train.spacy", docbin(whole, partly, annotated("Non annoté", missing=True), annotated(""))
    )
    assert recognise(path) == "spacy"
    sentences, log = read(spacy_data, path)
    assert [x.words for x in sentences] == [[t.text for t in whole], [t.text for t in partly]]
    assert sentences[0].entities == [(0, 2, "PER"), (5, 6, "LOC")]
    assert sentences[0].spaces == [bool(t.whitespace_) for t in whole]
    assert counts(log.skipped) == {"without annotation": 1, "empty text": 1}
    assert counts(log.repaired) == {spacy_data.MISSING: 2}


def test_docbin_without_spaces_and_with_whitespace_in_an_entity(write):
    words = ["Ada", "\n", "vit"]
    doc = Doc(spacy.blank("fr").vocab, words=words)
    doc.set_ents([Span(doc, 0, 2, "PER")])
    unknown = DocBin(docs=[doc])
    unknown.flags[0]["has_unknown_spaces"] = True
    (sentence,), _ = read(spacy_data, write("train.spacy", unknown.to_bytes()))
    assert sentence.entities == [(0, 1, "PER")] and sentence.spaces is None


def test_docbin_is_written_as_it_is(write, tmp_path, command):
    doc = annotated("Vue de l'Est (« port » )…", [(2, 4, "LOC")])
    path = write("train.spacy", docbin(doc))
    assert command("convert", "auto", path, tmp_path / "out", "--lang", "fr").code == 0
    (written,) = docs(tmp_path / "out/train.spacy")
    assert written.text == doc.text and [t.text for t in written] == [t.text for t in doc]


def test_docbin_with_labels(write):
    made = [
        annotated("Bon.", cats={"a": 1.0, "b": 0.0}),
        annotated("Nul.", cats={"a": 0.0, "b": 1.0}),
    ]
    texts, _ = read(spacy_data, write("train.spacy", docbin(*made)))
    assert [(x.text, x.all_labels) for x in texts] == [("Bon.", ("a",)), ("Nul.", ("b",))]


@pytest.mark.parametrize(
    "doc, message",
    [
        (
            annotated("Ada vit.", [(0, 1, "PER")], {"a": 1.0}),
            "document 1: entities and labels of texts",
        ),
        (
            annotated("Ada vit.", missing=True, groups={"sc": [(0, 1, "X")]}),
            "spans in the groups sc",
        ),
        (annotated("Ada vit.", groups={"sc": [(0, 1, "X")]}), "spans in the groups sc"),
        (annotated("Ada vit.", cats={"a": 0.8, "b": 0.2}), "value 0.8"),
    ],
)
def test_docbin_of_another_task_is_refused(write, doc, message):
    with pytest.raises(UserError, match=message):
        read(spacy_data, write("train.spacy", docbin(doc)))


def test_damaged_docbins_give_one_line(write):
    content = docbin(annotated("Ada vit.", [(0, 1, "PER")]), annotated("Rien."))
    draw = random.Random(0)
    bad = [b"", b"\x00\x01", b"text", content[: len(content) // 2], content[:-4]]
    for _ in range(40):
        damaged = bytearray(content)
        damaged[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        bad.append(bytes(damaged))
    for data in bad:
        with pytest.raises(UserError, match="train.spacy: document 1: damaged"):
            read(spacy_data, write("train.spacy", data))


@pytest.mark.parametrize(
    "name, content",
    [
        ("train.jsonl", lines({"text": TEXT, "entities": ENTITIES})),
        ("train.jsonl", lines({"text": TEXT, "label": "a"})),
        ("train.json", "[]"),
        ("train.json", ""),
        ("train.json", json.dumps([{"tokens": ["a"], "ner_tags": ["O"]}])),
        ("train.csv", "text,label\na,b\n"),
    ],
)
def test_other_files_are_not_recognised(write, name, content):
    try:
        assert recognise(write(name, content)) != "spacy"
    except UserError as error:
        assert "not recognised" in str(error)
