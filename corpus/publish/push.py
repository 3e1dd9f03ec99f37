"""Upload of a published folder to Hugging Face's Hub, file by file, by huggingface_hub; nothing is held in memory.

Only what the manifest names is sent, after its hashes were checked. An upload that was cut off goes on: what the Hub
has is not sent again. Nothing is deleted there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from corpus.errors import CorruptError, RetryError, UsageError
from corpus.publish.config import STAGE
from corpus.stage.manifest import MANIFEST, read_manifest, verify_parts
from corpus.stage.progress import say


def push(folder: str, repository: str, *, public: bool = False) -> str:
    """Send a published folder to a repository, which is made if it is not there; returns its address.

    Raises UsageError without huggingface_hub or where the Hub refuses, CorruptError when a file is not as it was
    published, RetryError when the Hub cannot be reached.
    """
    manifest = read_manifest(folder, STAGE)
    if wrong := list(verify_parts(folder, manifest)):
        raise CorruptError(f"{wrong[0]}; nothing was sent, run `corpuscle publish` again")
    kind = "model" if any(item.name == "export" for item in manifest.inputs) else "dataset"
    names, size = [part.path for part in manifest.parts], sum(part.bytes for part in manifest.parts)
    with _told_faults(repository):
        from huggingface_hub import HfApi

        say(f"{folder}: {len(names):,} files of {size:,} bytes to {kind} {repository}")
        HfApi().create_repo(repository, repo_type=kind, private=not public, exist_ok=True)
        done = HfApi().upload_folder(
            folder_path=folder,
            repo_id=repository,
            repo_type=kind,
            allow_patterns=[*names, MANIFEST],
            commit_message=f"corpuscle publish {manifest.fingerprint[:12]}",
        )
    return str(getattr(done, "commit_url", done))


@contextmanager
def _told_faults(repository: str) -> Iterator[None]:
    """Raise what huggingface_hub raises as errors of ours, each with what to do."""
    try:
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise UsageError("publish --push: needs huggingface_hub; `pip install huggingface_hub`") from error
    again = "run the same command again, which goes on"
    try:
        yield
    except HFValidationError as error:
        raise UsageError(f"--push {repository}: {str(error).splitlines()[0]}; give ORG/NAME") from error
    except HfHubHTTPError as error:
        said = str(error).splitlines()[0]
        if getattr(error.response, "status_code", 0) in (401, 403):
            raise UsageError(f"--push {repository}: {said}; log in with `hf auth login`, or set HF_TOKEN") from error
        raise RetryError(f"--push {repository}: {said}; {again}") from error
    except RuntimeError as error:  # of one file, whose own error is its cause
        why = str(error.__cause__ or "").partition("\n")[0]
        raise RetryError(f"--push {repository}: {error} {why}; {again}") from error
    except OSError as error:
        host = os.environ.get("HF_ENDPOINT", "the Hub")
        raise RetryError(f"--push {repository}: {host} cannot be reached ({error}); {again}") from error
