"""No text is cut: the encoder's limit bounds windows, whatever the words look like."""

import json
import random
import shutil
import subprocess
import sys
import warnings
import zipfile

import pytest
import spacy
from spacy_transformers.span_getters import get_strided_spans
from transformers import AutoTokenizer

from scripts import convert, evaluate, package, train
from scripts.wheel.components import TRANSFORMER
from scripts.wheel.windows import count_pieces, max_pieces

from ..conftest import ROOT

LINKS = " ".join(f"https://exemple.fr/un/long/chemin?numero={n:06}" for n in range(40))
MONSTERS = [
    "\ufdfa",
    "㌀",
    "İ",
    "ﬃ",
    "½",
    "…",
    "ß",
    "\u0344",
    "é",
    "e\u0301",
    "한",
    "👩‍🚀",
    "\ue000",
]


def with_transformer(encoder) -> spacy.language.Language:
    nlp = spacy.blank("fr")
    model = {"@architectures": TRANSFORMER, "name": str(encoder), "window": 128, "stride": 96}
    nlp.add_pipe("transformer", config={"model": model})
    nlp.initialize()
    return nlp


def tokens_without_vector(doc) -> list[str]:
    lengths = doc._.trf_data.align.lengths
    return [token.text for token in doc if not lengths[token.i] and not token.is_space]


@pytest.mark.parametrize("encoder", ["distilbert", "camembert"])
def test_every_token_has_a_vector(request, encoder, tmp_path):
    nlp = with_transformer(request.getfixturevalue(encoder))
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            doc, empty, short = pipeline.pipe([f"{LINKS} C'est un film nul et raté.", "", "Paris"])
        assert len(doc) == 48 and tokens_without_vector(doc) == []
        assert max(map(len, doc._.trf_data.wordpieces.strings)) <= 512
        assert tokens_without_vector(short) == [] and len(empty) == 0


def test_windows_are_strided_spans_if_these_fit(camembert):
    nlp = with_transformer(camembert)
    spans = nlp.get_pipe("transformer").model.attrs["get_spans"]
    docs = [nlp.make_doc("un film . " * n) for n in (0, 1, 32, 33, 43, 100, 200)]
    ours, usual = spans(docs), get_strided_spans(docs, 128, 96)
    assert [[(s.start, s.end) for s in doc] for doc in ours] == [
        [(s.start, s.end) for s in doc] for doc in usual
    ]


def test_a_token_beyond_the_limit_stands_alone_and_nothing_else_is_cut(distilbert):
    nlp = with_transformer(distilbert)
    transformer = nlp.get_pipe("transformer").model
    doc = nlp(f"Un début {'x' * 1500} et la fin {'y' * 400} {'z' * 400} !")
    assert tokens_without_vector(doc) == []
    limit = transformer.tokenizer.max_len_single_sentence
    (spans,) = transformer.attrs["get_spans"]([doc])
    for span in spans:
        assert len(span) == 1 or count_pieces([span.text], transformer.tokenizer)[0] <= limit
    assert {token.i for span in spans for token in span} == set(range(len(doc)))


def test_no_text_has_more_pieces_than_the_upper_bound(distilbert, camembert):
    numbers = random.Random(0)
    texts = ["".join(numbers.choices(MONSTERS + [" ", "a", "É"], k=40)) for _ in range(200)]
    for encoder in (distilbert, camembert):
        tokenizer = AutoTokenizer.from_pretrained(encoder)
        for text, count in zip(texts, count_pieces(texts, tokenizer)):
            assert count <= max_pieces(text), text


def test_a_component_with_its_own_transformer_keeps_the_windows(camembert, tmp_path):
    nlp = with_transformer(camembert)
    listener = {"@architectures": "spacy-transformers.TransformerListener.v1", "grad_factor": 1.0,
                "pooling": {"@layers": "reduce_mean.v1"}}  # fmt: skip
    ner = nlp.add_pipe("ner", config={"model": {"tok2vec": listener}})
    ner.add_label("PER")
    nlp.initialize()
    nlp.replace_listeners("transformer", "ner", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    nlp.to_disk(tmp_path)
    text = f"{LINKS} Marie Curie"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [e.text for e in spacy.load(tmp_path)(text).ents] == [e.text for e in nlp(text).ents]


def test_cut_windows_are_counted(command, camembert, tmp_path):
    """A word of 1,500 letters, in training and in evaluation; no warning if nothing is cut."""
    for name, word in (("long", "abc" * 500), ("short", "abc")):
        rows = [{"text": f"Un film {word} !", "label": label} for label in ("bon", "nul")]
        folder = tmp_path / name
        folder.mkdir()
        for split in ("train", "dev"):
            (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf8")
        corpus, out = folder / "corpus", folder / "out"
        assert command(convert, "table", folder, corpus, "--lang", "fr").code == 0
        result = command(
            train, ROOT / "configs" / "textcat.cfg", out, "--corpus", corpus, "--lang", "fr",
            "--settings.encoder", camembert, "--settings.max_steps", 1,
        )  # fmt: skip
        assert result.code == 0, result.err
        assert (f"{corpus}/train.spacy: 2 tokens have more pieces" in result.err) == (
            name == "long"
        )
        metrics = folder / "metrics.json"
        result = command(evaluate, out / "model-best", corpus, metrics, "--split", "dev")
        assert result.code == 0, result.err
        assert ("2 windows of text have more pieces" in result.err) == (name == "long")
        assert json.loads(metrics.read_text("utf8"))["cut_windows"] == 2 * (name == "long")


@pytest.fixture(scope="module")
def without_limit(distilbert, tmp_path_factory):
    """An encoder whose tokenizer states no maximum length."""
    folder = tmp_path_factory.mktemp("encoders") / "without-limit"
    shutil.copytree(distilbert, folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text("utf8"))
    del settings["model_max_length"]
    path.write_text(json.dumps(settings), "utf8")
    assert AutoTokenizer.from_pretrained(folder).model_max_length > 10**9
    return folder


def rows(task: str) -> str:
    """Return texts whose label, or entity, depends on one word amid irrelevant links."""
    numbers = random.Random(0)
    lines = []
    for number in range(160):
        links = " ".join(LINKS.split()[: numbers.choice([0, 1, 12, 40])])
        text = f"{links} C'est un film {('nul', 'superbe')[number % 2]} et {('raté', 'réussi')[number % 2]}."
        if task == "textcat":
            lines.append({"text": text, "label": ("negative", "positive")[number % 2]})
        else:
            start = text.index(("raté", "réussi")[number % 2])
            lines.append({"text": text, "entities": [[start, len(text) - 1, "MISC"]]})
    return "\n".join(json.dumps(line) for line in lines)


PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import spacy
docs = spacy.load("fr_windows_trf").pipe(json.loads(sys.argv[2]))
print(json.dumps([
    max(doc.cats, key=doc.cats.get) if doc.cats else [entity.text for entity in doc.ents]
    for doc in docs
]))
"""


@pytest.mark.parametrize("task", ["textcat", "ner"])
def test_the_last_sentence_of_a_long_text_counts(command, without_limit, tmp_path, task):
    (tmp_path / "raw.jsonl").write_text(rows(task), "utf8")
    out = tmp_path / "trained"
    arguments = ["--lang", "fr", "--dev-ratio", "0.2"]
    assert (
        command(convert, "table", tmp_path / "raw.jsonl", tmp_path / "corpus", *arguments).code == 0
    )
    result = command(
        train, ROOT / "configs" / f"{task}.cfg", out, "--corpus", tmp_path / "corpus", "--lang", "fr",
        "--settings.encoder", without_limit, "--settings.max_steps", 60, "--settings.learn_rate", 5e-3,
        "--settings.eval_frequency", 60, "--settings.batch_words", 300,
        # What is faster differs from one moment to the next, and so would what is learnt.
        "--settings.precision", "float32",
    )  # fmt: skip
    assert result.code == 0, result.out + result.err
    nlp = spacy.load(out / "model-best")
    assert nlp.get_pipe("transformer").model.tokenizer.model_max_length == 512
    endings = ["C'est un film nul et raté.", "C'est un film superbe et réussi."]
    texts = [text for ending in endings for text in (ending, f"{LINKS} {ending}")]
    answers = []
    for doc in nlp.pipe(texts):
        assert tokens_without_vector(doc) == []
        best = max(doc.cats, key=doc.cats.get) if doc.cats else ""
        answers.append(best or [entity.text for entity in doc.ents])
    assert answers[0] == answers[1] and answers[2] == answers[3] and [] not in answers

    # The wheel predicts the same without the project: it contains components.py.
    nlp.meta.update(name="windows_trf")
    with zipfile.ZipFile(package.build(nlp, tmp_path / "built")) as wheel:
        wheel.extractall(tmp_path / "wheel")
    result = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, tmp_path / "wheel", json.dumps(texts)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == answers
