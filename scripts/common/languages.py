"""Blank spaCy pipelines: one tokenizer per language, the same everywhere in the project."""

import spacy
from spacy.language import Language

from .errors import UserError, first_line


def blank(language: str) -> Language:
    """Return the blank pipeline of a language, with the tokenizer that trained pipelines get.

    Raises UserError for a language code unknown to spaCy, and if the language's tokenizer needs a
    package that is not installed (Japanese, Korean, Thai, Vietnamese).
    """
    try:
        return spacy.blank(language)
    except ImportError as error:
        reason = first_line(error)
        if f"No module named 'spacy.lang.{language}'" in reason:
            reason = f"spaCy has no language {language!r}; use a code such as fr, en or xx"
        raise UserError(f"--lang {language!r}: {reason}.") from error
