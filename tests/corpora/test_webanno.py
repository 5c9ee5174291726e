"""WebAnno TSV 3, as INCEpTION and WebAnno export it."""

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import recognise, webanno

from .reading import convert, counts, docs, read

NER = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
POS = "de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS"
HEADER = f"#FORMAT=WebAnno TSV 3.3\n#T_SP={NER}|identifier|value\n\n\n"


def sentence(text: str, *tokens: str, start: int = 0, number: int = 1) -> str:
    """A sentence whose tokens are given as form and cells, separated by spaces."""
    lines = [f"#Text={text}"]
    for index, token in enumerate(tokens, 1):
        form, *cells = token.split(" ")
        begin = start + text.index(form)
        end = begin + len(form)
        lines.append("\t".join([f"{number}-{index}", f"{begin}-{end}", form, *cells, ""]))
    return "\n".join(lines) + "\n\n"


def entities(examples) -> list[list[tuple[str, str]]]:
    return [
        [(example.text[start:end], label) for start, end, label in example.spans]
        for example in examples
    ]


ANNE = sentence("Anne Roux vit.", "Anne *[1] PER[1]", "Roux *[1] PER[1]", "vit _ _", ". _ _")
LENS = sentence("Lens et Lille", "Lens * LOC", "et _ _", "Lille * LOC", start=15, number=2)


def test_sentences_and_their_entities_are_read(write, tmp_path):
    path = write("a.tsv", HEADER + ANNE + LENS)
    examples, log = read(webanno, path)
    assert [example.text for example in examples] == ["Anne Roux vit.", "Lens et Lille"]
    assert entities(examples) == [[("Anne Roux", "PER")], [("Lens", "LOC"), ("Lille", "LOC")]]
    assert [example.number for example in examples] == [5, 11]
    assert log.layout == {"version": "3.3", "labels": "NamedEntity.value"}
    assert not log.skipped.counts and not log.repaired.counts
    assert entities(read(webanno, write("b.tsv", "\ufeff" + (HEADER + ANNE).replace("\n", "\r\n")))[0]) == [
        [("Anne Roux", "PER")]
    ]  # fmt: skip


def test_columns_of_other_layers_are_passed_over(write):
    header = (
        f"#FORMAT=WebAnno TSV 3.2\n#T_SP={POS}|PosValue\n#T_SP=webanno.custom.Cite|\n"
        "#T_SP=webanno.custom.Frame|ROLE_webanno.custom.Frame:a_webanno.custom.L|webanno.custom.Cite\n"
        f"#T_SP={NER}|value\n#T_RL=webanno.custom.Rel|kind|BT_{NER}\n"
        "#T_CH=x.CoreferenceLink|referenceRelation|referenceType\n\n"
    )
    text = "#Text=Anne\n1-1\t0-4\tAnne\tNP\t*\tx\t1-1\tPER\tlit\t1-1[0_1]\t*->1-1\tnom\n"
    examples, _ = read(webanno, write("a.tsv", header + text))
    assert entities(examples) == [[("Anne", "PER")]]


def test_offsets_count_utf_16_units_of_the_document(write):
    text = (
        "#Text=👋 Bonjour Anne\n1-1\t0-2\t👋\t_\t_\t\n1-2\t3-10\tBonjour\t_\t_\t\n1-3\t11-15\tAnne\t*\tPER\t\n\n"
        "#Text=À 👋 Lens\n2-1\t16-17\tÀ\t_\t_\t\n2-2\t18-20\t👋\t_\t_\t\n2-3\t21-25\tLens\t*\tLOC\t\n"
    )
    examples, _ = read(webanno, write("a.tsv", HEADER + text))
    assert entities(examples) == [[("Anne", "PER")], [("Lens", "LOC")]]


def test_stacked_entities_and_parts_of_tokens(write):
    text = (
        "#Text=Lens-Lille\n1-1\t0-10\tLens-Lille\t*[1]|*[2]\tORG[1]|X\\|Y\\_\\[1\\][2]\t\n"
        "1-1.1\t0-4\tLens\t*[2]\tX\\|Y\\_\\[1\\][2]\t\n1-1.2\t5-10\tLille\t*\tLOC\t\n"
    )
    path = write("a.tsv", HEADER + text)
    with pytest.raises(UserError, match="a.tsv:5: entities 0–4 and 0–10 overlap"):
        read(webanno, path)
    examples, log = read(webanno, path, overlaps="longest")
    assert entities(examples) == [[("Lens-Lille", "ORG")]]
    text = text.replace("*[1]|*[2]\tORG[1]|X\\|Y\\_\\[1\\][2]", "*[2]\tX\\|Y\\_\\[1\\][2]")
    examples, _ = read(webanno, write("b.tsv", HEADER + text))
    assert entities(examples) == [[("Lens", "X|Y_[1]"), ("Lille", "LOC")]]


def test_texts_are_unescaped(write):
    text = (
        "#Sentence.id=s1\n#Text=a\\tb \\\\n\n#Text= Lens\n1-1\t0-1\ta\t_\t_\t\n1-2\t2-3\tb\t_\t_\t\n"
        "1-3\t4-6\t\\n\t*\tMISC\t\n1-4\t8-12\tLens\t*\tLOC\t\n\n"
        "#Text=\\u00C0 \\uD83D\\uDC4B \\r\\n Lille\n2-1\t20-21\tÀ\t_\t_\t\n2-2\t28-33\tLille\t*\tLOC\t\n"
    )
    examples, log = read(webanno, write("a.tsv", HEADER + text))
    assert [example.text for example in examples] == ["a\tb \\n\n Lens", "À 👋 \r\n Lille"]
    assert entities(examples) == [[("\\n", "MISC"), ("Lens", "LOC")], [("Lille", "LOC")]]
    assert log.lines == {"blank": 3, "comments": 1, "tokens": 6}


def test_entities_without_label_or_text_and_over_sentences_are_counted(write):
    text = (
        "#Text=Anne vit\n1-1\t0-4\tAnne\t*\t*\t\n1-1.1\t4-4\t\t*\tPER\t\n1-2\t5-8\tvit\t*[7]\tX[7]\t\n\n"
        "#Text=à Lens\n2-1\t9-10\tà\t*[7]\tX[7]\t\n2-2\t11-15\tLens\t_\t_\t\n\n"
        "#Text=Sans mots\n\n"
    )
    examples, log = read(webanno, write("a.tsv", HEADER + text))
    assert entities(examples) == [[("vit", "X")], [("à", "X")]]
    assert counts(log.repaired) == {
        "entity without a label, left out": 1,
        "entity without text, left out": 1,
        "entity over the end of a sentence, split there": 1,
    }
    assert counts(log.skipped) == {"sentence without tokens": 1}


def test_the_label_column_is_chosen(write):
    one = "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.Medical|kind\n\n"
    text = "#Text=Anne\n1-1\t0-4\tAnne\tPER\t\n"
    examples, log = read(webanno, write("a.tsv", one + text))
    assert entities(examples) == [[("Anne", "PER")]] and log.layout["labels"] == "Medical.kind"
    two = write("b.tsv", one.replace("|kind", "|kind|other") + text.replace("PER", "PER\tX"))
    message = "b.tsv: several columns may be the labels; choose .*: Medical.kind, Medical.other"
    with pytest.raises(UserError, match=message):
        read(webanno, two)
    for name in ("other", "medical.other", "webanno.custom.Medical.other"):
        assert entities(read(webanno, two, label_column=name)[0]) == [[("Anne", "X")]]
    with pytest.raises(UserError, match="no column nothing; choose one with --label-column"):
        read(webanno, two, label_column="nothing")
    identifier = write("c.tsv", HEADER.replace("|value", "") + text)
    with pytest.raises(UserError, match="NamedEntity.identifier"):
        read(webanno, identifier)


def test_a_folder_holds_documents_some_of_which_have_no_annotations(write, tmp_path):
    write("in/annotation/un.txt/a.tsv", HEADER + ANNE + LENS)
    bare = "#FORMAT=WebAnno TSV 3.3\n\n\n#Text=Rien.\n1-1\t0-4\tRien\t\n1-2\t4-5\t.\t\n"
    write("in/annotation/deux.txt/a.tsv", bare)
    write("in/project.json", "{}")
    assert recognise(tmp_path / "in") == "webanno"
    report = convert("webanno", tmp_path / "in", tmp_path / "out")
    assert [(doc.text, doc.user_data) for doc in docs(tmp_path / "out/train.spacy")] == [
        ("Rien.", {"file": "in/annotation/deux.txt/a.tsv", "line": 4, "document": "annotation/deux.txt/a.tsv"}),
        ("Anne Roux vit.", {"file": "in/annotation/un.txt/a.tsv", "line": 5, "document": "annotation/un.txt/a.tsv"}),
        ("Lens et Lille", {"file": "in/annotation/un.txt/a.tsv", "line": 11, "document": "annotation/un.txt/a.tsv"}),
    ]  # fmt: skip
    assert report["ignored"]["file of another kind"]["count"] == 1
    assert len(report["read"]) == 1


def test_files_named_after_splits_are_the_splits(write, tmp_path):
    for name in ("train", "dev"):
        write(f"in/{name}.tsv", HEADER + ANNE)
    report = convert("webanno", tmp_path / "in", tmp_path / "out")
    assert {name: split["examples"] for name, split in report["splits"].items()} == {
        "train": 1, "dev": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text, message",
    [
        ("#FORMAT=WebAnno TSV 4.0\n", "a.tsv:1: WebAnno TSV 4.0; export the file as WebAnno TSV 3"),
        (f" # {NER} | value\n#id=1\n", "a.tsv:1: WebAnno TSV 2; export the file as WebAnno TSV 3"),
        (HEADER + "#Text=a\n1-1\t0-1\ta\n", "a.tsv:6: expected a token with 5 columns"),
        (HEADER + "#Text=a\n1\t0-1\ta\t_\t_\n", "a.tsv:6: expected a token with 5 columns"),
        (HEADER + "1-1\t0-1\ta\t_\t_\n", "a.tsv:5: a token without a line #Text="),
        (HEADER + "#Text=a\n1-1\t0-9\ta\t*\tX\n", "a.tsv:5: entity 0–9 is empty or outside"),
        ("#FORMAT=WebAnno TSV 3.3\n\0", "a.tsv:2: NUL character"),
    ],
)
def test_other_files_are_refused_in_one_line(write, text, message):
    with pytest.raises(UserError, match=message):
        read(webanno, write("a.tsv", text))


def test_a_truncated_or_empty_file_is_refused(write, tmp_path):
    for text in ("", HEADER, HEADER[:30]):
        with pytest.raises(UserError, match="no examples found"):
            convert("webanno", write("a.tsv", text), tmp_path / "out")


def test_a_sentence_whose_entity_is_elsewhere_is_left_out(write):
    text = "#Text=Anne Roux\n1-1\t0-4\tAnne\t_\t_\n1-2\t4-8\tRoux\t*\tPER\n"
    examples, log = read(webanno, write("a.tsv", HEADER + text))
    assert not examples
    assert counts(log.skipped) == {"text with an entity that is not at its offsets": 1}


def test_webanno_is_recognised(write):
    assert recognise(write("a.tsv", HEADER)) == "webanno"
    for text in ("text\tlabel\nbon\ta\n", "# text = Lens\n1\tLens\tB-LOC\n", "", b"\0\1"):
        try:
            assert recognise(write("b.tsv", text)) != "webanno"
        except UserError as error:
            assert "not recognised" in str(error)
