"""Stage `publish`: an assembled corpus as a folder for others, a task a shard, committed by a manifest.

The folder holds texts by split and class of licences, `attribution.parquet`, card, NOTICE, Croissant, papers and
`SHA256SUMS`. The same corpus and settings give the same bytes: no time and no path is in any of them.
"""

from collections.abc import Iterator

from corpus import storage
from corpus.errors import UsageError
from corpus.publish import papers
from corpus.publish.attribution import write_attribution
from corpus.publish.card import CARD, corpus_card
from corpus.publish.config import REVISION, STAGE, SUBSET_NAMES, PublishConfig
from corpus.publish.croissant import CROISSANT, croissant_text
from corpus.publish.model import publish_model
from corpus.publish.overview import Overview, overview_of
from corpus.publish.sources import CorpusSources, find_sources
from corpus.publish.sums import SUMS, sums_text
from corpus.publish.texts import TextShard, write_texts
from corpus.stage.lock import running_stage
from corpus.stage.manifest import SPLITS, Books, Input, Manifest, read_manifest
from corpus.stage.progress import progress, say
from corpus.stage.reading import held_for_reading, read_whole
from corpus.stage.workspace import Receipt, Workspace, plan_stage

DECISIONS_AND_TEXTS = (*SPLITS, "decisions")


def publish(config: PublishConfig, *, source: str, output: str) -> Manifest:
    """Publish a corpus or an exported model and return the committed manifest.

    Raises UsageError when `source` is neither, or the records of a corpus are not found.
    """
    stage = read_manifest(source).stage
    if stage == "export":
        return publish_model(config, export=source, output=output)
    if stage != "assemble":
        raise UsageError(
            f"{source}: holds the output of `{stage}`; publish takes a result of `corpuscle assemble` or of "
            "`corpuscle export`"
        )
    with held_for_reading(source), running_stage(output):
        return _publish_corpus(config, source, output)


def _publish_corpus(config: PublishConfig, corpus: str, output: str) -> Manifest:
    read_whole(corpus, "assemble", DECISIONS_AND_TEXTS)
    sources = find_sources(corpus, config.records)
    workspace, manifest = plan_stage(
        output,
        stage=STAGE,
        revision=REVISION,
        config=config.identity(),
        inputs=[Input(name=one.stage, fingerprint=one.fingerprint) for one in (sources.assemble, sources.extract)],
        sources={corpus: sources.assemble, sources.records: sources.extract},
    )
    if manifest is not None:
        say(f"{output}: up to date ({STAGE}, {manifest.fingerprint[:12]})")
        return manifest
    if not sources.has_metadata:
        say(
            f"{sources.records}: extracted without --metadata, so {output} will name no authors, whom CC BY asks to be "
            "named; extract with --metadata to have them"
        )
    if not config.date:
        say(f"{output}: without --date its Croissant file has no date of publication, which is recommended")
    receipts = []
    shards = list(_shards(sources))
    with progress("publish", len(shards) + 1) as shown:
        for shard in shards:
            receipts.append(write_texts(shard, workspace, config))
            shown.advance()
        receipts.append(write_attribution(sources, workspace, config))
        shown.advance()
    overview = overview_of(receipts[:-1], config, profile=str(sources.assemble.config.get("profile")))
    if not overview.rows:
        raise UsageError(f"{corpus}: no text in it has a licence that allows `{config.license}`; choose --license any")
    return _commit(workspace, receipts, _papers(sources, overview, config), overview, sources)


def _shards(sources: CorpusSources) -> Iterator[TextShard]:
    for split in SPLITS:
        own = [part for part in sources.assemble.parts if part.role == split]
        for number, part in enumerate(own):
            path = storage.join(sources.corpus, part.path)
            yield TextShard(path=path, split=split, number=number, total=len(own), sha256=part.sha256)


def _papers(sources: CorpusSources, overview: Overview, config: PublishConfig) -> dict[str, str]:
    """Return the files beside the texts, by name."""
    content = papers.training_content(sources, overview)
    return {
        CARD: corpus_card(sources, overview, config),
        papers.NOTICE: papers.notice(sources, overview),
        CROISSANT: croissant_text(sources, overview, config),
        papers.DATASHEET: papers.datasheet(sources, overview),
        papers.TRAINING_CONTENT: papers.training_content_text(content, sources, overview),
        papers.TRAINING_CONTENT_JSON: papers.training_content_json(content),
    }


def _commit(
    workspace: Workspace, receipts: list[Receipt], texts: dict[str, str], overview: Overview, sources: CorpusSources
) -> Manifest:
    receipts.append(write_files(workspace, texts))
    sums = sums_text(part for receipt in receipts for part in receipt.parts)
    receipts.append(write_files(workspace, {SUMS: sums}))
    summary = {
        "texts": overview.rows,
        "text_bytes": overview.text_bytes,
        "licenses": overview.licenses,
        "subsets": {SUBSET_NAMES[use]: dict(subset.rows) for use, subset in overview.subsets.items()},
        "without_authors": next(one.facts["without_authors"] for one in receipts if one.task == "attribution"),
    }
    read = sources.assemble.books.kept
    dropped = {"license": read - overview.rows} if read > overview.rows else {}
    books = Books(read=read, kept=overview.rows, dropped=dropped)
    manifest = workspace.commit(receipts, summary=summary, books=books)
    workspace.clean()
    return manifest


def write_files(workspace: Workspace, texts: dict[str, str]) -> Receipt:
    """Write small files and return their receipt."""
    for name, text in texts.items():
        with storage.write_atomic(workspace.path(name)) as sink:
            sink.write(text.encode())
    parts = tuple(workspace.measure(name, role="paper", rows=0) for name in texts)
    return Receipt(task="papers", parts=parts)
