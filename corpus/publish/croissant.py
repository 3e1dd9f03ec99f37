"""Croissant 1.1 of a published corpus: files with hashes, records with columns, RAI and provenance, as JSON-LD.

Written without a library, so that publishing needs none; `python -m tests.benchmarks.published` holds it against
mlcroissant, which finds no error and no warning and reads the rows that the shards hold.
"""

import json
from typing import Any, Final

from corpus.publish.arrow_kinds import element_kind, fields_of
from corpus.publish.config import NLM, SUBSET_NAMES, SUBSETS, PublishConfig
from corpus.publish.overview import Overview
from corpus.publish.sources import CorpusSources
from corpus.stage.manifest import Manifest

CROISSANT: Final = "croissant.json"
_PARQUET: Final = "application/x-parquet"
_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in ("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract")
    },
    **{
        name: f"cr:{name}"
        for name in ("field", "fileProperty", "fileObject", "fileSet", "format", "includes", "isArray")
    },
    **{name: f"cr:{name}" for name in ("isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet")},
    **{name: f"cr:{name}" for name in ("references", "regex", "repeated", "replace", "samplingRate", "separator")},
    **{name: f"cr:{name}" for name in ("source", "subField", "transform")},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "sc": "https://schema.org/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "description": {"@container": "@language"},
    "name": {"@container": "@language"},
}
_TYPES: Final = {"bool": "sc:Boolean", "int64": "sc:Integer", "int32": "sc:Integer", "double": "sc:Float"}


def croissant_text(sources: CorpusSources, overview: Overview, config: PublishConfig) -> str:
    """Return the text of croissant.json."""
    return json.dumps(croissant(sources, overview, config), indent=1, ensure_ascii=False) + "\n"


def croissant(sources: CorpusSources, overview: Overview, config: PublishConfig) -> dict[str, Any]:
    """Return the description; of JSON lines the files alone, for Croissant has no way into a zstd stream."""
    files = [
        {
            "@type": "cr:FileObject",
            "@id": part.path,
            "name": part.path,
            "contentUrl": part.path,
            "contentSize": f"{part.bytes} B",
            "encodingFormat": _PARQUET if config.format == "hf" else "application/zstd",
            "sha256": part.sha256,
        }
        for part in overview.parts
    ]
    sets, records = _records(overview) if config.format == "hf" else ([], [])
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": overview.title,
        "description": f"{overview.rows:,} texts of biomedical papers, deduplicated and split. {sources.age} {NLM}",
        "license": "NOTICE",
        "url": config.url or "https://pubmed.ncbi.nlm.nih.gov/",
        **({"creator": {"@type": "sc:Organization", "name": config.creator}} if config.creator else {}),
        **({"datePublished": config.date} if config.date else {}),
        "version": "1.0.0",
        "keywords": ["biology", "medicine", "pubmed", "pretraining"],
        "citeAs": "The papers themselves: attribution.parquet names authors, title and address of each.",
        "isLiveDataset": False,
        **_rai(sources),
        **_provenance(sources),
        "distribution": [*files, *sets],
        "recordSet": records,
    }


def _records(overview: Overview) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return (sets of files, record sets): one of each for each split of each subset."""
    sets, records = [], []
    for use, subset in overview.subsets.items():
        for split in subset.files:
            name = f"{SUBSET_NAMES[use]}-{split}"
            includes = [f"data/{split}/{one}-*.parquet" for one in SUBSETS[use]]
            sets.append(
                {
                    "@type": "cr:FileSet",
                    "@id": f"files-{name}",
                    "name": f"files-{name}",
                    "encodingFormat": _PARQUET,
                    "includes": includes if len(includes) > 1 else includes[0],
                }
            )
            records.append(
                {
                    "@type": "cr:RecordSet",
                    "@id": name,
                    "name": name,
                    "description": f"{subset.rows[split]:,} texts of {split}{_left_out(overview)}",
                    "field": [_field(name, column, kind) for column, kind in overview.columns if not _nested(kind)],
                }
            )
    return sets, records


def _nested(kind: str) -> bool:
    """Say whether a column is a list of structures, which readers of Croissant do not take from Parquet."""
    return bool(fields_of(element_kind(kind) or kind))


def _left_out(overview: Overview) -> str:
    names = [name for name, kind in overview.columns if _nested(kind)]
    return f"; the files hold {', '.join(names)} too" if names else ""


def _field(records: str, column: str, kind: str) -> dict[str, Any]:
    inner = element_kind(kind)
    found = {
        "@type": "cr:Field",
        "@id": f"{records}/{column}",
        "name": column,
        "dataType": _TYPES.get(inner or kind, "sc:Text"),
        "source": {"fileSet": {"@id": f"files-{records}"}, "extract": {"column": column}},
    }
    return found | ({"isArray": True, "arrayShape": "-1"} if inner is not None else {})


def _rai(sources: CorpusSources) -> dict[str, Any]:
    """Return what the RAI vocabulary asks for, as far as manifests know it."""
    dropped = sum(sources.assemble.books.dropped.values())
    settings = ", ".join(f"{name} {value}" for name, value in sorted(sources.assemble.config.items()))
    return {
        "rai:dataCollection": "Files that NCBI distributes of PubMed and PubMed Central, unsampled.",
        "rai:dataCollectionType": ["Secondary Data Analysis"],
        "rai:dataCollectionMissingData": f"{dropped:,} of {sources.assemble.books.read:,} records dropped by rule.",
        "rai:dataPreprocessingProtocol": [f"Parsed from XML and rendered; {settings}"],
        "rai:dataUseCases": ["Training and studying language models of biomedical text"],
        "rai:dataBiases": ["English papers with an abstract or an open full text are over-represented"],
        "rai:dataLimitations": ["No medical advice: papers are wrong, outdated or withdrawn later"],
        "rai:personalSensitiveInformation": ["Names of authors; case reports may describe patients"],
    }


def _provenance(sources: CorpusSources) -> dict[str, Any]:
    """Return from what and by what it was made, in W3C's terms; a fingerprint is the identity of a stage's result."""
    stages = (sources.extract, sources.assemble)
    return {
        "prov:wasDerivedFrom": [
            {"@id": "https://pubmed.ncbi.nlm.nih.gov/download/", "prov:label": "PubMed"},
            {"@id": "https://registry.opendata.aws/ncbi-pmc/", "prov:label": "PubMed Central"},
        ],
        "prov:wasGeneratedBy": [_activity(stage) for stage in stages],
    }


def _activity(stage: Manifest) -> dict[str, Any]:
    return {
        "@type": "prov:Activity",
        "prov:label": f"corpuscle {stage.stage}, revision {stage.revision}",
        "prov:value": stage.fingerprint,
    }
