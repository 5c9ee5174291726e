"""Pages from templates: one file each, no request of any kind, every text escaped, French or English."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import srsly
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..common.errors import UserError
from .numbers import Numbers

HERE = Path(__file__).parent
LANGUAGES = ("en", "fr")


def page_language(lang: str) -> str:
    """Return the language that a page is written in, for texts in a language."""
    return lang if lang in LANGUAGES else "en"


def check_language(language: str) -> None:
    """Raise UserError for the language of a page that is not one of LANGUAGES; "" leaves it open."""
    if language not in ("", *LANGUAGES):
        raise UserError(f"--page-language {language}: choose one of {', '.join(LANGUAGES)}.")


def digest(text: str) -> Markup:
    """Return what a Content-Security-Policy allows an inline script or style by."""
    found = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(f"'sha256-{found}'")


def as_json(value: Any) -> Markup:
    """Return a value as JSON that can stand in a <script> of a page: no text in it ends that."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


class Words:
    """The words of a page: English as the templates have it, or French."""

    def __init__(self, lang: str) -> None:
        self.french = None
        if lang == "fr":
            french = srsly.read_yaml(HERE / "french.yml")
            # No line begins with a sign that has a space before it.
            self.french = {key: re.sub(r" (?=[:;?!%»])", "\u00a0", french[key]) for key in french}

    def __call__(self, text: str, **values: Any) -> str:
        """Return a text in the page's language, {names} in it replaced by values. Raises KeyError for
        one that has no translation."""
        text = text if self.french is None else self.french[text]
        return text.format(**values) if values else text


def read(name: str) -> str:
    """Return a style or script of this folder."""
    return (HERE / name).read_text("utf8")


def environment(lang: str) -> Environment:
    """Return the environment of templates in a language of LANGUAGES."""
    found = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    found.filters |= {"digest": digest, "as_json": as_json}
    numbers = Numbers(lang)
    found.globals |= {
        "_": Words(lang),
        "lang": lang,
        "decimal": numbers.decimal,
        "integer": numbers.integer,
        "percent": numbers.percent,
        "signed": numbers.signed,
        "size": numbers.size,
        "style": read("style.css"),
        "script": "",
    }
    return found


def render(template: str, lang: str, **values: Any) -> str:
    """Return a page in a language of LANGUAGES."""
    return environment(lang).get_template(template).render(**values)
