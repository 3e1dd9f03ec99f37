"""Old copies of PMC: bulk tars with their file lists, and loose trees with `oa_file_list`."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from corpus.errors import CorruptError
from corpus.extract.inputs import find_inputs
from corpus.ncbi.archives.file_lists import list_for
from corpus.records import Record
from tests.support.extracted import read_articles

TAR_LIST = """\
Article File,Article Citation,AccessionID,LastUpdated (YYYY-MM-DD HH:MM:SS),PMID,License,Retracted
PMC000xxxxxx/PMC13900.xml,"Breast Cancer Res. 2001 Nov 2",PMC13900,"2019-11-05 11:56:12",11250746,"CC BY-NC",no
PMC000xxxxxx/PMC13901.xml,"Breast, Cancer ""Res"". 2001",PMC13901,"2019-11-05 11:56:12",11250747,"CC0",yes
"""
CSV_LIST = """\
File,Article Citation,Accession ID,Last Updated (YYYY-MM-DD HH:MM:SS),PMID,License
oa_package/08/e0/PMC13900.tar.gz,Breast Cancer Res. 2001 Nov 2,PMC13900,2019-11-05 11:56:12,11250746,CC BY-NC
oa_package/b0/ac/PMC13901.tar.gz,Breast Cancer Res. 2001 Nov 9; 3(1):61-65,PMC13901,2019-11-05 11:56:12,,NO-CC CODE
"""
TEXT_LIST = (
    "2026-03-06 21:31:45\n"
    "oa_package/08/e0/PMC13900.tar.gz\tBreast Cancer Res. 2001 Nov 2; 3(1):55-60\tPMC13900\tPMID:11250746\tCC BY-NC\n"
    "oa_package/b0/ac/PMC13901.tar.gz\tBreast Cancer Res. 2001 Nov 9; 3(1):61-65\tPMC13901\t\tNO-CC CODE\n"
)


def article(number: int) -> bytes:
    return f"<article><front><article-meta/></front><body><p>Text of {number}.</p></body></article>".encode()


def write_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for number in (13900, 13901, 13902):
            member = tarfile.TarInfo(f"PMC000xxxxxx/PMC{number}.xml")
            member.size = len(article(number))
            archive.addfile(member, io.BytesIO(article(number)))


def records(paths: Sequence[Path]) -> dict[str, Record]:
    tasks = find_inputs(pubmed=(), pmc=[str(path) for path in paths], articles_per_part=10)
    found = [item for task in tasks for item in read_articles(task)]
    return {item.doc_id: item for item in found if isinstance(item, Record)}


@pytest.mark.parametrize("prefix", ["", "pmc_"])
@pytest.mark.parametrize("kind", ["baseline", "incr"])
def test_a_bulk_tar_has_the_facts_of_its_list(tmp_path: Path, prefix: str, kind: str) -> None:
    stem = f"{prefix}oa_comm_xml.PMC000xxxxxx.{kind}.2023-12-18"
    write_tar(tmp_path / f"{stem}.tar.gz")
    (tmp_path / f"{stem}.filelist.csv").write_text(TAR_LIST)
    found = records([tmp_path])
    assert sorted(found) == [f"pmc:PMC{number}.1" for number in (13900, 13901, 13902)]
    first, second, third = (found[name] for name in sorted(found))
    assert (first.pmid, first.license, first.retracted) == (11250746, "CC-BY-NC", False)
    assert (second.pmid, second.license, second.retracted) == (11250747, "CC0-1.0", True)
    assert (third.pmid, third.license, third.retracted) == (None, "", False)


@pytest.mark.parametrize(("name", "text"), [("oa_file_list.csv", CSV_LIST), ("oa_file_list.txt", TEXT_LIST)])
@pytest.mark.parametrize(
    "layout", ["PMC000xxxxxx/PMC{}.xml", "08/e0/PMC{}/Breast_Cancer_Res_55-60.nxml", "PMC{}.nxml", "a/PMC{}/main.nxml"]
)
def test_a_loose_tree_has_the_facts_of_its_list(tmp_path: Path, name: str, text: str, layout: str) -> None:
    for number in (13900, 13901):
        path = tmp_path / layout.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(article(number).replace(b"<article-meta/>", _ids(number)))
    (tmp_path / name).write_text(text)
    found = records([tmp_path])
    first, second = (found[key] for key in sorted(found))
    assert (first.pmid, first.license) == (11250746, "CC-BY-NC")
    assert (second.pmid, second.license) == (None, "")


def _ids(number: int) -> bytes:
    return f'<article-meta><article-id pub-id-type="pmc">{number}</article-id></article-meta>'.encode()


def test_a_list_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    write_tar(tmp_path / "old.tar.gz")
    (tmp_path / "PMC5.nxml").write_bytes(article(5))
    before = {task.name: task.fingerprint for task in find_inputs(pubmed=(), pmc=(str(tmp_path),), articles_per_part=9)}
    (tmp_path / "oa_file_list.csv").write_text(CSV_LIST)
    after = {task.name: task.fingerprint for task in find_inputs(pubmed=(), pmc=(str(tmp_path),), articles_per_part=9)}
    assert set(before) == set(after)
    assert not set(before.values()) & set(after.values())


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n", "2026-03-06\n", "File,Accession ID,PMID\nx,PMC1,2\n"])
def test_a_list_that_is_none_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "oa_file_list.csv").write_text(text)
    with pytest.raises(CorruptError, match=r"oa_file_list.csv: (no list|lists no article)"):
        list_for(str(tmp_path / "PMC1.nxml"))
