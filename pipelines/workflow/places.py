"""Places of a run: where its stages write, each into its directory below one working directory.

<work>/raw/{pubmed,pmc}   <work>/records   <work>/corpus/<profile>   <work>/tokenizer   <work>/tokens/<profile>
<work>/runs/<name>   <work>/qa/{questions,finetune/<name>,evaluate/<name>,results}
<work>/raw/evaluation, which a person fills
<work>/tokens/<profile>-<tokenizer>   <work>/runs/<name>-<tokenizer>   of further tokenizers
"""

from dataclasses import dataclass

from corpus import storage
from pipelines.workflow.config import RunConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Directories that the stages of a run write into; None for a stage that it does not have."""

    fetch_pubmed: str | None
    fetch_pmc: str | None
    evaluation: str  # read, never written
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


def places_of(config: RunConfig) -> Places:
    """Return where the stages of a run write."""
    profile = config.assemble.profile
    return Places(
        fetch_pubmed=storage.join(config.work, "raw", "pubmed") if config.fetch.pubmed else None,
        fetch_pmc=storage.join(config.work, "raw", "pmc") if config.fetch.pmc else None,
        evaluation=storage.join(config.work, "raw", "evaluation"),
        extract=storage.join(config.work, "records"),
        assemble=storage.join(config.work, "corpus", profile),
        tokenizer=storage.join(config.work, "tokenizer"),
        pack=storage.join(config.work, "tokens", profile),
        train=storage.join(config.work, "runs", config.train.name) if config.train else None,
    )
