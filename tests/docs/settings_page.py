"""`docs/settings.md`: every setting of the YAML file of `corpuscle run`, from the models of the stages."""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from corpus.assemble.config import AssembleConfig, WhereConfig
from corpus.extract.config import ExtractConfig
from corpus.fetch.config import FetchPmcConfig, FetchPubmedConfig
from corpus.foreign.config import DedupConfig
from corpus.passages.config import PassagesConfig
from pipelines.workflow.config import RunConfig, TrainSection
from pipelines.workflow.qa_config import EvaluateSection, FinetuneSection, QaSection
from tokenizer.config import PackConfig, TokenizerConfig
from train.config import ModelConfig, TrainConfig
from train.export.config import ExportConfig
from train.qa.config import EvaluateConfig, FinetuneConfig

HEAD = """# Settings

Every setting, by the section of the YAML file that `corpuscle run` reads; written by `make docs`. The same settings are
options of the verbs ([cli.md](cli.md)); those of `train` are replaced by `--set NAME=VALUE`. A setting marked *runtime*
cannot change a byte of the output and is no part of a stage's fingerprint. `corpuscle run FILE --print-config` prints
what is in force, `corpuscle run --schema` the JSON Schema for an editor.
"""
SECTIONS: dict[str, type[BaseModel]] = {
    "the file": RunConfig,
    "fetch.pubmed": FetchPubmedConfig,
    "fetch.pmc": FetchPmcConfig,
    "extract": ExtractConfig,
    "assemble": AssembleConfig,
    "assemble.where": WhereConfig,
    "dedup (options of the verb)": DedupConfig,
    "passages (options of the verb)": PassagesConfig,
    "tokenizer": TokenizerConfig,
    "pack": PackConfig,
    "train": TrainSection,
    "train.settings": TrainConfig,
    "train.settings.model": ModelConfig,
    "qa": QaSection,
    "qa.finetune.NAME": FinetuneSection,
    "qa.finetune.NAME.settings": FinetuneConfig,
    "qa.evaluate.NAME": EvaluateSection,
    "qa.evaluate.NAME.settings": EvaluateConfig,
    "export (options of the verb)": ExportConfig,
}


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for name, model in SECTIONS.items():
        schema = model.model_json_schema()
        lines = [f"## {name}\n", "| setting | type | default | meaning |", "|---|---|---|---|"]
        for key, field in model.model_fields.items():
            kind = _kind(schema["properties"][key], schema.get("$defs", {})).replace("|", "\\|")
            lines.append(f"| `{key}` | {kind} | {_default(field)} | {_meaning(field)} |")
        parts.append("\n".join([*lines, ""]))
    return "\n".join(parts)


def _kind(value: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return the type that a JSON Schema allows, with its choices and limits."""
    if "anyOf" in value:
        return " | ".join(_kind(one, definitions) for one in value["anyOf"])
    if "$ref" in value or "allOf" in value:
        return "section"
    if "enum" in value:
        return " | ".join(map(str, value["enum"]))
    if "const" in value:
        return str(value["const"])
    kind = str(value.get("type", "any"))
    if kind == "array":
        inner = value.get("items") or {}
        return f"list of {_kind(inner, definitions)}" if inner else "list"
    marks = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = ", ".join(f"{mark} {value[name]:,.10g}" for name, mark in marks.items() if name in value)
    return f"{kind} {limits}".strip()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "its own"
    shown = json.dumps(field.default, ensure_ascii=False)
    return "" if shown in ("null", "[]") else f"`{shown}`"


def _meaning(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    mark = " *(runtime)*" if isinstance(extra, dict) and extra.get("runtime") else ""
    return f"{(field.description or '').replace('|', chr(92) + '|').replace('<', '&lt;')}{mark}"
