"""Workflow of `doctor --compile`: all that the stages compile, compiled before somebody waits for it.

What a stage compiles depends on the types that its data comes in, so no list of it is kept here: a small made sample
goes through the stages themselves, in this process, with every option that has more compiled.
"""

import io
import json
import tempfile
from contextlib import redirect_stderr
from pathlib import Path

from corpus.arrays.numba_cache import LOCK
from corpus.assemble.config import AssembleConfig
from corpus.extract.config import ExtractConfig
from corpus.foreign.config import DedupConfig
from corpus.passages.config import PassagesConfig
from corpus.stage.progress import say
from corpus.synthetic.rehearsal.parts import RehearsedParts
from corpus.synthetic.sample.write import write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.dedup.pipeline import dedup
from pipelines.extract import extract
from pipelines.passages.pipeline import passages

SCALE = 0.01  # of the sample: some 50 records, copies and full texts of them, as planted
QUESTION = "Does the treatment of patients with a disease of the lung lower the mortality within a year of follow-up?"


def compile_ahead() -> None:
    """Compile what `extract`, `assemble`, `dedup`, `passages` and `rehearse` do, as far as it is not kept yet.

    Does nothing where nothing can be kept, which `doctor` warns of.
    """
    if LOCK.folder is None:
        return
    say(f"compiling what the stages use, up to 30 s; kept in {LOCK.folder}")
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):
        _run_stages(Path(folder))
    next(RehearsedParts(seed=0, num_citations=2, num_articles=1).batches(0))


def _run_stages(place: Path) -> None:
    sample = write_sample(str(place / "raw"), scale=SCALE)
    asked = place / "questions.jsonl"
    asked.write_text(json.dumps({"id": 1, "question": QUESTION}) + "\n", encoding="utf-8")
    records, corpus = str(place / "records"), str(place / "corpus")
    extract(ExtractConfig(pubmed=sample.pubmed, pmc=(sample.pmc_tree, sample.pmc_tar)), output=records)
    assemble(AssembleConfig(evaluation=(str(asked),)), records=records, output=corpus)
    dedup(DedupConfig(id_key="doc_id"), given=[str(place / "corpus" / "train")], output=str(place / "deduplicated"))
    passages(PassagesConfig(), given=[records], output=str(place / "passages"))
