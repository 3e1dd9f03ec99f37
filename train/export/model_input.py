"""A model as an input of a stage: our run, our export, or a directory of transformers' form. No torch here."""

from corpus import storage
from corpus.stage.manifest import Input, has_manifest, read_manifest
from train.checkpoint.store import FOLDER, LATEST
from train.model.model_files import directory_hash


def model_input(model: str) -> Input:
    """Return the base model as an input; of a run its list of checkpoints, so that further training is noticed."""
    if has_manifest(model):
        found = read_manifest(model)
        return Input(name=found.stage, fingerprint=found.fingerprint)
    latest = storage.join(model, FOLDER, LATEST)
    if storage.exists(latest):
        return Input(name="train", fingerprint=storage.sha256_file(latest))
    return Input(name="model", fingerprint=directory_hash(model))
