"""The pages of the server: one file each, their script and style within, allowed by their hashes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import FileSystemLoader

from ..reporting.examples import colours
from ..reporting.templates import HERE as REPORTING
from ..reporting.templates import LANGUAGES, digest, environment, page_language, read

HERE = Path(__file__).parent
NAMES = {"en": "English", "fr": "Français"}
# Words that the script writes, by the names that it has for them.
WORDS = {
    "ner": "named entities",
    "textcat": "one class a text",
    "textcat_multilabel": "any number of classes",
    "entities": "Entities: {n}",
    "labels": "Class: {labels}",
    "characters": "{n} of {limit} characters",
    "too_long": "A text can have {limit} characters; drop a file with several texts instead.",
    "gone": "The server does not answer; is it still running?",
    "copied": "Link copied.",
    "sending": "Sending",
    "waiting": "Waiting for other files",
    "reading": "Reading",
    "annotating": "Rows: {n} of {total}",
    "rows": "Rows: {n}",
    "bad": "Rows not annotated: {n}. The first: {first}",
    "stop": "Stop",
    "stopped": "Stopped.",
    "too_large": "A file can have {limit} MB.",
}


def preferred(accepted: str) -> str:
    """Return the language of LANGUAGES that an Accept-Language header names first, English if none.

    Browsers send languages by preference.
    """
    names = (part.partition(";")[0].strip()[:2].lower() for part in accepted.split(","))
    return next((name for name in names if name in LANGUAGES), page_language(""))


def html(template: str, lang: str, script: str = "", **values: Any) -> HTMLResponse:
    """Return a page with a policy that allows its own script and style, and requests to this server."""
    found = environment(lang)
    found.loader = FileSystemLoader([HERE, REPORTING])
    style = read("style.css") + (HERE / "web.css").read_text("utf8")
    content = found.get_template(template).render(style=style, script=script, **values)
    policy = (
        f"default-src 'none'; script-src {digest(script)}; style-src {digest(style)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(content, headers={"content-security-policy": policy})


def try_page(
    pipelines: Sequence[dict[str, Any]],
    examples: Mapping[str, Sequence[str]],
    limits: dict[str, int],
    lang: str,
) -> HTMLResponse:
    """Return the page to try pipelines on, in a language of LANGUAGES.

    pipelines: as in the answer of /pipelines. examples: texts to click, by the name of a pipeline.
    """
    words = environment(lang).globals["_"]
    other = next(name for name in LANGUAGES if name != lang)
    shown = [
        {
            **one,
            "colours": colours(one["tasks"].get("ner", {"labels": []})["labels"]),
            "examples": examples.get(one["name"], []),
        }
        for one in pipelines
    ]
    said = {name: words(text) for name, text in WORDS.items()}
    data = {"pipelines": shown, "limits": limits, "words": said, "lang": lang}
    return html(
        "try.html", lang, read("drawing.js") + (HERE / "try.js").read_text("utf8"), data=data,
        title=words("Try the pipelines"), pipelines=pipelines, other=other, other_name=NAMES[other],
    )  # fmt: skip


def api_page(described: dict[str, Any]) -> HTMLResponse:
    """Return the page that describes the API, in English as the names in it.

    described: as in /openapi.json. FastAPI's own pages load their scripts from another machine.
    """
    return html("api.html", "en", title="JSON API", described=described)
