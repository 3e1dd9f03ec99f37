"""A finished run that is to go on: with more steps, or because parts of it are missing.

Its manifest goes only when nothing can refuse the start any more: room, tokens and checkpoint are looked at first.
"""

from collections.abc import Iterable, Sequence

from corpus import storage
from corpus.errors import CorruptError
from corpus.stage.manifest import MANIFEST, Input, Manifest, fingerprint, has_manifest, missing_parts, read_manifest
from corpus.stage.progress import say
from corpus.stage.workspace import Workspace
from train.config import TrainConfig
from train.loop.metrics import METRICS

_SHOWN = 5  # damaged files that a message names


def ask_to_resume(workspace: Workspace, manifest: Manifest) -> list[str]:
    """Refuse to train a damaged run anew beside the checkpoints that are left; the manifest stays."""
    lines = list(missing_parts(workspace.output, manifest))
    raise CorruptError(
        "\n  ".join([f"{workspace.output}: a finished run with parts missing or cut:", *lines[:_SHOWN]])
        + "\nPut them back from a copy, or go on with --resume from the newest checkpoint that is whole"
    )


def keep_all(workspace: Workspace, manifest: Manifest) -> list[str]:
    """Return the paths of all parts: a resumed run makes again what is missing, but for the account of its steps."""
    for line in missing_parts(workspace.output, manifest):
        if METRICS in line:
            raise CorruptError(f"{line}; it cannot be made again: put it back from a copy, or train it anew elsewhere")
    return [part.path for part in manifest.parts]


def gets_more_steps(output: str, config: TrainConfig, inputs: Iterable[Input], *, stage: str, revision: int) -> bool:
    """Say whether a finished run is to get more steps, and differs in nothing else."""
    if not has_manifest(output):
        return False
    done = read_manifest(output, stage)
    stored = TrainConfig.model_validate(done.config)
    same = done.revision == revision and stored.recipe() == config.recipe() and _named(done.inputs) == _named(inputs)
    return same and config.steps > stored.steps


def lacks_parts(output: str, config: TrainConfig, inputs: Sequence[Input], *, stage: str, revision: int) -> bool:
    """Say whether this very run was finished, and parts of it are missing or cut."""
    if not has_manifest(output):
        return False
    done = read_manifest(output, stage)
    same = done.fingerprint == fingerprint(stage, config.identity(), inputs, revision=revision)
    return same and any(missing_parts(output, done))


def open_again(output: str, config: TrainConfig, *, stage: str) -> None:
    """Remove the manifest of a finished run that gets more steps."""
    steps = read_manifest(output, stage).config["steps"]
    say(f"{output}: {steps:,} steps are done, going on to {config.steps:,}")
    storage.remove_file(storage.join(output, MANIFEST))


def _named(inputs: Iterable[Input]) -> set[tuple[str, str]]:
    return {(one.name, one.fingerprint) for one in inputs}
