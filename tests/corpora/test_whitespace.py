"""White space at the edge of an entity: taken off by every reader, as spaCy's `ner` cannot learn it."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Corpus, Example

from scripts.common.errors import UserError
from scripts.corpora.options import Plan
from scripts.corpora.tags import EDGE, NOTHING

from .reading import NO_BREAK_SPACE, ZERO_WIDTH_SPACE, convert, docs, found

# Of each format: how its files end, a token, what is between tokens, and after a sentence.
TOKENS = {"iob": ("conll", "{}\t{}", "\n", "\n\n"), "wikiner": ("wikiner", "{}|_|{}", " ", "\n")}
PLAIN = [("à", "O"), ("Lens", "B-LOC")]
S = NO_BREAK_SPACE


def written(name: str, sentences: list[list[tuple[str, str]]], folder: Path) -> Path:
    suffix, token, between, after = TOKENS[name]
    text = "".join(between.join(token.format(*pair) for pair in s) + after for s in sentences)
    path = folder / f"train.{suffix}"
    path.write_text(text, "utf8", newline="")
    return path


def only_train(name: str, path: Path, output: Path, **plan) -> tuple[list, dict[str, int]]:
    report = convert(name, path, output, Plan(dev_ratio=0, test_ratio=0, **plan))
    (read,) = report["read"].values()
    repaired = {kind: note["count"] for kind, note in read["repaired"].items()}
    return docs(output / "train.spacy"), repaired


@pytest.mark.parametrize("space", [S, "\x85", "\u2003\u3000"], ids=ascii)
@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(
    "tokens, words, entities, repairs",
    [
        ("à/O _/B Paris/I _/I .", "à _ Paris _ .", [(2, 3)], {EDGE: 1}),
        ("à/O _/B _/I .", "à _ _ .", [], {NOTHING: 1}),
        ("_Paris/B Lyon_/I _/O", "Paris Lyon _", [(0, 2)], {EDGE: 1}),
        ("_Paris_/B Lyon_/B", "Paris Lyon", [(0, 1), (1, 2)], {EDGE: 2}),
        ("_/B _Paris/I _/B", "_ Paris _", [(1, 2)], {EDGE: 1, NOTHING: 1}),
        # Inside an entity, and outside any, it stays.
        ("_à/O Paris/B _/I _Lyon/I vu_/O", "_à Paris _ _Lyon vu_", [(1, 4)], {}),
    ],
)
def test_token_a_line_and_sentence_a_line(tmp_path, name, space, tokens, words, entities, repairs):
    pairs = [token.replace("_", space).partition("/")[::2] for token in tokens.split(" ")]
    sentence = [(word, f"{tag}-LOC" if tag in ("B", "I") else "O") for word, tag in pairs]
    path = written(name, [sentence, PLAIN], tmp_path)
    (got, _), repaired = only_train(name, path, tmp_path / "out")
    assert found(got) == (
        [word.replace("_", space) for word in words.split(" ")],
        [(start, end, "LOC") for start, end in entities],
    )
    assert repaired == repairs
    if repairs:
        with pytest.raises(UserError, match=rf"{path}:[12]: .*white space.*--strict"):
            only_train(name, path, tmp_path / "strict", strict=True)
        assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize("word", [ZERO_WIDTH_SPACE, ""], ids=ascii)
def test_what_spacy_takes_for_no_white_space_stays(tmp_path, word):
    path = written("iob", [[(word, "B-LOC"), ("Paris", "I-LOC"), (word, "I-LOC")]], tmp_path)
    (got,), repaired = only_train("iob", path, tmp_path / "out")
    assert found(got)[1] == [(0, 3, "LOC")]
    assert EDGE not in repaired and NOTHING not in repaired


def test_texts_with_offsets(tmp_path):
    spans = [[1, 3, "A"], [3, 10, "LOC"], [12, 14, "B"], [14, 16, "LOC"]]
    row = {"text": f"à {S}  Paris{S} {S} Aÿ", "entities": spans}
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(row) + "\n", "utf8")
    (doc,), repaired = only_train("table", path, tmp_path / "out")
    assert doc.text == row["text"]
    assert [(e.text, e.label_) for e in doc.ents] == [("Paris", "LOC"), ("Aÿ", "LOC")]
    assert repaired == {EDGE: 1, NOTHING: 2}
    with pytest.raises(UserError, match="train.jsonl:1: entity of nothing but white space"):
        only_train("table", path, tmp_path / "strict", strict=True)


# Long enough for spaCy to look for the best moves (update_with_oracle_cut_size).
MANY = [("mot", "O")] * 110
HOSTILE = [
    [(S, "B-LOC"), ("Paris", "I-LOC"), *MANY],
    [(f"{S}Paris", "B-LOC"), *MANY],
    [("Paris", "B-LOC"), (S, "I-LOC"), (f"\u2003Lyon{S}", "I-LOC"), ("\x85", "I-LOC"), *MANY],
    [("à", "O"), (S, "B-LOC"), *MANY],
    [("Lyon", "B-LOC"), *MANY],
]


def test_without_the_rule_training_ends_in_an_error():
    nlp = spacy.blank("fr")
    ner = nlp.add_pipe("ner")
    ner.add_label("LOC")
    nlp.initialize()
    for sentence in HOSTILE[0], HOSTILE[1], HOSTILE[3]:
        words, tags = zip(*sentence)
        gold = Doc(nlp.vocab, words=list(words), ents=list(tags))
        with pytest.raises(ValueError, match="E024"):
            ner.moves.get_oracle_sequence(Example(nlp.make_doc(gold.text), gold))


def as_offsets(sentences: list[list[tuple[str, str]]], folder: Path) -> Path:
    """Write sentences as texts, an entity each from its first B- to the end of its I-."""
    rows = []
    for sentence in sentences:
        ends = [len(" ".join(w for w, _ in sentence[: n + 1])) for n in range(len(sentence))]
        inside = [n for n, (_, tag) in enumerate(sentence) if tag != "O"]
        start = ends[inside[0]] - len(sentence[inside[0]][0])
        span = [start, ends[inside[-1]], "LOC"]
        rows.append({"text": " ".join(w for w, _ in sentence), "entities": [span]})
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    return path


@pytest.mark.parametrize("name", [*TOKENS, "table"])
def test_what_is_converted_trains(tmp_path, name):
    path = as_offsets(HOSTILE, tmp_path) if name == "table" else written(name, HOSTILE, tmp_path)
    _, repaired = only_train(name, path, tmp_path / "out")
    assert repaired == {EDGE: 3, NOTHING: 1}
    nlp = spacy.blank("fr")
    ner = nlp.add_pipe("ner")
    examples = list(Corpus(tmp_path / "out" / "train.spacy")(nlp))
    nlp.initialize(lambda: examples)
    for _ in range(5):
        assert nlp.update(examples)["ner"] > 0
    # What training does with some at random, with each.
    for example in examples:
        assert len(ner.moves.get_oracle_sequence(example)) == len(example.predicted)
