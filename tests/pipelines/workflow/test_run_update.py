"""`corpuscle run --update`: the bytes of a fresh run of all files, killed anywhere or not; what was learned stays."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from corpus.assemble.change_feed import CHANGES
from corpus.errors import UsageError
from corpus.stage.events import EVENTS_LOG
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.stage.manifest import read_manifest
from corpus.storage.files import walk_files
from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import main
from pipelines.inspection.verification import verify_directory
from pipelines.workflow.config import load
from tests.support.forked_ranks import KILLER
from train.launch.forecast import forecast_train

pytestmark = pytest.mark.slow

CONFIG = """\
work: {work}
extract:
  pubmed: [{raw}/pubmed]
  pmc: [{raw}/pmc]
assemble: {{validation: 0.2, shard_mb: 1}}
tokenizer: {{vocab_size: 600}}
pack: {{seq_length: 32}}
"""
TRAIN = """\
train:
  name: tiny
  config: tiny
  ranks: 1
  settings: {steps: 2, batch_rows: 2, micro_batch: 2, warmup_steps: 1, sample_tokens: 0}
"""
RENAMED = "corpus.storage.files:publish:after"
WRITTEN = "corpus.storage.files:publish:before"
PLACES = [
    f"{WRITTEN}:1:*/records/_next/records/*",
    f"{RENAMED}:1:*/records/manifest.json",
    f"{RENAMED}:2:*/clean/_work/documents/*",
    f"{WRITTEN}:2:*/corpus/clean/_next/decisions/*",
    f"{RENAMED}:1:*/corpus/clean/manifest.json",
    f"{RENAMED}:2:*/corpus/clean/manifest.json",
    f"{WRITTEN}:1:*/tokens/clean/_next/train-00000.bin",
    f"{RENAMED}:2:*/tokens/clean/_receipts/*",
    f"{WRITTEN}:1:*/tokens/clean/manifest.json",
    f"{RENAMED}:1:*/tokens/clean/manifest.json",
]
SOME = (PLACES[4], PLACES[7])


def content(work: Path, *, but: Sequence[str] = (RUN_FACTS, LOCK, EVENTS_LOG)) -> dict[str, bytes]:
    names = [name for name in walk_files(str(work)) if Path(name).name not in but and f"/{CHANGES}/" not in name]
    return {name: (work / name).read_bytes() for name in names}


class Days:
    """A run of all files but the last, and one of all files that has the same tokenizer."""

    def __init__(self, folder: Path) -> None:
        sample = write_sample(str(folder / "raw"), seed=3, scale=0.06)
        self.last, self.folder = Path(sample.pubmed[-1]), folder
        self.config(folder / "before", "")
        self.hide()
        assert main(["run", str(folder / "run.yaml")]) == 0
        self.show()
        shutil.copytree(folder / "before/tokenizer", folder / "after/tokenizer")
        self.config(folder / "after", "")
        assert main(["run", str(folder / "run.yaml")]) == 0

    def hide(self) -> None:
        self.last.rename(self.folder / self.last.name)

    def show(self) -> None:
        (self.folder / self.last.name).rename(self.last)

    def config(self, work: Path, more: str) -> str:
        path = self.folder / "run.yaml"
        path.write_text(CONFIG.format(work=work, raw=self.folder / "raw") + more)
        return str(path)

    def copy(self, work: Path) -> str:
        """Copy the run of the day before, and return the path of the file that runs there."""
        shutil.copytree(self.folder / "before", work)
        return self.config(work, "")


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    return Days(tmp_path_factory.mktemp("days"))


def test_an_update_equals_a_fresh_run(days: Days, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = days.copy(tmp_path / "work")
    capsys.readouterr()
    assert main(["run", path]) == 2
    told = capsys.readouterr().err
    assert "input only asked for: pubmed26n0004" in told
    assert told.rstrip().endswith("Add --update to bring it up to date, give another `work`, or remove that directory.")
    assert main(["run", path, "--update"]) == 0
    said = capsys.readouterr().err
    assert "inputs are unchanged and not read again; 1 new (pubmed26n0004)" in said
    assert "records parts reused; 1 new (pubmed26n0004)" in said
    assert "tokenizer: kept, though it was learned from another state of the corpus" in said
    assert "documents copied, " in said
    assert "an earlier run finished" not in said, "it was the day before's, and is told already"
    assert content(tmp_path / "work") == content(days.folder / "after")
    assert verify_directory(str(tmp_path / "work")).num_wrong == 0
    check_the_feed(days.folder / "before/corpus/clean", tmp_path / "work/corpus/clean", tmp_path, capsys)
    for words in (["--update"], []):
        before = content(tmp_path / "work")
        assert main(["run", path, *words]) == 0
        assert capsys.readouterr().err.count("up to date (") == 3
        assert content(tmp_path / "work") == before, "the next update has what it needs"


def check_the_feed(old: Path, new: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hold the feed of an update, and the delta made of it, against what DuckDB finds in both corpora."""
    (feed,) = (new / CHANGES).iterdir()
    assert main(["diff", str(old), str(new), "--feed", str(folder / "feed.parquet")]) == 0
    assert (folder / "feed.parquet").read_bytes() == feed.read_bytes()
    assert main(["diff", str(feed), str(new), "--delta", str(folder / "delta")]) == 0
    assert "added" in capsys.readouterr().out
    shards = {
        name: f"read_parquet('{base}/t*/*.parquet') UNION ALL SELECT * FROM read_parquet('{base}/v*/*.parquet')"
        for name, base in (("old", old), ("new", new))
    }
    with duckdb.connect() as database:
        for name, files in shards.items():
            database.execute(f"CREATE VIEW {name} AS SELECT * FROM {files}")
        columns = [row[0] for row in database.execute("DESCRIBE new").fetchall()]
        changed = " OR ".join(f"old.{name} IS DISTINCT FROM new.{name}" for name in columns)
        database.execute(f"CREATE VIEW feed AS SELECT * FROM '{feed}'")
        expected = database.execute(
            f"""SELECT coalesce(old.doc_id, new.doc_id), CASE WHEN old.doc_id IS NULL THEN 'added'
            WHEN new.doc_id IS NULL THEN 'removed' ELSE 'changed' END, coalesce(sha256(new.text), '')
            FROM old FULL JOIN new USING (doc_id) WHERE {changed} ORDER BY 1"""
        ).fetchall()
        found = database.execute(
            "SELECT doc_id, change, sha256 FROM feed WHERE change <> 'moved' ORDER BY 1"
        ).fetchall()
        assert found == expected
        delta = f"(SELECT doc_id FROM read_parquet('{folder}/delta/t*/*.parquet', union_by_name=true))"
        wanted = "doc_id FROM feed WHERE change IN ('added', 'changed') AND new_split <> 'validation'"
        assert database.execute(f"SELECT {wanted} EXCEPT {delta}").fetchall() == []
        assert {one for _, one, _ in expected} >= {"added", "removed"}
    tokens, learned = str(folder / "delta-tokens"), str(new.parents[1] / "tokenizer")
    assert main(["pack", "--corpus", str(folder / "delta"), "--tokenizer", learned, "--output", tokens]) == 0
    assert read_manifest(tokens).books.read == sum(one in ("added", "changed") for _, one, _ in expected)


def test_what_was_learned_stays_unless_it_shall_be_learned_anew(
    days: Days, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    days.copy(work)
    days.hide()
    try:
        path = days.config(work, TRAIN)
        assert main(["run", path]) == 0
    finally:
        days.show()
    trained = content(work / "runs", but=())
    settings = load(path, ["train.steps=5"]).train
    assert settings is not None
    more = forecast_train(settings.effective(), tokens=f"{work}/tokens/clean", output=f"{work}/runs/tiny", resume=True)
    assert (more.to_do, more.reused, more.unit) == (3, 2, "steps")
    with pytest.raises(UsageError, match="steps: 2 there, 5 asked for"):
        forecast_train(settings.effective(), tokens=f"{work}/tokens/clean", output=f"{work}/runs/tiny")
    capsys.readouterr()
    assert main(["run", path, "--update"]) == 0
    told = capsys.readouterr()
    assert "runs/tiny: stays as it is, trained on other tokens" in told.err
    assert "2 steps" in told.out
    assert content(work / "runs", but=()) == trained
    findings = verify_directory(str(work))
    assert findings.num_wrong == 0
    assert sum(line.startswith("note") for line in findings.lines) == 2
    assert main(["run", path]) == 2
    assert "Give another `work`" in capsys.readouterr().err
    old = read_manifest(str(work / "tokenizer"))
    assert main(["run", path, "--update", "--set", "tokenizer.relearn=true"]) == 0
    assert "tokens of 0 of " in capsys.readouterr().err
    assert read_manifest(str(work / "tokenizer")).inputs != old.inputs
    assert verify_directory(str(work)).num_wrong == 0
    other = ["--set", "train.name=second", "--set", "tokenizer.relearn=true"]
    assert main(["run", path, "--update", *other]) == 0
    assert (work / "runs/second/manifest.json").exists()
    assert content(work / "runs/tiny", but=()) == {
        name.removeprefix("tiny/"): raw for name, raw in trained.items() if name.startswith("tiny/")
    }


def facts(work: Path) -> dict[str, tuple[int, bytes]]:
    paths = [path for path in sorted(work.rglob("*")) if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def test_a_dry_run_says_what_the_run_does_and_writes_nothing(
    days: Days, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = days.config(tmp_path / "new", TRAIN)
    assert main(["run", new, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"extract → .*: nothing is there\n  (\d+) of \1 inputs to do, 0 reused\n", told)
    assert "no run here yet" in told
    assert told.count("waits for `extract`") == 4
    assert list(tmp_path.iterdir()) == []
    work = tmp_path / "work"
    path = days.copy(work)
    before = facts(work)
    assert main(["run", path, "--dry-run"]) == 2
    assert "Add --update to bring it up to date, give another `work`" in capsys.readouterr().err
    assert main(["run", path, "--update", "--dry-run"]) == 0
    told = capsys.readouterr().out
    (to_do, reused), *_ = re.findall(r"(\d+) of \d+ inputs to do, (\d+) reused", told)
    assert to_do == "1"
    assert "CPU s, by the last run here" in told
    assert facts(work) == before
    assert main(["run", path, "--update"]) == 0
    assert f"{reused} of {int(reused) + 1} inputs are unchanged and not read again" in capsys.readouterr().err
    assert main(["run", path, "--update", "--dry-run"]) == 0
    assert capsys.readouterr().out.count("up to date") == 3


def test_a_dry_run_of_a_verb_says_what_it_does(days: Days, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work, after = tmp_path / "work", days.folder / "after"
    days.copy(work)
    before = facts(work)
    for words, said in (
        (
            ("extract", "--pubmed", str(days.folder / "raw/pubmed"), "--update", "-o", f"{work}/records"),
            "1 of 4 inputs",
        ),
        (("pack", "--seq-length", "32", "--update", "-o", f"{work}/tokens/clean"), " shards to do, 0 reused"),
        (("tokenizer", "--vocab-size", "600", "--update", "-o", f"{work}/tokenizer"), "1 of 1 tasks to do"),
        (("train", "--config", "tiny", "--steps", "3", "-o", f"{work}/run"), "3 of 3 steps to do, 0 reused"),
    ):
        corpus = ("--corpus", f"{after}/corpus/clean") if words[0] in ("pack", "tokenizer") else ()
        more = {"pack": ("--tokenizer", f"{after}/tokenizer"), "train": ("--tokens", f"{after}/tokens/clean")}
        assert main([*words, *corpus, *more.get(words[0], ()), "--dry-run"]) == 0
        assert said in capsys.readouterr().out
    assemble = ["assemble", "--records", f"{after}/records", "-o", f"{work}/corpus/clean", "--update"]
    assemble += ["--validation", "0.2", "--shard-mb", "1"]
    assert main([*assemble, "--dry-run"]) == 0
    assert facts(work) == before
    told = re.search(r"(\d+) of \d+ records parts to do, (\d+) reused", capsys.readouterr().out)
    assert main([*assemble, "--delta", f"{tmp_path}/delta"]) == 0
    done = re.search(r"documents of (\d+) of (\d+) records parts reused", capsys.readouterr().err)
    assert told is not None
    assert done is not None
    assert int(done[1]) <= int(told[2]), "others may replace records of a part whose records are the same"
    (feed,) = (work / "corpus/clean" / CHANGES).iterdir()
    assert (tmp_path / "delta" / f"{CHANGES}.parquet").read_bytes() == feed.read_bytes()
    assert main([*assemble, "--delta", f"{tmp_path}/delta"]) == 0
    assert "delta: up to date" in capsys.readouterr().err
    built = [*assemble[:3], "-o", f"{after}/corpus/clean", *assemble[5:]]
    assert main([*built, "--delta", f"{tmp_path}/other"]) == 0
    assert "was built anew and not by --update: all of it is new" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def check_a_kill(days: Days, work: Path, place: str) -> None:
    path = days.copy(work)
    search = os.pathsep.join(filter(None, [str(KILLER), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": search, "CORPUSCLE_KILL_ANY": place}
    command = [sys.executable, "-m", "pipelines.cli.process", "run", path, "--update"]
    killed = subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert verify_directory(str(work)).num_stages == 4
    assert main(["run", path, "--update"]) == 0
    assert content(work) == content(days.folder / "after")


@pytest.mark.parametrize("place", SOME)
def test_a_kill_is_made_good(days: Days, tmp_path: Path, place: str) -> None:
    check_a_kill(days, tmp_path / "work", place)


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", [place for place in PLACES if place not in SOME])
def test_every_kill_is_made_good(days: Days, tmp_path: Path, place: str) -> None:
    check_a_kill(days, tmp_path / "work", place)
