"""Personal data through `assemble`: off, reported with places that hold it, masked in text, sections and shingles."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from corpus.assemble.config import AssembleConfig
from corpus.assemble.decide import Document
from corpus.assemble.personal import handle_personal_data
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import SPLITS, Manifest, read_manifest
from corpus.storage.parquet import read_table
from corpus.storage.schema import schema_of
from pipelines.cli.app import main
from pipelines.extract import extract

CITATION = """<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">{pmid}</PMID><Article><Journal>
<JournalIssue><PubDate><Year>2001</Year></PubDate></JournalIssue><Title>J</Title></Journal><ArticleTitle>{title}
</ArticleTitle><Abstract><AbstractText>{text}</AbstractText></Abstract><Language>eng</Language></Article>
</MedlineCitation></PubmedArticle>"""
SAME = "The trial enrolled many patients in nine centres and the outcome was better with the drug than without it. "
TEXTS = [f"{SAME}Correspondence: {name}@example.org, or telephone +49 30 4505 1234{last}."
         for last, name in enumerate(["ann", "bob"])]  # fmt: skip
OTHER = "Nobody is named in this abstract, which is about the registration NCT01234567 and the cells of some mice."


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("personal")
    cited = [CITATION.format(pmid=k, title=f"Title {k}", text=text) for k, text in enumerate([*TEXTS, OTHER], 1)]
    (folder / "a.xml").write_text(f"<PubmedArticleSet>{''.join(cited)}</PubmedArticleSet>")
    (folder / "pubmed26n0001.xml.gz").write_bytes(gzip.compress((folder / "a.xml").read_bytes(), mtime=0))
    extract(ExtractConfig(pubmed=(str(folder / "pubmed26n0001.xml.gz"),)), output=str(folder / "records"))
    return str(folder / "records")


def rows(place: str, roles: tuple[str, ...]) -> list[dict]:
    manifest = read_manifest(place, "assemble")
    return [row for role in roles for path in manifest.paths(place, role) for row in read_table(path).to_pylist()]


def assembled(records: str, place: Path, *options: str) -> Manifest:
    assert main(["assemble", "--records", records, "-o", str(place), "--threshold", "1", *options]) == 0
    return read_manifest(str(place), "assemble")


def test_what_is_reported_stands_in_the_texts_at_its_place(
    records: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = assembled(records, tmp_path / "plain")
    assert not [part for part in plain.parts if part.role == "personal"]
    manifest = assembled(records, tmp_path / "report", "--pii", "report")
    assert "2 documents hold personal data (reported and kept): email 2, id 0, ip 0, phone 2" in capsys.readouterr().out
    texts = {row["doc_id"]: row["text"] for row in rows(str(tmp_path / "report"), SPLITS)}
    assert texts == {row["doc_id"]: row["text"] for row in rows(str(tmp_path / "plain"), SPLITS)}
    found = rows(str(tmp_path / "report"), ("personal",))
    assert [(row["doc_id"], row["kind"]) for row in found] == [
        ("pmid:1", "email"), ("pmid:1", "phone"), ("pmid:2", "email"), ("pmid:2", "phone"),
    ]  # fmt: skip
    assert all(texts[row["doc_id"]][row["start"] : row["end"]] == row["text"] for row in found)
    assert manifest.summary["documents_with_personal_data"] == 2


def test_what_is_masked_is_nowhere_and_texts_that_differ_in_it_alone_are_the_same(records: str, tmp_path: Path) -> None:
    assembled(records, tmp_path / "mask", "--pii", "mask")
    everything = b"".join(path.read_bytes() for path in (tmp_path / "mask").rglob("*") if path.is_file())
    assert b"example.org" not in everything
    kept = {row["doc_id"]: row for row in rows(str(tmp_path / "mask"), SPLITS)}
    found = rows(str(tmp_path / "mask"), ("personal",))
    assert {row["text"] for row in found} == {""}
    for row in found:
        if row["doc_id"] in kept:
            mask = kept[row["doc_id"]]["text"][row["start"] : row["end"]]
            assert mask == {"email": "[e-mail]", "phone": "[phone]"}[row["kind"]]
    assert OTHER in kept["pmid:3"]["text"]


def test_sections_follow_the_masks() -> None:
    text = "T\n\n## Methods a@example.org\n\nWrite to b@example.org now.\n\n## Results\n\nNone."
    bounds = [(3, text.index("\n\n## Results")), (text.index("## Results"), len(text))]
    sections = [{"kind": "", "title": title, "start": start, "end": end}
                for title, (start, end) in zip(["Methods a@example.org", "Results"], bounds, strict=True)]  # fmt: skip
    row = {field.name: [] if pa.types.is_list(field.type) else "" for field in schema_of(Document)
           if pa.types.is_list(field.type) or pa.types.is_string(field.type)}  # fmt: skip
    row |= {name: 0 for name in schema_of(Document).names if name not in row}
    row |= dict.fromkeys(("retracted", "manuscript", "pmc_id_anywhere", "full_text", "notice"), False)
    table = pa.Table.from_pylist(
        [row | {"doc_id": "pmc:PMC1.1", "text": text, "sections": sections}], schema_of(Document)
    )
    hidden, report = handle_personal_data(table, AssembleConfig(pii="mask"))
    (made,) = hidden.to_pylist()
    assert report.num_rows == 2
    assert made["text"] == text.replace("a@example.org", "[e-mail]").replace("b@example.org", "[e-mail]")
    assert made["length"] == len(made["text"].encode())
    cut = [made["text"][one["start"] : one["end"]] for one in made["sections"]]
    assert cut == ["## Methods [e-mail]\n\nWrite to [e-mail] now.", "## Results\n\nNone."]
    assert [one["title"] for one in made["sections"]] == ["Methods [e-mail]", "Results"]
    assert hidden.schema == table.schema
