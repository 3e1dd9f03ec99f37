"""The road: the five stages one after another, each into its place below one working directory.

    <work>/records   <work>/corpus/<profile>   <work>/tokenizer   <work>/tokens/<profile>   <work>/runs/<name>

A stage that is finished already is reused; that is decided by its manifest, never here. What comes out is
the account of the run: where every document went, tokens, losses, and where each output lies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from corpus import storage
from corpus.errors import UsageError
from corpus.manifest import Manifest
from corpus.progress import say
from pipelines.funnel import funnel, stage_text
from pipelines.run_config import RunConfig, TrainSection


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where the stages of a run write."""

    extract: str
    assemble: str
    tokenizer: str
    pack: str
    train: str | None

    def of(self, stage: str) -> str:
        """Return the directory of a stage of the run."""
        place = getattr(self, stage)
        assert place is not None, f"the run has no stage {stage}"
        return str(place)


@dataclass(frozen=True, kw_only=True, slots=True)
class Road:
    """A finished run: the manifest of each stage, in the order of the road."""

    places: Places
    manifests: Mapping[str, Manifest]

    def text(self) -> str:
        """Return the account of the run."""
        done = self.manifests
        lines = ["Documents", *funnel(list(done.values()))]
        lines += ["", "Tokens and losses"]
        counted = [stage for stage in ("tokenizer", "pack", "train") if stage in done]
        lines += [f"  {stage:<10} {stage_text(done[stage])}" for stage in counted]
        lines += ["", "Where it lies", *(f"  {stage:<10} {self.places.of(stage)}" for stage in done)]
        return "\n".join(lines)


def places_of(config: RunConfig) -> Places:
    """Return where the stages of a run write."""
    profile = config.assemble.profile
    return Places(
        extract=storage.join(config.work, "records"),
        assemble=storage.join(config.work, "corpus", profile),
        tokenizer=storage.join(config.work, "tokenizer"),
        pack=storage.join(config.work, "tokens", profile),
        train=storage.join(config.work, "runs", config.train.name) if config.train else None,
    )


def run_road(config: RunConfig, *, beam_args: Sequence[str] = ()) -> Road:
    """Run all stages of a checked configuration; a stage's errors end the run, finished stages stay."""
    from pipelines.assemble import assemble
    from pipelines.extract import extract
    from pipelines.pack import pack
    from pipelines.runner import is_dry_run
    from tokenizer.learn import learn

    if is_dry_run(beam_args):
        raise UsageError(
            "run: a dry run ends before there are records to go on with; use corpuscle extract … -- --dry_run=True"
        )
    at = places_of(config)
    done: dict[str, Manifest | None] = {}
    say(f"1 extract → {at.extract}")
    done["extract"] = extract(config.extract, output=at.extract, beam_args=beam_args)
    say(f"2 assemble → {at.assemble}")
    done["assemble"] = assemble(config.assemble, records=at.extract, output=at.assemble, beam_args=beam_args)
    say(f"3 tokenizer → {at.tokenizer}")
    done["tokenizer"] = learn(config.tokenizer, corpus=at.assemble, output=at.tokenizer)
    say(f"4 pack → {at.pack}")
    done["pack"] = pack(config.pack, corpus=at.assemble, tokenizer=at.tokenizer, output=at.pack, beam_args=beam_args)
    if config.train and at.train:
        say(f"5 train → {at.train}")
        done["train"] = _train(config.train, tokens=at.pack, output=at.train)
    return Road(places=at, manifests={stage: manifest for stage, manifest in done.items() if manifest is not None})


def _train(section: TrainSection, *, tokens: str, output: str) -> Manifest:
    """Train, or go on from the last checkpoint of an earlier run that was stopped."""
    from train.launch import can_resume, train

    return train(section.effective(), tokens=tokens, output=output, resume=can_resume(output))
