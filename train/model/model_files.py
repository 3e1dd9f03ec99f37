"""Files of a model in a directory of transformers' form: which they are, and their hash. No torch here."""

import hashlib
import json
import os
from pathlib import Path

from corpus.errors import UsageError

_FILES = (".safetensors", ".bin", ".gguf", ".json", ".txt", ".model")  # of weights, configuration and tokenizer


def directory_hash(path: str) -> str:
    """Return the hash of a directory's weights, configuration and tokenizer; raises UsageError for no directory."""
    gguf_file(path)
    names = sorted(name for name in os.listdir(path) if name.endswith(_FILES))
    hashes = {}
    for name in names:
        with open(Path(path, name), "rb") as source:
            hashes[name] = hashlib.file_digest(source, "sha256").hexdigest()
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def gguf_file(path: str) -> str | None:
    """Return the name of the one GGUF file of a directory that has no configuration; raises UsageError if no model."""
    if not os.path.isdir(path):
        raise UsageError(f"{path}: no such directory; a model is a directory with config.json, tokenizer and weights")
    if os.path.exists(os.path.join(path, "config.json")):
        return None
    files = sorted(name for name in os.listdir(path) if name.endswith(".gguf"))
    if len(files) != 1:
        raise UsageError(f"{path}: no config.json and {len(files)} GGUF files; a model has the one or a single other")
    return files[0]
