"""Hostile documents reach no file and no port, grow nothing, and every parser in `corpus` is made by the one policy."""

import ast
import contextlib
import os
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests.conftest import REPOSITORY
from tests.support.confined import Confined, assert_cheap
from tests.support.malformed import SET_CLOSING, SET_OPENING, article, citation

SECRET = "SECRET"
PARSERS = (
    "XMLParser",
    "XMLPullParser",
    "HTMLParser",
    "XMLTreeBuilder",
    "ETCompatXMLParser",
    "iterparse",
    "ParserCreate",
)
POLICY = {
    "resolve_entities": "internal",
    "load_dtd": False,
    "dtd_validation": False,
    "attribute_defaults": False,
    "no_network": True,
    "recover": False,
}


@pytest.fixture(scope="module")
def confined() -> Iterator[Confined]:
    with Confined() as running:
        yield running


class Trap:
    """A secret file, a pipe that counts who opens it, and a port that counts who calls."""

    def __init__(self, folder: Path) -> None:
        self.text, self.secret, self.pipe = folder / "secret.txt", folder / "secret.dtd", folder / "pipe.dtd"
        self.text.write_text(SECRET)
        self.secret.write_text(f'<!ENTITY x "{SECRET}"><!ATTLIST article article-type CDATA "{SECRET}">')
        os.mkfifo(self.pipe)
        self.opened = self.called = 0
        self._is_closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=loop, daemon=True) for loop in (self._feed, self._answer)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads: what they wait for comes once more."""
        self._is_closed = True
        reader = os.open(self.pipe, os.O_RDONLY | os.O_NONBLOCK)
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join()
        os.close(reader)
        self._listener.close()

    def _feed(self) -> None:
        while not self._is_closed:
            # Waits for a reader, who may be gone again before anything is written: the next one still must not wait.
            with contextlib.suppress(BrokenPipeError), self.pipe.open("w") as pipe:
                self.opened += 1
                pipe.write(f'<!ENTITY x "{SECRET}">')

    def _answer(self) -> None:
        while not self._is_closed:
            connection, _ = self._listener.accept()
            self.called += 1
            connection.close()


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    trap = Trap(tmp_path)
    yield trap
    trap.close()


def entities(*declarations: str) -> str:
    return f"<!DOCTYPE ROOT [{''.join(declarations)}]>"


def laughs(levels: int) -> str:
    chain = (f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, levels))
    return entities('<!ENTITY e0 "ha">', *chain, f'<!ENTITY x "&e{levels - 1};">')


# The document type, with ROOT, FILE (a file URL), PATH, NAME (relative) and URL filled in; the text uses `&x;`.
DOCTYPES = {
    "billion laughs": laughs(9),
    "million laughs": laughs(6),
    "quadratic blow-up of a gigabyte": entities(f'<!ENTITY a "{"x" * 30_000}">', f'<!ENTITY x "{"&a;" * 30_000}">'),
    "900 kB out of 4 kB": entities(f'<!ENTITY a "{"x" * 1000}">', f'<!ENTITY x "{"&a;" * 900}">'),
    "entity of itself": entities('<!ENTITY x "&x;">'),
    "entities in a loop": entities('<!ENTITY x "&y;">', '<!ENTITY y "&x;">'),
    "external entity, file": entities('<!ENTITY x SYSTEM "FILE">'),
    "external entity, path": entities('<!ENTITY x SYSTEM "PATH">'),
    "external entity, relative": entities('<!ENTITY x SYSTEM "NAME">'),
    "external entity, network": entities('<!ENTITY x SYSTEM "URL/x">'),
    "external entity, public": entities('<!ENTITY x PUBLIC "-//W3C//ENTITIES" "FILE">'),
    "parameter entity, file": entities('<!ENTITY % p SYSTEM "FILE">', "%p;"),
    "parameter entity, network": entities('<!ENTITY % p SYSTEM "URL/p">', "%p;"),
    "parameter entities in a loop": entities('<!ENTITY % p "&#37;q;">', '<!ENTITY % q "&#37;p;">', "%p;"),
    "external DTD, file": '<!DOCTYPE ROOT SYSTEM "FILE">',
    "external DTD, path": '<!DOCTYPE ROOT SYSTEM "PATH">',
    "external DTD, relative": '<!DOCTYPE ROOT SYSTEM "NAME">',
    "external DTD, public": '<!DOCTYPE ROOT PUBLIC "-//NLM//DTD" "FILE">',
    "external DTD, network": '<!DOCTYPE ROOT SYSTEM "URL/d">',
    "external DTD, ftp": '<!DOCTYPE ROOT SYSTEM "ftp://127.0.0.1/d">',
    "catalog": '<?oasis-xml-catalog catalog="FILE"?><!DOCTYPE ROOT PUBLIC "-//X" "y">',
    "unparsed entity": entities('<!NOTATION n SYSTEM "FILE">', '<!ENTITY x SYSTEM "FILE" NDATA n>'),
    "default attributes": '<!DOCTYPE ROOT [<!ATTLIST article article-type CDATA "SECRET">]>',
}
INCLUDES = {
    "XInclude": '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="PATH" parse="text"/>',
    "XInclude, network": '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="URL/i"/>',
    "schema location": '<s xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:noNamespaceSchemaLocation="URL/s"/>',
    "base": '<b xml:base="URL/">x</b>',
    "style sheet": '<?xml-stylesheet href="URL/style" type="text/xsl"?>',
}


def filled(pattern: str, trap: Trap, target: Path, root: str) -> bytes:
    places = {"ROOT": root, "FILE": target.as_uri(), "PATH": str(target), "NAME": target.name, "URL": trap.url}
    for name, place in places.items():
        pattern = pattern.replace(name, place)
    return pattern.encode()


def hostile_files(name: str, trap: Trap, target: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield (job, file) for every way in: a loose article, one in a tar, a set, a record of a set."""
    doctype = filled(DOCTYPES.get(name, ""), trap, target, "article")
    inside = filled(INCLUDES[name], trap, target, "article") if name in INCLUDES else b"&x;"
    loose, packed, whole = folder / "PMC5.1.xml", folder / "a.tar", folder / "s.xml"
    loose.write_bytes(doctype + article(5, inside))
    yield "jats", loose
    with tarfile.open(packed, "w") as archive:
        archive.add(loose, "PMC5.1.xml")
    yield "articles", packed
    set_doctype = filled(DOCTYPES.get(name, ""), trap, target, "PubmedArticleSet")
    for text in (
        set_doctype + b"<PubmedArticleSet>" + citation(1) + citation(2, inside) + SET_CLOSING,
        SET_OPENING + citation(1) + doctype + citation(2, inside) + citation(3) + SET_CLOSING,
    ):
        whole.write_bytes(text)
        yield "pubmed", whole


@pytest.mark.parametrize("name", [*DOCTYPES, *INCLUDES])
def test_no_document_reads_a_file_calls_a_port_or_grows(
    tmp_path: Path, trap: Trap, confined: Confined, name: str
) -> None:
    for target in (trap.text, trap.secret, trap.pipe):
        for job, path in hostile_files(name, trap, target, tmp_path):
            bill = confined.run(job, path)
            assert_cheap(bill)
            assert bill.cpu < 0.5
            assert bill.peak - bill.base < 50_000_000
            assert not bill.secret
            if name in DOCTYPES and name not in ("default attributes",):
                assert bill.rejects or bill.error, "a document that uses what it declares is refused"
    assert (trap.opened, trap.called) == (0, 0)


def test_the_traps_spring_for_a_careless_parser(tmp_path: Path, trap: Trap, confined: Confined) -> None:
    for name, target in (
        ("external entity, file", trap.text),
        ("external DTD, file", trap.secret),
        ("XInclude", trap.text),
        ("external entity, file", trap.pipe),
        ("external DTD, file", trap.pipe),
        ("XInclude", trap.pipe),
    ):
        job, path = next(hostile_files(name, trap, target, tmp_path))
        assert job == "jats"
        bill = confined.run("naive", path)
        assert bill.secret or target == trap.pipe, name
    assert trap.opened > 0
    with socket.create_connection(("127.0.0.1", int(trap.url.rpartition(":")[2]))):
        pass
    for _ in range(100):
        if trap.called:
            break
        threading.Event().wait(0.02)
    assert trap.called == 1


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield (name, call) for every call in a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            yield function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""), node


def test_every_parser_is_made_by_the_policy() -> None:
    made = 0
    for path in sorted((REPOSITORY / "corpus").rglob("*.py")):
        for name, call in calls(path):
            where = f"{path.relative_to(REPOSITORY)}:{call.lineno}"
            if name in PARSERS:
                assert name == "XMLParser", f"{where}: {name} has no policy"
                given = options_of(call, path)
                assert {option: given.get(option) for option in POLICY} == POLICY, where
                made += 1
            elif name in ("fromstring", "parse", "XML", "fromstringlist", "parseid") and is_lxml(call):
                parser = (
                    call.args[1]
                    if len(call.args) > 1
                    else next((k.value for k in call.keywords if k.arg == "parser"), None)
                )
                assert parser is not None, f"{where}: {name} without a parser takes lxml's default"
    assert made


def options_of(call: ast.Call, path: Path) -> dict[str, object]:
    """Return the keyword arguments of a call; `**NAME` is looked up among the module's constants."""
    given: dict[str, object] = {}
    for item in call.keywords:
        if item.arg is not None:
            given[item.arg] = getattr(item.value, "value", None)
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if getattr(targets[0], "id", "") == getattr(item.value, "id", None):
                given |= ast.literal_eval(node.value)  # type: ignore[attr-defined]
    return given


def is_lxml(call: ast.Call) -> bool:
    """Say whether a call is of lxml's `etree`, or of anything that parses under such a name."""
    modules = ("etree", "ElementTree", "html", "objectify")
    return isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") in modules


def test_no_other_xml_library_is_used() -> None:
    for path in sorted((REPOSITORY / "corpus").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            allowed = ("xml.sax.saxutils",)  # escapes text, parses nothing
            assert not [
                name for name in names if name.split(".")[0] in ("xml", "bs4", "html5lib") and name not in allowed
            ], path


def test_lxml_is_new_enough_to_keep_its_word() -> None:
    requirement = next(line for line in (REPOSITORY / "pyproject.toml").read_text().splitlines() if '"lxml>=' in line)
    assert '"lxml>=6.1"' in requirement, "below 6.1 a parser by events reads local files (CVE-2026-41066)"
    assert etree.LXML_VERSION >= (6, 1)
