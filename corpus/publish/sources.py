"""Sources of a published corpus: the stages that it was made by, and what their manifests say of its age."""

import re
from dataclasses import dataclass

from corpus.errors import UsageError
from corpus.stage.manifest import Manifest, read_manifest
from corpus.stage.nearby import manifests_near

_PUBMED_FILE = re.compile(r"pubmed(\d\d)n(\d{4,5})")


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusSources:
    """An assembled corpus and the records that it was made from, with their directories."""

    corpus: str
    assemble: Manifest
    records: str
    extract: Manifest

    @property
    def has_metadata(self) -> bool:
        """Whether the records have side tables, which say who wrote a paper."""
        return any(part.role == "metadata/authors" for part in self.extract.parts)

    @property
    def newest_file(self) -> str:
        """The newest of NLM's files among the inputs, "" when none has its form of a name."""
        found = [(int(match[1]), int(match[2]), match[0]) for item in self.extract.inputs
                 if (match := _PUBMED_FILE.match(item.name))]  # fmt: skip
        return max(found)[2] if found else ""

    @property
    def age(self) -> str:
        """How old the corpus is, in one sentence."""
        if self.newest_file:
            return f"The newest of NLM's PubMed files in it is `{self.newest_file}`; later changes are not in it."
        return "None of its inputs has the name of one of NLM's PubMed files, which would say how old it is."


def find_sources(corpus: str, records: str | None) -> CorpusSources:
    """Return a corpus with its records: those given, or found near it by their fingerprint.

    Raises UsageError when they are not found or are others.
    """
    assembled = read_manifest(corpus, "assemble")
    wanted = next(item.fingerprint for item in assembled.inputs if item.name == "extract")
    near = [(records, read_manifest(records, "extract"))] if records else manifests_near(corpus)
    for folder, found in near:
        if (found.stage, found.fingerprint) == ("extract", wanted):
            return CorpusSources(corpus=corpus, assemble=assembled, records=folder, extract=found)
    if records:
        raise UsageError(f"{records}: other records than {corpus} was made from; give the directory of its own")
    raise UsageError(
        f"{corpus}: its records ({wanted[:12]}) are not near it, and titles and authors are read from them; name their "
        "directory with --records"
    )
