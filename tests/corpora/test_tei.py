"""TEI P5: blocks of text and the names in them."""

import gzip
import tracemalloc

import pytest

from scripts.common.errors import UserError
from scripts.common.rawfile import RawFile
from scripts.corpora.examples import Log
from scripts.corpora.readers import recognise, tei

from .reading import convert, counts, docs, read

TEI = '<TEI xmlns="http://www.tei-c.org/ns/1.0">\n<teiHeader><p>non</p></teiHeader>\n<text>{}</text></TEI>\n'


@pytest.fixture
def blocks(write):
    """Read the content of a text; return each block with its entities, and the log."""

    def blocks(content: str, **options):
        examples, log = read(tei, write("a.xml", TEI.format(content)), **options)
        return [
            (example.text, *((example.text[start:end], label) for start, end, label in example.spans))
            for example in examples
        ], log  # fmt: skip

    return blocks


def test_blocks_of_the_text_are_read(blocks):
    found, log = blocks(
        "<front><p>Préface</p></front><body><div><head>Titre</head>\n<p>Un\n   <hi>deux</hi>trois</p>"
        "<lg><l>vers un</l><l>vers deux</l></lg><ab>fin</ab><p/><p> </p></div></body>"
    )
    assert found == [
        ("Préface",), ("Titre",), ("Un deuxtrois",), ("vers un",), ("vers deux",), ("fin",),
    ]  # fmt: skip
    assert log.lines == {"blocks": 6, "empty blocks": 2} and not log.skipped.counts


def test_names_are_entities(blocks):
    found, log = blocks(
        "<p><persName>Zoé <surname>B.</surname></persName>, <placeName>Lens</placeName>, "
        "<geogName>Oise</geogName>, <orgName>\n <hi>O</hi>\n</orgName>, <settlement>Lille</settlement>, "
        '<name type="person">A</name>, <rs type="Place">la ville</rs>, <name type="org">C</name></p>'
    )
    assert found == [
        ("Zoé B., Lens, Oise, O , Lille, A, la ville, C", ("Zoé B.", "PER"), ("Lens", "LOC"),
         ("Oise", "LOC"), ("O", "ORG"), ("Lille", "LOC"), ("A", "PER"), ("la ville", "LOC"),
         ("C", "ORG")),
    ]  # fmt: skip
    assert not log.repaired.counts


def test_other_names_and_notes_are_counted(blocks):
    found, log = blocks(
        '<p>Le <title>T</title>, <rs type="oeuvre">R</rs>, <name>N</name>, <objectName>O</objectName>'
        "<note>non <persName>X</persName></note><fw>2</fw><figure><head>F</head></figure><del>d</del>"
        '<persName ref="#x"/>.</p><note><p>aussi</p></note>'
    )
    assert found == [("Le T, R, N, O.",)]
    assert log.layout["not used"] == (
        "1 del, 1 figure, 1 fw, 1 name, 2 note, 1 objectName, 1 rs oeuvre, 1 title"
    )
    assert counts(log.repaired) == {"entity without text, left out": 1}


def test_nested_names_are_refused_or_the_longest_is_kept(blocks):
    content = "<p>la <orgName>mairie de <placeName>Lens</placeName></orgName></p>"
    with pytest.raises(UserError, match="a.xml:3: entities 3–17 and 13–17 overlap"):
        blocks(content)
    found, log = blocks(content, overlaps="longest")
    assert found == [("la mairie de Lens", ("mairie de Lens", "ORG"))]
    place = "<placeName><settlement>Lens</settlement>, <country>France</country></placeName>"
    assert blocks(f"<p>{place}</p>")[0] == [("Lens, France", ("Lens, France", "LOC"))]
    same = '<p><orgName><placeName>Lens</placeName></orgName></p>'  # fmt: skip
    assert blocks(same, overlaps="longest")[0] == [("Lens", ("Lens", "ORG"))]
    twice, log = blocks('<p><rs type="person"><persName>Zoé</persName></rs></p>')
    assert twice == [("Zoé", ("Zoé", "PER"))]
    assert counts(log.repaired) == {"entity marked twice, read once": 1}


def test_breaks_are_a_space_unless_they_are_within_a_word(blocks):
    found, log = blocks(
        '<p>un<lb/>deux<pb n="2"/>trois Bour<lb break="no"/>\n  geat, Bour-<lb break="no"/>geat, '
        'Saint-<lb break="no"/>Denis, mai\u00ad<pb/>\n<lb break="no"/>son '
        '<persName>Zoé </persName><lb break="no"/>lie</p>'
    )
    assert found == [
        ("un deux trois Bourgeat, Bourgeat, Saint-Denis, maison Zoélie", ("Zoé", "PER")),
    ]
    assert counts(log.repaired) == {"hyphen at a line end within a word, removed": 1}


def test_one_alternative_is_read(blocks):
    found, log = blocks(
        "<p><choice><sic>voulait</sic><corr>voulut</corr></choice> "
        "<choice>\n<expan>Monsieur <persName>A</persName></expan>\n<abbr>M. <persName>A</persName></abbr>"
        "</choice> <choice><orig>vn</orig><reg>un</reg><reg>une</reg></choice> "
        "<app><lem>oui</lem><rdg>non</rdg></app> <sic>seul</sic> <choice><sic>perdu</sic></choice></p>"
    )
    assert found == [("voulut Monsieur A un oui seul", ("A", "PER"))]
    assert counts(log.repaired) == {
        "choice without a corrected, expanded or regular form, left out": 1
    }


def test_a_block_in_a_block_is_part_of_it(blocks):
    found, _ = blocks(
        "<p>Il dit :<quote><p>«Oui»</p><lg><l>un</l><l>deux</l></lg></quote>"
        "<list><item>a</item><item>b</item></list></p><quote><p>Seul</p></quote>"
        "<list><item><p>c</p></item></list>"
    )
    assert found == [("Il dit : «Oui» un deux a b",), ("Seul",), ("c",)]


def test_text_outside_blocks_is_counted(blocks):
    found, log = blocks("<list><item>Lens</item> <item>x<p>Lille</p>y</item></list><p>fin</p>")
    assert found == [("Lille",), ("fin",)]
    assert counts(log.skipped) == {"text outside p, head, l and ab": 2}


def test_without_a_namespace_with_another_prefix_and_as_a_corpus(write):
    text = "<text><body><p>{} <persName>Zoé</persName></p></body></text>"
    one = "<?xml version='1.0' encoding='iso-8859-1'?>\n<TEI>" + text.format("é") + "</TEI>"
    (example,), _ = read(tei, write("a.xml", one.encode("iso-8859-1")))
    assert example.text == "é Zoé" and example.document is None and example.number == 2
    two = f"<teiCorpus><teiHeader/><TEI>{text.format('a')}</TEI><TEI>{text.format('b')}</TEI></teiCorpus>"
    prefixed = two.replace("</", "</t:").replace("<", "<t:").replace("<t:/t:", "</t:")
    prefixed = prefixed.replace(
        "<t:teiCorpus", '<t:teiCorpus xmlns:t="http://www.tei-c.org/ns/1.0"'
    )
    for content in (two, prefixed):
        examples, _ = read(tei, write("b.xml", content))
        assert [(example.text, example.document) for example in examples] == [
            ("a Zoé", 1),
            ("b Zoé", 2),
        ]
    examples, _ = read(tei, write("c.xml.gz", gzip.compress(two.encode("utf-16"))))
    assert len(examples) == 2


def test_a_folder_holds_documents(write, tmp_path):
    for name in ("un", "deux"):
        write(f"in/{name}.xml", TEI.format(f"\n<p><persName>Zoé</persName> {name}</p>"))
    write("in/schema.rng", "<grammar/>")
    assert recognise(tmp_path / "in") == "tei"
    report = convert("tei", tmp_path / "in", tmp_path / "out")
    assert [(doc.text, doc.user_data) for doc in docs(tmp_path / "out/train.spacy")] == [
        ("Zoé deux", {"file": "in/deux.xml", "line": 4, "document": "deux.xml"}),
        ("Zoé un", {"file": "in/un.xml", "line": 4, "document": "un.xml"}),
    ]
    assert report["ignored"]["file of another kind"]["count"] == 1


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "a.xml:1: malformed XML"),
        ("texte", "a.xml:1: malformed XML"),
        (TEI.format("<p>a</q>"), "a.xml:3: malformed XML at column"),
        (TEI.format("<p>&eacute;</p>"), "a.xml:3: malformed XML"),
        (TEI.format("<p>a</p>")[:-20], "a.xml:3: malformed XML"),
        (TEI.format("<p>a</p>").encode("utf-16")[:-30], "a.xml:3: malformed XML"),
        ("<html><p>a</p></html>", "a.xml:1: the root element is html, not TEI"),
        ('<!DOCTYPE TEI [<!ENTITY a "b">]><TEI><text><p>&a;</p></text></TEI>', "declares a DTD"),
        (
            '<!DOCTYPE TEI SYSTEM "/etc/passwd"><TEI/>',
            "declares a DTD or entities, which TEI texts",
        ),
        ('<?xml version="1.0" encoding="klingon"?><TEI/>', "a.xml:1: the declared XML encoding"),
        (b"\x89PNG\r\n\0\0", "a.xml:1: malformed XML"),
        (TEI.format("<p>a\ud800</p>".replace("\ud800", "&#xD800;")), "a.xml:3: malformed XML"),
    ],
)
def test_other_files_are_refused_in_one_line(write, content, message):
    with pytest.raises(UserError, match=message) as caught:
        read(tei, write("a.xml", content))
    assert "\n" not in str(caught.value)


def test_a_text_without_names_is_refused(write, tmp_path):
    with pytest.raises(UserError, match="no entities found"):
        convert("tei", write("a.xml", TEI.format("<p>a</p>")), tmp_path / "out")
    with pytest.raises(UserError, match=r"no examples found \(1 text outside p, head, l and ab\)"):
        convert("tei", write("a.xml", TEI.format("<item>a</item>")), tmp_path / "out")


def test_tei_is_recognised(write):
    assert recognise(write("a.xml", TEI.format("<p>a</p>"))) == "tei"
    assert recognise(write("b.xml", "\ufeff<?xml version='1.0'?>\n<!-- TEI -->\n<t:TEI>")) == "tei"
    for text in ("<items>\n<item/></items>", "<html>TEI</html>", "voir <TEI >", "", b"\0<TEI>"):
        with pytest.raises(UserError, match="not recognised"):
            recognise(write("c.xml", text))


def test_memory_does_not_grow_with_the_file(write):
    content = TEI.format("<p>Une phrase de <persName>Zoé</persName> ici.</p>\n" * 20_000)
    path = write("a.xml", content)
    tracemalloc.start()
    number = sum(1 for _ in tei.read_file(RawFile(path), Log()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert number == 20_000 and peak < 3_000_000
