"""New names for labels, given on the command line as OLD=new,OLD=new."""

from .errors import UserError


def parse_label_names(option: str, pairs: str, allow_empty: bool = False) -> dict[str, str]:
    """Parse "OLD=new,OLD=new", the value of `option`, into {OLD: new}; spaces are stripped.

    `allow_empty` permits `OLD=`. Raises UserError for anything that is not a pair, and for a label
    that occurs twice.
    """
    names: dict[str, str] = {}
    for pair in filter(str.strip, pairs.split(",")):
        old, equals, new = (part.strip() for part in pair.partition("="))
        if not equals or not (new or allow_empty):
            raise UserError(
                f"{option} {pairs}: {pair.strip()!r} is not a pair; write OLD=new,OLD=new."
            )
        if old in names:
            raise UserError(f"{option} {pairs}: label {old!r} is given two names; give it one.")
        names[old] = new
    return names
