"""SHA256SUMS of a published folder, in the form that `sha256sum -c` reads."""

from collections.abc import Iterable
from typing import Final

from corpus.stage.manifest import Part

SUMS: Final = "SHA256SUMS"


def sums_text(parts: Iterable[Part]) -> str:
    """Return a line for each file, in the order of their paths."""
    return "".join(f"{part.sha256}  {part.path}\n" for part in sorted(parts, key=lambda part: part.path))
