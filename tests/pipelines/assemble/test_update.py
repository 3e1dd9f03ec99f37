"""`--update` gives what a full rebuild gives, byte for byte, and reads again only what changed."""

import gzip
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from corpus.assemble import decide_batch, documents
from corpus.assemble.config import AssembleConfig
from corpus.errors import UsageError
from corpus.extract import task
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import MANIFEST, read_manifest
from corpus.stage.withdraw import WITHDRAWN, withdraw
from corpus.stage.workspace import RECEIPTS, WORK
from corpus.storage.files import walk_files
from pipelines.assemble import pipeline
from pipelines.assemble.pipeline import assemble
from pipelines.beam.flags import WORKERS
from pipelines.extract import extract
from pipelines.inspection.verification import verify_directory
from tests.pipelines.assemble.test_determinism import hashes
from tests.support.small_corpus import sentences

TEXTS = [" ".join(sentences(seed, 9)) for seed in range(60)]
CONFIG = AssembleConfig(shard_mb=1, validation=0.2, languages=())


def citation(pmid: int, text: str) -> str:
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article><ArticleTitle>Title {text[:40]}'
        f"</ArticleTitle><Abstract><AbstractText>{text.replace('<', '&lt;')}</AbstractText></Abstract></Article>"
        "</MedlineCitation></PubmedArticle>"
    )


def write_file(folder: Path, number: int, citations: dict[int, str], deleted: Sequence[int] = ()) -> None:
    records = "".join(citation(pmid, text) for pmid, text in citations.items())
    gone = "".join(f'<PMID Version="1">{pmid}</PMID>' for pmid in deleted)
    deletion = f"<DeleteCitation>{gone}</DeleteCitation>" if deleted else ""
    content = f'<?xml version="1.0"?><PubmedArticleSet>{records}{deletion}</PubmedArticleSet>'
    (folder / f"pubmed26n{number:04d}.xml.gz").write_bytes(gzip.compress(content.encode(), mtime=0))


def write_files(folder: Path) -> None:
    """Five files: near copies across them, revisions, deletions, a re-addition, and a revision of a deleted one."""
    folder.mkdir()
    rng = random.Random(4)

    def near(text: str) -> str:
        words = text.split()
        words[rng.randrange(len(words))] = "changed"
        return " ".join(words)

    write_file(folder, 1, {pmid: TEXTS[pmid] for pmid in range(1, 20)})
    write_file(folder, 2, {**{pmid: TEXTS[pmid] for pmid in range(20, 35)}, 35: near(TEXTS[3]), 36: near(TEXTS[21])})
    write_file(folder, 3, {5: near(TEXTS[5]), 40: TEXTS[40], 41: near(TEXTS[40])}, deleted=[6, 22, 99])
    write_file(folder, 4, {22: TEXTS[50], 42: near(TEXTS[5]), 7: TEXTS[51]}, deleted=[3])
    write_file(folder, 5, {6: TEXTS[6], 43: TEXTS[1], 20: TEXTS[52]}, deleted=[21, 41])


def road(raw: Path, numbers: Sequence[int], output: Path, *, update: bool = True, workers: int = 1) -> None:
    files = tuple(str(raw / f"pubmed26n{number:04d}.xml.gz") for number in numbers)
    args = [f"{WORKERS}={workers}"]
    extract(ExtractConfig(pubmed=files), output=str(output / "records"), beam_args=args, update=update)
    assemble(CONFIG, records=str(output / "records"), output=str(output / "corpus"), beam_args=args, update=update)


def test_updates_equal_a_full_rebuild_and_touch_only_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path / "raw")
    read: list[str] = []
    made: list[int] = []
    real_read, real_decide = task.read_pubmed_xml, decide_batch.decide_batch
    monkeypatch.setattr(task, "read_pubmed_xml", lambda path: read.append(path[-8]) or real_read(path))
    monkeypatch.setattr(documents, "decide_batch", lambda *a, **more: made.append(1) or real_decide(*a, **more))
    for numbers, files_read, parts_made, said in (
        ([1, 2, 4], ["1", "2", "4"], 3, "documents of 3 records parts kept for the next --update"),
        # A late file: it revises one of file 1 and deletes one of 1 and one of 2; file 4 adds that of 2 again.
        ([1, 2, 3, 4], ["3"], 3, "documents of 1 of 4 records parts reused; 1 new (pubmed26n0003), 2 whose records"),
        ([1, 2, 3, 4, 5], ["5"], 3, "documents of 2 of 5 records parts reused; 1 new (pubmed26n0005), 2 whose records"),
        ([2, 3, 4, 5], [], 0, ""),
    ):
        read.clear()
        made.clear()
        road(tmp_path / "raw", numbers, tmp_path / "updated")
        assert sorted(read) == files_read
        assert len(made) == parts_made or not said
        assert said in capsys.readouterr().err
        road(tmp_path / "raw", numbers, tmp_path / f"full-{len(numbers)}-{numbers[0]}")
        assert hashes(tmp_path / "updated") == hashes(tmp_path / f"full-{len(numbers)}-{numbers[0]}")
    road(tmp_path / "raw", [5, 4, 3, 2], tmp_path / "plain", update=False)
    kept = {name: digest for name, digest in hashes(tmp_path / "updated").items() if WORK not in name}
    assert {name: digest for name, digest in kept.items() if RECEIPTS not in name} == hashes(tmp_path / "plain")
    assert verify_directory(str(tmp_path / "updated")).num_wrong == 0


def test_what_stays_is_said_and_what_cannot_be_updated_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path / "raw")
    road(tmp_path / "raw", [1, 2], tmp_path / "work", update=False)
    files = tuple(str(tmp_path / f"raw/pubmed26n000{number}.xml.gz") for number in (1, 2, 3))
    with pytest.raises(UsageError, match=r"input only asked for: pubmed26n0003 .*\nAdd --update to bring it up"):
        extract(ExtractConfig(pubmed=files), output=str(tmp_path / "work/records"))
    with pytest.raises(UsageError, match=r"articles_per_part: 500 there, 7 asked for\n.*\nChoose another"):
        extract(ExtractConfig(pubmed=files, articles_per_part=7), output=str(tmp_path / "work/records"), update=True)
    extract(ExtractConfig(pubmed=files), output=str(tmp_path / "work/records"), update=True)
    assert "2 of 3 inputs are unchanged and not read again; 1 new (pubmed26n0003)" in capsys.readouterr().err


@pytest.mark.parametrize("committed", [True, False])
def test_nothing_that_another_revision_made_is_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], committed: bool
) -> None:
    write_files(tmp_path / "raw")
    road(tmp_path / "raw", [1, 2], tmp_path / "work")
    monkeypatch.setattr(pipeline, "REVISION", 99)
    with pytest.raises(UsageError, match=r"code: revision \d+ there, now 99, which gives other bytes\nAdd --update"):
        road(tmp_path / "raw", [1, 2], tmp_path / "work", update=False)
    if not committed:
        (tmp_path / "work/corpus" / MANIFEST).unlink()  # as if the older code had been stopped before its commit
    capsys.readouterr()
    made: list[int] = []
    real = decide_batch.decide_batch
    monkeypatch.setattr(documents, "decide_batch", lambda *a, **more: made.append(1) or real(*a, **more))
    road(tmp_path / "raw", [1, 2], tmp_path / "work")
    assert len(made) == 2
    assert read_manifest(str(tmp_path / "work/corpus")).revision == 99


def test_a_withdrawal_that_was_stopped_goes_on(tmp_path: Path) -> None:
    write_files(tmp_path / "raw")
    road(tmp_path / "raw", [1, 2], tmp_path / "work")
    corpus = tmp_path / "work/corpus"
    manifest = read_manifest(str(corpus))
    names = [part.path for part in manifest.parts]
    (corpus / WITHDRAWN).write_text('["' + '","'.join(names[1:]) + '","not/there"]')
    road(tmp_path / "raw", [1, 2], tmp_path / "work")
    assert read_manifest(str(corpus)) == manifest
    assert WITHDRAWN not in walk_files(str(corpus))
    withdraw(str(corpus), manifest, keep=names[:1])
    assert [name for name in walk_files(str(corpus)) if not name.startswith(("_", ".", "events."))] == names[:1]


def test_the_number_of_shards_follows_what_is_kept(tmp_path: Path) -> None:
    long = {pmid: " ".join(f"word{pmid}x{k}" for k in range(6000)) for pmid in range(1, 61)}  # 75 kB each
    (tmp_path / "raw").mkdir()
    write_file(tmp_path / "raw", 1, {pmid: long[pmid] for pmid in range(1, 31)})
    write_file(tmp_path / "raw", 2, {pmid: long[pmid] for pmid in range(31, 61)})
    write_file(tmp_path / "raw", 3, {}, deleted=range(1, 51))
    shards = []
    for numbers in ([1], [1, 2], [1, 2, 3]):
        road(tmp_path / "raw", numbers, tmp_path / "updated")
        manifest = read_manifest(str(tmp_path / "updated" / "corpus"))
        shards.append(len(manifest.paths("", "train")))
        assert shards[-1] == max(1, -(-manifest.summary["train_text_bytes"] // 1_000_000))
        findings = verify_directory(str(tmp_path / "updated"))
        assert findings.num_wrong == 0
        assert not [line for line in findings.lines if line.startswith("orphan")]
    assert shards[1] > shards[0] > shards[2]
    road(tmp_path / "raw", [1, 2, 3], tmp_path / "anew")
    assert hashes(tmp_path / "updated" / "corpus") == hashes(tmp_path / "anew" / "corpus")
