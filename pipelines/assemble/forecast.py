"""Forecast of `assemble`: which documents may be reused, sizes and CPU time, found without a write."""

from corpus.assemble.config import REVISION, AssembleConfig
from corpus.assemble.cut import check_terms
from corpus.assemble.inputs import stored_parts
from corpus.stage.forecast import Forecast, finished_forecast, forecast_by_rate, look_ahead, scaled
from corpus.stage.manifest import Input
from corpus.stage.reading import read_whole
from pipelines.assemble.pipeline import READ, STAGE, given_inputs

WORK_PER_TEXT = 1.4  # bytes of documents, texts and bucket rows for one of text, about
OUT_PER_TEXT = 0.4  # bytes of shards and decisions for one of text, about
PARQUET_RATE = 12e6  # bytes of records that one CPU second assembles, a third of the text's


def forecast_assemble(config: AssembleConfig, *, records: str, output: str, update: bool = False) -> Forecast:
    """Return what `assemble` would do; writes nothing, and raises as it does."""
    source = read_whole(records, "extract", READ)
    parts = stored_parts(records, source, pile=config.profile == "pile")
    check_terms(config.where, parts)
    inputs = [Input(name="extract", fingerprint=source.fingerprint), *given_inputs(config, output=output)]
    ahead = look_ahead(output, stage=STAGE, revision=REVISION, config=config.identity(), inputs=inputs, update=update)
    if ahead.state == "done":
        return finished_forecast(ahead, len(parts.names), "records parts")
    made = ahead.workspace.receipts("documents") if ahead.state != "code" else {}
    same = [
        f"documents/{stem}" in made and made[f"documents/{stem}"].facts["records"] == digest
        for stem, digest in zip(parts.names, parts.digests, strict=True)
    ]
    text, size = source.summary.get("text_bytes", 0), sum(part.bytes for part in source.parts if part.role in READ)
    out = scaled(ahead.manifest, 1.0, OUT_PER_TEXT * text)
    disk = round(out + WORK_PER_TEXT * text * (1 - sum(same) / len(same)))
    some = "at most so many: a part whose records others replace or bring back is made again" if any(same) else ""
    return forecast_by_rate(
        ahead,
        to_do=len(same) - sum(same),
        reused=sum(same),
        unit="records parts",
        bytes_in=size,
        rate=PARQUET_RATE,
        bytes_out=out,
        disk_bytes=disk,
        notes=(some,),
    )
