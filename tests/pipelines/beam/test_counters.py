"""The books as counters of Beam, which the console of an engine shows: those of the manifest, on any runner."""

from pathlib import Path
from typing import Any

import pytest

from corpus.assemble.config import AssembleConfig
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import Manifest
from corpus.synthetic.sample.write import write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.beam import stage
from pipelines.beam.metering import DROPPED, KEPT, READ
from pipelines.extract import extract
from tests.support.engines import prism_server

Counters = list[dict[str, int]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Counters:
    """What each job's runner said of its counters."""
    found: Counters = []
    run = stage.run_pipeline

    def recorded(*args: Any, **named: Any) -> dict[str, int]:
        found.append(run(*args, **named))
        return found[-1]

    monkeypatch.setattr(stage, "run_pipeline", recorded)
    return found


def assert_books(counters: dict[str, int], manifest: Manifest | None) -> None:
    assert manifest is not None
    books = {name: count for name, count in counters.items() if name.startswith("records ")}
    dropped = {f"{DROPPED}{reason}": count for reason, count in manifest.books.dropped.items() if count}
    assert books == {READ: manifest.books.read, KEPT: manifest.books.kept, **dropped}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["embedded", "Prism"])
def test_counters_are_the_books(engine: str, told: Counters, tmp_path: Path) -> None:
    sample = write_sample(str(tmp_path / "raw"), seed=4, scale=0.05)
    config = ExtractConfig(pubmed=(str(Path(sample.pubmed[0]).parent),))
    with prism_server() as (jobs, _):
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=LOOPBACK"]
        flags = [] if engine == "embedded" else flags
        records, corpus = str(tmp_path / "records"), str(tmp_path / "corpus")
        extracted = extract(config, output=records, beam_args=flags)
        assembled = assemble(AssembleConfig(), records=records, output=corpus, beam_args=flags)
    assert_books(told[0], extracted)
    assert_books(told[1], assembled)
    assert any(name.startswith(DROPPED) for name in told[1])
    assert told[1]["bucket rows"] > 0
