"""Model card: a README.md in the form of Hugging Face's hub, every number in it from a manifest.

Nothing is written that no manifest says: a stage that was not found is named as not at hand.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from corpus.stage.manifest import Manifest
from train.checkpoint.store import Checkpoint
from train.config import AnyShape
from train.export.config import FORMATS
from train.export.lineage import Lineage
from train.foreign import ForeignShape

CARD = "README.md"
LICENSES_SHOWN = 12


def model_card(
    summary: Mapping[str, Any],
    checkpoint: Checkpoint,
    shape: AnyShape,
    lineage: Lineage,
    energy: str | None = None,
) -> str:
    """Return the card's text; `summary` is that of the export's manifest, `energy` what the run's steps took."""
    header = {
        "language": "en",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["biomedical", getattr(shape, "model_type", "gpt2"), "corpuscle"],
    }
    sections = [
        f"# {summary['name']}\n\n{_begun(checkpoint, shape)} of {shape.num_parameters:,} parameters, trained for "
        f"{checkpoint.step:,} steps on {checkpoint.tokens:,} tokens.",
        _table("Files", ("format", "place", "bytes", "for"), _files(summary)),
        _table("Model", ("size", "value"), _sizes(shape)),
        _table("Training", ("setting", "value"), _recipe(checkpoint)),
        _results(lineage.manifests.get("train")),
        *([f"## Energy\n\n{energy}"] if energy else []),
        _data(lineage),
        _provenance(checkpoint, lineage),
    ]
    front = yaml.safe_dump(header, sort_keys=False)
    return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"


def _files(summary: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for kind, num_bytes in summary["format_bytes"].items():
        used_by = FORMATS[kind].used_by if "architecture" not in summary else "transformers, as what it was trained"
        yield f"`{kind}`", f"`{FORMATS[kind].path}`", f"{num_bytes:,}", used_by


def _begun(checkpoint: Checkpoint, shape: AnyShape) -> str:
    """Say what kind of model it is, and whose weights it began with."""
    if not isinstance(shape, ForeignShape):
        return "A GPT-2 style language model"
    fresh = checkpoint.recipe["foreign"]["weights"] == "fresh"
    whose = "weights drawn anew" if fresh else f"the weights of the model `{checkpoint.recipe['init'][:12]}`"
    return f"A {shape.architecture} of transformers, begun with {whose},"


def _sizes(shape: AnyShape) -> Iterator[tuple[str, ...]]:
    if isinstance(shape, ForeignShape):
        yield "layers × width", f"{shape.layers} × {shape.hidden:,}"
        yield "trained on rows of tokens", f"{shape.seq_length:,}"
        yield "vocabulary, rows of the embedding", f"{shape.vocab_size:,}, {shape.rows:,}"
        return
    yield "layers × heads × width", f"{shape.layers} × {shape.heads} × {shape.hidden:,}"
    yield "context, tokens", f"{shape.seq_length:,}"
    yield "vocabulary", f"{shape.vocab_size:,}"
    yield "attention logits of layer l divided by l + 1", "yes" if shape.scale_attn_by_inverse_layer_idx else "no"


def _recipe(checkpoint: Checkpoint) -> Iterator[tuple[str, ...]]:
    for name, value in sorted(checkpoint.recipe.items()):
        if name != "model":
            yield name, str(value)
    yield "ranks, ZeRO stage", f"{checkpoint.ranks}, {checkpoint.zero_stage}"


def _results(train: Manifest | None) -> str:
    if train is None:
        return "## Losses\n\nThe run was not finished when this checkpoint was exported: no final loss is known."
    figures = {name: value for name, value in train.summary.items() if isinstance(value, float)}
    rows = [(name.replace("_", " "), f"{value:.4f}") for name, value in figures.items()]
    return _table("Results (losses in nats a token)", ("figure", "value"), rows)


def _data(lineage: Lineage) -> str:
    pack = lineage.manifests.get("pack")
    if pack is None:
        return "## Data\n\nThe manifest of the tokens was not at hand."
    rows = [row for split, ledger in sorted(pack.summary["splits"].items()) for row in _split_rows(split, ledger)]
    text = _table("Data", ("split", "source", "documents", "tokens"), rows)
    assemble = lineage.manifests.get("assemble")
    if assemble is None:
        return f"{text}\n\nThe corpus was not at hand: its rules and licences are not known here."
    rules = ", ".join(f"{name} {value}" for name, value in sorted(assemble.config.items()))
    text += f"\n\nRules of the corpus: {rules}.\n\n"
    licenses = [
        (source, name, f"{count:,}")
        for source, found in lineage.licenses().items()
        for name, count in _shortened(found).items()
    ]
    return text + _table("Licences of the training documents", ("source", "licence", "documents"), licenses)


def _split_rows(split: str, ledger: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each source of a split, or one for all where the ledger knows no sources."""
    documents = ledger.get("documents_by_source") or {"all": ledger["documents"]}
    for source, tokens in (ledger.get("tokens_by_source") or {"all": ledger["tokens"]}).items():
        count = documents.get(source)
        yield split, source, "not counted" if count is None else f"{count:,}", f"{tokens:,}"


def _shortened(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the most frequent counts, the others as one."""
    items = list(counts.items())
    rest = items[LICENSES_SHOWN:]
    return dict(items[:LICENSES_SHOWN]) | ({f"{len(rest)} others": sum(n for _, n in rest)} if rest else {})


def _provenance(checkpoint: Checkpoint, lineage: Lineage) -> str:
    rows = [(stage, found.fingerprint) for stage, found in sorted(lineage.manifests.items())]
    if "pack" not in lineage.manifests:
        rows.append(("pack (not at hand)", checkpoint.tokens_fingerprint))
    return _table("Provenance", ("stage", "fingerprint"), rows)


def _table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [" | ".join(row) for row in (heads, ("---",) * len(heads), *rows)]
    return "\n".join([f"## {title}", "", *(f"| {line} |" for line in lines)])
