"""`doctor --compile`: after it no stage compiles, on files that the command has never seen; numba itself is asked."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corpus.arrays.numba_cache import COMMAND, FOLDER
from corpus.synthetic.sample.write import write_sample

COUNTED = """
import atexit, json, sys
from corpus.arrays.kernel import KernelCache
from numba.core import event

found = {"compiled": [], "kept": []}

class Compiled(event.Listener):
    def on_start(self, event):
        found["compiled"].append(event.data["dispatcher"].py_func.__qualname__)

    def on_end(self, event):
        pass

usual = KernelCache._loaded
def loaded(self, *arguments):
    made = usual(self, *arguments)
    if made is not None:
        found["kept"].append(self._name)
    return made
KernelCache._loaded = loaded
event.register("numba:compile", Compiled())
atexit.register(lambda: print("\\n" + json.dumps(found), flush=True))
from pipelines.cli.process import command
command()
"""


def run(place: Path, *words: object) -> tuple[dict[str, Any], str]:
    """Run a command with a cache below `place`; return what numba compiled and loaded, and what was said."""
    own = {name: value for name, value in os.environ.items() if name != COMMAND}
    own |= {FOLDER: str(place / "compiled"), "XDG_CACHE_HOME": str(place / "caches")}
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, *map(str, words)], env=own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found, done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ahead")
    found, said = run(folder, "doctor", "--compile")
    assert len(found["compiled"]) > len(set(found["kept"]))
    assert said == f"compiling what the stages use, up to 30 s; kept in {folder / 'compiled'}\n"
    return folder


@pytest.fixture(scope="module")
def inputs(place: Path, repository: Path) -> Path:
    """A sample of another seed and articles of the tests', beside questions to look for."""
    sample = write_sample(str(place / "raw"), seed=7, scale=0.05, malformed=True)
    articles = Path(sample.pmc_tree).parent / "more"
    articles.mkdir()
    for path in (repository / "tests/data/text_cases").glob("*.xml"):
        if b"<article" in path.read_bytes()[:1000]:
            shutil.copy(path, articles)
    (place / "questions.jsonl").write_text('{"question": "Does aspirin lower the risk of a stroke?"}\n')
    lines = [json.dumps({"id": k, "text": f"A text of number {k} " + "with the same words " * 5}) for k in range(9)]
    (place / "texts.jsonl").write_text("\n".join(lines) + "\n")
    return place


@pytest.mark.slow
def test_no_stage_compiles_after_it(inputs: Path) -> None:
    raw, records, corpus = inputs / "raw", inputs / "records", inputs / "corpus"
    pmc = [raw / "pmc" / "pmc-oa-opendata", raw / "pmc" / "more", *(raw / "pmc").glob("*.tar.gz")]
    stages: dict[str, list[object]] = {
        "extract": ["--pubmed", raw / "pubmed", "--pmc", *pmc, "--max-reject-rate", 1, "--output", records],
        "assemble": ["--records", records, "--evaluation", inputs / "questions.jsonl", "--output", corpus],
        "dedup": [inputs / "texts.jsonl", "--output", inputs / "deduplicated"],
        "passages": [records, "--output", inputs / "passages"],
        "tokenizer": ["--corpus", corpus, "--vocab-size", 512, "--output", inputs / "tokenizer"],
        "pack": ["--corpus", corpus, "--tokenizer", inputs / "tokenizer", "--output", inputs / "tokens"],
        "rehearse": ["--documents", 1000, "--articles", 2, "--output", inputs / "rehearsed"],
    }
    kept = {}
    for stage, words in stages.items():
        found, said = run(inputs, stage, *words)
        assert (stage, found["compiled"]) == (stage, [])
        assert "compiling" not in said
        kept[stage] = len(found["kept"])
    assert {stage for stage, count in kept.items() if not count} == {"tokenizer", "pack"}, kept


@pytest.mark.slow
def test_a_second_time_compiles_nothing(place: Path) -> None:
    assert run(place, "doctor", "--compile")[0]["compiled"] == []


def test_the_roads_to_an_installation_call_it(repository: Path) -> None:
    for name in ("Makefile", "configs/deploy/Containerfile", "configs/deploy/dataflow/Containerfile"):
        lines = (repository / name).read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if "corpuscle doctor --compile" in line and not line.startswith("#")], name
