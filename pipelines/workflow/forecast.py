"""Forecast of a run, `corpuscle run --dry-run`: what each stage would do, found without a write or a server.

A stage behind one that has something to do reads what is not there yet: of it is said what its last run here took.
"""

from collections.abc import Callable, Iterator
from functools import partial

from corpus.stage.forecast import Forecast, last_run, result_bytes
from corpus.stage.manifest import has_manifest, read_manifest
from pipelines.workflow.config import RunConfig
from pipelines.workflow.places import Places, places_of
from pipelines.workflow.sections import (
    absent_evaluation,
    advice_of_a_run,
    kept_tokenizer,
    with_evaluation,
    with_fetched,
)


def forecast_run(config: RunConfig, *, update: bool = False) -> str:
    """Return what `corpuscle run` would do, for reading; raises as the run does where a stage refuses its output."""
    at = places_of(config)
    lines = list(_fetch_lines(config, at, update=update))
    absent = absent_evaluation(config, at)
    waits_for = (
        "fetch"
        if update and lines
        else next(("fetch" for place in (at.fetch_pubmed, at.fetch_pmc) if place and not has_manifest(place)), None)
    )
    with advice_of_a_run(update=update):
        for stage, output, ahead in _stages(config, at, update=update):
            found = _behind(stage, output, waits_for) if waits_for else ahead()
            lines.append(found.text())
            if not waits_for and found.to_do:
                waits_for = stage
    return "\n".join([*lines, *absent])


def _fetch_lines(config: RunConfig, at: Places, *, update: bool) -> Iterator[str]:
    for name, place in (("pubmed", at.fetch_pubmed), ("pmc", at.fetch_pmc)):
        if place and (update or not has_manifest(place)):
            yield f"fetch-{name} → {place}: asks the server; `corpuscle fetch {name} --dry-run` says what for"
        elif place:
            yield f"fetch-{name} → {place}: stays as it is; --update looks for what is new"


def _stages(config: RunConfig, at: Places, *, update: bool) -> Iterator[tuple[str, str, Callable[[], Forecast]]]:
    """Yield (stage, its output, what looks ahead) in the order of the road."""
    from pipelines.assemble.forecast import forecast_assemble
    from pipelines.extract import forecast_extract
    from tokenizer.forecast import forecast_pack

    files, assembled = with_fetched(config.extract, at), with_evaluation(config, at)
    yield "extract", at.extract, lambda: forecast_extract(files, output=at.extract, update=update)
    yield (
        "assemble",
        at.assemble,
        lambda: forecast_assemble(assembled, records=at.extract, output=at.assemble, update=update),
    )
    yield "tokenizer", at.tokenizer, lambda: _forecast_tokenizer(config, at, update=update)
    for name, tokenizer in (("", at.tokenizer), *config.tokenizers.items()):
        place = f"{at.pack}-{name}" if name else at.pack
        ahead = partial(
            forecast_pack, config.pack, corpus=at.assemble, tokenizer=tokenizer, output=place, update=update
        )
        yield "pack", place, ahead
    if config.train and at.train:
        yield "train", at.train, lambda: _forecast_train(config, at, update=update)


def _forecast_tokenizer(config: RunConfig, at: Places, *, update: bool) -> Forecast:
    from tokenizer.forecast import forecast_learn

    if kept_tokenizer(config.tokenizer, corpus=at.assemble, output=at.tokenizer) is not None:
        return Forecast(stage="tokenizer", output=at.tokenizer, why="kept as it was learned once", reused=1)
    again = update and config.tokenizer.relearn
    return forecast_learn(config.tokenizer, corpus=at.assemble, output=at.tokenizer, update=again)


def _forecast_train(config: RunConfig, at: Places, *, update: bool) -> Forecast:
    from train.launch.forecast import forecast_train
    from train.launch.stage import can_resume, tokens_of

    assert config.train is not None, "the run has the stage"
    assert at.train is not None, "and a place for it"
    began_with = tokens_of(at.train) if update else None
    if began_with not in (None, read_manifest(at.pack, "pack").fingerprint):
        return Forecast(stage="train", output=at.train, why="stays as it is, trained on other tokens")
    return forecast_train(config.train.effective(), tokens=at.pack, output=at.train, resume=can_resume(at.train))


def _behind(stage: str, output: str, waits_for: str) -> Forecast:
    """Return what is known of a stage whose input is made first: what its last run here took and left."""
    there = read_manifest(output) if has_manifest(output) else None
    last, size = last_run(output), result_bytes(there) or None
    kept = stage == "train" or (stage == "tokenizer" and there is not None)
    why = "stays as it is, if its input changes" if kept and there else f"waits for `{waits_for}`"
    return Forecast(
        stage=stage,
        output=output,
        why=why,
        bytes_out=None if kept else size,
        disk_bytes=None if kept else size,
        cpu_seconds=last.cpu_seconds if last and not kept else None,
    )
