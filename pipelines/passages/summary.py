"""The lines that `passages` prints at its end."""

from collections.abc import Iterator

from corpus.stage.manifest import Manifest


def passages_lines(manifest: Manifest, output: str) -> Iterator[str]:
    """Yield the lines from a manifest of `passages` alone."""
    numbers = manifest.summary
    found = f"{numbers['passages_found']:,} stand in {numbers['min_documents']:,} documents or more"
    listed = f"{numbers['passages']:,} are listed, {numbers['passages_that_stay']:,} of them mostly taken by no rule"
    yield f"  of {numbers['passages_read']:,} sentences and paragraphs {found}; {listed}"
    yield f"  for reading: {output}/passages.md"
