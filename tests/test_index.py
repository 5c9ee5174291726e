"""The front door: what it lists and links, what it leaves out, and how it sorts in a browser."""

import json
import shutil
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import srsly

from scripts import evaluate, index, report

from .browser import overflow, violations
from .small import small_pipeline

HOSTILE = "javascript:<img src=x onerror=alert(1)>\"'&é"
COMPARISON = {
    "corpus": "ner", "split": "test", "score": "entity F", "examples": 187,
    "pipelines": [
        {"name": "fr_small", "score": 0.5, "interval": [0.45, 0.55]},
        {"name": "<b>other</b>", "score": 0.75, "interval": [0.7, 0.8]},
    ],
}  # fmt: skip
CURVE = {
    "corpus": "ner", "split": "test", "score": "entity F",
    "points": [
        {"examples": 100, "score": 0.25, "interval": [0.2, 0.3]},
        {"examples": 200, "score": 0.375, "interval": [0.35, 0.4]},
    ],
    "last_step": {"pays": "unknown"},
}  # fmt: skip


@pytest.fixture(scope="module")
def made(sample_corpora, tmp_path_factory) -> Path:
    """A project with a trained pipeline, fr_small, and its metrics and predictions."""
    project = tmp_path_factory.mktemp("index")
    trained = project / "training" / "fr_small"
    trained.mkdir(parents=True)
    nlp = small_pipeline(sample_corpora, "ner", epochs=2)
    nlp.to_disk(trained / "model-best")
    metrics = project / "metrics" / "fr_small.json"
    evaluate.evaluate(str(trained), sample_corpora / "ner", metrics, "test", "", "", "", -1)
    return project


@pytest.fixture
def project(made, tmp_path) -> Path:
    """A copy of it, with a wheel."""
    folder = shutil.copytree(made, tmp_path / "mon projet")
    wheel = folder / "packages" / "fr_small-0.1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    weights = srsly.read_json(folder / "metrics" / "fr_small.json")["weights"]
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("fr_small/meta.json", json.dumps({"weights": weights}))
        archive.writestr("fr_small/padding", bytes(2_345_678))
    # Others that say nothing.
    with zipfile.ZipFile(wheel.with_name("other-0.1.0-py3-none-any.whl"), "w") as archive:
        archive.writestr("other/meta.json", "[]")
    wheel.with_name("broken-0.1.0-py3-none-any.whl").write_bytes(b"PK")
    return folder


@pytest.fixture
def listed(command, project):
    """Run `index` in the project and return its page and what it says on stderr."""

    def call(*options) -> tuple[Path, str]:
        output = project / "reports" / "index.html"
        result = command(index, output, "--metrics", project / "metrics", *options)
        assert result.code == 0, result.err
        return output, result.err

    return call


def add(project: Path, name: str, **changes) -> None:
    """Add metrics: those of fr_small with changes; without the fields that are changed to `...`."""
    metrics = srsly.read_json(project / "metrics" / "fr_small.json")
    changed = {key: value for key, value in {**metrics, **changes}.items() if value is not ...}
    srsly.write_json(project / "metrics" / f"{name}.json", changed)


def cells(page) -> list[list[str]]:
    """Return the text of the first table's cells."""
    return [
        row.locator("th, td").all_inner_texts()
        for row in page.locator("tbody").first.locator("tr").all()
    ]


def links(page, row: int) -> list[str]:
    """Return the names of the links in a row of the first table, as a screen reader says them."""
    found = page.locator("tbody").first.locator("tr").nth(row).locator("a").all_text_contents()
    return [" ".join(name.split()) for name in found]


def column(page, number: int) -> list[str]:
    return [row[number].split("\n")[0] for row in cells(page)]


def test_each_report_writes_it_beside_its_page(command, project, sample_corpora, page):
    metrics = project / "metrics" / "fr_small.json"
    add(project, "fr_other")
    arguments = (project / "training" / "fr_small", sample_corpora / "ner", metrics)
    result = command(report, *arguments, project / "reports" / "fr_small.html")
    assert result.code == 0 and "index.html: 2 pipelines" in result.out
    page.goto((project / "reports" / "index.html").as_uri())
    scores = srsly.read_json(metrics)
    (_, row) = cells(page)
    shown = f"{scores['raw_text']['ents_f']:.3f}\n{scores['interval'][0]:.3f}–{scores['interval'][1]:.3f}"
    assert row[:5] == [
        "fr_small", "entités nommées\nF des entités", shown.replace(".", ","), "ner\ntest", "187"
    ]  # fmt: skip
    assert row[7] == "2,3\u202fMo" and row[9] == scores["date"]
    assert links(page, 1) == [
        "fr_small", "config (fr_small)", "métriques (fr_small)", "wheel (fr_small)"
    ]  # fmt: skip
    # Of the other one there is neither page nor pipeline; the wheel is the same, by its weights.
    assert links(page, 0) == ["métriques (fr_other)", "wheel (fr_other)"]
    page.get_by_role("link", name="fr_small", exact=True).click()
    assert page.title() == "fr_small"


def test_links_lead_to_files(listed, project, page):
    (project / "reports").mkdir()
    for path in (f"metrics/{HOSTILE}.json", f"reports/{HOSTILE}.html"):
        shutil.copy(project / "metrics" / "fr_small.json", project / path)
    page.goto(listed()[0].as_uri())
    links = page.locator("tbody a").evaluate_all("links => links.map(link => link.href)")
    found = [Path(unquote(urlsplit(link).path)) for link in links]
    assert len(found) == 6 and all(path.is_file() for path in found)
    assert found.count(project / "reports" / f"{HOSTILE}.html") == 1


def test_it_can_lie_in_any_folder(command, project, tmp_path, page):
    output = tmp_path / "là" / "pages.html"
    options = ("--training", tmp_path, "--packages", tmp_path, "--page-language", "en")
    result = command(index, output, "--metrics", project / "metrics", *options)
    assert result.code == 0, result.err
    page.goto(output.as_uri())
    assert links(page, 0) == ["metrics (fr_small)"]
    page.get_by_role("link", name="metrics").click()
    assert json.loads(page.locator("pre").inner_text())["task"] == "ner"


def test_older_metrics_are_listed_without_what_they_lack(listed, project, page):
    metrics = project / "metrics" / "fr_small.json"
    add(project, "fr_small", interval=..., date=..., lang=..., encoder=None)
    page.goto(listed()[0].as_uri())
    ((*_, score, _, _, encoder, _, _, _, date, _),) = cells(page)
    assert score == f"{srsly.read_json(metrics)['raw_text']['ents_f']:.3f}"
    assert encoder == date == "" and page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize(
    "content", ["", "[1]", "{}", "null", {"task": "pos"}, {"examples": "many"}, {"raw_text": {}}]
)
def test_what_is_no_metrics_is_left_out_and_named(listed, project, content):
    if isinstance(content, dict):
        add(project, "wrong", **content)
    else:
        (project / "metrics" / "wrong.json").write_text(content)
    (project / "reports").mkdir()
    (project / "reports" / "a.compare.json").write_text("{}")
    output, said = listed()
    (line,) = said.splitlines()
    assert f"{output} leaves out {project / 'metrics' / 'wrong.json'}, " in line
    assert str(project / "reports" / "a.compare.json") in line
    assert output.read_text("utf8").count("<tr>") == 2


def test_a_page_of_another_origin_is_kept(command, project, sample_corpora):
    output = project / "reports" / "index.html"
    output.parent.mkdir()
    output.write_text("<h1>mine</h1>")
    result = command(index, output, "--metrics", project / "metrics")
    assert result.code == 1 and "not made by `index`; delete it" in result.line
    arguments = (
        project / "training" / "fr_small",
        sample_corpora / "ner",
        project / "metrics" / "fr_small.json",
    )
    result = command(report, *arguments, project / "reports" / "p.html")
    assert result.code == 0 and "left as it is" in result.err
    assert output.read_text() == "<h1>mine</h1>" and (project / "reports" / "p.html").exists()
    result = command(report, *arguments, output)
    assert result.code == 1 and "the list of all pipelines goes there" in result.line


@pytest.mark.parametrize(
    "options, message",
    [
        (("--metrics", "nowhere"), "nowhere: no such folder; name that of the metrics"),
        (("--page-language", "de"), "--page-language de: choose one of en, fr."),
    ],
)
def test_mistakes(command, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    result = command(index, *options)
    assert result.code == 1 and message in result.line and not list(tmp_path.iterdir())


@pytest.fixture
def several(project) -> Path:
    """The project with five pipelines, one of which has a hostile name, a comparison and a curve."""
    for number, (name, value) in enumerate(
        {"b9": 0.5, "b10": 0.25, HOSTILE: None, "a": 0.75}.items()
    ):
        add(
            project, name, raw_text={"accuracy": value}, task="textcat", examples=10**number,
            encoder=HOSTILE, corpus=HOSTILE, parameters=7 * 10**number,
            interval=None if value is None else [value - 0.1, value + 0.1],
        )  # fmt: skip
    (project / "reports").mkdir()
    srsly.write_json(project / "reports" / "two.compare.json", COMPARISON)
    (project / "reports" / "two.html").write_text("<title>two</title>")
    srsly.write_json(project / "reports" / "more.curve.json", CURVE)
    return project


def test_a_click_or_a_key_sorts(several, listed, page):
    page.goto(listed("--page-language", "en")[0].as_uri())
    table = page.get_by_role("table").first
    headers = table.get_by_role("columnheader")
    names = ["a", "b10", "b9", "fr_small", HOSTILE]
    assert column(page, 0) == names
    assert headers.first.get_attribute("aria-sort") == "ascending"
    # Numbers: the largest first, then the smallest; the one without a score stays last.
    score = headers.filter(has_text="score")
    score.get_by_role("button").click()
    assert score.get_attribute("aria-sort") == "descending"
    assert headers.first.get_attribute("aria-sort") == "none"
    falling = [float(value) for value in column(page, 2)[:-1]]
    assert falling == sorted(falling, reverse=True) and column(page, 2)[-1] == "–"
    page.keyboard.press("Enter")
    assert score.get_attribute("aria-sort") == "ascending"
    assert [float(value) for value in column(page, 2)[:-1]] == falling[::-1]
    assert column(page, 0)[-1] == HOSTILE
    # By keyboard alone, from the first header on; names by the numbers in them.
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert column(page, 0) == ["a", "b9", "b10", "fr_small", HOSTILE]
    page.keyboard.press("Space")
    assert column(page, 0) == [HOSTILE, "fr_small", "b10", "b9", "a"]
    headers.filter(has_text="examples").get_by_role("button").click()
    assert column(page, 4) == ["1,000", "187", "100", "10", "1"]


def test_comparisons_and_curves_are_listed(several, listed, page):
    page.goto(listed("--page-language", "en")[0].as_uri())
    compared, curve = page.get_by_role("table").all()[1:]
    assert "<b>other</b> 0.750" in compared.inner_text()
    compared.get_by_role("link", name="two", exact=True).click()
    assert page.title() == "two"
    page.go_back()
    assert "0.375" in curve.inner_text() and "the test split cannot tell" in curve.inner_text()
    # Its page is missing; the figures are there.
    assert [one.get_attribute("href") for one in curve.get_by_role("link").all()] == [
        "more.curve.json"
    ]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 900, 1400])
def test_everyone_can_use_it(several, listed, new_page, language, dark, width):
    page = new_page(
        viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
    )
    page.goto(listed("--page-language", language)[0].as_uri())
    assert violations(page) == [] and overflow(page) <= 0
    assert page.locator("img, tbody b").count() == 0
    assert page.locator("tbody").first.locator("tr").count() == 5
