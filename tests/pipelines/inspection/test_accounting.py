"""The accounting of one article as a person reads it."""

import io
import re
import tarfile
from pathlib import Path

import pytest

from corpus.errors import DataError, UsageError
from pipelines.inspection.accounting import account_text
from tests.support.jats_samples import jats

RAW = jats(
    body='<sec><title>Aim</title><p>One <sup>2</sup>two <xref ref-type="bibr" rid="B1">[1]</xref>.</p></sec>stray',
    after='<back><ref-list><ref id="B1"><mixed-citation>Smith 1999</mixed-citation></ref></ref-list></back>',
)


@pytest.fixture
def article(tmp_path: Path) -> Path:
    path = tmp_path / "PMC123.1.xml"
    path.write_bytes(RAW)
    return path


def test_every_piece_stands_beside_its_fate(article: Path) -> None:
    text = account_text(str(article))
    rows = [[part.strip() for part in line.split("│")] for line in text.splitlines() if "│" in line]
    assert ["/article/body/sec/p", "kept: body"] in rows
    assert ["/article/body/text()", "kept: body"] in rows
    assert ["/article/back/ref-list", "dropped: references"] in rows
    assert any(left.startswith("One <sup>2</sup>two") and right == "One ²two." for left, right in rows)


def test_the_sums_are_printed(article: Path) -> None:
    numbers = {
        name: int(value) for name, value in re.findall(r"^ +\w+ +(\w+) +([\d,]+) +\d", account_text(str(article)), re.M)
    }
    assert numbers == {"body": 16, "title": 6, "ids": 3, "references": 9, "citation_marks": 3}
    assert re.search(r"total +37 +kept \+ dropped, exactly", account_text(str(article)))


def test_an_article_of_an_archive(article: Path, tmp_path: Path) -> None:
    archive = tmp_path / "articles.tar"
    with tarfile.open(archive, "w") as made:
        member = tarfile.TarInfo("x/PMC123.1/PMC123.1.xml")
        member.size = len(RAW)
        made.addfile(member, io.BytesIO(RAW))
    for document in ("PMC123", "PMC123.1", "pmc:PMC123.1"):
        assert account_text(str(archive), document) == account_text(str(article))
    with pytest.raises(UsageError, match="holds no article 'PMC9'"):
        account_text(str(archive), "PMC9")
    with pytest.raises(UsageError, match="say which article with --id"):
        account_text(str(archive))


def test_what_is_no_article(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_bytes(b"<html/>")
    with pytest.raises(DataError, match="no article that can be read"):
        account_text(str(path))
    with pytest.raises(UsageError, match="no such file"):
        account_text(str(tmp_path / "none.xml"))
