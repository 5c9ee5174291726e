"""Several tag columns: read if they agree; if they differ, the user has to choose."""

import re

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import iob, recognise

from .reading import SCHEMES, check, lines_of, name_of, read, tags_of, text_of

# Small files in published formats, HIPE-2022 and GermEval-2014, and gold tags beside predicted
# ones.
HIPE = """TOKEN NE-COARSE-LIT NE-COARSE-METO NE-FINE-LIT NE-NESTED NEL-LIT MISC
# hipe2022:document_id = GDM-1897-08-04
À O O O O _ _
CHAMBLAY B-loc O B-loc.adm.town O NIL NoSpaceAfter
, O O O O _ _
l' O O O O _ _
Hôtel B-org O B-org.adm O NIL _
de I-org O I-org.adm O NIL _
Lens I-org O I-org.adm B-loc.adm.town NIL EndOfSentence
""".replace(" ", "\t").replace("#\thipe2022:document_id\t=\t", "# hipe2022:document_id = ")
GERMEVAL = """#\thttp://fr.example.org/article [2012-02-14]
1\tLa\tO\tO
2\tCaisse\tB-ORG\tO
3\tde\tI-ORG\tO
4\tDinan\tI-ORG\tB-LOC

#\thttp://fr.example.org/article [2012-03-14]
1\tArras\tB-LOC\tO
"""
PREDICTED = "Lens B-LOC O\n, O O\nMarie B-PER B-PER\nCurie I-PER I-PER\n\nBrest B-LOC B-ORG\n"


@pytest.mark.parametrize(
    "text, message, column, entities",
    [
        (
            HIPE.partition("\n")[2],
            "column 2 has 2, column 4 has 2, column 5 has 1",
            2,
            [[(1, 2, "loc"), (4, 7, "org")]],
        ),
        (
            GERMEVAL.replace("#\thttp", "# http"),
            "column 3 has 2, column 4 has 1",
            3,
            [[(1, 4, "ORG")], [(0, 1, "LOC")]],
        ),
        (
            PREDICTED,
            "column 2 has 3, column 3 has 2",
            2,
            [[(0, 1, "LOC"), (2, 4, "PER")], [(0, 1, "LOC")]],
        ),
    ],
    ids=["hipe", "nested", "predicted"],
)
def test_tag_columns_with_different_entities_are_refused(write, text, message, column, entities):
    path = write("train.tsv", text)
    with pytest.raises(UserError, match=f"{re.escape(message)}; .* --tag-column"):
        read(iob, path)
    sentences, _ = read(iob, path, tag_column=column)
    assert [s.entities for s in sentences] == entities


@pytest.mark.parametrize("column", [None, 2])
def test_hipe_by_its_header(write, column):
    """Literal coarse types; notes end sentences and tell spaces, comments begin documents."""
    second = HIPE.partition("\n")[2].replace("04\n", "05\n").replace("EndOfSentence", "_")
    third = "# segment_iiif_link = _\n." + "\tO" * 4 + "\t_\t_\n"
    path = write("train.tsv", HIPE + second + third)
    assert recognise(path) == "iob"
    sentences, log = read(iob, path, tag_column=column)
    words = ["À", "CHAMBLAY", ",", "l'", "Hôtel", "de", "Lens"]
    assert [x.words for x in sentences] == [words, [*words, "."]]
    assert [x.entities for x in sentences] == [[(1, 2, "loc"), (4, 7, "org")]] * 2
    assert [x.document for x in sentences] == ["GDM-1897-08-04", "GDM-1897-08-05"]
    assert sentences[0].spaces == [word != "CHAMBLAY" for word in words]
    assert log.layout["named"] == "NE-COARSE-LIT"
    assert log.layout["entities not used"] == (
        "column 4 (NE-FINE-LIT) has 4, column 5 (NE-NESTED) has 2"
    )


@pytest.mark.parametrize(
    "header, chosen",
    [("word gold predicted", 0), ("token ner ner_pred", 0), ("word prediction gold", 1)]
    + [("word ner tag", None), ("word ne-a ne-b", None)],
)
def test_columns_are_chosen_by_the_header_if_it_is_clear(write, header, chosen):
    path = write("train.conll", f"{header}\n{PREDICTED}")
    if chosen is None:
        names = header.split()
        with pytest.raises(
            UserError, match=re.escape(f"({names[1]}) has 3, column 3 ({names[2]}) has 2")
        ):
            read(iob, path)
        return
    sentences, log = read(iob, path)
    gold = [[(0, 1, "LOC"), (2, 4, "PER")], [(0, 1, "LOC")]]
    predicted = [[(2, 4, "PER")], [(0, 1, "ORG")]]
    assert [x.entities for x in sentences] == [gold, predicted][chosen]
    assert "(" + header.split()[2 - chosen] + ")" in log.layout["entities not used"]


def test_a_first_line_with_an_invalid_tag_is_not_a_header(write):
    with pytest.raises(UserError, match="train.conll:1: 'B_PER' is not a tag"):
        read(iob, write("train.conll", "Token B_PER\nvit O\nLens B-LOC\n"))


@pytest.mark.parametrize("column", [None, 3])
def test_germeval_by_the_addresses_before_sentences(write, column):
    path = write("NER-train.tsv", GERMEVAL)
    assert recognise(path) == "iob"
    sentences, log = read(iob, path, tag_column=column)
    assert [x.words for x in sentences] == [["La", "Caisse", "de", "Dinan"], ["Arras"]]
    assert [x.entities for x in sentences] == [[(1, 4, "ORG")], [(0, 1, "LOC")]]
    assert log.layout["entities not used"] == "column 4 has 1"


@pytest.mark.parametrize("first, second", [("IOB1", "IOB2"), ("BILUO", "IOB1")])
def test_columns_with_the_same_entities_in_two_schemes_agree(write, first, second):
    sentences = [
        [f"{line}\t{tag}" for line, tag in zip(lines, tags)]
        for lines, tags in zip(lines_of("wt", first), tags_of(SCHEMES[second]))
    ]
    got, log = read(iob, write("train.conll", text_of(sentences)))
    check(got)
    assert log.layout["tags"] == second and log.layout["tags also in columns"] == [2]


@pytest.mark.parametrize("columns", ["wt{}", "w{}t"])
def test_column_without_entities_is_not_chosen(write, columns):
    sentences = lines_of(columns.format("_"))
    text = text_of(sentences).replace("\t_", "\tO")
    got, _ = read(iob, write("train.conll", text))
    check(got)


def test_entities_are_counted_in_the_whole_file(write):
    """Not only in the first thousand lines, which may have entities in one column or none."""
    plain = ["mot\tO\tO"] * 1500
    tagged = [*plain, "Lens\tO\tB-LOC"]
    (sentence, *_), _ = read(iob, write("late.conll", "\n".join(tagged[::-1])))
    assert sentence.entities == [(0, 1, "LOC")]
    sentences, _ = read(iob, write("late.conll", "\n".join(tagged)))
    assert [s.words[start] for s in sentences for start, _, _ in s.entities] == ["Lens"]
    both = ["Arras\tB-LOC\tO", *tagged, "", "Brest\tB-LOC\tB-LOC"]
    with pytest.raises(UserError, match="column 2 has 2, column 3 has 2"):
        read(iob, write("late.conll", "\n".join(both)))


def test_invalid_gold_tags_do_not_make_predicted_ones_gold(write):
    gold = ["B_LOC", "O", "B-PER", "I_PER", "O", "B-LOC", "O"]
    predicted = ["B-LOC", "O", "O", "O", "O", "O", "O"]
    lines = [f"w{n}\t{pair[0]}\t{pair[1]}" for n, pair in enumerate(zip(gold, predicted))]
    path = write("train.conll", "\n".join(lines))
    with pytest.raises(UserError, match="column 2 has 2, column 3 has 1"):
        read(iob, path)
    with pytest.raises(UserError, match="train.conll:1: 'B_LOC' is not a tag"):
        read(iob, path, tag_column=2)


def test_entities_are_counted_in_lines_of_any_width(write):
    path = write("train.conll", "Lens\tB-LOC\tx\nBrest\tO\tB-LOC\nvu\tO\tO\n" * 5 + "vu\tO\n")
    with pytest.raises(UserError, match="column 2 has 5, column 3 has 5"):
        read(iob, path, token_column=1)


def test_chunks_are_not_read_instead_of_invalid_entity_tags(write):
    text = "".join(f"w{n}\tB-NP\t{'B_PER' if n % 4 == 0 else 'O'}\n" for n in range(40))
    with pytest.raises(UserError, match="train.conll:1: 'B_PER' is not a tag"):
        read(iob, write("train.conll", text))


TYPES = "Ada\tperson-actor\nLovelace\tperson-actor\ndit\tO\n,\tO\nde\tO\nce\tO\n\nParis\tlocation\nest\tO\nlà\tO\n\n"


def test_types_of_entities_without_prefixes(write):
    path = write("train.txt", TYPES * 3)
    assert recognise(path) == "iob"
    sentences, log = read(iob, path)
    assert [x.entities for x in sentences[:2]] == [[(0, 2, "person-actor")], [(0, 1, "location")]]
    assert log.layout["tags"] == "I-only"
    header = write("header.txt", "token\tner\n" + TYPES * 3)
    assert read(iob, header)[0][0].entities == [(0, 2, "person-actor")]


def test_types_and_tags_in_one_file_are_refused(write):
    path = write("train.txt", TYPES * 300 + "\nAda\tB-person\n")
    with pytest.raises(UserError, match="'B-person' is not a type of entities without"):
        read(iob, path)


def test_a_label_a_line_is_no_type(write):
    assert name_of(write("a.tsv", "Bien\tpositif\nBof\tO\nRien\tO\n" * 5)) in ("", "iob")
    assert name_of(write("b.tsv", "Très bien\tpositif\nBof bof\tO\nRien là\tO\n" * 5)) == ""


def test_prefixes_at_the_end_are_refused(write):
    with pytest.raises(UserError, match="'PER-B' is not a tag"):
        read(iob, write("a.conll", "Ada PER-B\ndit O\n.  O\n" * 5))
