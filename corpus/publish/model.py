"""Published model: an export as a folder of the Hub, its files at their places and a card that says what it is for.

The transformers files stand at the top, other formats in folders of their own. The card is the export's own, with the
YAML completed; what nobody measured is said to be so.
"""

import json
import os
from collections.abc import Iterator
from typing import Any, Final

import yaml

from corpus import storage
from corpus.publish.card import table
from corpus.publish.config import PERSON, REVISION, STAGE, PublishConfig
from corpus.publish.sums import SUMS, sums_text
from corpus.stage.lock import RUN_FACTS, running_stage
from corpus.stage.manifest import Input, Manifest, Part, read_manifest
from corpus.stage.nearby import manifests_near
from corpus.stage.progress import progress, say
from corpus.stage.reading import check_content, held_for_reading
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from corpus.storage import parquet

_CARD: Final = "README.md"
_AT_THE_TOP: Final = "folded/"  # what transformers loads
_UNKNOWN: Final = "unknown"
_DATASETS: Final = ("pubmed", "pubmed-central")  # where no published data set is named

USES: Final = f"""## Intended use

Research on language models of biomedical text: continuing text, fine-tuning for questions and extraction.

**No medical advice.** It is no medical device, was not tested on patients, and must not decide about anybody's health.

## Limitations

- It continues text. What it writes can be wrong, outdated, invented or dangerous, as confident as what is right.
- It knows papers, of which some are wrong, were withdrawn later, or are about groups that are not yours.
- It was not aligned with instructions and refuses nothing. It can repeat passages of what it was trained on.
- Bias, safety and memorisation were not evaluated: {PERSON} if they were."""


def publish_model(config: PublishConfig, *, export: str, output: str) -> Manifest:
    """Publish an export and return the committed manifest; the same export and settings give the same bytes."""
    with held_for_reading(export), running_stage(output):
        exported = read_manifest(export, "export")
        near = manifests_near(export)
        known = {item.fingerprint for item in exported.inputs} | {exported.fingerprint}
        judged = [
            (folder, one)
            for folder, one in near
            if one.stage == "qa evaluate" and known & {item.fingerprint for item in one.inputs}
        ]
        workspace, manifest = plan_stage(
            output,
            stage=STAGE,
            revision=REVISION,
            config=config.identity(),
            inputs=[
                Input(name=one.stage, fingerprint=one.fingerprint) for one in (exported, *(one for _, one in judged))
            ],
            sources={export: exported},
        )
        if manifest is not None:
            say(f"{output}: up to date ({STAGE}, {manifest.fingerprint[:12]})")
            return manifest
        receipts = []
        with progress("publish", len(exported.parts)) as shown:
            for part in exported.parts:
                if part.role != "card":  # those of the export, one for each folder
                    receipts.append(_copy(export, part, workspace))
                shown.advance()
        cost = _cost(near, known, config)
        receipts.append(_write(workspace, _CARD, model_card(_text(export), config, judged=judged, cost=cost)))
        receipts.append(_write(workspace, SUMS, sums_text(part for receipt in receipts for part in receipt.parts)))
        summary = {"model": exported.summary.get("name", ""), "formats": sorted(exported.summary["format_bytes"])}
        manifest = workspace.commit(receipts, summary=summary)
        workspace.clean()
        return manifest


def model_card(text: str, config: PublishConfig, *, judged: list[tuple[str, Manifest]], cost: str) -> str:
    """Return an export's card with its YAML completed, and what it is for, where it fails and what it took."""
    _, front, body = text.split("---\n", 2)
    header: dict[str, Any] = yaml.safe_load(front)
    header = {
        "license": config.model_license or _UNKNOWN,
        "datasets": list(config.datasets or _DATASETS),
        **header,
    }
    evaluation = "\n\n".join(_evaluation(*one) for one in judged)
    evaluation = evaluation or "No question set was evaluated with this model; losses on held-out text stand above."
    sections = [body.strip(), USES, f"## Evaluation\n\n{evaluation}", f"## Energy\n\n{cost}"]
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---\n\n" + "\n\n".join(sections) + "\n"


def _evaluation(folder: str, manifest: Manifest) -> str:
    """Return the accuracy of each task, counted in the predictions that an evaluation kept."""
    paths = [storage.join(folder, part.path) for part in manifest.parts if part.path.endswith("predictions.parquet")]
    columns = ["task", "split", "gold", "choice"]
    counts: dict[tuple[str, str], list[int]] = {}
    for row in (row for path in paths for row in parquet.read_table(path, columns).to_pylist()):
        if row["gold"] is not None:
            count = counts.setdefault((row["task"], row["split"]), [0, 0])
            count[0] += 1
            count[1] += row["choice"] == row["gold"]
    rows = [(*name, f"{asked:,}", f"{right / asked:.1%}") for name, (asked, right) in sorted(counts.items())]
    heads = ("task", "split", "answers", "accuracy")
    return f"Of `{manifest.stage}` {manifest.fingerprint[:12]}, answers of all runs:\n\n{table(heads, rows)}"


def _cost(near: list[tuple[str, Manifest]], known: set[str], config: PublishConfig) -> str:
    """Return what training took as far as it was measured; energy only from a power that somebody states."""
    for folder, one in near:
        path = os.path.join(folder, RUN_FACTS)
        if one.stage == "train" and one.fingerprint in known and os.path.exists(path):
            with open(path, encoding="utf-8") as source:
                facts = json.load(source)
            hours = facts["wall_seconds"] / 3600
            said = f"Training took {hours:,.2f} hours on the wall and {facts['cpu_seconds'] / 3600:,.2f} of CPU."
            if config.watts:
                energy = hours * config.watts / 1e3
                return f"{said} At the {config.watts:g} W stated for all machines that is {energy:,.3f} kWh."
            return f"{said} Energy was not measured: {PERSON}, or the power of all machines by `--watts`."
    return f"What training took is not known here: {PERSON}."


def _text(export: str) -> str:
    with storage.open_read(storage.join(export, _CARD)) as source:
        return source.read().decode()


def _copy(export: str, part: Part, workspace: Workspace) -> Receipt:
    task = f"model/{part.path}"
    if done := workspace.finished(task):
        return done
    name, path = part.path.removeprefix(_AT_THE_TOP), storage.join(export, part.path)
    with storage.open_read(path) as source, storage.write_atomic(workspace.path(name)) as sink:
        for chunk in _chunks(source):
            sink.write(chunk)
    check_content(path, part.sha256)
    return workspace.finish(Receipt(task=task, parts=(workspace.measure(name, role=part.role, rows=part.rows),)))


def _chunks(source: Any) -> Iterator[bytes]:
    while chunk := source.read(storage.CHUNK):
        yield chunk


def _write(workspace: Workspace, name: str, text: str) -> Receipt:
    with storage.write_atomic(workspace.path(name)) as sink:
        sink.write(text.encode())
    return Receipt(task=name, parts=(workspace.measure(name, role="paper", rows=0),))
