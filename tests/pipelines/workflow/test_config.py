"""The run file: everything checked at once, every error with its place, and what is printed can be read again."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import UsageError
from corpus.storage.yaml_source import merge
from pipelines.workflow.config import RunConfig, load, schema_text, to_yaml

GOOD = """\
work: out
workers: 2
extract:
  pubmed: [a.xml.gz]
assemble: {threshold: 0.85, workers: 3}
train:
  name: first
  config: tiny
  ranks: 2
  settings:
    model: {layers: 3}
"""


def write(folder: Path, text: str) -> str:
    path = folder / "run.yaml"
    path.write_text(text)
    return str(path)


def problems(folder: Path, text: str, *overrides: str) -> list[str]:
    """Return the lines of the error that a file gives, with the file's name taken out."""
    path = write(folder, text)
    with pytest.raises(UsageError, match=r".") as caught:
        load(path, overrides)
    lines = [line.strip().replace(path, "FILE") for line in str(caught.value).split("\n")]
    return [line for line in lines if not line.endswith("things are wrong:")]


def test_a_good_file(tmp_path: Path) -> None:
    config = load(write(tmp_path, GOOD))
    assert (config.work, config.assemble.threshold) == ("out", 0.85)
    assert (config.extract.workers, config.assemble.workers, config.pack.workers) == (2, 3, 2)
    assert config.train is not None
    settings = config.train.effective()
    assert (settings.model.layers, settings.model.heads, settings.ranks) == (3, 4, 2)


def test_a_files_epochs_replace_its_presets_steps(tmp_path: Path) -> None:
    config = load(write(tmp_path, GOOD + "    epochs: 1.5\n"))
    assert config.train is not None
    assert (config.train.effective().steps, config.train.effective().epochs) == (0, 1.5)
    assert load(write(tmp_path, to_yaml(config))) == config
    chosen = load(write(tmp_path, GOOD + "    epochs: 1.5\n"), ["train.steps=9"]).train
    assert chosen is not None
    assert (chosen.effective().steps, chosen.effective().epochs) == (9, None)
    (line,) = problems(tmp_path, GOOD + "    epochs: 1.5\n    steps: 9\n")
    assert "`steps` or `epochs`, exactly one of them; both are given (9 and 1.5)" in line


def test_without_training_the_run_ends_with_tokens(tmp_path: Path) -> None:
    assert load(write(tmp_path, "work: out\nextract: {pmc: [a.xml]}\n")).train is None


def test_all_errors_at_once_each_with_its_place(tmp_path: Path) -> None:
    text = """\
work: out
extract:
  pubmed: [a.xml.gz]
asemble: {}
tokenizer:
  vocab_size: many
  sorce: pubmed
pack: {seq_length: 0}
pack: {seq_length: 64}
train:
  config: tiny
  settings:
    model:
      layer: 3
"""
    assert sorted(problems(tmp_path, text)) == [
        "FILE:14:7: train.settings.model.layer: unknown key 'layer'; did you mean layers?",
        "FILE:4:1: asemble: unknown key 'asemble'; did you mean assemble?",
        "FILE:6:3: tokenizer.vocab_size: input should be a valid integer, unable to parse string as an integer"
        " (got 'many')",
        "FILE:7:3: tokenizer.sorce: unknown key 'sorce'; did you mean source?",
        "FILE:9:1: key 'pack' is given twice",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("work: [a\n", "not valid YAML"),
        ("- a\n", "found a list of 1"),
        ("", "found nothing"),
        ("extract: {pubmed: [a]}\n", "'work' is required"),
        ("work: o\nextract: {}\n", "FILE:2:1: extract: give `pubmed` or `pmc` files"),
        (GOOD.replace("tiny", "tinny"), "FILE:8:3: tinny: neither a file nor a preset"),
        (GOOD.replace("work: out", "work: gs://bucket/out"), "FILE:1:1: work: training writes to a local disk"),
        (GOOD.replace("ranks: 2", "ranks: 3"), "batch_rows 4 is not a multiple"),
        (GOOD.replace("layers: 3", "layers: 3, seq_length: 512"), "model.seq_length is 512"),
        (GOOD.replace("layers: 3", "hidden: 130"), "hidden 130 is not a multiple of heads 4"),
    ],
)
def test_what_cannot_work_is_found_before_any_work(tmp_path: Path, text: str, expected: str) -> None:
    assert any(expected in line for line in problems(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.yaml: cannot be read"):
        load(str(tmp_path / "no.yaml"))


def test_overrides_are_yaml_and_name_themselves_in_errors(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    config = load(path, ["assemble.threshold=0.9", "extract.pmc=[x, y]", "train.settings.learning_rate=1e-4"])
    assert (config.assemble.threshold, config.extract.pmc) == (0.9, ("x", "y"))
    assert config.train is not None
    assert config.train.settings.learning_rate == 1e-4
    assert load(path, ["train=null"]).train is None
    assert problems(tmp_path, GOOD, "assemble.treshold=0.9", "noequals", "pack.seq_length=[") == [
        "--set noequals: expected a.b=value, for example --set assemble.threshold=0.85",
        "--set pack.seq_length: not valid YAML: expected the node content, but found '<stream end>'",
        "--set assemble.treshold: unknown key 'treshold'; did you mean threshold?",
    ]


def test_what_is_printed_reads_as_the_same_run(tmp_path: Path) -> None:
    config = load(write(tmp_path, GOOD), ["pack.seq_length=128"])
    assert load(write(tmp_path, to_yaml(config))) == config


def test_the_schema_describes_every_section() -> None:
    schema = json.loads(schema_text())
    stages = {"fetch", "extract", "assemble", "tokenizer", "tokenizers", "pack", "train", "evaluation_sets", "qa"}
    assert set(schema["properties"]) == {"work", "workers", *stages}
    assert schema["required"] == ["work"]
    assert not schema["$defs"]["TrainConfig"].get("required"), "a preset gives what a file leaves out"
    assert all(field["description"] for field in schema["$defs"]["AssembleConfig"]["properties"].values())


def test_the_runs_that_ship_are_valid(repository: Path) -> None:
    files = sorted((repository / "configs").glob("*.yaml"))
    assert {path.stem for path in files} >= {"demo", "sample", "shared-data", "biomedlm", "ablation"}
    for path in files:
        assert isinstance(load(str(path)), RunConfig)


NESTED = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
)
MAPPING = st.dictionaries(st.sampled_from("abc"), NESTED, max_size=3)


def leaves(tree: object, path: str = "") -> dict[str, object]:
    """Return the values of a tree by dotted path."""
    if not isinstance(tree, dict) or not tree:
        return {path: tree}
    return {name: value for key, inner in tree.items() for name, value in leaves(inner, f"{path}.{key}").items()}


@given(MAPPING, MAPPING)
def test_merging_keeps_every_value_of_the_top(base: dict[str, object], top: dict[str, object]) -> None:
    merged = merge(base, top)
    assert merge(merged, top) == merged
    assert set(merged) == set(base) | set(top)
    for path, value in leaves(top).items() if top else ():
        assert value == {} or leaves(merged)[path] == value
    assert yaml.safe_load(yaml.safe_dump(merged)) == merged


def test_a_tilde_is_the_home_in_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    text = "work: ~/out\nextract: {pubmed: [~/a.xml], pmc: [~/b, c~]}\nassemble: {evaluation: [~/e.json]}\n"
    config = load(write(tmp_path, text + "fetch: {pubmed: {spool: ~/spool}}\n"))
    assert (config.work, config.extract.pubmed) == ("/home/me/out", ("/home/me/a.xml",))
    assert (config.extract.pmc, config.assemble.evaluation) == (("/home/me/b", "c~"), ("/home/me/e.json",))
    assert config.fetch.pubmed is not None
    assert config.fetch.pubmed.spool == "/home/me/spool"
    (tmp_path / "ids").write_text("PMC7\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    fetched = load(write(tmp_path, "work: out\nfetch: {pmc: {ids: ~/ids}}\n")).fetch.pmc
    assert fetched is not None
    assert fetched.ids == ("7",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('work: "a\\0b"\nextract: {pubmed: [a]}\n', "FILE:1:1: work: a path cannot hold a NUL"),
        ("work: o\nextract: {pubmed: &a [*a]}\n", "an alias inside of what it names"),
        ("work: 2026-13-45\n", "not valid YAML: month must be in 1..12"),
        ("work: o\nextract: {1: 2}\n", "FILE:2:1: extract.1: keys should be strings (got 1)"),
    ],
)
def test_odd_yaml_is_a_mistake_of_the_file(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in line for line in problems(tmp_path, text))
