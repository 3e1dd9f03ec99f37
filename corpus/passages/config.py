"""The configuration of `passages`."""

from corpus.config import StageConfig, Workers, runtime, setting

REVISION = 1  # raise it when the same input gives other bytes


class PassagesConfig(StageConfig):
    """Sentences and paragraphs that stand in many documents."""

    min_documents: int = setting(10, "documents in which a passage stands, at least", group="output", ge=2)
    min_characters: int = setting(
        20, "characters of a passage, at least: shorter ones are headings and labels", group="output", ge=1
    )
    most: int = setting(
        10_000, "passages written, at most: those in most documents", group="output", metavar="N", ge=1, le=1_000_000
    )
    examples: int = setting(3, "ids of documents that are named for each passage", group="output", ge=0, le=100)
    workers: Workers = runtime(1, "local worker processes, at most: as many as the work pays for", group="running")
