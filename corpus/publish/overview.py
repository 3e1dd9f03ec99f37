"""Overview of a published corpus: subsets, splits, sizes and licences, from the receipts of its texts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from corpus.licenses import Use
from corpus.publish.config import SUBSETS, PublishConfig
from corpus.stage.license_table import LicenseTable, add_licenses, total_of
from corpus.stage.manifest import SPLITS, Part, package_version
from corpus.stage.workspace import Receipt


@dataclass(frozen=True, kw_only=True, slots=True)
class Subset:
    """One choice of files: by split the files, their rows and their bytes in memory."""

    files: Mapping[str, list[str]]
    rows: Mapping[str, int]
    arrow_bytes: Mapping[str, int]
    file_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """What is published, as the papers say it."""

    title: str
    version: str
    rows: int
    text_bytes: int
    columns: Sequence[tuple[str, str]]  # name and Arrow type
    licenses: LicenseTable
    subsets: Mapping[Use, Subset]
    parts: Sequence[Part]  # files of texts, in the order of their paths


def overview_of(receipts: Iterable[Receipt], config: PublishConfig, *, profile: str) -> Overview:
    """Return the overview of all texts; receipts: of `write_texts`."""
    receipts = list(receipts)
    licenses = add_licenses(receipt.facts["licenses"] for receipt in receipts)
    columns: list[list[str]] = next((receipt.facts["columns"] for receipt in receipts if receipt.facts["columns"]), [])
    offered: list[Use] = [use for use, classes in SUBSETS.items() if set(classes) <= set(SUBSETS[config.license])]
    subsets = {use: _subset(receipts, SUBSETS[use]) for use in offered}
    return Overview(
        title=config.title or f"PubMed and PubMed Central, profile {profile}",
        version=package_version(),
        rows=total_of(licenses, "documents"),
        text_bytes=total_of(licenses, "text_bytes"),
        columns=[(name, kind) for name, kind in columns],
        licenses=licenses,
        subsets={use: found for use, found in subsets.items() if found.rows},
        parts=sorted((part for receipt in receipts for part in receipt.parts), key=lambda part: part.path),
    )


def _subset(receipts: Sequence[Receipt], classes: Sequence[str]) -> Subset:
    files: dict[str, list[str]] = {}
    rows: dict[str, int] = {}
    sizes: dict[str, int] = {}
    total = 0
    for split in SPLITS:
        for receipt in (one for one in receipts if one.facts["split"] == split):
            for part in receipt.parts:
                name = part.path.rpartition("/")[2].partition("-")[0]
                if name in classes:
                    files.setdefault(split, []).append(part.path)
                    rows[split] = rows.get(split, 0) + part.rows
                    sizes[split] = sizes.get(split, 0) + receipt.facts["arrow_bytes"][name]
                    total += part.bytes
    return Subset(
        files={split: sorted(names) for split, names in files.items()}, rows=rows, arrow_bytes=sizes, file_bytes=total
    )
