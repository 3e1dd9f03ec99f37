"""Readers at work on hostile files, each in a process of its own, with limits, and the bill afterwards.

    with Confined() as confined:
        bill = confined.run("pubmed", path)

`python -m tests.support.confined` is the other side: it imports and warms the readers once, then forks for every job,
so that a job's CPU seconds and peak memory are its own and a crash ends the child alone. A limit on address space and
on CPU seconds stands in for the machine's end.
"""

import dataclasses
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

MAX_ADDRESSES, MAX_CPU = 8 << 30, 20
MOST_CPU, MOST_MEMORY = 5.0, 600_000_000  # what a hostile file may cost before it is refused
LOOKED_AT = 4_000_000  # characters of a result that are searched for a secret


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bill:
    """What came of a job: records, dead letters by reason, the error if there was one; CPU seconds and peak bytes."""

    cpu: float
    peak: int
    base: int  # bytes in memory before the job
    status: int = 0  # of the process; not 0 when it was killed or ended by itself
    error: str = ""
    records: int = 0
    rejects: int = 0
    reasons: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    digest: str = ""  # of all that came out
    secret: bool = False  # "SECRET" stands in what came out


def assert_cheap(bill: Bill) -> None:
    """Assert that a job ended by itself within the limits, with records, dead letters or an error of ours."""
    assert bill.status == 0, f"killed after {bill.cpu:.1f} CPU seconds and {bill.peak / 1e6:.0f} MB"
    assert not bill.error or bill.error.startswith("CorruptError: "), bill.error
    assert bill.cpu < MOST_CPU, f"{bill.cpu:.1f} CPU seconds"
    assert bill.peak < MOST_MEMORY, f"{bill.peak / 1e6:.0f} MB"


class Confined:
    """The process that forks for every job."""

    def __enter__(self) -> "Confined":
        command = [sys.executable, "-m", "tests.support.confined"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *raised: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def run(self, job: str, path: Path, **options: Any) -> Bill:
        """Run one of JOBS on a file."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        print(json.dumps({"job": job, "path": str(path), **options}), file=stdin, flush=True)
        answer = json.loads(stdout.readline())
        return Bill(**{name: tuple(value) if isinstance(value, list) else value for name, value in answer.items()})


def _pubmed(path: str) -> Iterable[Any]:
    from corpus.ncbi.pubmed.reader import read_pubmed

    return read_pubmed(path)


def _jats(path: str) -> Iterable[Any]:
    from corpus.ncbi.jats.reader import read_parts

    return read_parts(Path(path).read_bytes(), file=Path(path).name)


def _articles(path: str) -> Iterable[Any]:
    from corpus.extract.inputs import find_inputs
    from tests.support.extracted import read_articles

    (task,) = find_inputs(pubmed=[], pmc=[path], articles_per_part=1000)
    return read_articles(task)


def _extract(path: str) -> Iterable[Any]:
    """Run the whole task, Parquet included."""
    from corpus.errors import CorruptError
    from corpus.extract.config import ExtractConfig
    from corpus.extract.inputs import find_inputs
    from corpus.extract.task import extract_task
    from corpus.stage.workspace import plan_stage

    where = {"pubmed": [], "pmc": [path]} if ".tar" in path or "PMC" in path else {"pubmed": [path], "pmc": []}
    (task,) = find_inputs(**where, articles_per_part=500)
    with tempfile.TemporaryDirectory() as folder:
        workspace, _ = plan_stage(folder, stage="extract", revision=1, config={}, inputs=[])
        receipt = extract_task(task, workspace, ExtractConfig())
    if "corrupt" in receipt.facts:
        raise CorruptError(receipt.facts["corrupt"])
    return [receipt.books]


def _naive(path: str) -> Iterable[Any]:
    """Read a file as nobody should: the proof that the traps would spring."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=True, load_dtd=True, no_network=False, huge_tree=True)
    tree = etree.parse(path, parser)
    tree.xinclude()
    return ["".join(str(text) for text in tree.getroot().itertext())]


JOBS: dict[str, Callable[[str], Iterable[Any]]] = {
    "pubmed": _pubmed,
    "jats": _jats,
    "articles": _articles,
    "extract": _extract,
    "naive": _naive,
}


def _outcome(job: str, path: str) -> dict[str, Any]:
    """Run a job to its end and return what came of it."""
    from corpus.records import Reject

    digest, reasons, details = hashlib.sha256(), set[str](), list[str]()
    found: dict[str, Any] = {"records": 0, "rejects": 0, "secret": False}
    try:
        for item in JOBS[job](path):
            is_reject = isinstance(item, Reject)
            found["rejects" if is_reject else "records"] += 1
            if is_reject:
                reasons.add(str(item.reason))
                details += [item.detail] if len(details) < 5 else []
            for text in _texts(item):
                found["secret"] |= "SECRET" in text[:LOOKED_AT]
                digest.update(text[:LOOKED_AT].encode("utf-8", "surrogatepass"))
    except Exception as error:  # noqa: BLE001  whatever it is, the test must see it
        found["error"] = f"{type(error).__name__}: {error}"[:500]
    return {**found, "reasons": sorted(reasons), "details": details, "digest": digest.hexdigest()}


def _texts(item: Any) -> Iterator[str]:
    """Yield every string in a record or dead letter, and nothing that would double a long one in memory."""
    if isinstance(item, Struct):
        for name, value in asdict(item).items():
            if name != "raw":  # a dead letter keeps its own bytes, and they name the secret's file
                yield from _texts(value)
    elif isinstance(item, tuple | list):
        for inner in item:
            yield from _texts(inner)
    else:
        yield item if isinstance(item, str) else repr(item)


def _child(job: str, path: str, writer: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESSES, MAX_ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU, MAX_CPU))
    os.write(writer, json.dumps(_outcome(job, path)).encode())


def _serve() -> None:
    """Answer one line of JSON with another, until the input ends."""
    import corpus.extract.task  # noqa: F401  imported once, before the forks
    from tests.support.malformed import SET_CLOSING, SET_OPENING, article, citation

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warm.xml"
        path.write_bytes(SET_OPENING + citation(1, b"<b>x</b>") + SET_CLOSING)
        list(_pubmed(str(path)))
        path.write_bytes(article(1, b"<b>x</b>&#65;"))
        list(_jats(str(path)))
    with open("/proc/self/statm", encoding="utf-8") as statm:
        base = int(statm.read().split()[1]) * resource.getpagesize()
    for line in sys.stdin:
        order = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            _child(order["job"], order["path"], writer)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as answer:
            content = answer.read()
        _, status, usage = os.wait4(child, 0)
        bill = {"cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024, "base": base, "status": status}
        print(json.dumps({**bill, **json.loads(content or b"{}")}), flush=True)


if __name__ == "__main__":
    _serve()
