"""The lines that `dedup` prints at its end: what was found, and how likely the search proposes a pair."""

from collections.abc import Iterator

from corpus.stage.manifest import Manifest
from pipelines.assemble.summary import curve_line


def dedup_lines(manifest: Manifest) -> Iterator[str]:
    """Yield the lines from a manifest of `dedup` alone."""
    numbers = manifest.summary
    found = ", ".join(f"{reason} {count:,}" for reason, count in numbers["duplicates"].items()) or "none"
    done = "tagged, not left out" if manifest.config["duplicates"] == "tag" else "left out"
    yield f"  duplicates: {found} ({done}); {numbers['clusters']:,} clusters of {numbers['documents_in_clusters']:,}"
    yield f"  {numbers['verified_pairs']:,} pairs verified, {numbers['twins_kept_apart']:,} of twins kept apart"
    yield curve_line(manifest.config["threshold"])
