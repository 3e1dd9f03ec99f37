"""Papers of a list in token shards and in what a run read: ranges decode to the texts, counts equal a replay."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from corpus.assemble.config import AssembleConfig
from corpus.errors import UsageError
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import read_manifest
from corpus.storage.parquet import read_table
from corpus.synthetic.sample.write import write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.cli.app import main
from pipelines.extract import extract
from pipelines.inspection.papers import papers_text
from pipelines.pack import pack
from tests.support.small_tokens import tokenizer_of
from tokenizer.config import PackConfig
from tokenizer.mixture import plan_mixture
from tokenizer.token_rows import TokenRows
from train.checkpoint.skipped import SkippedRows, write_skipped
from train.config import load_preset
from train.job import Job, write_job

pytestmark = pytest.mark.slow
LINE = re.compile(
    r"(\S+?)(?: \(stands for (.*)\))?: (\S+), document ([\d,]+): tokens ([\d,]+) to ([\d,]+) of (\w+), rows? .*"
)
SEQ_LENGTH, STEPS = 64, 2_000
GROWING = {"batch_rows": 12, "batch_warmup_start": 4, "batch_warmup_steps": 40}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working directory with a corpus in two shards, its tokens, and the account of a run."""
    folder = tmp_path_factory.mktemp("papers")
    sample = write_sample(str(folder / "raw"), scale=0.1)
    records, corpus, tokens = (
        str(folder / "records"),
        str(folder / "corpus" / "clean"),
        str(folder / "tokens" / "clean"),
    )
    extract(ExtractConfig(pubmed=sample.pubmed, pmc=(sample.pmc_tree, sample.pmc_tar)), output=records)
    assemble(AssembleConfig(shard_mb=1, validation=0.1, test=0.1), records=records, output=corpus)
    (folder / "tokenizer.json").write_text(tokenizer_of(300, ["the patients were in"]))
    pack(PackConfig(seq_length=SEQ_LENGTH), corpus=corpus, tokenizer=str(folder / "tokenizer.json"), output=tokens)
    write_run(folder / "runs" / "one", tokens)
    write_run(folder / "runs" / "growing", tokens, **GROWING)
    skipped = SkippedRows(step=30, loss=None, reason="the loss is nan", back_to=0, batches=(3, 40), rows=())
    write_skipped(str(folder / "runs" / "growing"), (skipped,))
    return folder


def write_run(run: Path, tokens: str, **changes: Any) -> None:
    config = load_preset("tiny").model_copy(update={"steps": STEPS, "source_weights": {"pmc": 2.0}, **changes})
    rows = TokenRows(tokens, "train")
    shape = config.model.shape(seq_length=SEQ_LENGTH, vocab_size=rows.vocab_size)
    stated: dict[str, Any] = {"tokens": tokens, "tokens_fingerprint": rows.fingerprint, "output": str(run)}
    run.mkdir(parents=True)
    write_job(Job(config=config, shape=shape, **stated, resume=None, resume_step=0))
    lines = [{"step": step + 1, "loss": 5.0} for step in range(STEPS)] + [{"step": STEPS + 9, "validation_loss": 5.0}]
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")


def batches_read(run: str) -> Iterator[range]:
    """Yield the places of each batch that a run read: of one that grows 4, 8 and 12 rows a step, two steps left out."""
    sizes = [4] * STEPS if run == "one" else [4] * 20 + [8] * 20 + [12] * (STEPS - 38)
    place = 0
    for number, size in enumerate(sizes):
        if run == "one" or number not in (3, 40):
            yield range(place, place + size)
        place += size


def documents(work: Path) -> dict[str, dict[str, Any]]:
    place = str(work / "corpus" / "clean")
    manifest = read_manifest(place, "assemble")
    paths = [(split, path) for split in ("train", "validation", "test") for path in manifest.paths(place, split)]
    return {row["doc_id"]: row | {"split": split} for split, path in paths for row in read_table(path).to_pylist()}


@pytest.mark.parametrize("run", ["one", "growing"])
def test_ranges_decode_to_the_texts_and_counts_equal_a_replay(work: Path, run: str) -> None:
    kept = documents(work)
    chosen = [*[row for row in kept.values() if row["doi"]][::9], *[row for row in kept.values() if row["pmid"]][::17]]
    listed = work / "ids.txt"
    listed.write_text("\n".join([row["doi"] or str(row["pmid"]) for row in chosen] + ["10.1000/nowhere"]))
    text = papers_text(str(work / "runs" / run), str(listed))
    tokens = str(work / "tokens" / "clean")
    tokenizer = Tokenizer.from_file(f"{tokens}/tokenizer.json")
    views = {split: TokenRows(tokens, split) for split in ("train", "validation", "test")}
    config = load_preset("tiny").model_copy(update={"steps": STEPS, "source_weights": {"pmc": 2.0}})
    order = plan_mixture(views["train"], config.source_weights)
    replayed: Counter[int] = Counter()
    for places in batches_read(run):
        replayed.update(order.rows_in(places, seed=config.seed).tolist())
    lines, found = text.splitlines(), {}
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if match := LINE.fullmatch(line):
            name, split = match[1], match[7]
            start, end = (int(match[group].replace(",", "")) for group in (5, 6))
            rows = range(start // SEQ_LENGTH, min((end - 1) // SEQ_LENGTH + 1, len(views[split])))
            flat = (
                views[split].rows(list(rows)).ravel()[start - rows.start * SEQ_LENGTH : end - rows.start * SEQ_LENGTH]
            )
            whole = len(flat) == end - start
            assert not whole or tokenizer.decode(flat[:-1].tolist()) == kept[name]["text"]
            times = sorted({replayed[row] for row in rows} | (set() if whole else {0}))
            said = f"{times[0]:,} to {times[-1]:,} times" if len(times) > 1 else f"{times[0]:,} times"
            assert after == (f"  read {said} in {STEPS:,} steps" if split == "train" else "  never trained on")
            assert kept[name]["split"] == split
            found[name] = match[2]
    assert {row["doc_id"] for row in chosen} <= set(found)
    assert {kept[name]["split"] for name in found} == {"train", "validation", "test"}
    assert max(replayed.values()) > 1


def test_a_dropped_paper_is_found_in_its_survivor(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(work / "corpus" / "clean")
    decided = [row for path in read_manifest(place, "assemble").paths(place, "decisions")
               for row in read_table(path).to_pylist() if row["reason"] == "near_duplicate"]  # fmt: skip
    lost = next(row for row in decided if row["doc_id"].startswith("pmid:"))
    listed = work / "lost.txt"
    listed.write_text(lost["doc_id"])
    assert main(["inspect", str(work / "tokens" / "clean"), "--ids", str(listed)]) == 0
    said = capsys.readouterr().out
    assert f"{lost['survivor']} (stands for {lost['doc_id']}): " in said
    assert "1 ids listed; 1 documents hold them" in said
    assert "read" not in said


def test_the_corpus_is_told_when_it_is_not_beside(work: Path, tmp_path: Path) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_text("1\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "tokens").symlink_to(work / "tokens" / "clean")
    tokens = str(tmp_path / "a" / "b" / "tokens")
    with pytest.raises(UsageError, match="give it as --corpus DIR"):
        papers_text(tokens, str(listed), str(work / "records"))
    assert "0 documents hold them (none of them)" in papers_text(tokens, str(listed), str(work / "corpus" / "clean"))
    with pytest.raises(UsageError, match="no finished `pack` there"):
        papers_text(str(tmp_path), str(listed))
