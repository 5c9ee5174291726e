"""The languages of spaCy, each with its own tokenizer; the same everywhere in the project."""

import spacy
from spacy.language import Language

from .errors import UserError, first_line


def blank(language: str) -> Language:
    """Return the blank pipeline of a language: its tokenizer is that of a trained pipeline.

    Raises UserError for a code that spaCy does not know, and where the tokenizer of the language
    needs a package that is not installed (Japanese, Korean, Thai, Vietnamese).
    """
    try:
        return spacy.blank(language)
    except ImportError as error:
        reason = first_line(error)
        if f"No module named 'spacy.lang.{language}'" in reason:
            reason = f"spaCy has no language {language!r}; use a code such as fr, en or xx"
        raise UserError(f"--lang {language!r}: {reason}.") from error
