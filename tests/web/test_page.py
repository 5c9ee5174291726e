"""The page in a browser: typing, examples, links, files, and hostile texts."""

import json
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from scripts.web.examples import read_examples

from ..browser import overflow, violations

HOSTILE = (
    '<img src=x onerror="document.title=1"> <script>document.title=2</script> \x00 😀 '
    "</mark>\u202eשלום\u202c &lt;b&gt; {{7*7}} \u2028 Marie Curie à Paris"
)


@pytest.fixture(scope="module")
def tried(pipelines, sample_corpora, serve_once):
    corpora = [sample_corpora / "ner", sample_corpora / "textcat"]
    examples = {"both": read_examples(corpora, ["ner", "textcat"])}
    return serve_once(pipelines, examples=examples)


def marks(page: Page) -> list[list[str]]:
    """Return the text and the label of each entity that is drawn."""
    found = page.locator("#drawn mark")
    return found.evaluate_all("all => all.map(m => [m.firstChild.data, m.lastChild.textContent])")


def drawn(page: Page) -> str:
    """Return the text that is drawn, without labels."""
    return page.locator("#drawn .entities").evaluate(
        "box => [...box.childNodes].map(n => n.nodeType === 3 ? n.data : n.firstChild.data).join('')"
    )


def answer(served, text: str) -> dict:
    return served.annotate(text, "both").raise_for_status().json()["annotations"][0]


def test_entities_and_classes_appear_as_one_stops_typing(tried, page):
    page.goto(tried.url)
    text = "😀 Marie Curie rejoint Varsovie."
    with page.expect_request("**/annotate") as asked:
        page.locator("#text").press_sequentially(text, delay=10)
    expect(page.locator("#drawn mark").first).to_be_visible()
    assert asked.value.post_data_json == {"text": text, "pipeline": "both"}
    found = answer(tried, text)
    assert marks(page) == [[e["text"], e["label"]] for e in found["entities"]]
    assert drawn(page) == text
    bars = page.locator("#drawn .bar").all_inner_texts()
    best = max(found["cats"], key=found["cats"].get)
    assert len(bars) == 2 and bars[0].split() == [best, "✓", f"{found['cats'][best]:.3f}"]
    expect(page.locator("#status")).to_have_text(
        f"Entities: {len(found['entities'])} · Class: {best}"
    )


def test_typing_asks_once_and_late_answers_are_not_shown(tried, page):
    asked: list[str] = []
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        asked.append(route.request.post_data_json["text"])
        if len(asked) == 1:
            held.append(route)
        else:
            route.continue_()

    page.route("**/annotate", hold_the_first)
    page.goto(tried.url)
    with page.expect_request("**/annotate"):
        page.locator("#text").press_sequentially("Paul", delay=5)
    page.locator("#text").press_sequentially(" Dupont à Lyon", delay=5)
    expect(page.locator("#drawn")).to_contain_text("Lyon")
    assert asked == ["Paul", "Paul Dupont à Lyon"]
    # The page has given up the first request: nobody would read its answer.
    held[0].abort()
    expect(page.locator("#drawn")).to_contain_text("Lyon")


def test_an_example_is_annotated_by_a_click(tried, page):
    page.goto(tried.url)
    button = page.locator("#examples button").nth(2)
    button.focus()
    page.keyboard.press("Enter")
    text = page.locator("#text").input_value()
    assert text == button.inner_text()
    expect(page.locator("#drawn .bar").first).to_be_visible()
    assert marks(page) == [[e["text"], e["label"]] for e in answer(tried, text)["entities"]]
    # The other pipeline has no examples.
    page.locator("#pipeline").select_option("several")
    expect(page.locator("#examples")).to_be_hidden()
    expect(page.locator("#drawn line")).to_have_count(2)


def test_a_link_holds_text_and_pipeline_and_tells_the_server_neither(tried, page, heard, new_page):
    page.goto(tried.url)
    page.locator("#pipeline").select_option("several")
    page.locator("#text").fill("Élan & « 100 % » 😀 #film?")
    expect(page.locator("#drawn .bar").first).to_be_visible()
    link = page.url
    other = new_page(locale="fr-FR")
    other.goto(link)
    expect(other.locator("#drawn .bar").first).to_be_visible()
    assert other.locator("#text").input_value() == "Élan & « 100 % » 😀 #film?"
    assert other.locator("#pipeline").input_value() == "several"
    other.locator("#switch").click()
    expect(other.locator("h1")).to_have_text("Try the pipelines")
    assert other.locator("#text").input_value() == "Élan & « 100 % » 😀 #film?"
    assert not any("film" in url.partition("#")[0] for url in heard.requests)


def test_the_link_is_copied(tried, new_page):
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(tried.url)
    expect(page.locator("#link")).to_be_disabled()
    page.locator("#text").fill("Marie")
    expect(page.locator("#link")).to_be_enabled()
    page.locator("#link").click()
    expect(page.locator("#status")).to_have_text("Link copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.locator("#clear").click()
    expect(page.locator("#drawn")).to_be_empty()


@pytest.mark.parametrize("way", ["chosen", "dropped"])
def test_a_file_comes_back_annotated(tried, page, way):
    page.goto(tried.url)
    content = "id,text\n1,Marie Curie à Paris\n2,\n3,Un film nul\n"
    if way == "chosen":
        page.locator("#file").set_input_files(
            {"name": "avis.csv", "mimeType": "text/csv", "buffer": content.encode()}
        )
    else:
        data = page.evaluate_handle(
            """text => { const data = new DataTransfer();
            data.items.add(new File([text], "avis.csv")); return data; }""", content
        )  # fmt: skip
        page.locator("#drop").dispatch_event("drop", {"dataTransfer": data})
    with page.expect_download() as download:
        page.locator("#files a").click()
    assert download.value.suggested_filename == "avis-both.csv"
    lines = download.value.path().read_text("utf8").splitlines()
    assert lines[0] == "id,text,entities,cats,label,score,error"
    assert [line[0] for line in lines[1:]] == ["1", "2", "3"] and "positive" in lines[1]
    expect(page.locator("#files p")).to_contain_text("Rows not annotated: 1. The first: avis.csv:3")
    assert not violations(page)


def test_what_is_wrong_with_a_file_is_said(tried, page):
    page.goto(tried.url)
    file = {"name": "notes.csv", "mimeType": "text/csv", "buffer": b"remark,page\nMarie,12\n"}
    page.locator("#file").set_input_files(file)
    expect(page.locator("#files .wrong")).to_contain_text("notes.csv")
    page.locator("#column").fill("remark")
    page.locator("#file").set_input_files(file)
    expect(page.locator("#files a")).to_have_text("notes-both.csv")
    large = {"name": "large.txt", "mimeType": "text/plain", "buffer": b"x" * 2_000_001}
    page.locator("#file").set_input_files(large)
    expect(page.locator("#files li").first).to_contain_text("A file can have 2 MB.")


def test_hostile_texts_are_inert(tried, page):
    page.goto(tried.url)
    page.locator("#text").fill(HOSTILE)
    expect(page.locator("#drawn .entities")).to_be_visible()
    assert drawn(page) == page.locator("#text").input_value() == HOSTILE
    assert page.title() == "Try the pipelines"
    assert page.locator("#drawn img, #drawn script").count() == 0
    page.evaluate("document.getElementById('text').value = 'Marie \\ud800 à Paris'; annotate()")
    expect(page.locator("#drawn .entities")).to_contain_text("\ufffd")
    assert drawn(page) == "Marie \ufffd à Paris"
    page.locator("#text").fill("x" * 5001)
    expect(page.locator("#status")).to_contain_text("A text can have 5,000 characters")
    name = '<img src=x onerror="document.title=3">.csv'
    page.locator("#file").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": b"text\n<b>Marie\n"}
    )
    expect(page.locator("#files li")).to_contain_text("<img")
    expect(page.locator("#files a")).to_be_visible()
    assert page.title() == "Try the pipelines"


def test_hostile_labels_and_examples_are_inert(pipelines, serve_with, page):
    served = serve_with(
        {"both": pipelines["both"]},
        examples={"both": ["</script><script>document.title=4</script>"]},
    )
    page.goto(served.url)
    expect(page.locator("#examples button")).to_have_text(
        "</script><script>document.title=4</script>"
    )
    cats = {"negative": 0.5, "positive": 0.5}
    route = {"pipeline": "both", "annotations": [{"entities": [], "label": "<i>", "cats": cats}]}
    page.route("**/annotate", lambda it: it.fulfill(json=route))
    page.locator("#text").fill("Marie")
    expect(page.locator("#status")).to_contain_text("Class: <i>")
    assert page.title() == "Try the pipelines"


def test_a_link_with_markup_is_inert(tried, page):
    fragment = urlencode({"text": HOSTILE, "pipeline": "<b>"})
    page.goto(f"{tried.url}/#{fragment}")
    expect(page.locator("#drawn .entities")).to_be_visible()
    assert drawn(page) == HOSTILE
    assert page.title() == "Try the pipelines"


def test_it_says_so_when_the_server_is_gone(tried, page, heard):
    page.goto(tried.url)
    page.route("**/annotate", lambda route: route.abort("connectionrefused"))
    page.locator("#text").fill("Marie")
    expect(page.locator("#status")).to_contain_text("The server does not answer")
    assert heard.errors.pop().startswith("Failed to load resource")


@pytest.mark.parametrize("width", [400, 900, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it_at_any_width(tried, new_page, width, scheme):
    page = new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(tried.url)
    page.locator("#text").fill("Marie Curie rejoint Varsovie avec " + "x" * 300)
    expect(page.locator("#drawn .bar").first).to_be_visible()
    assert not violations(page)
    assert overflow(page) <= 0
    page.goto(f"{tried.url}/docs")
    expect(page.locator("h1")).to_have_text("JSON API")
    assert not violations(page)
    assert overflow(page) <= 0


def test_the_page_speaks_the_language_of_the_browser(tried, new_page):
    french = new_page(locale="fr-FR")
    french.goto(tried.url)
    expect(french.locator("html")).to_have_attribute("lang", "fr")
    french.locator("#text").fill("Marie")
    expect(french.locator("#count")).to_have_text("5 caractères sur 5\u202f000")
    accepted = {"de-DE,fr;q=0.5": "fr", "de": "en", "": "en", "en-GB,fr": "en"}
    for header, lang in accepted.items():
        page = httpx.get(tried.url, headers={"accept-language": header})
        assert f'<html lang="{lang}">' in page.text
    assert '<html lang="fr">' in httpx.get(f"{tried.url}/?lang=fr").text


def test_the_policy_allows_the_page_alone(tried):
    response = httpx.get(tried.url)
    policy = response.headers["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy and "http" not in policy
    data = response.text.split('id="data">')[1].split("</script>")[0]
    assert json.loads(data)["limits"]["chars"] == 5000
