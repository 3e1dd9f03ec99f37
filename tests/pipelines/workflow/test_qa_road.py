"""Section `qa` of a run: checked before any work, run to the tables, nothing done twice, same bytes after kills."""

import hashlib
import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.predictions import read_predictions
from corpus.qa.runs import runs_of
from corpus.stage import workspace
from corpus.stage.manifest import read_manifest
from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import main
from pipelines.inspection.verification import verify_directory
from pipelines.workflow.config import RunConfig, load, to_yaml
from pipelines.workflow.qa_road import DoneStages, run_qa
from pipelines.workflow.run import run_road
from tests.support.forked_ranks import start_server
from tests.support.small_tokens import learn, made_up_texts
from tests.train.qa.models import planted_choice, planted_labels, write_gpt2
from train.qa import kept_answers, steps

QUICK = {
    "learning_rates": [3e-3], "warmup_fraction": 0.1, "batch_questions": 8, "micro_batch": 4, "epochs": 2.0,
    "max_tokens": 32,
}  # fmt: skip
BAD = """\
work: out
extract: {pubmed: [a.xml.gz]}
qa:
  questions: [raw]
  finetune:
    medqa: {settings: {epoch: 3}}
    pubmedqa:
  evaluate:
    one: {finetune: medq}
    two: {settings: {method: heads}}
    three: {model: m, settings: {method: likelihood}}
"""


def write_planted(folder: Path) -> Path:
    """Write planted questions of both kinds as a user's own files: 24 to train on, 8 dev, 16 test."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", 24), ("dev", 8), ("test", 16)):
        found = [*planted_choice(count, split, seed=1), *planted_labels(count, split, seed=1)]
        names = ("id", "task", "split", "text", "context", "options", "label")
        lines = [json.dumps({name: getattr(one, name) for name in names}) for one in found]
        (folder / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def config_of(folder: Path, model: Path, *overrides: str, **more: Any) -> RunConfig:
    """Return a run whose questions are the planted ones: two fine-tunings, their heads and a likelihood evaluated."""
    section = {
        "questions": [str(folder / "raw")],
        "finetune": {
            "choice": {"model": str(model), "settings": {"task": "planted", "seeds": 2, **QUICK}},
            "planted-labels": {"model": str(model), "settings": {**QUICK, "epochs": 1.0}},
        },
        "references": "none",  # whose tables and figure cost more than all the rest
        "evaluate": {
            "heads": {"finetune": "choice"},
            "likely": {"model": str(model), "settings": {"task": "planted", "method": "likelihood"}},
        },
    }
    path = folder / "run.yaml"
    path.write_text(
        yaml.safe_dump({"work": str(folder / "work"), "extract": {"pubmed": ["a.xml"]}, "qa": section, **more})
    )
    return load(str(path), overrides)


def run(folder: Path, model: Path, *overrides: str) -> DoneStages:
    config = config_of(folder, model, *overrides)
    assert config.qa is not None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the server's forks have: sums depend on it
    try:
        return run_qa(config.qa, work=config.work, model=None)
    finally:
        torch.set_num_threads(threads)


def digest(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a run, but for what says how long it took."""
    base = folder / "work"
    of_the_run = ("run.json", ".lock", "events.jsonl")
    files = [path for path in sorted(base.rglob("*")) if path.is_file() and path.name not in of_the_run]
    return {str(path.relative_to(base)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a random GPT-2."""
    return write_gpt2(tmp_path_factory.mktemp("gpt2"))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with its questions, the same path for all: a question names its file."""
    return write_planted(tmp_path_factory.mktemp("planted") / "raw").parent


def test_everything_wrong_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(BAD)
    with pytest.raises(UsageError) as caught:
        load(str(path))
    assert f"{path}:6:24: qa.finetune.medqa.settings.epoch: unknown key 'epoch'; did you mean epochs?" in str(
        caught.value
    )
    with pytest.raises(UsageError) as caught:
        load(str(path), ["qa.finetune.medqa.settings={}"])
    lines = [line.strip().replace(str(path), "FILE") for line in str(caught.value).split("\n")[1:]]
    assert lines == [
        "FILE:6:5: qa.finetune.medqa: no model to fine-tune: the run has no section `train`; give `model`",
        "FILE:7:5: qa.finetune.pubmedqa: no model to fine-tune: the run has no section `train`; give `model`",
        "FILE:9:5: qa.evaluate.one: no fine-tuning is named 'medq'; there are medqa, pubmedqa; did you mean medqa?",
        "FILE:10:5: qa.evaluate.two: heads are those of a fine-tuning: name it by `finetune`, or set method: "
        "likelihood",
        "FILE:11:5: qa.evaluate.three: which task? Give settings: {task: …}",
    ]


def test_settings_begin_with_the_preset_of_the_task_and_set_reaches_them(tmp_path: Path, model: Path) -> None:
    write = {"qa.finetune.medqa": "{model: m}", "qa.finetune.medqa.settings.seeds": "2", "qa.references": "paper"}
    config = config_of(tmp_path, model, *(f"{name}={value}" for name, value in write.items()))
    assert config.qa is not None
    tuned = config.qa.finetune["medqa"].settings
    assert (tuned.task, tuned.seeds, tuned.epochs, tuned.warmup_fraction) == ("medqa", 2, 6, 0.5)
    assert config.qa.references == "paper"
    again = tmp_path / "again.yaml"
    again.write_text(to_yaml(config))
    assert load(str(again)) == config
    assert config_of(tmp_path, model, "qa=null").qa is None


@pytest.fixture(scope="module")
def whole(planted: Path, model: Path) -> dict[str, str]:
    """Return the digest of a run that nothing struck."""
    run(planted, model)
    found = digest(planted)
    storage.remove_tree(str(planted / "work"))
    return found


def test_the_road_to_the_tables_and_again(
    planted: Path, model: Path, whole: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(planted, model)
    assert [*done] == [
        "questions", "finetune choice", "finetune planted-labels", "evaluate heads", "evaluate likely", "results"
    ]  # fmt: skip
    assert digest(planted) == whole
    base = planted / "work" / "qa"
    rows = read_predictions(str(base / "evaluate" / "heads"))
    accuracy = sum(row.choice == row.gold for row in rows) / len(rows)
    page = (base / "results" / "results.md").read_text()
    own = next(line for line in page.splitlines() if line.startswith("| **evaluate/heads**"))
    assert f"{100 * accuracy:.1f} ±" in own
    assert "finetune/choice: the same answers as evaluate/heads, so they stand there once." in page
    assert "planted-labels" in page
    assert "BioMedLM" not in page
    capsys.readouterr()
    assert run(planted, model)["results"][1] == done["results"][1]
    assert capsys.readouterr().err.count("up to date") == 6
    assert verify_directory(str(planted / "work")).num_wrong == 0
    storage.remove_tree(str(planted / "work"))


POINTS: dict[str, tuple[Any, str]] = {
    "commit": (workspace.Workspace, "commit"), "step": (steps, "_train_step"),
    "scored": (kept_answers, "write_predictions"),
}  # fmt: skip


def run_struck(folder: Path, model: Path, point: str, count: int) -> None:
    """Run, and be killed when a function is called for the `count`-th time."""
    owner, name = POINTS[point]
    before, calls = getattr(owner, name), [0]

    def struck(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return before(*arguments, **named)

    setattr(owner, name, struck)
    run(folder, model)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "count"),
    [("step", 4), ("scored", 2), ("commit", 6)],
)
def test_killed_at_any_point_the_same_run_gives_the_same_bytes(
    planted: Path, model: Path, whole: dict[str, str], point: str, count: int
) -> None:
    start_server()
    victim = multiprocessing.get_context("forkserver").Process(target=run_struck, args=(planted, model, point, count))
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    run(planted, model)
    assert digest(planted) == whole
    storage.remove_tree(str(planted / "work"))


@pytest.mark.slow
def test_the_whole_road_from_xml_to_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = write_sample(str(tmp_path / "raw"), seed=1, scale=0.02)
    write_planted(tmp_path / "asked")
    written = {
        "work": str(tmp_path / "work"),
        "extract": {"pubmed": list(sample.pubmed), "pmc": []},
        "assemble": {"validation": 0.2},
        "tokenizer": {"vocab_size": 400},
        "pack": {"seq_length": 64},
        "train": {
            "config": "tiny", "ranks": 1, "steps": 2,
            "settings": {"model": {"layers": 1, "hidden": 32, "heads": 2}, "batch_rows": 2, "micro_batch": 2},
        },
        "qa": {
            "questions": [str(tmp_path / "asked")],
            "finetune": {"planted": {"settings": {**QUICK, "epochs": 1.0}}},
            "evaluate": {"likely": {"settings": {"task": "planted", "method": "likelihood", "limit": 4}}},
        },
    }  # fmt: skip
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(written))
    assert main(["run", str(path)]) == 0
    first = capsys.readouterr()
    assert "  finetune planted: planted, 1 runs, learning rate 0.003: test " in first.out
    assert main(["run", str(path)]) == 0
    again = capsys.readouterr()
    assert again.out == first.out
    assert again.err.count("up to date") == 9
    page = (tmp_path / "work/qa/results/results.md").read_text()
    assert "| BioMedLM | 2.7B | fine-tuned | open | 57.3 |" in page
    assert main(["verify", str(tmp_path / "work")]) == 0


def write_ablation(folder: Path) -> Path:
    """Write a run of two models that differ in the tokenizer, with all it reads; return the run file."""
    sample = write_sample(str(folder / "raw"), seed=1, scale=0.02)
    write_planted(folder / "asked")
    learn(made_up_texts(20, seed=1), 300).save(str(folder / "other.json"))
    tuned = {**QUICK, "task": "planted", "seeds": 2, "epochs": 1.0}
    written = {
        "work": str(folder / "work"),
        "extract": {"pubmed": list(sample.pubmed), "pmc": []},
        "assemble": {"validation": 0.2},
        "tokenizer": {"vocab_size": 400},
        "tokenizers": {"other": str(folder / "other.json")},
        "pack": {"seq_length": 64},
        "train": {
            "config": "tiny", "ranks": 1, "steps": 2, "name": "ours",
            "settings": {"model": {"layers": 1, "hidden": 32, "heads": 2}, "batch_rows": 2, "micro_batch": 2},
        },
        "qa": {
            "questions": [str(folder / "asked")],
            "references": "none",
            "finetune": {"ours": {"settings": tuned}, "other": {"tokenizer": "other", "settings": tuned}},
        },
    }  # fmt: skip
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(written))
    return path


@pytest.mark.slow
def test_one_file_trains_and_compares_two_tokenizers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_ablation(tmp_path)
    assert main(["run", str(path)]) == 0
    first = capsys.readouterr()
    work = tmp_path / "work"
    packs = [read_manifest(str(work / "tokens" / name), "pack") for name in ("clean", "clean-other")]
    text = [{role: split["text_bytes"] for role, split in one.summary["splits"].items()} for one in packs]
    assert text[0] == text[1]  # the same text, in other tokens
    assert packs[0].summary["tokens"] != packs[1].summary["tokens"]
    models = [read_manifest(str(work / "runs" / name), "train") for name in ("ours", "ours-other")]
    sizes = [one.summary["parameters"] for one in models]
    assert sizes[0] - sizes[1] == (400 - 300) * 32  # embedding rows, and nothing else
    assert main(["run", str(path)]) == 0
    again = capsys.readouterr()
    assert again.out == first.out
    assert again.err.count("up to date") == 11
    assert main(["verify", str(work)]) == 0
    capsys.readouterr()
    folders = [str(work / "qa/finetune" / name) for name in ("other", "ours")]
    assert main(["qa", "compare", *folders]) == 0
    shown = capsys.readouterr().out
    rows = [runs_of(name, name, read_manifest(name))[0].predictions for name in folders]
    tests = [[row for row in found if row.split == "test"] for found in rows]
    assert sorted({row.seed for row in tests[0]}) == [0, 1]
    rates = [sum(row.gold == row.choice for row in found) / len(found) for found in tests]
    block = shown[shown.index("planted test: 16 items, seeds 0, 1, paired by (seed, item)") :]
    assert f"  {100 * rates[0]:.2f}  {folders[0]}" in block
    assert f"  difference {100 * (rates[1] - rates[0]):+.2f}, 95 % " in block


def test_further_tokenizers_are_checked_before_any_work(tmp_path: Path) -> None:
    path = write_ablation(tmp_path)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UsageError, match=r"tokenizers.other: .*other.json: no tokenizer.json of Hugging Face"):
        load(str(path))
    with pytest.raises(UsageError, match=r"qa.finetune.other: give `tokenizer` or `model`, .* tokenizers: none"):
        load(str(path), ["tokenizers={}"])
    (tmp_path / "other.json").unlink()
    with pytest.raises(UsageError, match=r"other.json: no such file"):
        run_road(load(str(path)))
    assert not (tmp_path / "work").exists()
