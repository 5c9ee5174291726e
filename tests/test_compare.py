"""The command `compare`: pipelines and metrics on one split, and what is refused."""

import shutil

import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin, Span

from scripts import compare, evaluate
from scripts.corpora.docbins import read_docs
from scripts.serving.predictions import entities

from .browser import overflow, violations
from .small import small_pipeline


@pytest.fixture(scope="module")
def made(sample_corpora, tmp_path_factory):
    """Pipelines without a transformer: for each task a better and a worse one."""
    folder = tmp_path_factory.mktemp("compared")
    for task in ("ner", "textcat", "textcat_multilabel"):
        for name, epochs, examples in (("good", 6, 400), ("bad", 2, 60)):
            nlp = small_pipeline(sample_corpora, task, epochs=epochs, examples=examples)
            nlp.to_disk(folder / f"{task}-{name}")
    return folder


@pytest.fixture(scope="module")
def metrics(made, sample_corpora, tmp_path_factory):
    """Metrics of the pipelines, predictions beside them, by the pipelines' names."""
    folder = tmp_path_factory.mktemp("project") / "metrics"
    for path in made.iterdir():
        task = path.name.partition("-")[0]
        corpus = sample_corpora / ("ner" if task == "ner" else "textcat")
        evaluate.evaluate(str(path), corpus, folder / f"{path.name}.json", "test", "", task, "", -1)
    return folder


@pytest.fixture
def compared(command, sample_corpora, tmp_path):
    """Compare pipelines on a corpus; return the result and the figures."""

    def call(corpus, *arguments):
        corpus = sample_corpora / corpus if isinstance(corpus, str) else corpus
        page = tmp_path / "reports" / "a-b.html"
        result = command(compare, *arguments, "--corpus", corpus, "--output", page)
        data = page.with_name("a-b.compare.json")
        return result, srsly.read_json(data) if not result.code else {}

    return call


@pytest.mark.parametrize("task, name", [("ner", "entity F"), ("textcat", "accuracy")])
def test_metrics_are_compared_without_predicting(compared, metrics, task, name):
    paths = [metrics / f"{task}-{one}.json" for one in ("good", "bad")]
    result, figures = compared(task, *paths)
    assert result.code == 0, result.err
    assert "predict" not in result.err
    good, bad = figures["pipelines"]
    for path, one in zip(paths, (good, bad)):
        expected = srsly.read_json(path)
        key = "ents_f" if task == "ner" else "accuracy"
        assert one["name"] == path.stem and one["score"] == pytest.approx(expected["raw_text"][key])
        assert one["interval"] == expected["interval"]
        assert one["words_per_second"] == expected["speed"]["words_per_second"]
        assert not one["measured_in_turn"] and one["bytes"] is None
    (change,) = figures["differences"]
    assert change["difference"] == pytest.approx(bad["score"] - good["score"])
    low, high = change["interval"]
    assert low < change["difference"] < high < 0 and change["p"] < 0.05
    said = " ".join(result.out.split())
    assert f"{task}-bad is worse than {task}-good" in said
    assert f"{name}, 95 %" in said and "perhaps on another day" in said
    assert figures["corrected"] is None and "Holm" not in said


def test_texts_are_right_if_all_their_entities_are(compared, metrics, sample_corpora):
    result, figures = compared("ner", metrics / "ner-good.json", metrics / "ner-bad.json")
    vocab = spacy.blank("fr").vocab
    gold = [set(entities(d)) for d in read_docs(sample_corpora / "ner" / "test.spacy", vocab)]
    good, bad = (
        [set(entities(doc)) for doc in read_docs(metrics / f"ner-{name}.spacy", vocab)]
        for name in ("good", "bad")
    )
    (change,) = figures["differences"]
    rows = range(len(gold))
    assert change["lost"] == [n for n in rows if good[n] == gold[n] != bad[n]] != []
    assert change["won"] == [n for n in rows if good[n] != gold[n] == bad[n]]
    changed = len(change["lost"]) + len(change["won"])
    assert change["both_right"] + change["both_wrong"] + changed == figures["examples"] == len(gold)


def test_pipelines_are_predicted_once_and_timed_in_turn(compared, made, metrics):
    sources = [made / "ner-good", metrics / "ner-bad.json", made / "ner-bad"]
    result, figures = compared("ner", *sources)
    assert result.code == 0, result.err
    good, saved, bad = figures["pipelines"]
    assert [one["measured_in_turn"] for one in (good, saved, bad)] == [True, False, True]
    assert [one["name"] for one in figures["pipelines"]] == ["ner-good", "ner-bad.json", "ner-bad"]
    assert good["bytes"] == sum(
        path.stat().st_size for path in (made / "ner-good").rglob("*") if path.is_file()
    )
    assert saved["labels"] == bad["labels"]
    first, second = figures["differences"]
    assert first["lost"] == second["lost"] and first["p_holm"] == second["p_holm"]
    assert first["p_holm"] == pytest.approx(2 * first["p"]) and figures["corrected"] == "Holm"
    assert "corrected by Holm's method" in result.out
    again, same = compared("ner", *sources)
    assert again.out.count("using these predictions") == 2
    assert same["differences"] == figures["differences"]
    fresh, _ = compared("ner", *sources, "--fresh")
    assert "using these predictions" not in fresh.out


def test_several_labels_are_given_by_each_pipelines_own_threshold(compared, made, sample_corpora):
    def stricter(source, folder):
        nlp = spacy.load(source)
        nlp.get_pipe("textcat_multilabel").cfg["threshold"] = 0.999999
        nlp.to_disk(folder)
        return folder

    good = made / "textcat_multilabel-good"
    strict = stricter(good, made / "strict")
    result, figures = compared("textcat", good, strict)
    assert result.code == 0, result.err
    assert figures["score"] == "micro F" and figures["test"] == "paired bootstrap"
    one, other = figures["pipelines"]
    assert one["score"] > 0.5 > other["score"]
    assert figures["support"] == {"negative": 106, "positive": 106}


def test_labels_are_renamed_where_a_pipeline_has_them(compared, made, sample_corpora, tmp_path):
    nlp = spacy.load(made / "ner-good")
    corpus = tmp_path / "renamed"
    shutil.copytree(sample_corpora / "ner", corpus)
    docs = list(read_docs(corpus / "test.spacy", nlp.vocab))
    for doc in docs:
        doc.ents = [
            doc.char_span(start, end, label=f"B-{label}") for start, end, label in entities(doc)
        ]
    DocBin(docs=docs, store_user_data=True).to_disk(corpus / "test.spacy")
    sources = [made / "ner-good", made / "ner-bad"]
    refused, _ = compared(corpus, *sources)
    assert refused.code == 1
    assert "none of its labels, LOC, MISC, ORG, PER, is in" in refused.line
    assert "B-LOC" in refused.line and "--map" in refused.line
    names = "LOC=B-LOC,PER=B-PER,ORG=B-ORG,MISC=B-MISC"
    result, figures = compared(corpus, *sources, "--map", names)
    assert result.code == 0, result.err
    assert set(figures["support"]) == {"B-LOC", "B-MISC", "B-ORG", "B-PER"}
    assert figures["pipelines"][0]["score"] > 0.3


def test_what_lowers_scores_is_said(command, made, sample_corpora, tmp_path, page):
    """Labels that the split lacks, texts of train, and that dev is dev."""
    corpus = tmp_path / "corpus"
    shutil.copytree(sample_corpora / "ner", corpus)
    docs = list(read_docs(corpus / "dev.spacy", spacy.blank("fr").vocab))
    for doc in docs:
        doc.ents = [entity for entity in doc.ents if entity.label_ != "PER"]
    DocBin(docs=docs).to_disk(corpus / "dev.spacy")
    train = list(read_docs(corpus / "train.spacy", docs[0].vocab))
    DocBin(docs=[*train, *docs[:7]]).to_disk(corpus / "train.spacy")
    output = tmp_path / "page.html"
    result = command(
        compare, made / "ner-good", made / "ner-bad", "--corpus", corpus, "--output", output,
        "--split", "dev", "--page-language", "en",
    )  # fmt: skip
    assert result.code == 0, result.err
    good, _ = srsly.read_json(output.with_suffix(".compare.json"))["pipelines"]
    assert list(good["unknown_labels"]) == ["PER"] and good["unknown_labels"]["PER"] > 9
    said = " ".join(result.err.split())
    assert (
        f"ner-good: predicted labels that the split does not have: PER {good['unknown_labels']['PER']}"
        in said
    )
    assert f"7 of {len(docs)} texts are also in train" in said
    assert "dev chooses pipelines: the score of one that it chose is too high" in said
    page.goto(output.as_uri())
    notes = page.locator(".card .notes").inner_text()
    assert "7 texts are also in train." in notes and "On dev, which chooses pipelines" in notes
    assert "ner-good predicts labels that the split does not have" in notes


HOSTILE = "<script>console.error('run')</script><img src=x onerror=alert(1)>"


def test_the_page_shows_what_changed_and_hostile_text_is_inert(
    compared, made, sample_corpora, tmp_path, page
):
    nlp, renamed = spacy.load(made / "ner-good"), {"PER": "<i>PER</i>"}
    corpus = tmp_path / "<b>corpus"
    shutil.copytree(sample_corpora / "ner", corpus)
    docs = []
    for doc in read_docs(corpus / "test.spacy", nlp.vocab):
        docs.append(Doc(nlp.vocab, words=[HOSTILE, *(token.text for token in doc)]))
        docs[-1].ents = [
            Span(
                docs[-1],
                entity.start + 1,
                entity.end + 1,
                renamed.get(entity.label_, entity.label_),
            )
            for entity in doc.ents
        ]
    DocBin(docs=docs).to_disk(corpus / "test.spacy")
    bad = tmp_path / "<i>bad"
    shutil.copytree(made / "ner-bad", bad)
    result, figures = compared(corpus, made / "ner-good", bad, "--map", "PER=<i>PER</i>")
    assert result.code == 0, result.err
    page.goto((tmp_path / "reports" / "a-b.html").as_uri())
    assert page.locator("img, i").count() == 0
    assert page.locator("script").count() == 0
    (change,) = figures["differences"]
    texts = min(len(change["lost"]), 50) + min(len(change["won"]), 50)
    assert texts and page.locator("article").count() == texts
    first = page.locator("article").first
    assert HOSTILE in first.locator(".entities").first.inner_text()
    assert [row.strip() for row in first.locator(".row > span").all_inner_texts()] == [
        "référence", "ner-good", "<i>bad",
    ]  # fmt: skip
    assert "<i>PER</i>" in page.locator("#labels").inner_text()
    assert f"De juste à faux\xa0: {len(change['lost'])}" in page.locator("#changed").inner_text()
    assert violations(page) == []


def test_the_page_of_classes_fits_a_phone(compared, made, tmp_path, new_page):
    sources = [made / "textcat-good", made / "textcat-bad"]
    result, figures = compared("textcat", *sources, "--limit", 3, "--page-language", "en")
    assert result.code == 0, result.err
    page = new_page(viewport={"width": 360, "height": 800}, color_scheme="dark")
    page.goto((tmp_path / "reports" / "a-b.html").as_uri())
    (change,) = figures["differences"]
    card = page.get_by_role("region", name="Result").inner_text()
    assert f"{change['difference']:+.3f}".replace("-", "−") in card
    assert "exact McNemar test, two-sided" in card and "is worse than textcat-good" in card
    lost, won = page.locator("details").all()
    assert f"From right to wrong: {len(change['lost'])}, 3 of them here" in lost.inner_text()
    # A text that the first pipeline has right: of its bars the longest is the gold one.
    bars = lost.locator("article").first.locator(".bar")
    shown = [bar.inner_text().split() for bar in bars.all()]
    assert len(shown) == 4
    gold = [float(bar[-1]) for bar in shown if "✓" in bar]
    assert len(gold) == 2 and gold[0] > 0.5 > gold[1]
    assert overflow(page) <= 0 and violations(page) == []


def test_refusals_come_before_predictions_and_leave_nothing(
    command, made, metrics, sample_corpora, tmp_path, subtests
):
    ner, textcat = made / "ner-good", made / "textcat-good"
    dev = tmp_path / "m" / "dev.json"
    assert command(evaluate, ner, sample_corpora / "ner", dev, "--split", "dev").code == 0
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    alone = tmp_path / "alone.json"
    shutil.copy(metrics / "ner-good.json", alone)
    cases = [
        ([ner], {}, "compare needs two pipelines or more"),
        ([ner, ner.parent / "." / ner.name], {}, "named twice"),
        ([ner, made / "ner-bad"], {"--output": "page.txt"}, "page.txt: name a page, a .html file"),
        ([ner, made / "ner-bad"], {"--split": "nowhere"}, "nowhere.spacy is missing"),
        ([ner, tmp_path / "none"], {}, "no trained pipeline found"),
        ([ner, tmp_path / "none.json"], {}, "none.json is missing: run `evaluate`"),
        ([ner, broken], {}, "broken.json: not valid JSON"),
        ([ner, alone], {}, "alone.spacy is missing: run `evaluate`"),
        ([metrics / "ner-bad.json", dev], {}, f"{dev}: scored on another split than"),
        ([ner, textcat], {}, "no task is common to all"),
        ([metrics / "ner-good.json", textcat], {}, "has textcat, not ner, which is compared"),
        (
            [metrics / "textcat-good.json", metrics / "textcat_multilabel-good.json"],
            {"--corpus": "textcat"},
            "compare pipelines on one task",
        ),
        ([ner, made / "ner-bad"], {"--map": "DOG=PER"}, "--map: no label DOG"),
        (
            [metrics / "ner-good.json", metrics / "ner-bad.json"],
            {"--map": "PER=P"},
            "--map: metrics have the labels that `evaluate` gave them",
        ),
        ([ner, made / "ner-bad"], {"--precision": "int3"}, "--precision 'int3'"),
    ]  # fmt: skip
    for sources, options, message in cases:
        with subtests.test(message):
            options = {"--corpus": "ner", "--output": "page.html", **options}
            options["--corpus"] = sample_corpora / options["--corpus"]
            options["--output"] = tmp_path / "reports" / options["--output"]
            given = [part for pair in options.items() for part in pair]
            result = command(compare, *sources, *given)
            assert result.code == 1 and message in result.line
            assert "predict test" not in result.err
            assert not (tmp_path / "reports").exists()
