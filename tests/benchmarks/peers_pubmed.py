"""Readers of PubMed files, each behind one function: the path of a file in, one `Extract` a citation out.

pandoc and s2orc-doc2json read no PubMed XML.
"""

import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path

import pubmed_parser  # type: ignore[import-untyped]

from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import Kind, Record
from tests.benchmarks.peers_jats import from_record
from tests.benchmarks.peers_text import Extract

ReadFile = Callable[[Path], list[Extract]]


def readers() -> dict[str, ReadFile]:
    """Return the readers by name, ours first."""
    return {"corpuscle": read_ours, "pubmed_parser": read_pubmed_parser}


def read_ours(path: Path) -> list[Extract]:
    """Return the text of all citations and books of a file."""
    records = [item for item in read_pubmed(str(path)) if isinstance(item, Record) and item.kind is not Kind.DELETION]
    return [from_record(record) for record in records]


def read_pubmed_parser(path: Path) -> list[Extract]:
    """Return title and abstract as pubmed_parser gives them, its labels as lines of their own."""
    with tempfile.NamedTemporaryFile(suffix=".xml.gz") as file:
        raw = path.read_bytes()
        file.write(raw if raw[:2] == b"\x1f\x8b" else gzip.compress(raw))
        file.flush()
        found = list(pubmed_parser.parse_medline_xml(file.name))
    return [Extract(front=(item["title"], item["abstract"])) for item in found if not item["delete"]]
