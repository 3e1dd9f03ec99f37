"""What the commands of TeX are, read from `tex_symbols.txt` and `tex_commands.txt`."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources


@cache
def symbols() -> Mapping[str, str]:
    """Return the character that a command stands for, by its name without backslash."""
    items = (item.split() for line in _lines("tex_symbols.txt") for item in line.split(" | "))
    return {name: character for character, *names in items for name in names}


@cache
def commands(kind: str) -> Mapping[str, tuple[str, ...]]:
    """Return the commands of one kind and what stands behind each in the file, a section for a kind."""
    found: dict[str, tuple[str, ...]] = {}
    for line in _lines("tex_commands.txt"):
        section, _, rest = line[1:].partition("] ")
        if section != kind:
            continue
        items = rest.split(" | ") if " | " in rest else rest.split()
        for item in items:
            name, *rules = item.split()
            found[name] = tuple(rules)
    return found


def _lines(name: str) -> Iterator[str]:
    text = resources.files("corpus.ncbi.markup").joinpath(name).read_text(encoding="utf-8")
    return (line for line in text.splitlines() if line and not line.startswith("# "))
