"""Runs of models of transformers' library: our own GPT-2's losses, one curve for every layout, resumed to the byte, out
again as transformers, and into question answering."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from corpus.errors import RetryError, UsageError
from corpus.qa.store import write_questions
from corpus.stage.manifest import read_manifest
from pipelines.cli.app import main
from pipelines.inspection.verification import verify_directory
from tests.support.foreign_models import RECIPE, recipe, write_model
from tests.support.forked_ranks import fork_ranks
from tests.support.kept_tokenizers import END, folder_of, ids_of, truth
from tests.support.small_corpus import mixed_corpus
from tests.support.small_tokens import made_up_texts, write_tokens
from tests.tokenizer.test_given import pack
from tests.train.qa.models import planted_choice
from tokenizer.mixture import plan_mixture
from tokenizer.token_rows import TokenRows
from train.checkpoint.store import newest_good
from train.config import TrainConfig
from train.export.backbone import load_backbone
from train.export.config import ExportConfig
from train.export.stage import export
from train.export.weights import read_weights
from train.foreign import ForeignShape
from train.job import read_job, read_shape
from train.launch.forecast import forecast_train
from train.launch.stage import train
from train.loop.metrics import read_metrics
from train.qa.config import EvaluateConfig, finetune_config
from train.qa.evaluation import evaluate
from train.qa.stage import finetune

STEADY = {"learning_rate": 3e-3, "warmup_steps": 0, "final_lr_fraction": 1.0, "eval_every": 100, "sample_tokens": 0}


@dataclass(frozen=True, kw_only=True)
class Made:
    """Tokens, and directories of models with their tokenizer."""

    base: Path
    tokens: str
    llama: Path
    qwen: Path
    gpt2: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    base = tmp_path_factory.mktemp("foreign")
    tokens = str(write_tokens(base / "tokens", made_up_texts(40, seed=1), vocab_size=300, seq_length=64))
    return Made(
        base=base,
        tokens=tokens,
        llama=write_model(base / "llama", "llama", tokens, shards=True),
        qwen=write_model(base / "qwen", "qwen2", tokens),
        gpt2=write_model(base / "gpt2", "gpt2", tokens, vocab_size=300),
    )


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    fork_ranks(monkeypatch)


@pytest.fixture(scope="module")
def finished(made: Made) -> Path:
    """A Llama trained for some steps, with ranks of its own process."""
    output = made.base / "finished"
    train(recipe(made.llama), tokens=made.tokens, output=str(output))
    return output


def losses(output: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(str(output)) if "loss" in line]


def first_rows(made: Made, config: TrainConfig, step: int = 0) -> torch.Tensor:
    rows = TokenRows(made.tokens, "train")
    chosen = plan_mixture(rows, None).rows_in(config.batches.places(step), seed=config.seed)
    return torch.from_numpy(rows.rows(chosen).astype("int64"))


def test_a_gpt2_has_the_losses_of_our_own_model(made: Made, tmp_path: Path) -> None:
    """Ten steps from the same weights: transformers' module and ours, each through the whole of `train`."""
    steady = {**STEADY, "steps": 10}
    theirs = recipe(made.gpt2, **steady)
    sizes = {"layers": 2, "heads": 2, "hidden": 32, "scale_attn_by_inverse_layer_idx": False}
    ours = TrainConfig.model_validate({**RECIPE, **steady, "model": sizes, "init": str(made.gpt2)})
    for name, config in (("theirs", theirs), ("ours", ours)):
        train(config, tokens=made.tokens, output=str(tmp_path / name))
    found = losses(tmp_path / "theirs")
    assert found == pytest.approx(losses(tmp_path / "ours"), abs=1e-5)
    assert len(found) == 10
    assert found[-1] < found[0] - 0.3
    last = [read_metrics(str(tmp_path / name))[-1] for name in ("theirs", "ours")]
    assert last[0]["validation_loss"] == pytest.approx(last[1]["validation_loss"], abs=1e-5)


@pytest.mark.parametrize("family", ["llama", "qwen"])
def test_the_first_loss_is_transformers_own_and_losses_fall(made: Made, family: str, tmp_path: Path) -> None:
    folder = getattr(made, family)
    config = recipe(folder, **STEADY, document_mask=False)
    train(config, tokens=made.tokens, output=str(tmp_path / "run"))
    ids = first_rows(made, config)
    with torch.no_grad():
        expected = float(AutoModelForCausalLM.from_pretrained(folder)(input_ids=ids, labels=ids).loss)
    found = losses(tmp_path / "run")
    assert found[0] == pytest.approx(expected, abs=2e-6)
    assert found[-1] < found[0] - 0.3


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llama", "qwen"])
def test_every_layout_has_one_curve(made: Made, family: str, tmp_path: Path) -> None:
    """ZeRO 0 to 3, one and two ranks, gradients summed over one, two or four micro-batches."""
    folder, curves = getattr(made, family), {}
    layouts = [(stage, ranks, 2) for stage in (0, 1, 2, 3) for ranks in (1, 2)] + [(1, 1, 1), (1, 1, 4)]
    for stage, ranks, micro_batch in layouts if family == "llama" else layouts[::3]:
        name = f"{stage}-{ranks}-{micro_batch}"
        config = recipe(folder, **STEADY, zero_stage=stage, ranks=ranks, micro_batch=micro_batch)
        train(config, tokens=made.tokens, output=str(tmp_path / name))
        curves[name] = losses(tmp_path / name)
    first = curves["0-1-2"]
    for name, curve in curves.items():
        assert curve == pytest.approx(first, abs=2e-5), name


def test_bf16_computes_what_transformers_does(made: Made, tmp_path: Path) -> None:
    """Its weights and its module in bf16, rotary frequencies in fp32 as transformers loads them."""
    config = recipe(made.llama, **STEADY, precision="bf16")
    train(config, tokens=made.tokens, output=str(tmp_path / "run"))
    ids = first_rows(made, config)
    model = AutoModelForCausalLM.from_pretrained(made.llama, dtype=torch.bfloat16)
    with torch.no_grad():
        halves = [float(model(input_ids=rows, labels=rows).loss) for rows in ids.split(2)]
    assert losses(tmp_path / "run")[0] == pytest.approx(sum(halves) / 2, abs=2e-3)
    # The exported masters are fp32: after eight steps they are no rounded numbers.
    checkpoint = newest_good(str(tmp_path / "run"), pytest.fail)
    shape = read_shape(checkpoint.recipe["model"])
    weights = read_weights(str(tmp_path / "run"), checkpoint, shape)
    tensor = weights["model.model.layers.0.mlp.up_proj.weight"]
    assert not torch.equal(tensor, tensor.bfloat16().float())


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_bytes(
    made: Made, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed twice, the directory of the model gone since the start; the same metrics and the same manifest."""
    folder = shutil.copytree(made.llama, tmp_path / "model")
    config = recipe(folder)
    for point, resume in (
        ("train.loop.train_steps:gradient_norm:before:5", False),
        ("train.checkpoint.store:write_list:before:2", True),
    ):
        monkeypatch.setenv("CORPUSCLE_KILL", point)
        with pytest.raises(RetryError, match="killed by SIGKILL"):
            train(config, tokens=made.tokens, output=str(tmp_path / "run"), resume=resume)
        shutil.rmtree(folder, ignore_errors=True)
    monkeypatch.delenv("CORPUSCLE_KILL")
    train(config, tokens=made.tokens, output=str(tmp_path / "run"), resume=True)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()
    assert read_manifest(str(tmp_path / "run")) == read_manifest(str(finished))


@pytest.mark.slow
def test_it_goes_on_at_other_ranks_and_stages(made: Made, tmp_path: Path) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    train(recipe(made.qwen, **STEADY), tokens=made.tokens, output=str(whole))
    for steps, ranks, stage in ((3, 1, 0), (6, 2, 2), (8, 1, 1)):
        config = recipe(made.qwen, **STEADY, ranks=ranks, zero_stage=stage)
        train(config, tokens=made.tokens, output=str(run), steps=steps, resume=steps > 3)
    assert losses(run) == pytest.approx(losses(whole), abs=2e-5)


def test_another_model_is_no_continuation(made: Made, finished: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", "llama", made.tokens, intermediate_size=48)
    with pytest.raises(UsageError, match=r"made with something else:\n  steps: 8 there.*\n  input only there: init"):
        train(recipe(other, steps=9), tokens=made.tokens, output=str(finished), resume=True)
    assert verify_directory(str(finished)).num_wrong == 0, "what was refused took nothing away"


@pytest.mark.parametrize("kind", ["folded", "faithful"])
def test_its_export_is_what_was_trained(made: Made, finished: Path, kind: Any, tmp_path: Path) -> None:
    export(ExportConfig(formats=(kind,)), run=str(finished), output=str(tmp_path / "out"))
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / kind)
    checkpoint = newest_good(str(finished), pytest.fail)
    shape = read_shape(checkpoint.recipe["model"])
    assert isinstance(shape, ForeignShape)
    tensors = {
        name.removeprefix("model."): tensor for name, tensor in read_weights(str(finished), checkpoint, shape).items()
    }
    oracle = AutoModelForCausalLM.from_pretrained(made.llama)
    before = {name: parameter.detach().clone() for name, parameter in oracle.named_parameters()}
    oracle.load_state_dict(tensors, strict=False)
    assert {*tensors} == {*before}
    assert all(not torch.equal(tensor, before[name]) for name, tensor in tensors.items())
    ids = first_rows(made, recipe(made.llama))
    with torch.no_grad():
        torch.testing.assert_close(again(input_ids=ids).logits, oracle(input_ids=ids).logits, atol=1e-5, rtol=0)
    stated, own = (json.loads((path / "config.json").read_text()) for path in (made.llama, tmp_path / "out" / kind))
    for content in (stated, own):
        content.pop("transformers_version")
        content.pop("dtype")
    assert stated == own
    card = (tmp_path / "out" / "README.md").read_text()
    fingerprint = checkpoint.recipe["init"]
    assert f"A LlamaForCausalLM of transformers, begun with the weights of the model `{fingerprint[:12]}`" in card


def test_other_formats_are_refused_by_name(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gguf-f16, ct2-int8 are written of our own GPT-2 alone, and this is a Llama"):
        export(
            ExportConfig(formats=("gguf-f16", "folded", "ct2-int8")), run=str(finished), output=str(tmp_path / "out")
        )


def test_a_scale_in_the_configuration_is_not_folded(made: Made, tmp_path: Path) -> None:
    scaled = write_model(tmp_path / "scaled", "gpt2", made.tokens, scale_attn_by_inverse_layer_idx=True, vocab_size=300)
    train(recipe(scaled, steps=1), tokens=made.tokens, output=str(tmp_path / "run"))
    with pytest.raises(UsageError, match=r"attention scale of this GPT2LMHeadModel .* give --format faithful"):
        export(ExportConfig(), run=str(tmp_path / "run"), output=str(tmp_path / "out"))
    export(ExportConfig(formats=("faithful",)), run=str(tmp_path / "run"), output=str(tmp_path / "out"))


def test_verbs_that_read_a_run_read_this_one(
    made: Made, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", str(finished), "--output", str(out), "--check", "200"]) == 0
    assert "each token off by 0.000000 nats" in capsys.readouterr().out
    assert main(["verify", str(finished)]) == 0
    for model in (finished, out):
        assert main(["generate", str(model), "--prompt", "bada", "--max-tokens", "5", "--temperature", "0"]) == 0
    texts = [line for line in capsys.readouterr().out.splitlines() if line.startswith("bada")]
    assert len(texts) == 2
    assert texts[0] == texts[1]
    weights = next(finished.glob("checkpoints/*/model.safetensors"))
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    damaged = shutil.copytree(finished, tmp_path / "damaged")
    (damaged / weights.relative_to(finished)).write_bytes(raw)
    assert main(["verify", str(damaged)]) != 0


def test_questions_are_scored_by_a_run_as_by_its_export(made: Made, finished: Path, tmp_path: Path) -> None:
    questions = str(tmp_path / "questions")
    write_questions(planted_choice(6, "test", seed=1), questions)
    out = tmp_path / "out"
    export(ExportConfig(), run=str(finished), output=str(out))
    results = []
    for name, model in (("run", finished), ("export", out)):
        config = EvaluateConfig(task="planted", method="likelihood", format="letters")
        results.append(evaluate(config, model=str(model), questions=questions, output=str(tmp_path / name)))
    assert results[0].summary == results[1].summary
    body = load_backbone(str(finished), print, dropout=0.1)
    assert (body.facts.model_type, type(body.model).__name__) == ("llama", "LlamaModel")


def test_the_documented_road_of_a_model_with_its_own_tokenizer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tokens packed by the model's directory, ids of four bytes; continued, exported, checked, fine-tuned."""
    corpus, tokens = str(tmp_path / "corpus"), str(tmp_path / "tokens")
    run, out = str(tmp_path / "run"), str(tmp_path / "out")
    mixed_corpus(Path(corpus))
    model = folder_of(tmp_path / "model", "llama", eos=END)
    pack(corpus, model, Path(tokens))
    rows = TokenRows(tokens, "train")
    assert rows.vocab_size > 65_536
    write_model(Path(model), "llama", None, vocab_size=rows.vocab_size + 6, hidden_size=16, intermediate_size=32)
    lines = [f"{name}: {json.dumps(value)}" for name, value in (RECIPE | {"document_mask": True}).items()]
    (tmp_path / "recipe.yaml").write_text("\n".join(lines) + "\n")
    places = ["--tokens", tokens, "--config", str(tmp_path / "recipe.yaml")]
    assert main(["train", "--model", f"hf:{model}", *places, "--output", run]) == 0
    found = losses(Path(run))
    assert found[-1] < found[0]
    assert main(["export", run, "--output", out, "--check", "64"]) == 0
    assert "each token off by 0.000000 nats" in capsys.readouterr().out
    again = AutoTokenizer.from_pretrained(Path(out) / "folded")
    assert again("TNF-α", add_special_tokens=False).input_ids == ids_of(truth("llama"), "TNF-α")
    questions = [*planted_choice(8, "train", seed=1), *planted_choice(4, "dev", seed=1)]
    write_questions(questions, str(tmp_path / "questions"))
    settings = {"task": "planted", "epochs": 1, "batch_questions": 4, "micro_batch": 2, "max_tokens": 48}
    tuned = finetune(
        finetune_config(None, settings),
        model=run,
        questions=str(tmp_path / "questions"),
        output=str(tmp_path / "tuned"),
    )
    assert tuned.summary["runs"]
    (Path(model) / "tokenizer_config.json").write_text('{"eos_token": {"content": "no token of transformers"}}')
    with pytest.raises(UsageError, match="model: transformers cannot read it: Special token eos_token"):
        load_backbone(model, print)


def test_another_vocabulary_is_refused_and_taken_by_request(made: Made, tmp_path: Path) -> None:
    tokens = str(write_tokens(tmp_path / "tokens", made_up_texts(40, seed=8), vocab_size=330, seq_length=64))
    with pytest.raises(UsageError, match=r"312 rows, .* 330 entries.*--set resize_vocabulary=true"):
        train(recipe(made.llama), tokens=tokens, output=str(tmp_path / "run"))
    same_size = str(write_tokens(tmp_path / "same", made_up_texts(40, seed=8), vocab_size=300, seq_length=64))
    with pytest.raises(UsageError, match=r"another tokenizer: \d+ of their 300 entries .*pack --tokenizer .*llama`"):
        train(recipe(made.llama), tokens=same_size, output=str(tmp_path / "run"))
    train(recipe(made.llama, resize_vocabulary=True, steps=1), tokens=tokens, output=str(tmp_path / "run"))
    checkpoint = newest_good(str(tmp_path / "run"), pytest.fail)
    shape = read_shape(checkpoint.recipe["model"])
    assert isinstance(shape, ForeignShape)
    assert (shape.rows, shape.vocab_size, shape.config["eos_token_id"]) == (330, 330, 329)
    weights = read_weights(str(tmp_path / "run"), checkpoint, shape)
    assert weights["model.lm_head.weight"].shape == weights["model.model.embed_tokens.weight"].shape == (330, 32)
    # The rate of the first step is 0: an entry that both have keeps its row, in the head too.
    old = AutoModelForCausalLM.from_pretrained(made.llama)
    theirs, ours = (
        json.loads((Path(place) / "tokenizer.json").read_text())["model"]["vocab"] for place in (made.llama, tokens)
    )
    both = [token for token in ours if token in theirs]
    assert 256 <= len(both) < 330
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        rows = old.get_parameter(name)
        for token in both:
            assert torch.equal(weights[f"model.{name}"][ours[token]], rows[theirs[token]])


def test_weights_can_be_drawn_anew_from_the_configuration_alone(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    shutil.copy(made.llama / "config.json", folder)
    train(recipe(folder, weights="fresh", **STEADY), tokens=made.tokens, output=str(tmp_path / "run"))
    found = losses(tmp_path / "run")
    assert found[0] == pytest.approx(5.74, abs=0.1)  # log 312
    assert found[-1] < found[0] - 0.3
    with pytest.raises(UsageError, match="transformers cannot"):
        train(recipe(folder), tokens=made.tokens, output=str(tmp_path / "files"))


def test_the_command_takes_a_recipe_without_a_shape(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is refused says what to do, and what it says works."""
    lines = [f"{name}: {json.dumps(value)}" for name, value in RECIPE.items()]
    (tmp_path / "recipe.yaml").write_text("\n".join(lines) + "\n")
    (tmp_path / "shaped.yaml").write_text("\n".join([*lines, "model: {layers: 1, heads: 2, hidden: 16}"]) + "\n")
    output = str(tmp_path / "run")

    def command(config: str, *more: str) -> tuple[int, str]:
        places = ["--tokens", made.tokens, "--output", output, "--config", str(tmp_path / config)]
        code = main(["train", *places, *more])
        return code, capsys.readouterr().err

    hf = ["--model", f"hf:{made.llama}"]
    for config, more, said in (
        ("recipe.yaml", [], "no model: name its sizes (`model: {layers, heads, hidden}`), or give --model hf:DIR"),
        ("shaped.yaml", hf, "a configuration holds the recipe alone; take `model` out of it"),
        ("recipe.yaml", ["--model", str(made.llama)], "it is hf:DIR, a directory of transformers' form"),
        ("recipe.yaml", [*hf, "--init", str(made.gpt2)], "with --model hf:DIR the weights are that directory's"),
    ):
        code, told = command(config, *more)
        assert code == 2
        assert said in told
        assert not Path(output).exists()
    code, told = command("recipe.yaml", *hf, "--dry-run")
    assert code == 0
    assert command("recipe.yaml", *hf, "--steps", "1", "--set", "foreign.weights=fresh")[0] == 0
    job = read_job(output)
    assert isinstance(job.shape, ForeignShape)
    assert (job.config.steps, job.shape.architecture) == (1, "LlamaForCausalLM")
    ahead = forecast_train(job.config, tokens=made.tokens, output=output)
    assert (ahead.to_do, ahead.reused) == (0, 1)


def test_the_plan_of_a_model_says_memory_time_and_cost(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{name}: {json.dumps(value)}" for name, value in {**RECIPE, "precision": "bf16"}.items()]
    (tmp_path / "recipe.yaml").write_text("\n".join(lines) + "\n")
    asked = ["plan", "--config", str(tmp_path / "recipe.yaml"), "--model", f"hf:{made.llama}", "--tokens", made.tokens]
    assert main([*asked, "--gpus", "2", "--price", "3", "--grid", "100"]) == 0
    said = capsys.readouterr().out
    assert "LlamaForCausalLM of 2 layers of 32, bf16" in said
    assert "cost 0 at 3 a GPU-hour" in said
    assert "g a kWh" in said
    assert "exports     safetensors float32 0.00 GB, safetensors bfloat16 0.00 GB" in said
    assert main([*asked, "--gpus", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    shape = read_job(str(made.base / "finished")).shape if (made.base / "finished").exists() else None
    assert found["parameters"] == sum(p.numel() for p in AutoModelForCausalLM.from_pretrained(made.llama).parameters())
    assert shape is None or found["flops"] == 8 * 4 * 64 * shape.flops_per_token
    memory = found["memory_bytes_by_zero_stage"]
    assert memory["1"] > memory["2"] - 2_000_000_000 > 0
