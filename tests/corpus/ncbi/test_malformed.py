"""Every sort of damage is exactly one dead letter that says where and why, and costs no good record beside it."""

import codecs
import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from corpus.errors import CorruptError
from corpus.extract.config import ExtractConfig
from corpus.extract.inputs import InputTask, find_inputs
from corpus.extract.task import extract_task
from corpus.ncbi.jats.reader import read_parts
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import RAW_LIMIT, Record, Reject
from corpus.stage.workspace import Receipt, plan_stage
from corpus.storage.parquet import read_table
from corpus.storage.schema import from_batch
from tests.support import malformed
from tests.support.malformed import JATS, PUBMED, SET_CLOSING, SET_OPENING, Kind, article, citation

GOOD = [citation(1), citation(2, b"<![CDATA[ </PubmedArticle> ]]>"), citation(3, b"p &lt; 0.05<!-- c --><?p i?>")]
# By the rules of XML an open section ends at the next mark that can end it, in whatever record that stands.
PLAIN = [citation(number) for number in (1, 2, 3)]
PLACES = range(len(GOOD) + 1)


def pubmed_set(pieces: list[bytes]) -> bytes:
    return SET_OPENING + b"".join(pieces) + SET_CLOSING


def read_set(path: Path, content: bytes, *, zipped: bool = True) -> list[Record | Reject]:
    path.write_bytes(gzip.compress(content, 1, mtime=0) if zipped else content)
    return list(read_pubmed(str(path)))


def without_place(record: Record) -> Record:
    return replace(record, position=0)


def assert_letter(letter: Reject, kind: Kind, content: bytes, *, start: int, ends: tuple[int, ...]) -> None:
    """Assert that a dead letter names its piece, which begins at `start` of the content and ends at one of `ends`."""
    assert letter.reason in kind.reasons, letter.detail
    assert letter.doc_id == kind.doc_id
    assert letter.detail.strip()
    assert letter.detail.isprintable()
    assert len(letter.detail) <= 1000
    assert letter.offset == start
    end = next((end for end in ends if hashlib.sha256(content[start:end]).hexdigest() == letter.sha256), None)
    assert end is not None, "the hash is that of the piece"
    assert letter.raw == content[start:end][:RAW_LIMIT]


def test_there_are_enough_kinds_and_no_two_alike() -> None:
    for kinds in (PUBMED, JATS):
        assert len({kind.raw for kind in kinds}) == len(kinds) > 90
        assert len({kind.name for kind in kinds}) == len(kinds)


@pytest.mark.parametrize("kind", PUBMED, ids=lambda kind: kind.name)
def test_a_damaged_piece_is_one_dead_letter_and_the_records_beside_it_are_as_in_the_clean_file(
    tmp_path: Path, kind: Kind
) -> None:
    for place in PLACES if len(kind.raw) < 100_000 else PLACES[1:2]:
        good = PLAIN if "unclosed" in kind.name or "open comment" in kind.name else GOOD
        before, after = good[:place], good[place:]
        content = pubmed_set([*before, kind.raw, *after])
        # White space of the same length in its place: what is left must be the same, offsets included.
        clean = read_set(tmp_path / "f.xml.gz", pubmed_set([*before, b" " * len(kind.raw), *after]))
        found = read_set(tmp_path / "f.xml.gz", content)
        records = [item for item in found if isinstance(item, Record)]
        assert [*map(without_place, records)] == [without_place(item) for item in clean if isinstance(item, Record)]
        assert len(records) == len(clean) == len(GOOD)
        assert [isinstance(item, Reject) for item in found].index(True) == place, "in file order"
        (letter,) = (item for item in found if isinstance(item, Reject))
        start = len(SET_OPENING) + sum(map(len, before))
        end = start + len(kind.raw)
        assert_letter(letter, kind, content, start=start, ends=(end, end - 1, start + len(kind.raw.rstrip())))
        assert letter.file == "f.xml.gz"


@pytest.mark.parametrize("kind", JATS, ids=lambda kind: kind.name)
def test_a_damaged_article_is_one_dead_letter(kind: Kind) -> None:
    (letter,) = read_parts(kind.raw, file=kind.file)
    assert isinstance(letter, Reject)
    assert_letter(letter, kind, kind.raw, start=0, ends=(len(kind.raw),))
    assert letter.file == kind.file


@pytest.mark.parametrize("name", malformed.WHOLE_SETS)
def test_a_set_damaged_as_a_whole_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    content, items = malformed.WHOLE_SETS[name], []
    for zipped in (True, False):
        with pytest.raises(CorruptError, match=r"f\.xml\.gz: .+; .+"):
            items += read_set(tmp_path / "f.xml.gz", content, zipped=zipped)
    assert not items


def run_task(tmp_path: Path, task: InputTask, output: str) -> tuple[Receipt, list[Record], list[Reject]]:
    """Run one extract task and return its receipt, records and dead letters as they lie in Parquet."""
    workspace, _ = plan_stage(str(tmp_path / output), stage="extract", revision=1, config={}, inputs=[])
    receipt = extract_task(task, workspace, ExtractConfig())
    rows: dict[str, list[object]] = {"records": [], "rejects": []}
    for part in receipt.parts:
        table = read_table(workspace.path(part.path))
        rows[part.role] += from_batch(table, Record if part.role == "records" else Reject)
    return receipt, rows["records"], rows["rejects"]  # type: ignore[return-value]


def test_all_damage_of_pubmed_in_one_file_through_the_whole_task(tmp_path: Path) -> None:
    kinds = [kind for kind in PUBMED if len(kind.raw) < 100_000]
    pieces, starts = [], []
    for number, kind in enumerate(kinds):
        pieces.append(citation(number + 1))
        starts.append(len(SET_OPENING) + sum(map(len, pieces)))
        pieces.append(kind.raw)
    path = tmp_path / "pubmed26n0001.xml.gz"
    path.write_bytes(gzip.compress(pubmed_set(pieces)))
    (task,) = find_inputs(pubmed=[str(path)], pmc=[], articles_per_part=500)
    receipt, records, letters = run_task(tmp_path, task, "damaged")
    assert [record.pmid for record in records] == [*range(1, len(kinds) + 1)]
    assert [letter.offset for letter in letters] == starts
    assert all(letter.reason in kind.reasons for letter, kind in zip(letters, kinds, strict=True))
    assert (receipt.books.read, receipt.books.kept) == (2 * len(kinds), len(kinds))
    assert sum(receipt.books.dropped.values()) == len(kinds)
    clean = pubmed_set([piece if number % 2 == 0 else b" " * len(piece) for number, piece in enumerate(pieces)])
    path.write_bytes(gzip.compress(clean))
    (task,) = find_inputs(pubmed=[str(path)], pmc=[], articles_per_part=500)
    _, expected, none = run_task(tmp_path, task, "clean")
    assert not none
    assert [*map(without_place, records)] == [*map(without_place, expected)]


def tar_of(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_all_damage_of_articles_in_one_tar_through_the_whole_task(tmp_path: Path) -> None:
    kinds = [kind for kind in JATS if len(kind.raw) < 100_000]
    good = [(f"PMC{number + 1}.1.xml", article(number + 1)) for number in range(len(kinds))]
    bad = [(f"d/{number}/{kind.file}", kind.raw) for number, kind in enumerate(kinds)]
    path = tmp_path / "articles.tar.gz"
    content = tar_of([member for pair in zip(good, bad, strict=True) for member in pair])
    path.write_bytes(gzip.compress(content))
    (task,) = find_inputs(pubmed=[], pmc=[str(path)], articles_per_part=10**6)
    receipt, records, letters = run_task(tmp_path, task, "damaged")
    assert [letter.doc_id for letter in letters] == [kind.doc_id for kind in kinds]
    assert all(letter.reason in kind.reasons for letter, kind in zip(letters, kinds, strict=True))
    assert all(
        content[letter.offset :].startswith(name.encode()) for letter, (name, _) in zip(letters, bad, strict=True)
    )
    assert [letter.sha256 for letter in letters] == [hashlib.sha256(kind.raw).hexdigest() for kind in kinds]
    assert sum(receipt.books.dropped.values()) == len(kinds)
    path.write_bytes(gzip.compress(tar_of(good)))
    (task,) = find_inputs(pubmed=[], pmc=[str(path)], articles_per_part=10**6)
    _, expected, none = run_task(tmp_path, task, "clean")
    assert not none
    assert [replace(record, position=0, offset=0) for record in records] == [
        replace(record, position=0, offset=0) for record in expected
    ]


def recoded(raw: bytes, encoding: str, *, name: str = "") -> bytes:
    """Return an article in another encoding, which it declares."""
    return raw.decode().replace("UTF-8", name or encoding).encode(encoding, "xmlcharrefreplace")


LEGAL: dict[str, Callable[[bytes], bytes]] = {
    "UTF-8 with a mark": lambda raw: codecs.BOM_UTF8 + raw,
    "UTF-16 with a mark": lambda raw: recoded(raw, "utf-16"),
    "UTF-16 with a mark, other order": lambda raw: codecs.BOM_UTF16_BE + recoded(raw, "utf-16-be", name="utf-16"),
    "latin-1 declared": lambda raw: recoded(raw, "iso-8859-1"),
    "windows-1252 declared": lambda raw: recoded(raw, "windows-1252"),
    "ASCII with references": lambda raw: recoded(raw, "us-ascii"),
    "no declaration": lambda raw: raw.partition(b"\n")[2],
    "no prolog": lambda raw: raw[raw.index(b"<article") :],
    "carriage returns": lambda raw: raw.replace(b"\n", b"\r\n"),
    "single quotes": lambda raw: raw.replace(b'"', b"'"),
    "spaces in tags": lambda raw: raw.replace(b"<p>", b"<p\n >").replace(b"</p>", b"</p\t>"),
    "hexadecimal references": lambda raw: raw.replace("é".encode(), b"&#xE9;"),
    "CDATA": lambda raw: raw.replace(b"First paragraph", b"<![CDATA[First]]><![CDATA[ paragraph]]>"),
    "comment in a word": lambda raw: raw.replace(b"First", b"Fi<!-- <p> & -->rst"),
    "instruction in a word": lambda raw: raw.replace(b"First", b"Fi<?pi <p> & ?>rst"),
    "comments around": lambda raw: raw.replace(b"<article", b"<!-- a --><article", 1) + b"<!-- b --><?pi?>\n",
    "declarations without entities": lambda raw: raw.replace(b'"JATS-1-3.dtd"', b'"x" [<!ELEMENT p ANY>]'),
    "packed": lambda raw: gzip.compress(raw, mtime=0),
    "packed in two members": lambda raw: gzip.compress(raw[:300], mtime=0) + gzip.compress(raw[300:], mtime=0),
}  # fmt: skip


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_unusual_and_legal_reads_like_the_plain_form(name: str) -> None:
    raw = malformed.JATS_PROLOG + article(5)
    changed = LEGAL[name](raw)
    assert changed != raw
    assert read_parts(changed, file="a.xml") == read_parts(raw, file="a.xml")


def test_a_long_text_is_read_whole(tmp_path: Path) -> None:
    text = b"word " * 2_200_000  # beyond libxml2's ten million characters
    found = read_set(tmp_path / "f.xml", pubmed_set([citation(1), citation(2, text), citation(3)]), zipped=False)
    assert [item.doc_id for item in found] == ["pmid:1", "pmid:2", "pmid:3"]
    assert isinstance(found[1], Record)
    assert len(found[1].abstracts[0].text) == len("To see cafés. ") + len(text) - 1
    (long,) = read_parts(article(5, text), file="a.xml")
    assert isinstance(long, Record)
    assert sum(len(block.text) for block in long.body) > len(text)
