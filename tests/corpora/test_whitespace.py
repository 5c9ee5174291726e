"""Every reader trims whitespace at the edges of entities, which spaCy's `ner` cannot learn."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Corpus, Example

from scripts.common.errors import UserError
from scripts.corpora.options import Plan
from scripts.corpora.readers.tags import EDGE_WHITESPACE, ONLY_WHITESPACE

from .reading import NO_BREAK_SPACE, ZERO_WIDTH_SPACE, convert, docs, found

# For each format: the suffix, a token, the token separator, and the sentence separator.
TOKENS = {"iob": ("conll", "{}\t{}", "\n", "\n\n"), "wikiner": ("wikiner", "{}|_|{}", " ", "\n")}
PLAIN = [("à", "O"), ("Lens", "B-LOC")]
S = NO_BREAK_SPACE


def write_tokens(name: str, sentences: list[list[tuple[str, str]]], folder: Path) -> Path:
    suffix, token, between, after = TOKENS[name]
    text = "".join(between.join(token.format(*pair) for pair in s) + after for s in sentences)
    path = folder / f"train.{suffix}"
    path.write_text(text, "utf8", newline="")
    return path


def convert_train(name: str, path: Path, output: Path, **plan) -> tuple[list, dict[str, int]]:
    report = convert(name, path, output, Plan(dev_ratio=0, test_ratio=0, **plan))
    (read,) = report["read"].values()
    repaired = {kind: note["count"] for kind, note in read["repaired"].items()}
    return docs(output / "train.spacy"), repaired


@pytest.mark.parametrize("space", [S, "\x85", "\u2003\u3000"], ids=ascii)
@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(
    "tokens, words, entities, repairs",
    [
        ("à/O _/B Paris/I _/I .", "à _ Paris _ .", [(2, 3)], {EDGE_WHITESPACE: 1}),
        ("à/O _/B _/I .", "à _ _ .", [], {ONLY_WHITESPACE: 1}),
        ("_Paris/B Lyon_/I _/O", "Paris Lyon _", [(0, 2)], {EDGE_WHITESPACE: 1}),
        ("_Paris_/B Lyon_/B", "Paris Lyon", [(0, 1), (1, 2)], {EDGE_WHITESPACE: 2}),
        ("_/B _Paris/I _/B", "_ Paris _", [(1, 2)], {EDGE_WHITESPACE: 1, ONLY_WHITESPACE: 1}),
        # Inside an entity, and outside entities, it is kept.
        ("_à/O Paris/B _/I _Lyon/I vu_/O", "_à Paris _ _Lyon vu_", [(1, 4)], {}),
    ],
)
def test_whitespace_is_trimmed_in_tagged_formats(
    tmp_path, name, space, tokens, words, entities, repairs
):
    pairs = [token.replace("_", space).partition("/")[::2] for token in tokens.split(" ")]
    sentence = [(word, f"{tag}-LOC" if tag in ("B", "I") else "O") for word, tag in pairs]
    path = write_tokens(name, [sentence, PLAIN], tmp_path)
    (got, _), repaired = convert_train(name, path, tmp_path / "out")
    assert found(got) == (
        [word.replace("_", space) for word in words.split(" ")],
        [(start, end, "LOC") for start, end in entities],
    )
    assert repaired == repairs
    if repairs:
        with pytest.raises(UserError, match=rf"{path}:[12]: .*whitespace.*--strict"):
            convert_train(name, path, tmp_path / "strict", strict=True)
        assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize("word", [ZERO_WIDTH_SPACE, ""], ids=ascii)
def test_what_spacy_does_not_regard_as_whitespace_is_kept(tmp_path, word):
    path = write_tokens("iob", [[(word, "B-LOC"), ("Paris", "I-LOC"), (word, "I-LOC")]], tmp_path)
    (got,), repaired = convert_train("iob", path, tmp_path / "out")
    assert found(got)[1] == [(0, 3, "LOC")]
    assert EDGE_WHITESPACE not in repaired and ONLY_WHITESPACE not in repaired


def test_whitespace_is_trimmed_in_texts_with_offsets(tmp_path):
    spans = [[1, 3, "A"], [3, 10, "LOC"], [12, 14, "B"], [14, 16, "LOC"]]
    row = {"text": f"à {S}  Paris{S} {S} Aÿ", "entities": spans}
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(row) + "\n", "utf8")
    (doc,), repaired = convert_train("table", path, tmp_path / "out")
    assert doc.text == row["text"]
    assert [(e.text, e.label_) for e in doc.ents] == [("Paris", "LOC"), ("Aÿ", "LOC")]
    assert repaired == {EDGE_WHITESPACE: 1, ONLY_WHITESPACE: 2}
    with pytest.raises(UserError, match="train.jsonl:1: entity of whitespace only"):
        convert_train("table", path, tmp_path / "strict", strict=True)


# Long enough for spaCy to search for the oracle sequence (update_with_oracle_cut_size).
PADDING = [("mot", "O")] * 110
HOSTILE = [
    [(S, "B-LOC"), ("Paris", "I-LOC"), *PADDING],
    [(f"{S}Paris", "B-LOC"), *PADDING],
    [("Paris", "B-LOC"), (S, "I-LOC"), (f"\u2003Lyon{S}", "I-LOC"), ("\x85", "I-LOC"), *PADDING],
    [("à", "O"), (S, "B-LOC"), *PADDING],
    [("Lyon", "B-LOC"), *PADDING],
]


def test_untrimmed_entities_fail_in_training():
    nlp = spacy.blank("fr")
    ner = nlp.add_pipe("ner")
    ner.add_label("LOC")
    nlp.initialize()
    for sentence in HOSTILE[0], HOSTILE[1], HOSTILE[3]:
        words, tags = zip(*sentence)
        gold = Doc(nlp.vocab, words=list(words), ents=list(tags))
        with pytest.raises(ValueError, match="E024"):
            ner.moves.get_oracle_sequence(Example(nlp.make_doc(gold.text), gold))


def write_offsets(sentences: list[list[tuple[str, str]]], folder: Path) -> Path:
    """Write sentences as texts with one entity each, from the first B- to the last I-."""
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
def test_trimmed_entities_can_be_trained_on(tmp_path, name):
    path = (
        write_offsets(HOSTILE, tmp_path)
        if name == "table"
        else write_tokens(name, HOSTILE, tmp_path)
    )
    _, repaired = convert_train(name, path, tmp_path / "out")
    assert repaired == {EDGE_WHITESPACE: 3, ONLY_WHITESPACE: 1}
    nlp = spacy.blank("fr")
    ner = nlp.add_pipe("ner")
    examples = list(Corpus(tmp_path / "out" / "train.spacy")(nlp))
    nlp.initialize(lambda: examples)
    for _ in range(5):
        assert nlp.update(examples)["ner"] > 0
    # Training does this with random examples; here, with each.
    for example in examples:
        assert len(ner.moves.get_oracle_sequence(example)) == len(example.predicted)
