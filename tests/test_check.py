"""The corpus check: every planted fault is found and counted exactly, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
import srsly
from spacy.tokens import Doc, DocBin
from thinc.api import Config

from scripts import check, evaluate, report
from scripts.corpora.checks.lengths import WINDOW

from .conftest import ROOT
from .marked import labelled, tagged
from .small import small_pipeline


@pytest.fixture
def corpus(tmp_path) -> Callable[..., Path]:
    """Write a corpus: documents by split, each from the line of its number in SPLIT.txt."""

    def write(language: str = "fr", **splits: list[Doc]) -> Path:
        folder = tmp_path / "corpus"
        folder.mkdir()
        for split, docs in splits.items():
            for number, doc in enumerate(docs, 1):
                doc.user_data |= {"file": f"{split}.txt", "line": number}
            DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{split}.spacy")
        srsly.write_json(folder / "report.json", {"language": language, "read": {}, "splits": {}})
        return folder

    return write


@pytest.fixture
def found(command, tmp_path, monkeypatch) -> Callable[..., dict]:
    """Check a corpus; return the findings that are no notes, or all: what, count, places, examples."""

    def call(folder: Path, *options, notes: bool = False) -> dict:
        monkeypatch.setattr(check, "DEMO_ENCODER", tmp_path / "none")
        result = command(check, folder, "--json", tmp_path / "check.json", *options)
        assert result.code == 0, result.err
        written = srsly.read_json(tmp_path / "check.json")
        return {
            each["what"]: (each["count"], each["first"], each["examples"])
            for each in written["findings"]
            if notes or each["severity"] != "note"
        }

    return call


def test_entities(corpus, found):
    train = [
        tagged("[Paris|LOC] est loin de [Lyon|LOC] ."),  # 1
        tagged("À [Paris|LOC] , [Orange|ORG] embauche ."),
        tagged("Il vit à [Orange|LOC] , non loin de Paris ."),  # 3: an untagged Paris
        tagged("[Orange|ORG] recule à Lyon ."),  # Lyon was tagged once only
        tagged("Elle entre à [la Sorbonne|ORG] ."),  # 5: its article inside
        tagged("Elle quitte la [Sorbonne|ORG] ."),
        tagged("Il aime la [Sorbonne|ORG] et [Mamma Mia !|MISC] hier"),
        tagged("Et [Mamma Mia|MISC] !"),
        tagged("Il lit [« Le Monde|ORG] » ici"),  # 9: half a pair of quotes
        tagged("Chez [Renault ,|ORG] on rit"),  # 10: a separator
        tagged("Un film [(_Alien|MISC]_)"),  # 11: half a pair of brackets
        tagged("Une [Toul_\u00a0|LOC] grise"),  # 12: white space
        tagged("Le [Portugal|LOC]_ais chante"),  # 13: half a word
        tagged("Vive [New York|LOC] et [York|LOC] et [York|LOC] !"),
        tagged("Vive [New York|LOC] ; New York brille ."),  # 15: not York, but New York
    ]  # fmt: skip
    test = [tagged("On part de Paris vers [Paris|PER] ."), tagged("[Nantes|CITY] dort .")]
    assert found(corpus(train=train, test=test)) == {
        "test: entity with a type that train does not have": (
            2, ["test.txt:1"], ["CITY 1", "PER 1"],
        ),
        "entity type of train that test does not have, and cannot measure": (
            3, [], ["LOC 10", "ORG 7", "MISC 3"],
        ),
        "entity type with fewer than 10 examples in train": (2, [], ["ORG 7", "MISC 3"]),
        "entity with white space or an invisible character at an edge": (
            1, ["train.txt:12"], ["Toul\\xa0"],
        ),
        "entity that begins or ends inside a word": (1, ["train.txt:13"], [" Portugala"]),
        "entity with a separator, or half a pair of brackets or quotes, at an edge": (
            3, ["train.txt:9", "train.txt:10", "train.txt:11"],
            ["« Le Monde", "Renault ,", "(Alien"],
        ),
        "entity with its article inside in one place and outside in another": (
            1, ["train.txt:5"], ["Sorbonne: outside 2, inside 1 (train.txt:5)"],
        ),
        "entity with the punctuation after it inside in one place and outside in another": (
            1, ["train.txt:7"], ["Mamma Mia: inside 1, outside 1 (train.txt:7)"],
        ),
        "entity text with several labels": (
            2, ["test.txt:1", "train.txt:3"],
            ["Paris: LOC 2, PER 1 (test.txt:1)", "Orange: ORG 2, LOC 1 (train.txt:3)"],
        ),
        "text tagged 2 times or more in train that is untagged elsewhere": (
            2, ["train.txt:3", "train.txt:15"],
            ["Paris: tagged 2, untagged 2 (train.txt:3)",
             "New York: tagged 2, untagged 1 (train.txt:15)"],
        ),
    }  # fmt: skip


def test_nothing_is_wrong_with_elisions_apostrophes_quotes_case_and_names_in_names(corpus, found):
    docs = [
        tagged("L’_[Express|ORG] et l’_[Express|ORG] , l'_[Express|ORG] ."),
        tagged("[Jeanne d’_Arc|PER] et [O’_Neill|PER] , [Jeanne d’_Arc|PER]_."),
        tagged("Il joue dans [« Le Mépris »|MISC] , [« Le Mépris »|MISC] ."),
        tagged("[Mamma Mia !|MISC] et [Mamma Mia !|MISC] , en [Italie (_1999_)|MISC] ."),
        tagged("[Paris|LOC] , [Paris|LOC] , Paris-Match , paris , parisien , PARIS ."),
        tagged("[Pierre|PER] , [Pierre|PER] , la pierre , [Pierre Curie|PER] et [Marie|PER] ."),
        tagged("[Saint-Denis|LOC]_-_sur-Loire , [S._N._C._F.|ORG] , [U.S.|LOC] , [C++|MISC]"),
        tagged("Le [Monde|ORG] et [Un Monde|ORG] , un écran de [27_\"|MISC] ."),
        tagged("东京 [북경|LOC]_에서 [القاهرة|LOC]_ال ."),
        tagged("[Le Havre|LOC] , [Le Havre|LOC] : le Havre , Le havre ."),
        *[tagged(f"[{name}|{label}] vit ici .") for label, name in NAMES],
    ]  # fmt: skip
    # Tokens whose annotation is missing are no entities that were overlooked.
    unknown = tagged("Paris et Pierre dorment")
    unknown.set_ents([], default="missing")
    result = found(corpus(train=docs, dev=[*docs[-40:-30], unknown], test=docs[-40:]))
    assert {what: entry for what, entry in result.items() if not what.endswith(" too")} == {
        "dev: text without annotation of entities": (1, ["dev.txt:11"], [])
    }


NAMES = [
    (label, f"{label.title()}{letter}")
    for letter in "abcdefghij"
    for label in ("LOC", "PER", "ORG", "MISC")
]


def test_texts_and_labels(corpus, found):
    long = "Ce film est une très belle réussite et je le conseille à tous ceux qui aiment rire"
    train = [
        labelled("Un film superbe, à voir !", "pos"),  # 1
        labelled("Un film superbe, à voir !", "pos"),  # 2: again
        labelled("  UN FILM superbe : à voir...", "pos"),  # 3: nearly
        labelled("Quel ennui", "neg"),
        labelled("Quel ennui", "pos"),  # 5: again, and another label
        labelled("12", "pos"), labelled("13 !", "pos"),  # 6, 7: no letters, so not nearly equal
        labelled("जाना", "pos"), labelled("जानी", "pos"),  # other vowels
        labelled("Élève", "pos"), labelled("Élevé", "pos"),
        labelled("This film is one of the best that they have ever made and you should see it", "pos"),
        labelled(long, "pos"), labelled("Sans avis"),
    ]  # fmt: skip
    train[-1].cats = {}
    test = [
        labelled("Quel ennui", "neg"), labelled("élève...", "pos"), labelled("Quelle joie", "pos"),
        labelled("Bof", "mid", of=("neg", "pos", "mid")),
    ]  # fmt: skip
    assert found(corpus(train=train, test=test)) == {
        "test: text with a label that train does not have": (1, ["test.txt:4"], ["mid 1"]),
        "text of test that is in train too": (1, ["test.txt:1"], []),
        "text of test that is in train too, but for case, digits, punctuation or spaces": (
            1, ["test.txt:2"], [],
        ),
        "text of train that is there before": (2, ["train.txt:2", "train.txt:5"], []),
        "text of train that is there before, but for case, digits, punctuation or spaces": (
            1, ["train.txt:3"], [],
        ),
        "text that has other labels elsewhere": (1, ["train.txt:5"], []),
        "train: text without annotation of labels": (1, ["train.txt:14"], []),
        "label with fewer than 10 examples in train": (1, [], ["neg 1"]),
        "train: text with the label pos: always to answer it is right in 92%": (12, [], []),
        "text that reads like en, not fr, of 2 long enough to tell": (
            1, ["train.txt:12"], ["This film is one of the best that they have ever made and yo"],
        ),
    }  # fmt: skip


def test_other_entities_in_the_same_text(corpus, found):
    docs = [
        tagged("[Paris|LOC] dort"),
        tagged("\u00a0_[Paris|LOC] dort"),
        tagged("[Paris dort|MISC]"),
    ]
    # Not annotated for entities, and not for labels: no other annotation.
    docs += [labelled("Paris dort", "pos"), labelled("Elle dort", "neg"), tagged("Elle dort")]
    result = found(corpus(train=docs))
    assert [(what, entry) for what, entry in result.items() if "other" in what] == [
        ("text that has other entities elsewhere", (1, ["train.txt:3"], []))
    ]
    assert result["text of train that is there before"][0] == 4


def test_notes_say_how_long_texts_are_and_which_splits_there_are(corpus, found):
    docs = [labelled("mot " * 129, "pos"), labelled("mot " * 3, "neg"), labelled("?!", "pos")]
    notes = found(corpus("zh", train=docs), notes=True)
    assert notes["train: text with a label"] == (3, [], ["pos 2", "neg 1"])
    assert notes["word; of a text: median 3, 95 % up to 116, longest 129"][:2] == (
        134, ["train.txt:1"],
    )  # fmt: skip
    assert notes["text of over 128 words, read in overlapping windows"][0] == 1
    assert notes["text without a letter"] == (1, ["train.txt:3"], ["?!"])
    assert {"there is no dev split", "there is no test split"} <= notes.keys()
    assert any(what.startswith("languages were not checked: zh") for what in notes)
    config = Config().from_disk(ROOT / "configs" / "base.cfg", interpolate=False)
    assert config["components"]["transformer"]["model"]["window"] == WINDOW


def test_pieces_of_an_encoder(corpus, found, distilbert):
    docs = [
        labelled("Une ville ♞ et ♞ .", "pos"),
        labelled("http://www.exemple.fr/" + "a/" * 300, "neg"),
        labelled("et " * 520, "pos"),
    ]
    docs += [labelled("Une ville", "neg")] * 1100
    result = found(corpus(train=docs), "--encoder", distilbert, notes=True)
    tokenizer = check.open_pieces(str(distilbert), "").tokenizer
    lengths = [len(tokenizer(doc.text, add_special_tokens=False)["input_ids"]) for doc in docs]
    (what,) = [what for what in result if what.startswith("piece of tiny-distilbert")]
    assert (
        f": {sum(lengths) / sum(map(len, docs)):.2f} a word" in what
        and f"longest {max(lengths):,}" in what
    )
    assert result[what][0] == sum(lengths)
    over = [f"train.txt:{line}" for line, length in enumerate(lengths, 1) if length > 510]
    assert over == ["train.txt:2", "train.txt:3"]
    assert [entry[:2] for what, entry in result.items() if "text of over 510 pieces" in what] == [
        (2, over)
    ]
    assert result["word of over 510 pieces: the rest is not read"] == (
        1, ["train.txt:2"], ["http://www.exemple.fr/a/a/a/a/…"],
    )  # fmt: skip
    (unknown,) = [entry for what, entry in result.items() if what.startswith("unknown piece")]
    assert unknown == (2, ["train.txt:1"], ["♞ (2)"])


def test_the_encoder_whose_pieces_are_counted_is_named(
    command, corpus, distilbert, monkeypatch, tmp_path
):
    folder = corpus(train=[labelled("Bien", "pos"), labelled("Mal", "neg")])
    monkeypatch.setattr(check, "DEMO_ENCODER", tmp_path / "none")
    assert "no --encoder: pieces were not counted" in command(check, folder).out
    monkeypatch.setattr(check, "DEMO_ENCODER", distilbert)
    result = command(check, folder)
    assert f"pieces are those of {distilbert}" in result.out
    assert "0 serious, 1 warning" in " ".join(result.out.split())
    result = command(check, folder, "--encoder", "no/such")
    assert result.code == 1 and "no/such" in result.line


def test_shards_are_read_as_one_split(corpus, found):
    docs = [tagged("[Paris|LOC] dort ."), tagged("À [Paris|LOC] aussi !"), tagged("Paris rit .")]
    folder = corpus(train=docs)
    (folder / "train.spacy").unlink()
    (folder / "train.spacy").mkdir()
    for number, doc in enumerate(docs):
        path = folder / "train.spacy" / f"train-{number}.spacy"
        DocBin(docs=[doc], store_user_data=True).to_disk(path)
    result = found(folder)
    assert result["text tagged 2 times or more in train that is untagged elsewhere"] == (
        1, ["train.txt:3"], ["Paris: tagged 2, untagged 1 (train.txt:3)"],
    )  # fmt: skip


def test_the_page_shows_what_was_found_in_the_same_corpus(
    command, corpus, tmp_path, sample_corpora
):
    pipeline, metrics, page, checked = (
        tmp_path / name for name in ("p", "m.json", "p.html", "c.json")
    )
    small_pipeline(sample_corpora, "ner", epochs=1, examples=50).to_disk(pipeline)
    docs = [tagged("[<b>Paris|LOC] , [<b>Paris|LOC] ; <b>Paris"), tagged("[Lens|LOC] dort .")]
    folder = corpus(train=docs, test=docs)
    assert command(evaluate, pipeline, folder, metrics).code == 0
    assert command(check, folder, "--json", checked).code == 0
    result = command(report, pipeline, folder, metrics, page, "--check", checked)
    assert result.code == 0, result.err
    assert "text of test that is in train too" in (html := page.read_text("utf8"))
    assert "&lt;b&gt;Paris: tagged 2, untagged" in html and "<b>Paris" not in html
    assert command(report, pipeline, folder, metrics, page).code == 0
    assert "before training" not in page.read_text("utf8")
    DocBin(docs=docs[:1]).to_disk(folder / "train.spacy")
    result = command(report, pipeline, folder, metrics, page, "--check", checked)
    assert result.code == 1 and "of another corpus than" in result.line
    for content, said in (("{", "not valid JSON"), ("[]", "not what `check --json` writes")):
        checked.write_text(content)
        result = command(report, pipeline, folder, metrics, page, "--check", checked)
        assert result.code == 1 and said in result.line
    checked.unlink()
    result = command(report, pipeline, folder, metrics, page, "--check", checked)
    assert result.code == 1 and "is missing: run `check" in result.line
