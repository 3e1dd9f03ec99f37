"""Dead letters (rejected pieces of input) as text: how many of which reason, then each with its place and bytes.

A Parquet file of rejects comes in, lines go out. What is not printable is escaped, so that no control sequence and no
right-to-left mark of damaged input reaches the terminal. Where the parser named a line and a column, the
bytes around them are shown with a mark below; a shell command prints the piece from the input file.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from corpus import storage
from corpus.records import RAW_LIMIT
from corpus.storage import parquet

LETTERS_SHOWN = 20
HEAD_SHOWN = 200  # bytes of a dead letter's beginning
AROUND = 40  # bytes before and after the fault

COLUMNS = frozenset(["file", "offset", "doc_id", "reason", "detail", "sha256", "raw"])  # the fields of `Reject`
_PLACE = re.compile(r"\bline (\d+), column (\d+)")


def are_dead_letters(names: list[str]) -> bool:
    """Say whether a table with these columns holds dead letters."""
    return set(names) >= COLUMNS


def describe_dead_letters(path: str) -> Iterator[str]:
    """Yield the lines about a Parquet file of rejects: all counted by reason, the first LETTERS_SHOWN in full."""
    total, reasons, shown = parquet.num_rows(path), Counter[str](), list[dict[str, Any]]()
    for batch in parquet.iter_batches(path, batch_size=4096):
        reasons.update(batch.column("reason").to_pylist())
        shown += batch.slice(0, LETTERS_SHOWN - len(shown)).to_pylist()
    counts = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
    yield f"{path}: {total:,} dead letter{'s' * (total != 1)}: {counts}"
    for number, row in enumerate(shown, 1):
        yield f"dead letter {number:,} of {total:,}" + (
            f": {row['doc_id']}" if row["doc_id"] else " (no id can be read)"
        )
        yield from letter_lines(row)
    if total > len(shown):
        yield f"… and {total - len(shown):,} more; one with an id is shown by: corpuscle inspect {path} --id ID"


def letter_lines(row: dict[str, Any], *, whole: bool = False) -> Iterator[str]:
    """Yield the lines about one dead letter; `whole` shows all the bytes that it keeps."""
    raw: bytes = row["raw"]
    yield f"  reason: {row['reason']}"
    yield f"  detail: {printable(row['detail'].encode())}"
    yield f"  file: {printable(row['file'].encode())}"
    yield f"  offset: {row['offset']}"
    yield f"  sha256: {row['sha256']}"
    place = _place(raw, row["detail"])
    if place is not None:
        yield from _around(raw, place)
    head = raw if whole else raw[:HEAD_SHOWN]
    yield f"  raw: {printable(head)}" + (f"… ({len(raw):,} bytes are kept)" if len(head) < len(raw) else "")
    if command := _command(row):
        yield f"  see more: {command}"


def printable(raw: bytes) -> str:
    """Return bytes as one line of text; what is no UTF-8 or not printable is escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _place(raw: bytes, detail: str) -> int | None:
    """Return the index of the byte that a parser's message names, None when it names none in these bytes."""
    found = _PLACE.search(detail)
    if found is None:
        return None
    line, column = int(found[1]), int(found[2])
    start = 0
    for _ in range(line - 1):
        start = raw.find(b"\n", start) + 1
        if not start:
            return None
    place = start + column - 1
    return place if 0 <= place < len(raw) else None


def _around(raw: bytes, place: int) -> Iterator[str]:
    """Yield the bytes around the fault and a mark below; the parser names the byte where it could not go on."""
    before, after = printable(raw[max(0, place - AROUND) : place]), printable(raw[place : place + AROUND])
    yield f"  fault: {before}{after}"
    yield f"         {' ' * len(before)}^ before here"


def _command(row: dict[str, Any]) -> str:
    """Return the shell command that prints the letter's bytes from its input file, "" where the name forbids one."""
    name = row["file"]
    if not re.fullmatch(r"[\w.+-]+", name, re.ASCII):
        return ""
    reader = {".gz": "gzip -dc", ".tgz": "gzip -dc", ".xz": "xz -dc", ".txz": "xz -dc"}
    command = next((command for suffix, command in reader.items() if name.endswith(suffix)), "cat")
    # A tar's offset is that of the member's header: 512 bytes before its content.
    size = RAW_LIMIT if ".t" not in name else RAW_LIMIT + 512
    return f"{command} {storage.base_name(name)} | tail -c +{row['offset'] + 1} | head -c {size} | less"
