"""CoNLL-U: entities in MISC, as tags or as brackets; ranges and empty nodes."""

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import conllu, recognise
from scripts.corpora.readers.conllu_lines import EMPTY_NODES

from .reading import counts, docs, read


def text_of(*sentences: str) -> str:
    """CoNLL-U of sentences in short: `id form MISC` a line, and comments."""
    lines = []
    for sentence in sentences:
        for line in sentence.strip().splitlines():
            line = line.strip()
            if not line.startswith("#"):
                number, form, *misc = line.split()
                line = "\t".join(
                    [number, form, "_", "X", "_", "_", "0", "dep", "_", *(misc or ["_"])]
                )
            lines.append(line)
        lines.append("")
    return "\n".join([*lines, ""])


PRESS = """
# newdoc id = presse-1
# sent_id = 1
# text = Il vit au Havre, loin du port.
1 Il
2 vit
3-4 au _
3 à
4 le
5 Havre NER=B-LOC|SpaceAfter=No
6 ,
6.1 est
7 loin
8-9 du
8 de
9 le
10 port SpaceAfter=No
11 .
"""
OTHER = """
# newdoc id = presse-2
# text = Ada Lovelace
1 Ada NER=B-PER
2 Lovelace NER=I-PER
"""


def test_tags_ranges_and_empty_nodes(write, tmp_path, command):
    path = write("fr-ud-train.conllu", text_of(PRESS, OTHER))
    assert recognise(path) == "conllu"
    sentences, log = read(conllu, path)
    assert [x.words for x in sentences] == [
        ["Il", "vit", "au", "Havre", ",", "loin", "du", "port", "."],
        ["Ada", "Lovelace"],
    ]
    assert [x.entities for x in sentences] == [[(3, 4, "LOC")], [(0, 2, "PER")]]
    assert [x.document for x in sentences] == ["presse-1", "presse-2"]
    assert log.lines[EMPTY_NODES] == 1 and counts(log.repaired) == {}
    assert command("convert", "auto", path, tmp_path / "out", "--lang", "fr").code == 0
    written = docs(tmp_path / "out/train.spacy")
    assert [doc.text for doc in written] == ["Il vit au Havre, loin du port.", "Ada Lovelace"]


@pytest.mark.parametrize(
    "key, values, layout",
    [
        ("NER", "B-PER I-PER", "tags"),
        ("ner", "B-PER E-PER", "tags"),
        ("Name", "B-PER I-PER", "tags"),
        ("UNER", "B-PER I-PER", "tags"),
        ("Entity", "B-PER L-PER", "tags"),
        ("NE", "PER_1 PER_1", "names"),
        ("NER", "PER PER", "types"),
        ("Entity", "(1-PER-new 1)", "brackets"),
        ("Entity", "(e1-PER e1)", "brackets"),
    ],
)
def test_spellings(write, key, values, layout):
    first, last = values.split()
    rest = f"{key}=O" if layout == "tags" and key == "ner" else "_"
    text = text_of(f"1 Ada {key}={first}\n2 Lovelace Translit=x|{key}={last}\n3 vit {rest}")
    sentences, log = read(conllu, write("a.conllu", text))
    assert sentences[0].entities == [(0, 2, "PER")] and sentences[0].spaces is None
    assert log.layout["entities in MISC"] == f"{key.casefold()} ({layout})"


@pytest.mark.parametrize("brackets", [False, True])
def test_entities_of_a_part_of_a_word_are_widened_and_counted(write, brackets):
    first, last = ("Entity=(1-LOC", "Entity=1)") if brackets else ("NER=B-LOC", "NER=I-LOC")
    text = text_of(f"1-2 du\n1 de\n2 le {first}\n3 Havre {last}\n4 vu")
    (sentence,), log = read(conllu, write("a.conllu", text))
    assert sentence.words == ["du", "Havre", "vu"] and sentence.entities == [(0, 2, "LOC")]
    assert counts(log.repaired) == {conllu.WIDENED: 1}
    whole = text.replace(f"{first}", "_").replace(
        "de\t_\tX\t_\t_\t0\tdep\t_\t_", f"de\t_\tX\t_\t_\t0\tdep\t_\t{first}"
    )
    (sentence,), log = read(conllu, write("a.conllu", whole if brackets else whole.replace("le\t_\tX\t_\t_\t0\tdep\t_\t_", "le\t_\tX\t_\t_\t0\tdep\t_\tNER=I-LOC")))  # fmt: skip
    assert sentence.entities == [(0, 2, "LOC")] and counts(log.repaired) == {}


def test_tags_of_ranges_count_before_those_of_their_words(write):
    """As Stanza writes them."""
    text = text_of("1-2 du ner=B-LOC\n1 de\n2 le\n3 Havre ner=I-LOC\n4-5 au ner=O\n4 à\n5 le")
    (sentence,), _ = read(conllu, write("a.conllu", text))
    assert sentence.entities == [(0, 2, "LOC")]


GUM = """
# global.Entity = GRP-etype-infstat-salience
# text = The mayor of Exeter thanked her.
1 The Entity=(4-person-new-n
2 mayor
3 of
4 Exeter Entity=(5-place-new-n)4)
5 thanked
6 her Entity=(6-person-giv-n)|SpaceAfter=No
7 .
"""


def test_nested_brackets(write):
    path = write("en_gum-ud-train.conllu", text_of(GUM))
    assert recognise(path) == "conllu"
    with pytest.raises(
        UserError, match=":3: entities of words 0–4 and 3–4 overlap; .*--overlaps longest"
    ):
        read(conllu, path)
    (sentence,), log = read(conllu, path, overlaps="longest")
    assert sentence.entities == [(0, 4, "person"), (5, 6, "person")]
    assert counts(log.repaired) == {"entity that overlaps a longer one, dropped": 1}
    assert sentence.spaces == [True, True, True, True, True, False, False]


def test_brackets_of_other_versions(write):
    old = (
        "# global.Entity = entity-GRP-infstat\n1 The Entity=(person-4-new\n2 mayor Entity=person-4)"
    )
    (sentence,), _ = read(conllu, write("a.conllu", text_of(old)))
    assert sentence.entities == [(0, 2, "person")]
    corefud = """
    # global.Entity = eid-etype-head-other
    1 Ada Entity=(e1-person-1-)
    2 vit Entity=(e2[1/2]-event-1-)(e3--1-)
    2.1 _ Entity=(e4-person-1-)
    3 là Entity=(e2[2/2]-event-1-)
    """
    (sentence,), log = read(conllu, write("a.conllu", text_of(corefud)))
    assert sentence.entities == [(0, 1, "person")]
    assert sorted(counts(log.repaired).values()) == [1, 1, 2]


@pytest.mark.parametrize(
    "sentence, message",
    [
        ("1 Ada Translit=a|SpaceAfter=No\n2 vit SpaceAfter=No", r"no entities in MISC, .*keys spaceafter \(2\), translit \(1\)"),
        ("1 Ada\n2 vit", "no entities in MISC, which has no keys"),
        ("1 Ada Name=Yes", "no entities in MISC"),
        ("1 Ada Chunk=B-NP", "no entities in MISC"),
        ("1 Ada NER=B-PER|Entity=(1-person)", r"several keys of MISC: ner \(1\), entity \(1\)"),
        ("1 Ada NER=B-PER\n2 vit NER=X", ":2: 'X' is not a tag .*; fix it"),
        ("1 Ada Entity=(1-person\n2 vit", r"entity \(1-person is not closed"),
        ("1 Ada Entity=1)", r":1: 1\) closes no entity"),
        ("1 Ada Entity=(person-1)", ":1: the type of the entity .* is a number; .*global.Entity"),
        ("# global.Entity = eid-head\n1 Ada Entity=(1-2)", "names no etype"),
        ("x Ada NER=B-PER", ":1: not 10 columns"),
        ("# global.columns = ID FORM NER\n1 Ada NER=B-PER", ":1: no columns ID, FORM and MISC"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(write, sentence, message):
    with pytest.raises(UserError, match=f"a.conllu.*{message}"):
        read(conllu, write("a.conllu", text_of(sentence)))


def test_conllu_plus(write):
    text = "# global.columns = ID FORM MISC X\n1\tAda\tNER=B-PER\t_\n2\tvit\t_\t_\n"
    path = write("a.conllup", text)
    assert recognise(path) == "conllu"
    assert read(conllu, path)[0][0].entities == [(0, 1, "PER")]


@pytest.mark.parametrize(
    "name, content",
    [
        ("val.conllu", "0\tAda\tB-PER\n1\tvit\tO\n"),
        ("a.conllu", text_of("1 Ada B-PER\n2 vit O")),
        ("a.conllu", text_of(PRESS).replace("NER=B-LOC", "_")[:-3].replace("\tdep", "\tB-PER")),
        ("a.tsv", "\t".join("abcdefghij") + "\n"),
        ("a.conllu", ""),
        ("a.conllu", b"\x00\xff"),
    ],
)
def test_other_files_are_not_recognised(write, name, content):
    try:
        assert recognise(write(name, content)) != "conllu"
    except UserError as error:
        assert "not recognised" in str(error)


def test_words_like_tags_do_not_hide_conllu(write):
    text = text_of("1 S-Bahn\n2 I-95 NER=B-LOC").replace("S-Bahn\t_", "S-Bahn\tS-Bahn")
    assert recognise(write("a.conllu", text)) == "conllu"
