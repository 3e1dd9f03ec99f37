"""Sections of a run file at work: what a run does around `fetch`, `tokenizer` and `train`, and what it advises.

What was fetched stays until `--update` asks for what is new. A tokenizer that was learned stays, or token shards and
models of different days would not speak of the same ids; a model that was trained stays whatever its tokens became.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from corpus import storage
from corpus.assemble.config import AssembleConfig
from corpus.errors import OtherResultError, UsageError
from corpus.extract.config import ExtractConfig
from corpus.fetch.config import FetchConfig
from corpus.stage.manifest import Manifest, has_manifest, missing_parts, read_manifest
from corpus.stage.progress import say
from pipelines.workflow.config import FetchSection, RunConfig, TokenizerSection, TrainSection
from pipelines.workflow.places import Places


@contextmanager
def advice_of_a_run(*, update: bool) -> Iterator[None]:
    """Say what the user of a run file can do where a stage finds another result in its directory."""
    try:
        yield
    except OtherResultError as error:
        first = "Add --update to bring it up to date, give" if error.can_update and not update else "Give"
        raise UsageError(f"{error.found}\n{first} another `work`, or remove that directory.") from error


def fetch_sources(section: FetchSection, at: Places, *, update: bool) -> dict[str, Manifest]:
    """Fetch what is asked for. Without `update` what is there already stays, whatever the servers have by now."""
    done = {}
    if section.pubmed and at.fetch_pubmed:
        from corpus.fetch import pubmed

        say(f"0 fetch pubmed → {at.fetch_pubmed}")
        there = None if update else _fetched(section.pubmed, at.fetch_pubmed, "pubmed", pubmed.REVISION)
        done["fetch-pubmed"] = there or pubmed.fetch_pubmed(section.pubmed, output=at.fetch_pubmed)
    if section.pmc and at.fetch_pmc:
        from corpus.fetch.pmc import stage as pmc

        say(f"0 fetch pmc → {at.fetch_pmc}")
        there = None if update else _fetched(section.pmc, at.fetch_pmc, "pmc", pmc.REVISION)
        done["fetch-pmc"] = there or pmc.fetch_pmc(section.pmc, output=at.fetch_pmc)
    return done


def _fetched(config: FetchConfig, place: str, name: str, revision: int) -> Manifest | None:
    """Return the manifest of a fetch that this revision finished with these settings.

    A newer listing would make it another input, and every stage behind it another one.
    """
    there = read_manifest(place, f"fetch-{name}") if has_manifest(place) else None
    if there is None or (there.revision, dict(there.config)) != (revision, config.identity()):
        return None
    say(f"{place}: fetched ({there.stage}, {there.fingerprint[:12]}); --update looks for what is new")
    return there


def with_fetched(config: ExtractConfig, at: Places) -> ExtractConfig:
    """Return the settings of `extract` with what the run fetched among its inputs."""
    pubmed = (*([at.fetch_pubmed] if at.fetch_pubmed else []), *config.pubmed)
    return config.model_copy(update={"pubmed": pubmed, "pmc": (*([at.fetch_pmc] if at.fetch_pmc else []), *config.pmc)})


def with_evaluation(config: RunConfig, at: Places) -> AssembleConfig:
    """Return the settings of `assemble` with the evaluation sets of the run, as far as they lie in their folder.

    What is found there is looked for, known by name or not.
    """
    if not config.evaluation_sets or not storage.walk_files(at.evaluation):
        return config.assemble
    return config.assemble.model_copy(update={"evaluation": (*config.assemble.evaluation, at.evaluation)})


def absent_evaluation(config: RunConfig, at: Places) -> list[str]:
    """Return a line for each evaluation set of the run of which no file was given, with where a person gets it."""
    if not config.evaluation_sets:
        return []
    from corpus.assemble.contamination import load_index
    from corpus.assemble.evaluation_sets import describe_evaluation
    from corpus.qa.known_sets import absent_sets

    given = with_evaluation(config, at).evaluation
    items = load_index(given, config.assemble.evaluation_words).items if given else ()
    found = describe_evaluation(given, items) if given else {}
    return absent_sets(config.evaluation_sets, {one.name for sets in found.values() for one in sets}, at.evaluation)


def tokenizer_section(section: TokenizerSection, *, corpus: str, output: str, update: bool) -> Manifest:
    """Learn a tokenizer, or keep the one that was learned with these settings from whatever corpus."""
    if (there := kept_tokenizer(section, corpus=corpus, output=output)) is not None:
        learned_from = next(item.fingerprint for item in there.inputs)
        now = read_manifest(corpus, "assemble").fingerprint
        say(
            f"{output}: kept, though it was learned from another state of the corpus ({learned_from[:12]}, now "
            f"{now[:12]}), so that tokens keep their ids; `relearn: true` under `tokenizer` learns anew"
        )
        return there
    from tokenizer.learn import learn

    return learn(section, corpus=corpus, output=output, update=update and section.relearn)


def kept_tokenizer(section: TokenizerSection, *, corpus: str, output: str) -> Manifest | None:
    """Return a tokenizer that was learned from another state of the corpus and stays; None where there is none."""
    there = read_manifest(output, "tokenizer") if has_manifest(output) else None
    if there is None or section.relearn or dict(there.config) != section.identity():
        return None
    same = read_manifest(corpus, "assemble").fingerprint in [item.fingerprint for item in there.inputs]
    return None if same or any(missing_parts(output, there)) else there


def train_section(section: TrainSection, *, tokens: str, output: str, update: bool) -> Manifest | None:
    """Train, or go on from the last checkpoint of an earlier run that was stopped.

    With `update`, a run that began on other tokens stays as it is; returns its manifest, None when it was stopped.
    """
    from train.launch.stage import can_resume, tokens_of, train

    began_with = tokens_of(output) if update else None
    if began_with not in (None, read_manifest(tokens, "pack").fingerprint):
        said = f"stays as it is, trained on other tokens ({began_with[:12]}) than {tokens} holds now"
        say(f"{output}: {said}; give `train` another `name` to train on those too")
        return read_manifest(output, "train") if has_manifest(output) else None
    return train(section.effective(), tokens=tokens, output=output, resume=can_resume(output))
