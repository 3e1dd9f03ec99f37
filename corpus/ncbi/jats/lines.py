"""Lines of text from raw ones: scripts written, citations and note marks decided.

A raw line is the text of a block with the control characters that the scan leaves (`markup.Vocabulary`): around what
was raised or lowered, around links that cite and links to notes. Notes go first, then citations are told from other
links, then scripts are written from the inside out, and last `jats_citations.tidy` takes the citations out. What
goes is counted in the accounts.
"""

import re

from corpus.ncbi.jats.accounts import Accounts, solid
from corpus.ncbi.jats.citations import CLOSE, GONE, OPEN, lower_needed, mark, num_marks, tidy, without_numbers
from corpus.ncbi.jats.usual_citations import names_authors, tidy_usual
from corpus.ncbi.markup.scripts import NEIGHBOUR, script_in_text, stands_off

_NOTE = re.compile("\x0e([^\x0e\x0f]*)\x0f")
_CITATION = re.compile("\x01([^\x01\x02]*)\x02")
_UNUSUAL = re.compile("\x01(?!\\d{1,3}[a-z]?\x02)([^\x01\x02]*)\x02")  # numbers that are not raised stay as they are
_RAISED_NUMBERS = re.compile("\x04\x01\\d{1,3}\x02(?:[,–-]\x01\\d{1,3}\x02)*\x05(?! ?\x04)")
_RAISED_CITATION = re.compile("\x04[^\x05]*\x01")
_SCRIPT = re.compile("([\x04\x06])([^\x04-\x07]*)[\x05\x07]")
_RAISED, _LOWERED = (re.compile(f"({mark})([^\x04-\x07]*)[\x05\x07]") for mark in "\x04\x06")  # found faster
_SCRIPT_MARKS = re.compile("[\x04-\x07]")
_CLOSING = frozenset(",.;)")
_STRAY_SPACE = re.compile(r" [,.;)](?=\s|$)")  # layout between a script and what closes its sentence
_CONTROLS = re.compile("[\x01-\x07\x0e-\x10]")
_NOTE_MARK = 3  # letters of a mark at most: "12", "†", "***"


def finish(raw: str, accounts: Accounts, *, in_cell: bool = False, collapsed: bool = False) -> str:
    """Return a raw line as text.

    `in_cell`: of a table cell, where a number in brackets is a value and marks of notes stay; `collapsed`: the line is
    one slice of the scanned text, with no two spaces side by side.
    """
    if not has_marks(raw):
        return raw.strip() if collapsed else " ".join(raw.split())
    return decide(raw if collapsed else " ".join(raw.split()), accounts, in_cell=in_cell)


def decide(line: str, accounts: Accounts, *, in_cell: bool = False) -> str:
    """Return a raw line that holds control characters, its white space collapsed, as text."""
    if not accounts.watched:
        return _decided(line, accounts, in_cell=in_cell)
    account = accounts.current
    before = accounts.counts[account]
    text = _decided(line, accounts, in_cell=in_cell)
    moved = before - accounts.counts[account]
    accounts.write(solid(text) - solid(_CONTROLS.sub("", line)) + moved)
    return text


def _decided(line: str, accounts: Accounts, *, in_cell: bool) -> str:
    if "\x0e" in line:
        line = _Notes(accounts, in_cell).decide(line)
    if OPEN in line and "\x04" not in line:  # as most
        if names_authors(line):
            line = line.replace(OPEN, "").replace(CLOSE, "")
        elif not (in_cell or "\x06" in line or GONE in line) and (usual := tidy_usual(line)):
            accounts.move("citation_marks", usual[1])
            return usual[0]
    brackets = 0  # that the source does not have
    if OPEN in line and "\x04" in line and not in_cell:
        line, brackets = lower_needed(line)
    if OPEN in line:
        if in_cell or "\x04" in line:
            line = _Citations(accounts, in_cell).decide(_without_raised(line, accounts))
        elif _UNUSUAL.search(line):
            line = _Citations(accounts, in_cell).decide(line)
    scripts = False
    while "\x05" in line or "\x07" in line:
        line, scripts = _write_scripts(line, accounts), True
    if OPEN in line or GONE in line:
        line, lost = tidy(line)
        if lost > brackets:
            accounts.move("citation_marks", lost - brackets)
    # Writing scripts may bring spaces together; references to CR are the only other white space.
    return " ".join(line.split()) if scripts and ("  " in line or "\r" in line) else line.strip()


def has_marks(raw: str) -> bool:
    """Say whether a text holds control characters of the scan or of a reader."""
    return OPEN in raw or "\x04" in raw or "\x06" in raw or "\x0e" in raw or GONE in raw


def _without_raised(line: str, accounts: Accounts) -> str:
    """Return a line without the raised runs that are nothing but numbers of citations: in short what follows."""
    text = _RAISED_NUMBERS.sub(GONE, line)
    if len(text) < len(line):
        runs, numbers = text.count(GONE) - line.count(GONE), line.count(OPEN) - text.count(OPEN)
        accounts.move("citation_marks", len(line) - len(text) - runs - 2 * numbers)
    return text


class _Notes:
    """Takes out the marks of notes: they belong to the note; below a table the notes are at hand, and marks stay."""

    def __init__(self, accounts: Accounts, in_cell: bool) -> None:
        self._accounts, self._in_cell = accounts, in_cell

    def decide(self, line: str) -> str:
        """Return the line without them; words that link to a note stay."""
        return _NOTE.sub(self._one, line).replace("\x0e", "").replace("\x0f", "")

    def _one(self, found: re.Match[str]) -> str:
        core = _SCRIPT_MARKS.sub("", found[1]).strip()
        if self._in_cell or len(core) > _NOTE_MARK:
            return found[1]
        self._accounts.move("note_marks", solid(core))
        return GONE


class _Citations:
    """Tells citations by number from words and pictures that link to a reference."""

    def __init__(self, accounts: Accounts, in_cell: bool) -> None:
        self._accounts, self._in_cell = accounts, in_cell

    def decide(self, line: str) -> str:
        """Return the line with numbers between OPEN and CLOSE, raised ones GONE."""
        usual = not self._in_cell and not ("\x04" in line and _RAISED_CITATION.search(line))
        return (_UNUSUAL if usual else _CITATION).sub(self._one, line)

    def _one(self, found: re.Match[str]) -> str:
        content = found[1]
        if content.isdecimal() and len(content) < 4 and not self._in_cell:  # as nearly all: in short what follows
            if not _is_raised(found.string, found.start()):
                return found[0]
            self._accounts.move("citation_marks", len(content))
            return GONE
        core = content.strip() if content.isprintable() else _SCRIPT_MARKS.sub("", content).strip()
        marked = mark(core)
        if marked and (content.lstrip()[:1] == "\x04" or _is_raised(found.string, found.start())):
            self._accounts.move("citation_marks", solid(core))
            return content.replace(core, GONE) if core in content else GONE
        # In a table a number is a value, unless it stands at the end of a word.
        before = found.string[found.start() - 1 : found.start()]
        if marked and self._in_cell and before.isalpha() and content == core:
            self._accounts.move("citation_marks", solid(core))
            return GONE
        if marked and not self._in_cell:
            return content.replace(core, marked) if core in content else marked
        if any(letter.isalnum() for letter in core):
            return content
        self._accounts.move("note_marks", solid(core))
        return GONE  # an arrow or nothing: a link's picture


def _is_raised(line: str, place: int) -> bool:
    return line.rfind("\x04", 0, place) > line.rfind("\x05", 0, place)


def _write_scripts(line: str, accounts: Accounts) -> str:
    """Return a line with its innermost scripts written; raised citations are gone."""
    done: list[str] = []
    pos = 0
    pattern = _RAISED if "\x06" not in line else _LOWERED if "\x04" not in line else _SCRIPT
    for found in pattern.finditer(line):
        start, end = found.span()
        before, run, following = line[pos:start], found[2], line[end : end + 1]
        done.append(before)
        if before[-1:].isalnum() and run.isprintable():  # as most: behind a word, and no citation
            raised = line[start] == "\x04"
            written = script_in_text(run, raised=raised, before=before, after=line[end : end + NEIGHBOUR])
        else:
            written = _write_script(found, done, accounts)
        if written[-1:] == " " and following in _CLOSING:
            written = written.rstrip(" ")
        done.append(written)
        pos = end
        if following == " " and line[end + 1 : end + 2] in _CLOSING:
            pos += written != GONE and _STRAY_SPACE.match(line, end) is not None
    if not done:  # a mark without its partner: no document that was scanned has one
        return _SCRIPT_MARKS.sub("", line)
    done.append(line[pos:])
    return "".join(done)


def _write_script(found: re.Match[str], done: list[str], accounts: Accounts) -> str:
    run, raised = found[2], found[1] == "\x04"
    if raised:
        if run == GONE:
            return GONE
        # "<sup>1</sup><sup>,</sup><sup>2</sup>" is one group, with or without layout between.
        cited = _last(done, solid_only=True).endswith(GONE)
        if OPEN in run or GONE in run or (cited and any(letter.isdigit() for letter in run)):
            left = without_numbers(run)
            accounts.move("citation_marks", solid(run) - num_marks(run) - solid(left))
            if not left:
                return GONE
            run = left
        elif cited and not any(letter.isalnum() for letter in run):
            return run
    before, after = _last(done), found.string[found.end() : found.end() + NEIGHBOUR]
    if before[-1:] == " " and done[-1] == before:
        base = done[-2] + before if before == " " and len(done) > 1 else before
        if stands_off(run, raised=raised, before=base, after=after):
            done[-1] = before = before[:-1]
    return script_in_text(run, raised=raised, before=before, after=after)


def _last(done: list[str], *, solid_only: bool = False) -> str:
    """Return the last of three pieces that is not empty, or not white space alone."""
    for piece in reversed(done[-3:]):
        if piece and not (solid_only and piece.isspace()):
            return piece
    return ""
