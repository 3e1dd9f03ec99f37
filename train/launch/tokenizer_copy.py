"""Tokenizer of a run: its files beside the checkpoints, so that a run's directory can generate text by itself."""

from pathlib import Path

from corpus import storage
from corpus.stage.manifest import read_manifest
from tokenizer.hf_json import TOKENIZER, TOKENIZER_CONFIG


def tokenizer_files(separator: str | None) -> tuple[str, ...]:
    """Return the names of the files; separator: of a tokenizer that kept its own ids, None for one in our form."""
    return (TOKENIZER,) if separator is None else (TOKENIZER, TOKENIZER_CONFIG)


def copy_tokenizer(tokens: str, output: str) -> None:
    """Copy the files from the tokens' directory to the run's."""
    names = tokenizer_files(read_manifest(tokens, "pack").summary.get("separator"))
    if TOKENIZER_CONFIG not in names:  # of an earlier run there, on other tokens
        Path(storage.join(output, TOKENIZER_CONFIG)).unlink(missing_ok=True)
    for name in names:
        with (
            storage.open_read(storage.join(tokens, name)) as source,
            storage.write_atomic(storage.join(output, name)) as sink,
        ):
            sink.write(source.read())
