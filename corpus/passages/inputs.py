"""What `passages` reads: records of a finished `extract`, documents of a finished `assemble`, or several of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from corpus import storage
from corpus.errors import UsageError
from corpus.passages.reading import PassageSource
from corpus.stage.manifest import SPLITS, Input, Manifest, read_manifest
from corpus.stage.reading import read_whole

_ROLES: Final[Mapping[str, tuple[Literal["records", "corpus"], tuple[str, ...]]]] = {
    "extract": ("records", ("records",)),
    "assemble": ("corpus", SPLITS),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PassageInputs:
    """The parts that are read, and the stages that they are of, by directory."""

    sources: tuple[PassageSource, ...]
    manifests: Mapping[str, Manifest]

    @property
    def bytes(self) -> int:
        """The size of all parts [bytes]."""
        return sum(source.bytes for source in self.sources)

    @property
    def stated(self) -> list[Input]:
        """The stages as inputs of this one."""
        return [Input(name=found.stage, fingerprint=found.fingerprint) for found in self.manifests.values()]


def find_passage_inputs(given: Sequence[str]) -> PassageInputs:
    """Return what lies in some directories; raises UsageError for one that holds neither records nor a corpus.

    Raises CorruptError where a part is missing or has another size.
    """
    manifests, sources = dict[str, Manifest](), list[PassageSource]()
    for base in given:
        stage = read_manifest(base).stage
        if stage not in _ROLES:
            asked = "give a result of `corpuscle extract` or of `corpuscle assemble`"
            raise UsageError(f"{base}: holds the output of `{stage}`, which has no texts to count; {asked}")
        kind, roles = _ROLES[stage]
        manifest = read_whole(base, stage, roles)
        if twice := [one for one, other in manifests.items() if other.fingerprint == manifest.fingerprint]:
            raise UsageError(f"{base}: is the same as {twice[0]}; give each result once")
        manifests[base] = manifest
        sources += [
            PassageSource(path=storage.join(base, part.path), kind=kind, sha256=part.sha256, bytes=part.bytes)
            for part in manifest.parts
            if part.role in roles
        ]
    return PassageInputs(sources=tuple(sources), manifests=manifests)
