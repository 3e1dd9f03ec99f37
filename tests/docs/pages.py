"""The Markdown pages of this repository, and what tests look for in them: links, code blocks, commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FLAGS_OF = re.compile(r"\$\(grep \^-- (\S+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_NAMED = re.compile(r'<a id="([\w-]+)"></a>')


def name_of(page: Path) -> str:
    """Return a page's name for the id of a test."""
    return str(page.relative_to(REPOSITORY))


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a language."""
    return [found[2] for found in _BLOCK.finditer(page.read_text(encoding="utf-8")) if found[1] == language]


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Return the targets of the links and pictures of a page."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """Return what can stand behind # in a link to a page: names given, and headings by GitHub's rule."""
    text = prose(page)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.strip().replace(" ", "-") for heading in kept} | {*_NAMED.findall(text)}


def commands(page: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Yield (words, lines shown below it) of each command of the console blocks; `\\` joins lines, `&&` parts them.

    `$(grep ^-- FILE)` stands for the lines of that file which are flags.
    """
    for block in blocks(page, "console"):
        for entry in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
            line, _, shown = entry.partition("\n")
            for one in line.split(" && "):
                yield shlex.split(_FLAGS_OF.sub(_flags_of, one), comments=True), shown.splitlines()


def _flags_of(match: re.Match[str]) -> str:
    lines = (REPOSITORY / match[1]).read_text(encoding="utf-8").splitlines()
    return " ".join(line for line in lines if line.startswith("--"))
