"""A word a row with a header, as the Groningen Meaning Bank circulates."""

import pytest

from scripts.common.errors import UserError
from scripts.corpora.readers import gmb, recognise

from .reading import counts, read

WORDS = [["Ada", "Lovelace", ",", "dite", '"', "la", "Comtesse", '"'], ["Rien", "."]]
TAGS = [["B-per", "I-per", "O", "O", "O", "O", "B-art", "O"], ["O", "O"]]
ENTITIES = [[(0, 2, "per"), (6, 7, "art")], []]


def quoted(cell: str, delimiter: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & {'"', delimiter} else cell


def table(
    header: str, row: str, delimiter: str = ",", first=lambda n: f"Sentence: {n}", between=""
) -> str:
    """A file with a row for each word. row: its cells, of s(entence), S (in every row), i(ndex), w(ord),
    p(OS) and t(ag)."""
    lines = [header.replace(",", delimiter)]
    index = 0
    for number, (words, tags) in enumerate(zip(WORDS, TAGS), 1):
        for place, (word, tag) in enumerate(zip(words, tags)):
            cells = {"s": "" if place else first(number), "S": first(number), "i": str(index), "w": word, "p": "NN", "t": tag}  # fmt: skip
            lines.append(delimiter.join(quoted(cells[x], delimiter) for x in row))
            index += 1
        lines += [between] * bool(between)
    return "\n".join([*lines, ""])


@pytest.mark.parametrize(
    "name, content",
    [
        ("ner_dataset.csv", table("Sentence #,Word,POS,Tag", "swpt")),
        ("ner_dataset.csv", "\ufeff" + table("Sentence #,Word,POS,Tag", "Swpt").replace("\n", "\r\n")),
        ("ner.csv", table(",pos,sentence_idx,word,tag", "ipSwt", first=lambda n: f"{n}.0")),
        ("ner.csv", table("Unnamed: 0,Sentence #,Word,POS,Tag", "iSwpt", first=str)),
        ("GMB_dataset.txt", table(",Sentence #,Word,POS,Tag", "iSwpt", "\t", first=str)),
        ("ner.tsv", table("sentence_id,token,ner_tag", "Swt", "\t", first=str)),
        ("ner.csv", table("sentence_id,words,labels", "Swt", ";", first=str)),
        ("ner.csv", table("Word,Tag", "wt", between=",")),
        ("ner.csv", table("sentence_id,tag,word,ner", "Spwt", first=str)),
        (
            "ner.csv",
            "Sentence #,Sentence,POS,Tag\n"
            'Sentence: 1,"Ada Lovelace , dite "" la Comtesse """,'
            "\"['N', 'N']\",\"['B-per', 'I-per', 'O', 'O', 'O', 'O', 'B-art', 'O']\"\n"
            "Sentence: 2,Rien .,['N'],\"['O', 'O']\"\n",
        ),
    ],
    ids=["first", "every", "features", "floats", "txt", "tsv", "semicolons", "blank", "two tags", "lists"],
)  # fmt: skip
def test_variants(write, name, content):
    path = write(name, content)
    assert recognise(path) == "gmb"
    sentences, log = read(gmb, path)
    assert [x.words for x in sentences] == WORDS and [x.entities for x in sentences] == ENTITIES
    assert log.layout["tags"] == "IOB2" and counts(log.repaired) == {} == counts(log.skipped)


def test_blank_lines_separate_sentences_without_numbers(write):
    sentences, _ = read(gmb, write("a.csv", "word,tag\nAda,B-PER\n\nvit,O\n"))
    assert [x.words for x in sentences] == [["Ada"], ["vit"]]


def test_a_file_without_sentences_is_split(write):
    path = write("a.csv", "word,tag\n" + "mot,O\n" * 300 + "Ada,B-PER\n")
    sentences, log = read(gmb, path, max_words=100)
    assert [len(x.words) for x in sentences] == [100, 100, 100, 1]
    assert counts(log.repaired) == {"sentence of more than 100 words, split": 3}


def test_columns_that_the_user_names(write):
    path = write("a.csv", "1,Ada,N,B-PER\n1,vit,V,O\n2,Non,N,O\n")
    sentences, _ = read(gmb, path, columns="sentence,word,pos,tag")
    assert [x.words for x in sentences] == [["Ada", "vit"], ["Non"]]
    path = write("a.csv", "word,tag,ner\nAda,O,B-PER\nvit,O,O\n")
    with pytest.raises(
        UserError, match="several columns may hold tags: ner, tag; .*--label-column"
    ):
        read(gmb, path)
    assert read(gmb, path, label_column="ner")[0][0].entities == [(0, 1, "PER")]


@pytest.mark.parametrize(
    "content, message",
    [
        ("Sentence #,Word,POS,Tag\nSentence: 1,Ren\xe9e,N,O\n".encode("latin-1"), ":2: not valid UTF-8.*--encoding"),
        ("Sentence #,Word,POS,Tag\nSentence: 1,Ada,N,PER\n", ":2: 'PER' is not a tag.*--label-column"),
        ("Sentence #,Word,POS,Tag\nSentence: 1,Ada,N\n", ":2: expected 4 columns"),
        ("Sentence #,Word,POS\nSentence: 1,Ada,N\n", "no column of tags in sentence #, word, pos"),
        ("Sentence #,Tag\nSentence: 1,O\n", "no column of words"),
        ('Sentence #,Word,POS,Tag\nSentence: 1,a"b,N,O\n,",N,O\n,c,N,O\n', "--quoting none"),
        ("", "no column of words"),
        (b"\x00\x01", "NUL"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(write, content, message):
    with pytest.raises(UserError, match=f"a.csv.*{message}"):
        read(gmb, write("a.csv", content))


def test_tags_in_another_notation_are_not_led_into_classification(write):
    path = write("a.csv", "Sentence #,Word,POS,Tag\nSentence: 1,Ada,N,B_PER\n,vit,V,OUT\n")
    assert recognise(path) == "gmb"


@pytest.mark.parametrize(
    "name, content",
    [
        ("train.csv", "text,label\nUn bon film,pos\nUn navet,neg\n"),
        ("train.csv", "sentence,label\nUn bon film,1\nUn navet,0\n"),
        ("train.csv", "sentence,labels\nUn bon film,\"['joie', 'amour', 'rire']\"\n"),
        ("train.csv", "word,sentence,label\nbanc,Un banc de poissons,1\n"),
        ("train.csv", "sentence_id,text,label\n1,Un bon film,pos\n"),
        ("train.csv", "text,label\n"),
        ("train.csv", ""),
        ("train.csv", '"'),
        ("train.tsv", "Ada\tB-PER\nvit\tO\n"),
    ],
)
def test_other_files_are_not_recognised(write, name, content):
    try:
        assert recognise(write(name, content)) != "gmb"
    except UserError as error:
        assert "not recognised" in str(error)


@pytest.mark.parametrize(
    "name, content",
    [
        ("ner.csv", 'text,labels\nAda Lovelace dit,B-per I-per O\nRien .,O O\n'),
        ("ner.csv", "tokens,ner_tags\n\"['Ada', 'Lovelace', 'dit']\",\"['B-per', 'I-per', 'O']\"\n\"['Rien', '.']\",\"['O', 'O']\"\n"),
        ("ner.csv", "tokens,ner_tags\n['Ada' 'Lovelace' 'dit'],['B-per' 'I-per' 'O']\n['Rien' '.'],['O' 'O']\n"),
    ],
)  # fmt: skip
def test_a_sentence_a_row(write, name, content):
    path = write(name, content)
    assert recognise(path) == "gmb"
    sentences, _ = read(gmb, path)
    assert [(x.words, x.entities) for x in sentences] == [
        (["Ada", "Lovelace", "dit"], [(0, 2, "per")]), (["Rien", "."], []),
    ]  # fmt: skip


@pytest.mark.parametrize("label", ["B-1", "I agree", "O"])
def test_labels_of_texts_are_no_tags_of_words(write, label):
    assert recognise(write("a.csv", f"text,label\nUn bon film,{label}\nUn navet,O\n")) == "table"
