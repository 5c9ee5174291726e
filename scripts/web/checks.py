"""What clients may ask for, and what they are told otherwise."""

from collections.abc import Sequence
from typing import NamedTuple

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError

from .annotator import Annotator
from .answers import Problem

# The status of an answer that nobody reads: the client has gone.
GONE = 499
PROBLEMS = {
    code: {"model": Problem, "description": text}
    for code, text in {
        404: "No such pipeline",
        408: "The request came in too slowly",
        413: "The request has too many bytes",
        422: "Not as described here, or too many or too long texts",
        503: "Too much to do; Retry-After says when to ask again",
    }.items()
}


class Limits(NamedTuple):
    """What a client may ask for: texts in a request, characters in a text, seconds until an answer,
    bytes of a file."""

    texts: int
    chars: int
    seconds: int
    file_bytes: int

    @property
    def body_bytes(self) -> int:
        """The bytes of a request: of one text, whose every character JSON may escape in twelve; or of many
        short ones."""
        return max(4_000_000, 12 * self.chars + 1000)


def busy(detail: str) -> HTTPException:
    return HTTPException(503, detail, {"Retry-After": "5"})


def chosen(annotators: dict[str, Annotator], name: str | None) -> Annotator:
    """Return the pipeline of a name, or the only one. Raises HTTPException."""
    if name is None and len(annotators) == 1:
        return next(iter(annotators.values()))
    if name not in annotators:
        asked = "Name a pipeline" if name is None else "No such pipeline"
        raise HTTPException(
            422 if name is None else 404, f"{asked}; there are: {', '.join(annotators)}."
        )
    return annotators[name]


def is_unicode(text: str) -> bool:
    """Return whether a text can be encoded: JSON can escape halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_texts(texts: Sequence[str], limits: Limits) -> None:
    """Raise HTTPException for too many texts, or one that is too long or not Unicode."""
    if len(texts) > limits.texts:
        raise HTTPException(
            422, f"{len(texts):,} texts; a request can have {limits.texts:,}. Send several."
        )
    for number, text in enumerate(texts, 1):
        if len(text) > limits.chars:
            raise HTTPException(
                422,
                f"Text {number} has {len(text):,} characters; a text can have {limits.chars:,}.",
            )
        if not is_unicode(text):
            raise HTTPException(422, f"Text {number} has half of a surrogate pair: not Unicode.")


def in_words(error: RequestValidationError) -> str:
    """Return in a line what is wrong with a request, without quoting it."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    message = first["msg"].rstrip(".")
    if first["type"] == "json_invalid":
        return "The body is not JSON."
    return f"{where}: {message}." if where else f"{message}."
