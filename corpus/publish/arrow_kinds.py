"""Types of columns as Arrow writes them: what a list holds, and what a structure is made of."""


def element_kind(kind: str) -> str | None:
    """Return the type of the elements of a list: `list<element: string not null>` holds strings; None for no list."""
    if not kind.startswith("list<"):
        return None
    return kind.removeprefix("list<").removesuffix(">").partition(": ")[2].removesuffix(" not null")


def fields_of(kind: str) -> list[tuple[str, str]]:
    """Return names and types of the fields of `struct<start: int64 not null, title: string>`; [] for no structure."""
    if not kind.startswith("struct<"):
        return []
    found, depth = [""], 0
    for letter in kind.removeprefix("struct<").removesuffix(">"):
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    pairs = (one.strip().removesuffix(" not null").partition(": ") for one in found)
    return [(name, own) for name, _, own in pairs]
