"""Where spaces are between the words of a text, as far as a file tells."""

from collections.abc import Sequence


def spaces_in(text: str, words: Sequence[str]) -> list[bool] | None:
    """Return whether whitespace follows each word in a text; None if the words are not its own."""
    spaces: list[bool] = []
    offset = len(text) - len(text.lstrip())
    for word in words:
        if spaces and not text.startswith(word, offset):
            # One space at first, as words may be whitespace themselves.
            rest = text[offset:]
            width = 1 if rest.startswith(f" {word}") else len(rest) - len(rest.lstrip())
            offset += width
            spaces[-1] = width > 0
        if not text.startswith(word, offset):
            return None
        offset += len(word)
        spaces.append(False)
    return spaces if not text[offset:].strip() else None
