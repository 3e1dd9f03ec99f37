"""Forecasts of `tokenizer` and `pack`: sizes and CPU time, found without a write."""

from corpus.stage.forecast import Forecast, finished_forecast, forecast_by_rate, look_ahead, scaled
from corpus.stage.manifest import Input
from corpus.stage.reading import read_whole
from tokenizer import learn, pack
from tokenizer.config import PackConfig, TokenizerConfig

LEARN_RATE = 8e6  # bytes of train shards that one CPU second learns from
PACK_RATE = 12e6  # bytes of shards that one CPU second packs
TOKENS_PER_PARQUET = 1.6  # bytes of token shards for one of corpus shards, about
TOKENIZER_BYTES = 3_000_000


def forecast_learn(config: TokenizerConfig, *, corpus: str, output: str, update: bool = False) -> Forecast:
    """Return what `tokenizer` would do; writes nothing, and raises as it does."""
    assembled = read_whole(corpus, "assemble", ("train", "validation"))
    ahead = look_ahead(
        output,
        stage=learn.STAGE,
        revision=learn.REVISION,
        config=config.identity(),
        inputs=[Input(name="assemble", fingerprint=assembled.fingerprint)],
        update=update,
    )
    if ahead.state == "done":
        return finished_forecast(ahead, 1)
    size = sum(part.bytes for part in assembled.parts if part.role == "train")
    text = assembled.summary.get("train_text_bytes", 3 * size)
    disk = TOKENIZER_BYTES + min(text, config.max_bytes or text)
    out = scaled(ahead.manifest, 1.0, TOKENIZER_BYTES)
    return forecast_by_rate(ahead, to_do=1, bytes_in=size, rate=LEARN_RATE, bytes_out=out, disk_bytes=disk)


def forecast_pack(config: PackConfig, *, corpus: str, tokenizer: str, output: str, update: bool = False) -> Forecast:
    """Return what `pack` would do; writes nothing, and raises as it does."""
    found = pack.pack_inputs(config, corpus=corpus, tokenizer=tokenizer)
    tasks = found.tasks
    ahead = look_ahead(
        output,
        stage=pack.STAGE,
        revision=pack.REVISION,
        config=config.identity(),
        inputs=found.inputs,
        update=update,
    )
    if ahead.state == "done":
        return finished_forecast(ahead, len(tasks), "shards")
    left = [task for task in tasks if not ahead.workspace.has_receipt(f"pack/{task.stem}")]
    size = sum(task.bytes for task in left)
    out = scaled(ahead.manifest, 1.0, TOKENS_PER_PARQUET * sum(task.bytes for task in tasks))
    copied = "tokens of texts that are packed there already are copied" if ahead.state == "update" else ""
    return forecast_by_rate(
        ahead,
        to_do=len(left),
        reused=len(tasks) - len(left),
        unit="shards",
        bytes_in=size,
        rate=PACK_RATE,
        bytes_out=out,
        disk_bytes=out,
        notes=(copied,),
    )
