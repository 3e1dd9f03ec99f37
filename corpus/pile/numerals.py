"""The markers of numbered lists."""

_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


def markers(start: int, style: str, count: int) -> list[str]:
    """Return `count` markers from a number on, at least three characters wide each."""
    return [f"{_numeral(start + index, style)}.".ljust(3) for index in range(count)]


def _numeral(number: int, style: str) -> str:
    if style in ("LowerAlpha", "UpperAlpha"):
        letter = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letter if style == "LowerAlpha" else letter.upper()
    if style in ("LowerRoman", "UpperRoman"):
        text = ""
        for value, letters in _ROMAN:
            while number >= value:
                text, number = text + letters, number - value
        return text if style == "LowerRoman" else text.upper()
    return str(number)
