"""Workflow `run`: the stages one after another, each into its directory below one working directory..

A stage that is finished already is reused; that is decided by its manifest, never here. What comes out is
the account of the run: where every document went, tokens, losses, and where each output lies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from corpus.errors import UsageError
from corpus.stage.manifest import Manifest
from corpus.stage.progress import say
from pipelines.inspection.summaries import funnel, stage_text, summary_line
from pipelines.workflow.config import RunConfig
from pipelines.workflow.places import Places, places_of
from pipelines.workflow.qa_road import DoneStages, run_qa
from pipelines.workflow.sections import (
    absent_evaluation,
    advice_of_a_run,
    fetch_sources,
    tokenizer_section,
    train_section,
    with_evaluation,
    with_fetched,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Road:
    """Finished run: the manifest of each stage, in the order of the road."""

    places: Places
    manifests: Mapping[str, Manifest]
    beside: DoneStages = field(default_factory=dict)  # of further tokenizers
    qa: DoneStages = field(default_factory=dict)

    def text(self) -> str:
        """Return the account of the run."""
        done = self.manifests
        fetched = [stage for stage in ("fetch-pubmed", "fetch-pmc") if stage in done]
        lines = [summary_line(done[stage], self.places.of(stage)) for stage in fetched]
        documents = [manifest for stage, manifest in done.items() if stage not in fetched]
        lines += [*([""] if fetched else []), "Documents", *funnel(documents)]
        lines += ["", "Tokens and losses"]
        counted = [stage for stage in ("tokenizer", "pack", "train") if stage in done]
        lines += [f"  {stage:<10} {stage_text(done[stage])}" for stage in counted]
        lines += [f"  {name}: {stage_text(found)}" for name, (_, found) in self.beside.items()]
        if self.qa:
            lines += ["", "Questions and scores"]
            lines += [f"  {name}: {stage_text(found)}" for name, (_, found) in self.qa.items()]
        lines += ["", "Where it lies", *(f"  {stage:<10} {self.places.of(stage)}" for stage in done)]
        lines += [f"  {name}: {place}" for name, (place, _) in self.beside.items()]
        lines += [f"  qa {name}: {place}" for name, (place, _) in self.qa.items()]
        return "\n".join(lines)


def run_road(config: RunConfig, *, beam_args: Sequence[str] = (), update: bool = False) -> Road:
    """Run all stages of a checked configuration; a stage's errors end the run, finished stages stay.

    With `update`, what is new on the servers is fetched and every stage is brought up to date; a tokenizer that was
    learned stays, as it does without, and so does a model that was trained.
    """
    from pipelines.beam.flags import NO_WAIT, is_dry_run, leaves_job
    from tokenizer.given import read_given

    if is_dry_run(beam_args):
        raise UsageError(
            "run: a dry run ends before there are records to go on with; use corpuscle extract … -- --dry_run=True"
        )
    if leaves_job(beam_args):
        raise UsageError(f"run: each stage waits for the one before; leave {NO_WAIT} out or call them one by one")
    for path in config.tokenizers.values():
        read_given(path)
    at = places_of(config)
    with advice_of_a_run(update=update):
        done = {**fetch_sources(config.fetch, at, update=update), **_corpus(config, at, beam_args, update=update)}
        if config.train and at.train:
            say(f"5 train → {at.train}")
            trained = train_section(config.train, tokens=at.pack, output=at.train, update=update)
            done |= {"train": trained} if trained else {}
        beside = _others(config, at, beam_args, update=update)
    qa = run_qa(config.qa, work=config.work, model=at.train) if config.qa else {}
    return Road(places=at, manifests=done, beside=beside, qa=qa)


def _corpus(config: RunConfig, at: Places, beam_args: Sequence[str], *, update: bool) -> dict[str, Manifest]:
    """Run the stages from NCBI's files to token shards."""
    from pipelines.assemble.pipeline import assemble
    from pipelines.extract import extract
    from pipelines.pack import pack

    say(f"1 extract → {at.extract}")
    files = with_fetched(config.extract, at)
    done = {"extract": extract(files, output=at.extract, beam_args=beam_args, update=update)}
    say(f"2 assemble → {at.assemble}")
    for line in absent_evaluation(config, at):
        say(line)
    done["assemble"] = assemble(
        with_evaluation(config, at), records=at.extract, output=at.assemble, beam_args=beam_args, update=update
    )
    say(f"3 tokenizer → {at.tokenizer}")
    done["tokenizer"] = tokenizer_section(config.tokenizer, corpus=at.assemble, output=at.tokenizer, update=update)
    say(f"4 pack → {at.pack}")
    done["pack"] = pack(
        config.pack, corpus=at.assemble, tokenizer=at.tokenizer, output=at.pack, beam_args=beam_args, update=update
    )
    return {stage: manifest for stage, manifest in done.items() if manifest is not None}


def _others(config: RunConfig, at: Places, beam_args: Sequence[str], *, update: bool) -> DoneStages:
    """Pack the same text with each further tokenizer, and train the same model on it; return what was made."""
    from pipelines.pack import pack

    done: DoneStages = {}
    for name, path in config.tokenizers.items():
        place = f"{at.pack}-{name}"
        say(f"4 pack → {place}")
        packed = pack(config.pack, corpus=at.assemble, tokenizer=path, output=place, beam_args=beam_args, update=update)
        assert packed is not None, "a run is never dry"
        done[f"pack {name}"] = place, packed
        if config.train and at.train:
            run = f"{at.train}-{name}"
            say(f"5 train → {run}")
            trained = train_section(config.train, tokens=place, output=run, update=update)
            done |= {f"train {name}": (run, trained)} if trained else {}
    return done
