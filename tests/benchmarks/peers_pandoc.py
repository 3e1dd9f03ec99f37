"""pandoc's JATS reader as text, without pandoc's writers.

The XML of an article goes in, pandoc's own document tree (`-t json`) comes back and is read as plain lines: no
markdown escapes to undo, no table layout, no wrapped lines, and the words of a citation where markdown would print
`[@B1]`. Figures, tables and notes are taken out of the sentences they stand in. So what is missing or glued in these
lines was lost or glued by the reader. Title and abstract come from the metadata, which the
command line prints only when asked to: The Pile did not ask, and has neither.
"""

import json
import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.benchmarks.peers_text import END, SCRIPT, Extract

MATH = "\x02"  # around TeX that pandoc made of a formula
NOTE = "\x04"  # around what stands apart from its sentence: footnotes, the text of pictures
APART = "\x07"  # before a line of what stands apart from the body: figures, tables, notes
_FLOATS = frozenset(["fig-group", "table-wrap", "table-wrap-group", "supplementary-material", "caption"])
_NOTE_TEXT = re.compile(f"{NOTE}([^{NOTE}]*){NOTE}")
_LINKS = ("Cite", "Link")
_SPACES = ("Space", "SoftBreak", "LineBreak")


def find_pandoc() -> str | None:
    """Return the pandoc to run: `PANDOC`, else one on the path, else the one in the pypandoc_binary wheel."""
    found = os.environ.get("PANDOC") or shutil.which("pandoc")
    if found is None:
        try:
            import pypandoc  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            return None
        found = str(Path(pypandoc.get_pandoc_path()))
    return found


def version(pandoc: str) -> str:
    """Return what `pandoc --version` says first."""
    return subprocess.run([pandoc, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]


@lru_cache(maxsize=1)  # the same article is asked for twice: with and without its metadata
def extract(raw: bytes, *, pandoc: str, timeout: float = 60) -> Extract:
    """Return what pandoc reads; raises RuntimeError with its message when it refuses, TimeoutExpired when it hangs."""
    command = [pandoc, "-f", "jats", "-t", "json"]
    done = subprocess.run(command, input=raw, capture_output=True, timeout=timeout, check=False)
    if done.returncode:
        raise RuntimeError(" ".join(done.stderr.decode(errors="replace").split())[:200])
    document = json.loads(done.stdout)
    front = [line for name in ("title", "subtitle", "abstract") for line in _meta(document["meta"].get(name))]
    lines = _blocks(document["blocks"])
    return Extract(
        front=tuple(front),
        body=tuple(line for line in lines if line[:1] != APART),
        apart=tuple(line[1:] for line in lines if line[:1] == APART),
    )


def _meta(value: Any) -> list[str]:
    if value is None:
        return []
    if value["t"] == "MetaInlines":
        return [_inlines(value["c"])]
    if value["t"] == "MetaBlocks":
        return _blocks(value["c"])
    return [line for item in value["c"] for line in _meta(item)] if value["t"] == "MetaList" else [str(value["c"])]


def _blocks(blocks: list[Any]) -> list[str]:
    return [line for block in blocks for line in _block(block["t"], block.get("c"))]


def _block(kind: str, content: Any) -> list[str]:
    """Return one block's lines; a list item, a cell, a line of code are lines of their own."""
    if kind in ("Para", "Plain"):
        return _with_notes(content)
    if kind == "Header":
        return _with_notes(content[2])
    if kind == "CodeBlock":
        return str(content[1]).split("\n")
    if kind == "RawBlock":
        return [str(content[1])]
    if kind == "LineBlock":
        return [_inlines(line) for line in content]
    if kind == "BlockQuote":
        return _blocks(content)
    if kind in ("BulletList", "OrderedList"):
        items = content if kind == "BulletList" else content[1]
        return [line for item in items for line in _blocks(item)]
    if kind == "DefinitionList":
        definitions = ((_inlines(term), [line for text in texts for line in _blocks(text)]) for term, texts in content)
        return [line for term, lines in definitions for line in (term, *lines)]
    if kind == "Div":
        lines = _blocks(content[1])
        return _apart(lines) if _FLOATS.intersection(content[0][1]) else lines
    if kind == "Figure":
        return _apart(_caption(content[1]) + _blocks(content[2]))
    return _apart(_table(content)) if kind == "Table" else []


def _apart(lines: list[str]) -> list[str]:
    return [APART + line.lstrip(APART) for line in lines]


def _caption(caption: Any) -> list[str]:
    return _blocks(caption[1])


def _table(content: Any) -> list[str]:
    caption = content[1]
    head, bodies, foot = content[3:]
    rows = [*head[1], *(row for body in bodies for row in [*body[2], *body[3]]), *foot[1]]
    return _caption(caption) + [" ".join(_blocks(cell[4])) for row in rows for cell in row[1]]


def _with_notes(inlines: list[Any]) -> list[str]:
    """Return a line of text, and the footnotes and pictures in it as lines apart."""
    text = _inlines(inlines)
    return [_NOTE_TEXT.sub(" ", text), *_apart(_NOTE_TEXT.findall(text))]


def _inlines(inlines: list[Any]) -> str:
    return "".join(_inline(item["t"], item.get("c")) for item in inlines)


def _inline(kind: str, content: Any) -> str:
    if kind == "Str":
        return str(content)
    if kind in _SPACES:
        return " "
    if kind in ("Superscript", "Subscript"):
        # A raised link is a reference's number or a note's mark, and stands apart from the word before it.
        links = any(item["t"] in _LINKS for item in content)
        return f" {_inlines(content)} " if links else f"{SCRIPT}{_inlines(content)}{END}"
    if kind in _LINKS and [item["t"] for item in content[1]] == ["Superscript"]:
        return f" {_inlines(content[1][0]['c'])} "
    if kind == "Cite" or (kind == "Link" and ["ref-type", "ref"] in content[0][2]):
        return f" {_inlines(content[1])} "  # a citation; pandoc's writers would set `[@key]` or `[8](#key)` here
    if kind in ("Code", "RawInline"):
        return str(content[1])
    if kind == "Math":
        return f"{MATH}{content[1]}{MATH}"
    if kind == "Note":
        return f"{NOTE}{' '.join(_blocks(content))}{NOTE}"
    if kind == "Image":
        return f"{NOTE}{_inlines(content[1])}{NOTE}"
    return _inlines(content if kind in ("Emph", "Strong", "Underline", "Strikeout", "SmallCaps") else content[1])
