"""Places that a user's habits make odd: folders whose names are no UTF-8, a PYTHONPATH with modules of our names.

One road goes through all of it at once, in an encoding of one byte a character: every verb does its work.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from corpus import storage
from corpus.synthetic.sample.write import write_sample
from tests.support.small_run import loud_model, write_run

COMMAND = (sys.executable, "-m", "pipelines.cli.process")
ODD = os.fsdecode(b"d\xe9r \xff")
SMALL = (
    "--config",
    "tiny",
    "--steps",
    "2",
    "--set",
    "batch_rows=4",
    "--set",
    "micro_batch=4",
    "--set",
    "sample_tokens=0",
)
ROAD = {
    "extract": ("--pubmed", "raw/pubmed", "--pmc", "raw/pmc", "--output", "records", "--", "--direct_num_workers=2"),
    "assemble": ("--records", "records", "--output", "corpus", "--validation", "0.05"),
    "tokenizer": ("--corpus", "corpus", "--output", "tok", "--vocab-size", "512"),
    "pack": ("--corpus", "corpus", "--tokenizer", "tok", "--output", "tokens", "--seq-length", "128"),
    "train": ("--tokens", "tokens", "--output", "run", *SMALL),
    "verify": (".",),
    "report": (".",),
    "inspect": ("corpus",),
}


def put(folder: Path, *names: str) -> str:
    """Write modules that must never be imported; return the folder."""
    folder.mkdir()
    for name in names:
        (folder / f"{name}.py").write_text("raise SystemExit('a file of the user ran')\n", encoding="utf-8")
    return str(folder)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux alone")
def test_every_verb_works_in_a_folder_that_is_no_text_beside_modules_of_our_names(
    tmp_path: Path, repository: Path
) -> None:
    place = tmp_path / ODD
    write_sample(str(place / "raw"), scale=0.02)
    shadows = put(tmp_path / "shadows", "corpus", "tokenizer", "train")
    own = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONPATH": os.pathsep.join([shadows, str(repository)])}
    for verb, words in ROAD.items():
        done = subprocess.run([*COMMAND, verb, *words], cwd=place, env=own, capture_output=True, check=False)
        said = (done.stdout + done.stderr).decode("latin-1")
        assert done.returncode == 0, f"{verb}: {said}"
        assert "fault of corpuscle" not in said
    for folder in ("records", "corpus", "tok", "tokens", "run"):
        for line in (place / folder / "events.jsonl").read_text(encoding="utf-8").splitlines():
            assert json.loads(line)["time"]


@pytest.mark.slow
@pytest.mark.skipif(sys.getfilesystemencoding() != "utf-8", reason="elsewhere every name is text")
def test_a_library_that_opens_no_such_path_is_named_and_a_link_helps(tmp_path: Path) -> None:
    write_run(tmp_path / ODD / "run", loud_model())
    (tmp_path / "link").symlink_to(tmp_path / ODD)
    command, to = [*COMMAND, "export"], ["--output", str(tmp_path / "model")]
    refused = subprocess.run([*command, str(tmp_path / ODD / "run"), *to], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "give it by a link" in refused.stderr
    assert subprocess.run([*command, str(tmp_path / "link" / "run"), *to], check=False).returncode == 0


def test_paths_that_are_no_text_are_said_in_events_and_messages(tmp_path: Path) -> None:
    for place in (tmp_path / ODD, tmp_path / "fine"):
        words = ("extract", "--pubmed", str(place / ODD), "--output", str(place / "out"))
        done = subprocess.run([*COMMAND, "--log-format", "json", *words], capture_output=True, check=False)
        assert done.returncode == 2
        last = json.loads(done.stderr.splitlines()[-1])
        assert storage.readable(ODD) in last["cause"]


def test_an_output_that_is_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("nowhere")
    (tmp_path / "a.xml").write_text("<PubmedArticleSet/>", encoding="utf-8")
    words = ("extract", "--pubmed", str(tmp_path / "a.xml"), "--output", str(tmp_path / "out"))
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is a link to nowhere" in done.stderr
    assert not (tmp_path / "nowhere").exists()
