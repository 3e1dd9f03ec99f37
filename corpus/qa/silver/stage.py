"""Stage `qa silver`: a corpus and the records that it was assembled from to a directory of questions.

Each part of the records is a task with a receipt, so that a killed run goes on where it was; what parts give is drawn
into one sample. The result is a directory of questions as any other: `qa finetune` and `qa evaluate` read it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from corpus import storage
from corpus.assemble.contamination import EvaluationIndex, load_index
from corpus.assemble.inputs import StoredParts, stored_parts
from corpus.errors import DataError, UsageError
from corpus.qa.contamination import EVALUATION
from corpus.qa.overview import look_over
from corpus.qa.silver.candidate import Candidate, SilverDrop, SilverKind
from corpus.qa.silver.config import SilverConfig
from corpus.qa.silver.papers import Tally, candidates_of, read_papers
from corpus.qa.silver.questions import make_questions_of, task_of
from corpus.qa.silver.sample import sample
from corpus.qa.store import REVISION as STORE_REVISION
from corpus.qa.store import STAGE, in_order, write_parts
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Books, Input, Manifest, has_manifest
from corpus.stage.progress import progress, say
from corpus.stage.reading import held_for_reading, read_whole
from corpus.stage.workspace import WORK, Receipt, Workspace, plan_stage
from corpus.storage import parquet
from corpus.storage.schema import from_batch, to_table

REVISION = 2  # raise it when the same input gives other bytes


def make_silver(config: SilverConfig, *, corpus: str, records: str, output: str) -> Manifest:
    """Make questions of the papers of a corpus, commit them in `output` and return the manifest.

    Raises UsageError when the corpus was assembled from other records, DataError when no paper gives a question, and
    CorruptError for damaged files.
    """
    with held_for_reading(corpus), held_for_reading(records):
        made = read_whole(corpus, "assemble", ("decisions",))
        source = read_whole(records, "extract", ("records",))
        read = Input(name="extract", fingerprint=source.fingerprint)
        if read not in made.inputs:
            raise UsageError(
                f"{corpus}: was not assembled from {records} as it is now; give the --records that it was made from, "
                "or assemble it again"
            )
        index = _index(config)
        with running_stage(output):
            workspace, manifest = plan_stage(
                output,
                stage=STAGE,
                revision=STORE_REVISION,
                config={"silver": config.identity() | {"revision": REVISION}},
                inputs=[Input(name="assemble", fingerprint=made.fingerprint), read, *(index.inputs if index else ())],
                sources={corpus: made, records: source},
            )
            if manifest is not None:
                say(f"{output}: up to date ({STAGE}, {manifest.fingerprint[:12]})")
                return manifest
            parts = stored_parts(records, source)
            return _commit(workspace, config, _drawn(workspace, config, parts, _decisions(corpus, made), index))


def _index(config: SilverConfig) -> EvaluationIndex | None:
    """Return the index of the test sets; of a directory of questions, of the file that it has for this."""
    if not config.evaluation:
        say("no --evaluation was given: papers that test questions are made from may be among these")
        return None
    paths = [storage.join(path, EVALUATION) if has_manifest(path) else path for path in config.evaluation]
    index = load_index(tuple(paths), None)
    say(
        f"{len(index.items):,} test items, {index.num_short:,} of them found by id only; n-grams of {index.words} words"
    )
    return index


def _decisions(corpus: str, made: Manifest) -> list[tuple[str, str]]:
    """Return path and SHA-256 of the parts of decisions, in the order of the parts of records."""
    return [(storage.join(corpus, part.path), part.sha256) for part in made.parts if part.role == "decisions"]


def _drawn(
    workspace: Workspace,
    config: SilverConfig,
    parts: StoredParts,
    decisions: list[tuple[str, str]],
    index: EvaluationIndex | None,
) -> tuple[list[Candidate], Tally]:
    """Return the sample of all parts, and what became of the papers so far."""
    assert len(parts.paths) == len(decisions), "assemble decides on each part of records"
    drawn: list[Candidate] = []
    tally = Tally()
    with progress("qa silver", len(decisions)) as shown:
        for number, (path, digest) in enumerate(decisions):
            task = f"papers/{number:05d}"
            receipt = workspace.finished(task)
            if receipt is None:
                read = read_papers(parts.paths[number], path, digests=(parts.digests[number], digest))
                receipt = _make_part(workspace, task, config, read, index)
            tally.add(receipt.facts["papers"], receipt.facts["dropped"])
            found = from_batch(parquet.read_table(workspace.path(receipt.work[0].path)), Candidate)
            drawn = _sampled([*drawn, *found], config, tally)
            shown.advance()
    return drawn, tally


def _make_part(
    workspace: Workspace, task: str, config: SilverConfig, read: Iterator[Any], index: EvaluationIndex | None
) -> Receipt:
    """Write the sample of a part's candidates and return the receipt."""
    tally = Tally()
    kept: list[Candidate] = []
    for records, clusters in read:
        kept = _sampled([*kept, *candidates_of(records, clusters, config, index, tally)], config, tally)
    name = f"{WORK}/{task}.parquet"
    parquet.write_table(workspace.path(name), to_table(kept, Candidate), level=1)
    dropped = {kind: dict(sorted(counts.items())) for kind, counts in tally.dropped.items()}
    facts = {"papers": tally.papers, "dropped": dropped}
    return workspace.finish(Receipt(task=task, work=(workspace.measure_work(name),), facts=facts))


def _sampled(candidates: list[Candidate], config: SilverConfig, tally: Tally) -> list[Candidate]:
    kept = sample(candidates, config)
    before, after = (Counter(one.kind for one in rows) for rows in (candidates, kept))
    for kind, count in (before - after).items():
        tally.drop(kind, SilverDrop.OVER_THE_LIMIT, count)
    return kept


def _commit(workspace: Workspace, config: SilverConfig, drawn: tuple[list[Candidate], Tally]) -> Manifest:
    """Write the questions and the manifest; a paper is read once for each kind."""
    candidates, tally = drawn
    questions, dropped = make_questions_of(candidates, config)
    for (kind, reason), count in dropped.items():
        tally.drop(kind, reason, count)
    if not questions:
        raise DataError(
            f"none of {tally.papers:,} papers gives a question: {'; '.join(_lines(tally))}; give a larger corpus"
        )
    ordered = in_order(questions)
    overviews, overlaps = look_over(ordered)
    made = Counter(one.task for one in ordered)
    summary = {
        "questions": len(ordered),
        "shapes": ["silver"],
        "splits": [asdict(one) for one in overviews],
        "overlaps": [asdict(one) for one in overlaps],
        "not_as_published": [],
        "how_split": [f"by {config.split}, eight tenths, one and one, by hashes"],
        "papers": tally.papers,
        "silver": {
            task_of(kind): {"made": made[task_of(kind)]} | dict(sorted(tally.dropped[kind].items()))
            for kind in SilverKind
        },
    }
    reasons = {f"{kind} {reason}": count for kind in SilverKind for reason, count in tally.dropped[kind].items()}
    books = Books(read=len(SilverKind) * tally.papers, kept=len(ordered), dropped=dict(sorted(reasons.items())))
    manifest = workspace.commit([write_parts(workspace, ordered)], summary=summary, books=books)
    workspace.clean()
    return manifest


def _lines(tally: Tally) -> Iterator[str]:
    for kind, counts in tally.dropped.items():
        yield f"{kind}: " + ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common())


def silver_lines(manifest: Manifest) -> list[str]:
    """Return what `corpuscle qa silver` prints of how the questions came about, a line a kind."""
    papers = manifest.summary["papers"]
    lines = []
    for task, counts in manifest.summary["silver"].items():
        gone = {reason: count for reason, count in counts.items() if reason != "made"}
        told = ", ".join(f"{reason} {count:,}" for reason, count in sorted(gone.items(), key=lambda item: -item[1]))
        lines.append(f"{task}: {counts['made']:,} of {papers:,} papers; {told}")
    return lines
