"""The page of a pipeline in a browser: search, filters, hostile text, offsets, and who can use it."""

import re

import pytest
import spacy

from scripts import report
from scripts.reporting.training_log import TrainingLog

from ..browser import overflow, violations
from .pages import class_doc, entity_doc, page_of

HOSTILE = '<script>alert(1)</script> & "l\'été" <img src=x onerror=alert(2)>'
EMOJI = "👩‍🚀 😀 Marie vit à Lyon 🇫🇷, avec Paul."
LOG = TrainingLog(
    {"ner": [(0, 9.0), (100, 3.0), (200, 1.0)]}, [(0, 0.1), (100, 0.8), (200, 0.7)],
    [(0, 0.0), (100, 1e-4), (200, 0.0)], 40.0,
)  # fmt: skip


def entity_page(lang: str = "en", **fields) -> str:
    """Return a page of a hundred sentences with each kind of error."""
    gold, found = [], []

    def add(text, wanted, given, *confidences):
        gold.append(entity_doc(text, *wanted))
        found.append(entity_doc(text, *given, confidences=confidences))

    add(EMOJI, [("Marie", "PER"), ("Lyon", "LOC"), ("Paul", "PER")],
        [("Marie", "PER"), ("Lyon", "ORG")], 0.9, 0.6)  # fmt: skip
    add(
        "Jean de La Fontaine écrit", [("Jean de La Fontaine", "PER")], [("La Fontaine", "PER")], 0.7
    )
    add("Le Monde paraît à Paris", [("Le Monde", "ORG"), ("Paris", "LOC")],
        [("Monde", "PER"), ("Paris", "LOC")], 0.5, 0.8)  # fmt: skip
    add(f"Ici {HOSTILE}", [], [("Ici", "<b>PER")], 0.99)
    for number in range(96):
        add(f"Zoé no {number} chante", [("Zoé", "PER")], [("Zoé", "PER")], 0.95)
    return page_of("ner", found, gold, lang=lang, title=HOSTILE, log=LOG, **fields)


def class_page(several: bool, lang: str = "en") -> str:
    """Return a page of sixty texts in classes, two of them wrong."""
    gold, found = [], []
    for number in range(60):
        right = "<i>" if number % 2 else "ok"
        sure = 0.2 if number in (6, 9) else 0.9
        other = {"<i>": "ok", "ok": "<i>"}[right]
        text = f"{number} {HOSTILE}" if number == 6 else f"Texte numéro {number}\nsur deux lignes"
        gold.append(class_doc(text, **{right: 1.0, other: 0.0}))
        found.append(class_doc(text, **{right: sure, other: 1 - sure}))
        gold[-1].user_data |= {"file": "avis.csv", "line": number, "category": f"{number % 3}"}
    task = "textcat_multilabel" if several else "textcat"
    return page_of(task, found, gold, 0.5 if several else None, lang, HOSTILE, log=LOG)


PAGES = {
    "entities": entity_page,
    "classes": lambda lang="en": class_page(False, lang),
    "several": lambda lang="en": class_page(True, lang),
}


@pytest.fixture
def opened(page, tmp_path):
    """Open a page of PAGES."""

    def call(html: str):
        path = tmp_path / "page.html"
        path.write_text(html, "utf8")
        page.goto(path.as_uri())
        return page

    return call


def texts(page) -> list[str]:
    return page.locator("article").all_inner_texts()


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_everyone_can_use_it(new_page, tmp_path, kind, lang):
    """On a phone, in the dark and at a desk, by keyboard and screen reader."""
    path = tmp_path / "page.html"
    path.write_text(PAGES[kind](lang), "utf8")
    for width, scheme in ((360, "light"), (900, "dark"), (1400, "light")):
        page = new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.goto(path.as_uri())
        page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
        assert violations(page) == []
        assert overflow(page) <= 0
    assert page.evaluate("document.documentElement.lang") == lang


@pytest.mark.parametrize("kind", PAGES)
def test_hostile_text_is_text(opened, kind):
    page = opened(PAGES[kind]())
    assert page.title() == page.locator("h1").inner_text() == HOSTILE
    page.fill("#query", "alert(1)")
    assert HOSTILE in texts(page)[0]
    assert page.locator("img, main b, main i, main script:not([type])").count() == 0


@pytest.mark.parametrize("kind", PAGES)
def test_the_first_examples_are_the_same_without_scripts(new_page, opened, tmp_path, kind):
    """Drawn by displaCy, and again by the page's script."""
    drawn = texts(opened(PAGES[kind]()))
    page = new_page(java_script_enabled=False)
    page.goto((tmp_path / "page.html").as_uri())
    assert texts(page) == drawn and len(drawn) == 20
    assert page.locator(".controls:visible").count() == 0
    assert page.get_by_text("need JavaScript").is_visible()


def test_the_surest_errors_come_first_and_offsets_count_characters(opened):
    page = opened(entity_page())
    first, second, third, fourth = texts(page)[:4]
    assert HOSTILE in first and "Fontaine" in second and "👩‍🚀" in third and "Monde" in fourth
    assert page.locator("article.error").count() == 4
    rows = page.locator("article", has_text="👩‍🚀").locator(".entities")
    marks = [row.locator("mark").all_text_contents() for row in rows.all()]
    assert marks == [["MariePER", "LyonLOC", "PaulPER"], ["MariePER 0.90", "LyonORG 0.60"]]
    assert rows.first.evaluate("row => row.textContent") == EMOJI.replace(
        "Marie", "MariePER"
    ).replace("Lyon", "LyonLOC").replace("Paul", "PaulPER")


@pytest.mark.parametrize(
    "kind, count",
    [("", 100), ("error", 4), ("missed", 1), ("spurious", 1), ("wrong border", 1),
     ("wrong type", 1), ("wrong border and type", 1), ("likely label error", 1)],
)  # fmt: skip
def test_filter_by_kind(opened, kind, count):
    page = opened(entity_page())
    page.select_option("#kind", label=kind or "all")
    assert page.locator("#status").inner_text().endswith(f" of {count} examples")


def test_search_filters_and_pages(opened):
    page = opened(entity_page())
    status = page.locator("#status")
    # Accents and case do not matter.
    page.fill("#query", "ZOE NO 9")
    assert status.inner_text() == "1 to 7 of 7 examples"
    page.fill("#query", "")
    assert status.inner_text() == "1 to 20 of 100 examples"
    assert page.locator("#back").is_disabled()
    for _ in range(4):
        page.click("#next")
    assert status.inner_text() == "81 to 100 of 100 examples"
    assert page.locator("#next").is_disabled()
    page.select_option("#gold", label="LOC")
    assert status.inner_text() == "1 to 2 of 2 examples"
    page.select_option("#found", label="ORG")
    assert status.inner_text() == "1 to 1 of 1 examples" and "👩‍🚀" in texts(page)[0]
    page.fill("#query", "nowhere")
    assert status.inner_text() == "No example fits." and texts(page) == []


def test_a_number_of_the_table_shows_its_examples(opened):
    page = opened(entity_page())
    table = page.locator("table.heat")
    heads = table.locator("thead th").all_inner_texts()
    assert heads == ["<b>PER", "LOC", "ORG", "PER", "nothing (missed)"]
    table.locator("a[data-gold=PER][data-found='']").click()
    assert page.locator("#status").inner_text() == "1 to 1 of 1 examples"
    assert "👩‍🚀" in texts(page)[0]
    table.locator("a[data-gold=ORG][data-found=PER]").click()
    assert "Monde" in texts(page)[0] and len(texts(page)) == 1
    # Another filter starts anew.
    page.select_option("#gold", label="any")
    page.select_option("#found", label="any")
    assert page.locator("#status").inner_text() == "1 to 20 of 100 examples"


def test_what_the_page_counts(opened):
    page = opened(entity_page())
    kinds = page.locator("#errors table").first.locator("tbody tr").all_inner_texts()
    assert [re.split(r"\s*\t\s*", row) for row in kinds] == [
        ["missed", "1"], ["spurious", "1"], ["wrong border", "1"], ["wrong type", "1"],
        ["wrong border and type", "1"],
    ]  # fmt: skip
    assert "4 of 100 examples of test have an error." in page.locator("#examples").inner_text()
    training = page.locator("#training").inner_text()
    assert "the pipeline is that after 100 updates" in training
    # Under the updates 0, 50 … 200 the epochs of 40 updates each.
    below = page.locator("#training svg.chart").first.locator("text").all_text_contents()
    assert below[-7:-1] == ["0.0", "1.2", "2.5", "3.8", "5.0", "epochs"]
    assert page.locator("#training svg.chart[role=img] .chosen").count() == 2
    assert page.locator("#confidence svg[role=img] .ideal").count() == 1


def test_several_labels_have_a_threshold_instead_of_a_table_of_confusions(opened):
    page = opened(class_page(True))
    assert page.locator("#errors").count() == 0
    assert page.get_by_text("the pipeline assigns labels from 0.5").count() == 1
    assert page.locator("#slices table").count() == 2


def test_slices_say_where_they_are_few(opened):
    page = opened(class_page(False))
    parts = page.locator("#slices table")
    assert [part.locator("th").first.inner_text() for part in parts.all()] == [
        "by words", "by gold label", "by category",
    ]  # fmt: skip
    rows = parts.nth(2).locator("tbody tr")
    assert rows.first.get_attribute("class") == "few" and "20" in rows.first.inner_text()
    assert rows.first.inner_text().endswith("–")
    assert parts.nth(1).locator("tr.few").count() == 0


def test_a_limit_is_said(opened):
    page = opened(entity_page(unannotated=3, split="dev"))
    assert "3 examples have no annotation" in page.locator(".notes").inner_text()
    assert "Scored on dev" in page.locator(".notes").inner_text()
    gold = [entity_doc("Marie", ("Marie", "PER"))] * 30
    html = page_of("ner", gold, gold, limit=10)
    assert "30 examples of test have an error. 10 of them are in this page. Those with" in html
    page = opened(html)
    assert page.locator("#status").inner_text() == "1 to 10 of 10 examples"


@pytest.mark.parametrize("language, direction", [("ar", "rtl"), ("fr", "ltr")])
def test_texts_are_written_in_the_direction_of_their_language(language, direction):
    nlp = spacy.blank(language)
    text = "مرحبا بالعالم"
    named = entity_doc(text, ("مرحبا", "LOC"), nlp=nlp)
    labelled = class_doc(text, nlp=nlp, a=1.0, b=0.0)
    for task, doc in (("ner", named), ("textcat", labelled)):
        html = page_of(task, [doc], [doc])
        found = set(re.findall(r"(?:direction: |dir=\"|\"direction\":\")(rtl|ltr)", html))
        assert found == {direction}


def test_the_page_language_is_french_or_english(command, tmp_path):
    result = command(report, "a", "b", "m.json", tmp_path / "p.html", "--page-language", "de")
    assert result.code == 1 and result.line.endswith("--page-language de: choose one of en, fr.")
