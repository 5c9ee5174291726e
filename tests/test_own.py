"""`own`: from a file of an annotation tool to a wheel and a page."""

import json

import pytest
import spacy
import srsly

from scripts.common.errors import UserError
from scripts.encoders.frozen import open_frozen
from scripts.own import check_same_corpus, name_of
from scripts.serving.cross_validation import cross_validation

from .corpora.reading import docs

GOOD = [
    "Un film superbe et réussi.",
    "Une belle histoire, bien jouée.",
    "J'ai beaucoup aimé ce film.",
]
BAD = [
    "Un film nul et raté.",
    "Une histoire ennuyeuse, mal jouée.",
    "Je n'ai pas du tout aimé ce film.",
]
LABELLED = '{"text": "bon film", "label": "a"}\n{"text": "mauvais film", "label": "b"}\n'
SHORT = ("--settings.max_steps", 4, "--settings.eval_frequency", 2)


def reviews(count: int) -> str:
    """Return rows of doccano's JSON Lines: reviews with a label each."""
    rows = [
        {"id": number, "text": f"{(GOOD, BAD)[number % 2][number % 3]} Vu {number} fois dans la ville.",
         "label": [("positif", "négatif")[number % 2]], "Comments": []}
        for number in range(count)
    ]  # fmt: skip
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture
def export(tmp_path):
    """A file whose path has spaces and accents."""
    path = tmp_path / "Mes données" / "Réclamations d'été.jsonl"
    path.parent.mkdir()
    path.write_text(reviews(40), "utf8")
    return path


@pytest.mark.parametrize(
    "path, name",
    [
        ("Réclamations d'été.jsonl", "reclamations_d_ete"),
        ("project-3-at-2024-05-24-09-14-1f0c2a7b.json", "project_3"),
        ("presse/all.jsonl", "presse"), ("presse/train.spacy", "presse"), ("avis.review.gz", "avis"),
        ("日本.json", "corpus"),
    ],
)  # fmt: skip
def test_names(tmp_path, path, name):
    assert name_of(tmp_path / path) == name


def test_dry_prints_every_decision_and_writes_nothing(command, export, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    result = command("own", export, "--output", tmp_path / "out", "--dry")
    assert result.code == 0, result.err
    for part in (
        "doccano", "one label per text", "40 examples", "négatif 20", "positif 20",
        "reclamations_d_ete", "fr (the first texts read like it)", "transformer, textcat", "--encoder",
        "10% of train, about 4, by a hash of each text", "fewer than 200 examples: cross-validation",
        "nothing was written",
    ):  # fmt: skip
        assert part in result.out, part
    assert "40 examples are few" in result.err
    assert sorted(tmp_path.rglob("*")) == before


def test_from_a_file_to_a_wheel_and_a_page(command, export, distilbert, tmp_path):
    out = tmp_path / "mes résultats"
    result = command("own", export, "--output", out, "--encoder", distilbert, *SHORT)
    assert result.code == 0, result.err
    name = "fr_reclamations_d_ete_trf"
    assert result.out.count("cross-validation on 40 examples, 5 folds") == 1
    assert f'spacy.load("{name}")' in result.out
    assert (out / "packages" / f"{name}-0.1.0-py3-none-any.whl").is_file()
    page = (out / "reports" / f"{name}.html").read_text("utf8")
    assert "Validation croisée sur 40 exemples en 5 plis" in page
    assert "Le corpus, avant l’entraînement" in page
    errors = srsly.read_json(out / "reports" / f"{name}-label-errors.json")
    assert errors["split"] == "train" and "likely label errors of train" in result.out
    assert f"<dd>{distilbert.name}</dd>" in page and str(distilbert) not in page
    metrics = srsly.read_json(out / "metrics" / f"{name}.json")
    low, high = metrics["cross_validation"]["interval"]
    assert 0 <= low <= metrics["cross_validation"]["score"] <= high <= 1
    assert metrics["split"] == "dev" and "these scores are on dev" in result.err
    nlp = spacy.load(out / "training" / name / "model-best")
    assert set(nlp(GOOD[0]).cats) == {"positif", "négatif"}

    # A later export with more annotations is the same corpus, another file is not.
    other = export.with_name("autre.jsonl")
    other.write_text(reviews(50), "utf8")
    result = command("own", other, "--name", "reclamations_d_ete", "--output", out, "--dry")
    assert result.code == 1 and "holds another corpus, from Réclamations d'été.jsonl" in result.line


def test_texts_stay_in_their_split_when_more_are_annotated(command, tmp_path):
    splits = []
    for count in (300, 420):
        (tmp_path / "avis.jsonl").write_text(reviews(count), "utf8")
        corpus = tmp_path / str(count)
        assert (
            command(
                "convert", "auto", tmp_path / "avis.jsonl", corpus, "--lang", "fr", "--carve"
            ).code
            == 0
        )
        splits.append(
            {
                split: {doc.text for doc in docs(corpus / f"{split}.spacy")}
                for split in ("train", "dev", "test")
            }
        )
    before, after = splits
    assert all(before[split] <= after[split] for split in before)
    assert all(after[split] - before[split] for split in before)
    sizes = {split: len(texts) / 420 for split, texts in after.items()}
    assert sizes == pytest.approx({"train": 0.7, "dev": 0.1, "test": 0.2}, abs=0.05)


@pytest.mark.parametrize(
    "text, options, line",
    [
        ("rien\n", [], "a.jsonl:1: not a JSON object"),
        ('{"text": "ok", "label": "a"}\n{"text": "no", "label": "b"}\n', [], "do not tell their language; give it with --lang"),
        ('{"text": "ok", "label": null}\n', ["--lang", "fr"], "nothing to learn"),
        (LABELLED, ["--lang", "fr", "--format", "nope"], "--format nope: no such format"),
        (LABELLED, ["--lang", "zz"], "spaCy has no language 'zz'"),
        (LABELLED, ["--lang", "fr", "--name", "../x"], "not a valid package name"),
        (LABELLED, ["--lang", "fr", "--version", "neuf"], "--version neuf: not a version"),
        (LABELLED, ["--lang", "fr", "--settings.max_stepz", "5"], "max_stepz"),
        (LABELLED, ["--lang", "fr", "--encoder", "no/such"], "encoder no/such: not a complete"),
    ],
)  # fmt: skip
def test_what_is_refused(command, tmp_path, text, options, line):
    (tmp_path / "a.jsonl").write_text(text, "utf8")
    result = command("own", tmp_path / "a.jsonl", "--output", tmp_path / "out", *options)
    assert result.code == 1 and line in result.line
    assert not (tmp_path / "out").exists()


def test_another_language_than_the_texts_is_doubted(command, export, tmp_path):
    result = command("own", export, "--output", tmp_path, "--lang", "en", "--dry")
    assert result.code == 0 and "the texts read like 'fr', not 'en'" in result.err


def test_several_labels_per_text(command, distilbert, tmp_path):
    rows = [json.loads(line) for line in reviews(240).splitlines()]
    for number, row in enumerate(rows):
        row["label"] += ["pair"] * (number % 3 == 0)
        row["label"] *= number % 5 > 0
    path = tmp_path / "avis.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    result = command("own", path, "--output", tmp_path, "--encoder", distilbert, *SHORT)
    assert result.code == 0, result.err
    assert "any number of labels per text" in result.out
    assert "assigns labels from a probability of" in result.out
    folder = tmp_path / "training" / "fr_avis_trf" / "model-best"
    config, nlp = spacy.util.load_config(folder / "config.cfg"), spacy.load(folder)
    component = nlp.get_pipe("textcat_multilabel")
    chosen = component.cfg["threshold"]
    assert config["components"]["textcat_multilabel"]["threshold"] == chosen
    metrics = srsly.read_json(tmp_path / "metrics" / "fr_avis_trf.json")
    assert metrics["split"] == "test" and "cross_validation" not in metrics
    precisions = metrics["raw_text"]["cats_ap_per_type"]
    assert set(precisions) == {"positif", "négatif", "pair"}
    page = (tmp_path / "reports" / "fr_avis_trf.html").read_text("utf8")
    assert "average precision" in page and f"{precisions['pair']:.4f}" in page


@pytest.mark.parametrize("task", ["ner", "textcat", "textcat_multilabel"])
def test_a_cross_validation_of_each_task(distilbert, sample_corpora, task):
    found = list(docs(sample_corpora / task / "train.spacy"))[:150]
    frozen = open_frozen(str(distilbert))
    result = cross_validation(found, task, frozen)
    low, high = result["interval"]
    assert result["examples"] == 150 and low <= result["score"] <= high
    assert cross_validation(found, task, frozen) == result
    assert cross_validation(found[:19], task, frozen) is None


def test_a_cross_validation_of_what_is_easy(distilbert):
    nlp = spacy.blank("fr")
    rows = [json.loads(line) for line in reviews(120).splitlines()]
    found = [nlp(row["text"]) for row in rows]
    for doc, row in zip(found, rows):
        doc.cats = {label: float(label in row["label"]) for label in ("positif", "négatif")}
    # Even an encoder that has learnt nothing tells these words apart.
    assert cross_validation(found, "textcat", open_frozen(str(distilbert)))["score"] > 0.9


def test_a_folder_is_the_same_corpus_when_it_is_read_again(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("Rome")
    report = {"read": {str(tmp_path / "notes"): {"sha256": ""}}, "splits": {}}
    srsly.write_json(tmp_path / "report.json", report)
    check_same_corpus(tmp_path, tmp_path / "notes")
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="holds another corpus, from notes"):
        check_same_corpus(tmp_path, tmp_path / "other")
