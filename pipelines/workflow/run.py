"""Workflow `run`: the stages one after another, each into its directory below one working directory.

    <work>/raw/{pubmed,pmc}   <work>/records   <work>/corpus/<profile>   <work>/tokenizer   <work>/tokens/<profile>
    <work>/runs/<name>   <work>/qa/{questions,finetune/<name>,evaluate/<name>,results}
    <work>/tokens/<profile>-<tokenizer>   <work>/runs/<name>-<tokenizer>   of further tokenizers

A stage that is finished already is reused; that is decided by its manifest, never here. What comes out is
the account of the run: where every document went, tokens, losses, and where each output lies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from corpus import storage
from corpus.errors import UsageError
from corpus.extract.config import ExtractConfig
from corpus.fetch.config import FetchConfig
from corpus.stage.manifest import Manifest, has_manifest, read_manifest
from corpus.stage.progress import say
from pipelines.inspection.summaries import funnel, stage_text, summary_line
from pipelines.workflow.config import FetchSection, RunConfig, TrainSection
from pipelines.workflow.qa_road import DoneStages, run_qa


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Directories that the stages of a run write into; None for a stage that it does not have."""

    fetch_pubmed: str | None
    fetch_pmc: str | None
    extract: str
    assemble: str
    tokenizer: str
    pack: str
    train: str | None

    def of(self, stage: str) -> str:
        """Return the directory of a stage of the run."""
        place = getattr(self, stage.replace("-", "_"))
        assert place is not None, f"the run has no stage {stage}"
        return str(place)


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


def places_of(config: RunConfig) -> Places:
    """Return where the stages of a run write."""
    profile = config.assemble.profile
    return Places(
        fetch_pubmed=storage.join(config.work, "raw", "pubmed") if config.fetch.pubmed else None,
        fetch_pmc=storage.join(config.work, "raw", "pmc") if config.fetch.pmc else None,
        extract=storage.join(config.work, "records"),
        assemble=storage.join(config.work, "corpus", profile),
        tokenizer=storage.join(config.work, "tokenizer"),
        pack=storage.join(config.work, "tokens", profile),
        train=storage.join(config.work, "runs", config.train.name) if config.train else None,
    )


def run_road(config: RunConfig, *, beam_args: Sequence[str] = ()) -> Road:
    """Run all stages of a checked configuration; a stage's errors end the run, finished stages stay."""
    from pipelines.assemble.pipeline import assemble
    from pipelines.beam.flags import NO_WAIT, is_dry_run, leaves_job
    from pipelines.extract import extract
    from pipelines.pack import pack
    from tokenizer.given import read_given
    from tokenizer.learn import learn

    if is_dry_run(beam_args):
        raise UsageError(
            "run: a dry run ends before there are records to go on with; use corpuscle extract … -- --dry_run=True"
        )
    if leaves_job(beam_args):
        raise UsageError(f"run: each stage waits for the one before; leave {NO_WAIT} out or call them one by one")
    for path in config.tokenizers.values():
        read_given(path)
    at = places_of(config)
    done: dict[str, Manifest | None] = {**_fetch(config.fetch, at)}
    say(f"1 extract → {at.extract}")
    done["extract"] = extract(_with_fetched(config.extract, at), output=at.extract, beam_args=beam_args)
    say(f"2 assemble → {at.assemble}")
    done["assemble"] = assemble(config.assemble, records=at.extract, output=at.assemble, beam_args=beam_args)
    say(f"3 tokenizer → {at.tokenizer}")
    done["tokenizer"] = learn(config.tokenizer, corpus=at.assemble, output=at.tokenizer)
    say(f"4 pack → {at.pack}")
    done["pack"] = pack(config.pack, corpus=at.assemble, tokenizer=at.tokenizer, output=at.pack, beam_args=beam_args)
    if config.train and at.train:
        say(f"5 train → {at.train}")
        done["train"] = _train(config.train, tokens=at.pack, output=at.train)
    beside = _others(config, at, beam_args)
    qa = run_qa(config.qa, work=config.work, model=at.train) if config.qa else {}
    finished = {stage: manifest for stage, manifest in done.items() if manifest is not None}
    return Road(places=at, manifests=finished, beside=beside, qa=qa)


def _others(config: RunConfig, at: Places, beam_args: Sequence[str]) -> DoneStages:
    """Pack the same text with each further tokenizer, and train the same model on it; return what was made."""
    from pipelines.pack import pack

    done: DoneStages = {}
    for name, path in config.tokenizers.items():
        place = f"{at.pack}-{name}"
        say(f"4 pack → {place}")
        packed = pack(config.pack, corpus=at.assemble, tokenizer=path, output=place, beam_args=beam_args)
        assert packed is not None, "a run is never dry"
        done[f"pack {name}"] = place, packed
        if config.train and at.train:
            run = f"{at.train}-{name}"
            say(f"5 train → {run}")
            done[f"train {name}"] = run, _train(config.train, tokens=place, output=run)
    return done


def _fetch(section: FetchSection, at: Places) -> dict[str, Manifest]:
    """Fetch what is asked for. What is there already stays as it is, whatever the servers have by now."""
    from corpus.fetch import pubmed
    from corpus.fetch.pmc import stage as pmc

    done = {}
    if section.pubmed and at.fetch_pubmed:
        say(f"0 fetch pubmed → {at.fetch_pubmed}")
        there = _fetched(section.pubmed, at.fetch_pubmed, "pubmed", pubmed.REVISION)
        done["fetch-pubmed"] = there or pubmed.fetch_pubmed(section.pubmed, output=at.fetch_pubmed)
    if section.pmc and at.fetch_pmc:
        say(f"0 fetch pmc → {at.fetch_pmc}")
        there = _fetched(section.pmc, at.fetch_pmc, "pmc", pmc.REVISION)
        done["fetch-pmc"] = there or pmc.fetch_pmc(section.pmc, output=at.fetch_pmc)
    return done


def _fetched(config: FetchConfig, place: str, name: str, revision: int) -> Manifest | None:
    """Return the manifest of a fetch that this revision finished with these settings.

    A newer listing would make it another input, and every stage behind it another one.
    """
    there = read_manifest(place, f"fetch-{name}") if has_manifest(place) else None
    if there is None or (there.revision, dict(there.config)) != (revision, config.identity()):
        return None
    say(f"{place}: fetched ({there.stage}, {there.fingerprint[:12]}); `corpuscle fetch {name}` looks for what is new")
    return there


def _with_fetched(config: ExtractConfig, at: Places) -> ExtractConfig:
    pubmed = (*([at.fetch_pubmed] if at.fetch_pubmed else []), *config.pubmed)
    return config.model_copy(update={"pubmed": pubmed, "pmc": (*([at.fetch_pmc] if at.fetch_pmc else []), *config.pmc)})


def _train(section: TrainSection, *, tokens: str, output: str) -> Manifest:
    """Train, or go on from the last checkpoint of an earlier run that was stopped."""
    from train.launch.stage import can_resume, train

    return train(section.effective(), tokens=tokens, output=output, resume=can_resume(output))
