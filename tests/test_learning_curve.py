"""The command `learning-curve`: real, short trainings on shares of few texts."""

import shutil

import pytest
import srsly
from spacy.tokens import DocBin

from scripts import learning_curve
from scripts.common.errors import UserError
from scripts.learning_curve import Request

from .browser import overflow, violations

SETTINGS = {
    "settings.max_steps": 6, "settings.eval_frequency": 3, "settings.batch_words": 200,
    "settings.batch_examples": 4, "settings.learn_rate": 2e-3, "settings.precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def asked(few_corpora, distilbert, tmp_path_factory) -> Request:
    """What the finished curve was asked for: two shares with two seeds."""
    folder = tmp_path_factory.mktemp("finished")
    settings = {"settings.encoder": str(distilbert), **SETTINGS}
    request = Request(
        "textcat", folder / "curve", few_corpora / "textcat", "fr", [0.25, 0.5], [0, 1], "test",
        folder / "reports" / "curve.html", "", -1, settings,
    )  # fmt: skip
    learning_curve.learning_curve(request)
    return request


@pytest.fixture
def copied(asked, tmp_path) -> Request:
    """The same, of a copy of its folder that a test may change."""
    shutil.copytree(asked.output, tmp_path / "curve")
    return asked._replace(output=tmp_path / "curve", page=tmp_path / "reports" / "curve.html")


def figures(request: Request) -> dict:
    return srsly.read_json(request.page.with_name("curve.curve.json"))


def test_a_curve_has_the_runs_of_all_seeds_and_keeps_no_pipeline(asked):
    found = figures(asked)
    assert sorted(path.name for path in asked.output.iterdir()) == ["runs"]
    runs = {path.stem: srsly.read_json(path) for path in (asked.output / "runs").iterdir()}
    assert sorted(runs) == ["25-0", "25-1", "50-0", "50-1"]
    assert [runs[name]["examples"] for name in sorted(runs)] == [30, 30, 60, 60]
    points = found["points"]
    assert [(point["share"], point["examples"]) for point in points] == [(0.25, 30), (0.5, 60)]
    for point, share in zip(points, ("25", "50")):
        scores = [runs[f"{share}-{seed}"]["score"] for seed in (0, 1)]
        assert point["scores"] == scores and point["score"] == pytest.approx(sum(scores) / 2)
        low, high = point["interval"]
        assert low <= point["score"] <= high
    for run in runs.values():
        right = sum(right for right, _, _ in run["tally"])
        assert run["score"] == pytest.approx(right / found["examples"])
    assert found["baseline"]["what"] == "most frequent label of train"
    assert found["seeds"] == [0, 1] and found["encoder"] == "tiny-distilbert"


def test_what_is_finished_is_not_trained_again(copied, asked, capsys):
    before = (copied.output / "runs" / "25-0.json").read_bytes()
    (copied.output / "runs" / "50-1.json").unlink()
    learning_curve.learning_curve(copied)
    said = capsys.readouterr().out
    assert "4 trainings, 1 of them to be made: on 30 (25 %), 60 (50 %) examples" in said
    assert said.count("=== ") == 1 and "50 % of train, seed 1: accuracy" in said
    assert (copied.output / "runs" / "25-0.json").read_bytes() == before
    assert figures(copied)["points"][0] == figures(asked)["points"][0]


def test_an_interrupted_curve_goes_on(copied, monkeypatch, capsys):
    shutil.rmtree(copied.output)
    train, trained = learning_curve.train, []

    def interrupted(*arguments):
        if len(trained) == 1:
            raise KeyboardInterrupt
        trained.append(arguments)
        train(*arguments)

    monkeypatch.setattr(learning_curve, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        learning_curve.learning_curve(copied)
    assert [path.name for path in (copied.output / "runs").iterdir()] == ["25-0.json"]
    assert not copied.page.exists()
    assert "3 trainings left, 1 min to go" in capsys.readouterr().out
    monkeypatch.setattr(learning_curve, "train", train)
    learning_curve.learning_curve(copied._replace(seeds=[0]))
    assert "2 trainings, 1 of them to be made" in capsys.readouterr().out
    assert figures(copied)["points"][0]["sd"] is None


def test_runs_of_another_curve_are_refused(copied, few_corpora, tmp_path):
    other = {**copied.settings, "settings.max_steps": 5}
    with pytest.raises(UserError, match=r"25-0.json: of another learning curve, as config differ"):
        learning_curve.learning_curve(copied._replace(settings=other))
    changed = tmp_path / "textcat"
    shutil.copytree(copied.corpus, changed)
    docs = list(DocBin().from_disk(changed / "test.spacy").get_docs(learning_curve.Vocab()))
    DocBin(docs=docs[:-1]).to_disk(changed / "test.spacy")
    with pytest.raises(UserError, match="as test differed; name another folder, or delete this"):
        learning_curve.learning_curve(copied._replace(corpus=changed))


@pytest.mark.parametrize(
    "options, message",
    [
        (["--shares", "100"], "--shares 100: give two or more percentages of train"),
        (["--shares", "50,200"], "above 0 and up to 100"),
        (["--shares", "a,b"], "--shares a,b: expected numbers with commas"),
        (["--seeds", "1,1"], "--seeds 1,1: a number is given twice"),
        (["--seeds=-1,2"], "--seeds -1,2: give numbers from 0"),
        (["--page", "curve.pdf"], "curve.pdf: name a page, a .html file"),
        (["--split", "gold"], "gold.spacy is missing"),
        (["--system.seed", "3"], "--system.seed: give the seeds with --seeds"),
        (["--shares", "0.1,100"], "0.1 % of train, seed 0: 1 examples with only the label"),
        (["--settings.encoder", "nowhere/at-all"], "nowhere/at-all"),
        (["--page-language", "de"], "--page-language de: choose one of en, fr"),
    ],
)
def test_it_refuses_before_it_trains(
    command, few_corpora, distilbert, tmp_path, monkeypatch, options, message
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    given = {"--corpus": few_corpora / "textcat", "--lang": "fr", "--page": tmp_path / "c.html"}
    given |= {"--settings.encoder": distilbert}
    given = {name: value for name, value in given.items() if name not in options}
    pairs = [part for pair in given.items() for part in pair]
    result = command("learning-curve", "textcat", tmp_path / "curve", *pairs, *options)
    assert result.code == 1 and message in result.line
    assert not list(tmp_path.iterdir())


def test_a_curve_is_about_one_task(command, few_corpora, distilbert, tmp_path):
    result = command(
        "learning-curve", "ner+textcat", tmp_path / "curve", "--corpus", few_corpora / "both",
        "--lang", "fr", "--settings.encoder", distilbert, "--split", "dev",
    )  # fmt: skip
    assert result.code == 1 and "is about one task, and this trains ner and textcat" in result.line


def test_the_page_says_whether_more_annotation_would_pay(asked, page):
    found = figures(asked)
    page.goto(asked.page.as_uri())
    card = page.get_by_role("region", name="Résultat").inner_text()
    assert "s’il serait utile d’annoter davantage" in card or "Annoter davantage" in card
    assert "Le dernier pas, de 30 à 60 exemples" in card
    assert "tiny-distilbert" in card and "max_steps 6, eval_frequency 3" in card
    rows = page.locator("main > section table").last.locator("tbody tr")
    assert rows.count() == 2
    cells = rows.nth(1).locator("td, th").all_inner_texts()
    mean = f"{found['points'][1]['score']:.3f}".replace(".", ",")
    assert cells[:3] == ["50\u202f%", "60", mean] and len(cells) == 7
    assert page.locator("svg.chart polyline.series").count() == 2
    assert violations(page) == []
    for width in (360, 800, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert overflow(page) <= 0
