"""Workflow `demo`: a made sample of NCBI files to a trained model, compared with what was planted in it.

The sample and every stage are seeded, so anyone who runs it gets the same corpus, byte for byte.
"""

import time
from pathlib import Path

from corpus import storage
from corpus.errors import CorruptError, DataError, UsageError
from corpus.stage.claim import Forms
from corpus.stage.lock import held
from corpus.stage.progress import say
from corpus.synthetic.sample.write import PLANTED, Sample, write_sample
from pipelines.inspection.summaries import PAGE
from pipelines.inspection.verification import verify_directory
from pipelines.report.page import write_report
from pipelines.workflow.config import RunConfig, load
from pipelines.workflow.planted import compare_with_planted
from pipelines.workflow.run import run_road
from train.generate.continuation import generate

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
PROMPT = "The patients"
NUM_TOKENS = 24
DIFFERENCES_SHOWN = 5
_OURS: Forms = {f"raw/{PLANTED}": (b'"scale"', b'"seed"')}  # of demos from before their directory was marked


def run_demo(output: str) -> str:
    """Make the sample, run the road, verify it, and return the account of it all.

    Raises CorruptError when a file is not what its manifest says, DataError when a record did not get what
    was planted for it.
    """
    with held(output, also=_OURS):
        return _run_demo(output)


def _run_demo(output: str) -> str:
    start = time.monotonic()
    sample = write_sample(storage.join(output, "raw"), seed=0, scale=1.0)
    say(f"0 sample → {sample.output}: {sample.num_citations:,} citations, {sample.num_articles:,} articles")
    road = run_road(demo_config(output, sample))
    say("6 verify")
    findings = verify_directory(output)
    if findings.num_wrong:
        raise CorruptError("\n".join([f"{output}: {findings.num_wrong} wrong after the demo:", *findings.lines]))
    comparison = compare_with_planted(road.places.assemble, road.manifests["assemble"], sample.planted)
    if comparison.differences:
        shown = "\n  ".join(comparison.differences[:DIFFERENCES_SHOWN])
        raise DataError(f"{len(comparison.differences)} documents did not get what was planted for them:\n  {shown}")
    sentence = generate(road.places.of("train"), PROMPT, NUM_TOKENS, 0)
    say(write_report(output))
    minutes = (time.monotonic() - start) / 60
    return "\n".join(
        [
            road.text(),
            "",
            "Checked",
            f"  planted    all {comparison.num_records:,} records met the fate that {sample.planted} holds for them",
            f"  verified   {findings.num_stages} stages: every file's hash, all books, and what each was made from",
            "",
            f"One generated sentence, after {minutes:.1f} minutes: {' '.join(sentence.split())}",
            f"Look at it: {storage.join(output, PAGE)}; closer: corpuscle inspect {output}, corpuscle verify {output}",
        ]
    )


def demo_config(output: str, sample: Sample) -> RunConfig:
    """Return the configuration of the demo for one output directory."""
    if not CONFIG.exists():
        raise UsageError(f"{CONFIG} is missing: run the demo from a checkout of the repository, with `make demo`")
    inputs = [f"extract.pubmed={list(sample.pubmed)}", f"extract.pmc={[sample.pmc_tree, sample.pmc_tar]}"]
    return load(str(CONFIG), [f"work={output}", *inputs])
