"""Which column of a table holds what: by the name that the user gives, or by names that are known."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from ...common.errors import UserError

# Names of columns, in lower case. Of the first ones of each, the first in this order is used; of the
# others, which may mean something else, there must be only one.
TEXT_COLUMNS = ("text", "review", "sentence")
LABEL_COLUMNS = ("label", "labels", "entities", "spans", "cats", "ents")
# Names of the numbers in a column `label`, as SetFit's data sets have them.
LABEL_NAMES = ("label_text", "label_name")
OTHER_TEXT_COLUMNS = (
    "comment_text", "content", "comment", "body", "message", "tweet", "document", "utterance", "texte",
    "avis", "phrase", "commentaire", "contenu", "document_text", "review_body", "reviewtext",
)  # fmt: skip
OTHER_LABEL_COLUMNS = (
    "sentiment", "polarity", "rating", "stars", "category", "class", "target", "emotion", "intent",
    "topic", "tags", "categories", "étiquette", "étiquettes", "etiquette", "classe", "catégorie",
    "catégories", "categorie", "polarité", "polarite", "note", "étoiles", "etoiles", "émotion",
    "thème", "theme",
)  # fmt: skip
# Names of columns whose cells hold any number of labels.
PLURAL = ("labels", "cats", "tags", "categories", "étiquettes", "catégories")
# Texts that are compared: the label is about both.
PAIRS = (
    ("sentence1", "sentence2"), ("sentence_a", "sentence_b"), ("sentence_1", "sentence_2"),
    ("text1", "text2"), ("text_a", "text_b"), ("text_1", "text_2"), ("texta", "textb"),
    ("premise", "hypothesis"), ("question1", "question2"), ("question", "answer"),
    ("question", "sentence"), ("phrase1", "phrase2"), ("texte1", "texte2"), ("prémisse", "hypothèse"),
)  # fmt: skip
# Names of columns of a file with a word in each row.
WORDS = ("word", "token", "words", "tokens", "mot")
TAGS = ("tag", "ner", "ner_tag", "ner_tags", "tags", "pos", "iob", "bio")
# Columns of 0 and 1 with these names number rows.
NUMBERS = ("id", "index", "idx", "unnamed: 0", "", "row", "guid", "uid")
IDENTIFIER = re.compile(r".+[_ -]id")
# A column with as many other values than yes and no counts something.
COUNTS = 3
# Values of a column of yes and no; -1 says that a text was not annotated, as in Jigsaw's test data.
YES, NO, UNKNOWN = ("1", "1.0", "true", "True"), ("0", "0.0", "false", "False"), ("-1", "-1.0")


def named(names: str) -> list[str]:
    """Return the names in a comma-separated list of columns, in lower case."""
    return [name.strip().casefold() for name in names.split(",")]


def refuse_pairs(row: Iterable[str], location: str) -> None:
    """Raise UserError for a table of two texts and a label."""
    names = set(row)
    for one, other in PAIRS:
        if one in names and other in names:
            raise UserError(
                f"{location}: two texts in a row, {one!r} and {other!r}, and a label about both, which "
                f"is no text classification; --text-column {one} would use that text alone."
            )


def refuse_words(row: Iterable[str], location: str) -> None:
    """Raise UserError for a table with a word in each row."""
    names = list(row)
    word = next((name for name in names if name in WORDS), None)
    tag = next((name for name in names if name in TAGS), None)
    if word and tag:
        raise UserError(
            f"{location}: columns {word!r} and {tag!r}: a row seems to be a word and its tag, not a "
            "text; use `convert gmb`, or name the text with --text-column."
        )


def choose(
    row: Collection[str], first: Sequence[str], others: Sequence[str], option: str, location: str
) -> str | None:
    """Return the column of a row with a known name, None if there is none.

    Raises UserError if several may be meant.
    """
    if found := next((name for name in first if name in row), None):
        return found
    found = [name for name in others if name in row]
    if len(found) > 1:
        raise UserError(
            f"{location}: columns {', '.join(map(repr, found))} may all be meant; choose one with "
            f"{option}."
        )
    return found[0] if found else None


def missing(row: Iterable[str], wanted: str, option: str, location: str) -> UserError:
    """Return the error for a column that is not there."""
    return UserError(
        f"{location}: no column {wanted!r} in {', '.join(row)[:200]}; name one with {option}, or all "
        "columns with --columns if the file has no header."
    )


def find_column(
    row: Collection[str],
    given: str | None,
    first: Sequence[str],
    option: str,
    location: str,
    others: Sequence[str] = (),
) -> str:
    """Return the column that the user named, or else one with a known name, as `choose` does.

    Raises UserError if there is none, or if several may be meant.
    """
    if given:
        found = given.casefold() if given.casefold() in row else None
    else:
        found = choose(row, first, others, option, location)
    if found is None:
        raise missing(row, given or " or ".join(first), option, location)
    return found


def text_column(row: Collection[str], given: str | None, location: str) -> str:
    """Return the column that holds the text. given: its name, or None to find it.

    Raises UserError if there is none, several, two texts that are compared, or a word in each row.
    """
    if not given:
        refuse_pairs(row, location)
        if not any(name in row for name in (*TEXT_COLUMNS, *OTHER_TEXT_COLUMNS)):
            refuse_words(row, location)
    return find_column(row, given, TEXT_COLUMNS, "--text-column", location, OTHER_TEXT_COLUMNS)


def flags(row: dict[str, Any], text: str, first: Collection[dict[str, Any]]) -> list[str]:
    """Return the columns of a row with 0 or 1, such as a column for each label, but for those that
    count something in the `first` rows."""
    known = (*YES, *NO, *UNKNOWN)
    return [
        name
        for name, value in row.items()
        if name not in (text, *NUMBERS)
        and not IDENTIFIER.fullmatch(name)
        and str(value) in known
        and len({str(x.get(name)) for x in first if str(x.get(name)).isdecimal()} - {*known})
        < COUNTS
    ]


def label_columns(
    row: dict[str, Any],
    text: str,
    given: str | None,
    location: str,
    first: Callable[[], Collection[dict[str, Any]]] = tuple,
) -> list[str]:
    """Return the column that holds the label, or several that each tell whether a label applies.

    given: the names of columns, or None to find them. first: reads the first rows. Raises UserError if
    there are none, or if it is not clear which.
    """
    if given:
        names = named(given)
        for name in names:
            if name not in row:
                raise missing(row, name, "--label-column", location)
        return names
    candidates = [name for name in row if name != text]
    found = choose(candidates, LABEL_COLUMNS, (), "--label-column", location)
    if found:
        names = [x for x in LABEL_NAMES if found == "label" and isinstance(row.get(x), str)]
        return names[:1] if names and str(row[found]).isdecimal() else [found]
    if len(several := flags(row, text, first())) > 1:
        other = next((x for x in OTHER_LABEL_COLUMNS if x in row and x not in several), None)
        if other:
            raise UserError(
                f"{location}: the label may be in column {other!r}, or in {', '.join(several)[:80]} with 0 "
                f"or 1; name it with --label-column {other}, or the others with commas between them."
            )
        return several
    found = choose(candidates, (), OTHER_LABEL_COLUMNS, "--label-column", location)
    if found is None:
        raise missing(row, " or ".join(LABEL_COLUMNS), "--label-column", location)
    return [found]
