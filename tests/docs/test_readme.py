"""Every command of README runs, in README's order, on what README itself makes; NCBI's servers are local ones."""

import contextlib
import gzip
import hashlib
import io
import re
from pathlib import Path

import pytest

from corpus.fetch.config import PMC_VARIABLE, PUBMED_VARIABLE
from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import main
from tests.docs.pages import REPOSITORY, blocks, commands
from tests.support.fetch_servers import ncbi_server, numbered, s3_server

README = REPOSITORY / "README.md"
SHOWN = {
    "inspect": "pmid:1",
    "generate": "The patients",
    "report": "report.html",
    "account": "kept + dropped, exactly",
    "verify": "ok",
    "run": "Where it lies",
}
STAGES = ("extract", "assemble", "tokenizer", "pack", "train")


def with_pmid_1(path: str) -> None:
    """Make the first record of a PubMed file PMID 1, as that of NCBI's first file is, and state its checksum."""
    text = gzip.decompress(Path(path).read_bytes()).decode()
    found = re.search(r"<PMID[^>]*>(\d+)</PMID>", text)
    assert found is not None
    Path(path).write_bytes(gzip.compress(text.replace(f">{found[1]}<", ">1<").encode()))
    name = Path(path).name
    Path(f"{path}.md5").write_text(
        f"MD5({name})= {hashlib.md5(Path(path).read_bytes()).hexdigest()}\n", encoding="utf-8"
    )


@pytest.mark.slow
def test_commands_of_the_readme_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample, place = write_sample(str(tmp_path / "ncbi"), seed=5, scale=0.06), tmp_path / "user"
    with_pmid_1(sample.pubmed[0])
    place.mkdir()
    (place / "configs").symlink_to(REPOSITORY / "configs")
    monkeypatch.chdir(place)
    with ncbi_server(numbered(sample.pubmed)) as pubmed, s3_server() as bucket:
        bucket.put_tree(Path(sample.pmc_tree))
        monkeypatch.setenv(PUBMED_VARIABLE, pubmed)
        monkeypatch.setenv(PMC_VARIABLE, bucket.base)
        for words, _ in commands(README):
            if words[0] == "corpuscle":
                _run(words[1:])
    for snippet in blocks(README, "python"):
        names: dict[str, object] = {}
        exec(compile(snippet, str(README), "exec"), names)
        assert names["table"]


def _run(words: list[str]) -> None:
    """Run a command, which must end well and show what it is there for; a road that was taken is not taken again."""
    shown, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(said):
        code = main(words)
    assert code == 0, f"corpuscle {' '.join(words)}: {said.getvalue()}"
    assert SHOWN.get(words[0], "") in shown.getvalue()
    if words[0] == "run":
        assert said.getvalue().count("up to date") == len(STAGES), said.getvalue()
