"""Numbers as French and English write them."""

NARROW = "\u202f"
DASH = "–"
MINUS = "−"


class Numbers:
    """Formats of a language: 1,234.5 in English, 1 234,5 in French, with narrow spaces that do not break."""

    def __init__(self, lang: str) -> None:
        self.signs = str.maketrans(",.", f"{NARROW},") if lang == "fr" else {}
        self.megabytes = "Mo" if lang == "fr" else "MB"
        self.before_percent = NARROW if lang == "fr" else ""

    def decimal(self, value: float | None, digits: int = 3) -> str:
        """Return a number with so many digits after the point; a dash for None."""
        return DASH if value is None else f"{value:,.{digits}f}".translate(self.signs)

    def integer(self, value: float | None) -> str:
        return self.decimal(value, 0)

    def signed(self, value: float | None, digits: int = 3) -> str:
        """Return a difference with its sign."""
        return (
            DASH
            if value is None
            else f"{value:+,.{digits}f}".translate(self.signs).replace("-", MINUS)
        )

    def percent(self, value: float | None, digits: int = 0) -> str:
        """Return a share as a percentage."""
        if value is None:
            return DASH
        return f"{self.decimal(100 * value, digits)}{self.before_percent}%"

    def size(self, count: int | None) -> str:
        """Return a number of bytes in megabytes."""
        if count is None:
            return DASH
        megabytes = count / 1e6
        return f"{self.decimal(megabytes, 0 if megabytes >= 10 else 1)}{NARROW}{self.megabytes}"
