"""Likelihood of ends: equal to transformers' logits of each whole text, read one by one, and to lm_eval's numbers."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from corpus.errors import CorruptError, UsageError
from corpus.qa.predictions import read_predictions
from corpus.qa.prompts import Prompt, choose_examples, prompt_of
from corpus.qa.question import Question
from corpus.qa.store import write_questions
from tests.train.qa.models import WORDS, gpt2, loud, planted_choice, planted_labels, word_tokenizer, write_bert
from train.export.backbone import load_backbone
from train.model.backbone import Backbone
from train.qa import likelihood
from train.qa.config import EvaluateConfig
from train.qa.evaluation import evaluate
from train.qa.likelihood import score_ends, score_prompts
from train.qa.result_lines import result_lines


def write_decoder(folder: Path, family: str) -> Path:
    """Write a random decoder with its head, and return its directory."""
    if family == "gpt2":
        model: Any = GPT2LMHeadModel(gpt2().config)
    else:
        sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
        config = LlamaConfig(
            vocab_size=len(WORDS) + 2, num_key_value_heads=2, max_position_embeddings=96, pad_token_id=1,
            bos_token_id=1, eos_token_id=1, **sizes,
        )  # fmt: skip
        model = LlamaForCausalLM(config)
    torch.manual_seed(3)
    loud(model).save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def decoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """Return a random decoder with its head."""
    folder = write_decoder(tmp_path_factory.mktemp(request.param), request.param)
    return load_backbone(str(folder), lambda line: None, language_model=True)


word = st.sampled_from(WORDS)
texts = st.lists(word, min_size=1, max_size=110).map(" ".join)
ends = st.lists(st.lists(word, min_size=1, max_size=4).map(lambda found: " " + " ".join(found)), min_size=2, max_size=5)


@settings(max_examples=25)
@given(text=texts, found=ends)
def test_ends_have_the_log_likelihoods_of_whole_texts(decoder: Backbone, text: str, found: list[str]) -> None:
    scored = score_ends(decoder, Prompt(text=text, ends=tuple(found)))
    room = 96 - max(len(end.split()) for end in found) + 1
    kept = text.split()[-room:]
    assert scored.truncated_tokens == max(0, len(text.split()) - room)
    for end, own, normed in zip(found, scored.sums, scored.per_character, strict=True):
        ids = torch.tensor([decoder.text.encode(" ".join(kept) + end)])
        with torch.no_grad():
            logs = decoder.model(ids[:, :-1]).logits[0].log_softmax(1)
        added = len(end.split())
        expected = logs.gather(1, ids[0, 1:, None])[-added:].sum().item()
        assert own == pytest.approx(expected, abs=1e-4)
        assert normed == pytest.approx(expected / (len(end) - 1), abs=1e-4)


@settings(max_examples=12)
@given(
    asked=st.lists(st.tuples(texts, ends), min_size=2, max_size=7),
    beginning=st.sampled_from(["", "w1 w2 w3", " ".join(WORDS[:30])]),
    batch=st.integers(1, 8),
)
def test_a_batch_gives_what_its_prompts_give_alone(
    decoder: Backbone, asked: list[tuple[str, list[str]]], beginning: str, batch: int
) -> None:
    prompts = [Prompt(text=f"{beginning} {text}".strip(), ends=tuple(found)) for text, found in asked]
    told: list[int] = []
    together = score_prompts(decoder, prompts, batch=batch, done=told.append)
    assert sum(told) == len(prompts)
    for prompt, own in zip(prompts, together, strict=True):
        alone = score_ends(decoder, prompt)
        assert own.sums == pytest.approx(alone.sums, abs=5e-5)
        assert own.per_character == pytest.approx(alone.per_character, abs=5e-5)
        assert (own.tokens, own.truncated_tokens) == (alone.tokens, alone.truncated_tokens)


@pytest.mark.parametrize("guard", ["mask", "positions"])
def test_padding_that_is_seen_would_show(decoder: Backbone, guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out what hides padding from the ends: the property above must fail."""
    prompts = [Prompt(text=" ".join(WORDS[:size]), ends=(" w1 w2", " w3 w4")) for size in (16, 20)]
    alone = [score_ends(decoder, prompt).sums for prompt in prompts]
    run = likelihood._BatchReader._run

    def blind(self: Any, ids: Any, mask: Any, cache: Any, where: Any, **more: Any) -> Any:
        if guard == "mask":
            mask = torch.ones_like(mask)
        elif cache is not None:
            where = torch.full_like(where, int(mask.shape[1] - ids.shape[1])) + torch.arange(ids.shape[1])
        return run(self, ids, mask, cache, where, **more)

    monkeypatch.setattr(likelihood._BatchReader, "_run", blind)
    found = [one.sums for one in score_prompts(decoder, prompts, batch=2)]
    assert max(abs(a - b) for own, one in zip(found, alone, strict=True) for a, b in zip(own, one, strict=True)) > 1e-3


def test_a_family_that_forgets_reads_equal_lengths_together(tmp_path: Path) -> None:
    """A sliding window is counted in places of the cache: padding there would push a text's beginning out."""
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = MistralConfig(
        vocab_size=len(WORDS) + 2, num_key_value_heads=2, max_position_embeddings=96, sliding_window=8, pad_token_id=1,
        bos_token_id=1, eos_token_id=1, **sizes,
    )  # fmt: skip
    loud(MistralForCausalLM(config)).save_pretrained(tmp_path)
    word_tokenizer().save_pretrained(tmp_path)
    backbone = load_backbone(str(tmp_path), lambda line: None, language_model=True)
    prompts = [
        Prompt(text=" ".join(WORDS[size : size + length]), ends=(" w1 w2 w3", " w3", " w5 w5"))
        for size, length in enumerate((4, 20, 20, 11, 12, 4, 20))
    ]
    for prompt, own in zip(prompts, score_prompts(backbone, prompts, batch=4), strict=True):
        assert own.sums == pytest.approx(_whole_text(backbone, prompt), abs=1e-4)


def _whole_text(backbone: Backbone, prompt: Prompt) -> list[float]:
    """Return the log-likelihood of each end by transformers alone, the whole text read at once."""
    found = []
    for end in prompt.ends:
        ids = torch.tensor([backbone.text.encode(prompt.text + end)])
        with torch.no_grad():
            logs = backbone.model(ids[:, :-1]).logits[0].log_softmax(1)
        found.append(logs.gather(1, ids[0, 1:, None])[-len(end.split()) :].sum().item())
    return found


def test_prompts_are_these_texts() -> None:
    one = Question(id="1", task="t", split="test", text="Which?", options=("liver", "lung"), label=1)
    example = Question(id="2", task="t", split="train", text="Where?", options=("a", "b"), label=0)
    letters = prompt_of(one, "letters", examples=[example])
    assert letters.text == "Question: Where?\nA. a\nB. b\nAnswer: A\n\nQuestion: Which?\nA. liver\nB. lung\nAnswer:"
    assert letters.ends == (" A", " B")
    whole = prompt_of(one, "option-text")
    assert (whole.text, whole.ends) == ("Question: Which?\nAnswer:", (" liver", " lung"))
    labelled = Question(id="3", task="p", split="test", text="Q?", context=" C ", options=("no", "yes"), label=1)
    found = prompt_of(labelled, "letters", labels=True)
    assert (found.text, found.ends) == ("Abstract: C\nQuestion: Q?\nAnswer:", (" no", " yes"))


def test_examples_are_drawn_by_the_seed_and_have_answers() -> None:
    questions = planted_choice(30, "train", seed=1)
    drawn = choose_examples(questions, 5, seed=3)
    assert drawn == choose_examples(questions, 5, seed=3) != choose_examples(questions, 5, seed=4)
    assert len({one.id for one in drawn}) == 5


def test_a_language_model_is_evaluated_and_printed(tmp_path: Path) -> None:
    asked = [*planted_choice(12, "test", seed=1), *planted_choice(8, "train", seed=1)]
    asked += planted_labels(10, "test", seed=1)
    write_questions(asked, str(tmp_path / "questions"))
    model = write_decoder(tmp_path / "model", "gpt2")
    config = EvaluateConfig(task="planted,planted-labels", method="likelihood", format="letters,option-text", limit=10)
    words = {"model": str(model), "questions": str(tmp_path / "questions"), "output": str(tmp_path / "out")}
    evaluate(config, **words)
    rows = read_predictions(words["output"])
    assert len(rows) == 2 * 3 * 10
    everything = result_lines(words["output"], words["questions"])
    # To a tokenizer of whole words all letters are one unknown word, and so equally likely.
    assert everything[1].startswith("  10 of its choices hang on less than 0.0001 nats")
    assert "a thousand questions, option-text: " in everything[-1]
    lines = [line for line in everything if not line.startswith(" ")]
    assert len(lines) == 6
    right = sum(row.choice == row.gold for row in rows if (row.task, row.format) == ("planted", "letters"))
    assert lines[0].startswith(f"planted test 10: {10 * right:.1f}, 95 % ")
    assert "majority" in lines[0]
    assert "longest" in lines[0]
    assert lines[0].endswith("format letters, 0 truncated")
    before = (tmp_path / "out" / "predictions.parquet").read_bytes()
    evaluate(config, **words)
    assert (tmp_path / "out" / "predictions.parquet").read_bytes() == before
    check_seconds_stay_beside(config, words)
    with pytest.raises(UsageError, match="0 questions to take worked examples from"):
        evaluate(
            EvaluateConfig(task="planted-labels", method="likelihood", shots=1),
            **words | {"output": str(tmp_path / "x")},
        )


def check_seconds_stay_beside(config: EvaluateConfig, words: dict[str, str]) -> None:
    """Hold that the same answers have the same manifest however long they took, and the lines say how long."""
    out = Path(words["output"])
    assert result_lines(str(out), words["questions"])[-1].endswith(" s")
    (out / "run.json").unlink()
    assert result_lines(str(out), words["questions"])[-1].endswith(" written")
    again = words | {"output": str(out.parent / "again")}
    evaluate(config, **again)
    assert (out.parent / "again" / "manifest.json").read_bytes() == (out / "manifest.json").read_bytes()


def test_what_cannot_answer_is_refused(tmp_path: Path) -> None:
    write_questions(planted_choice(4, "test", seed=1), str(tmp_path / "questions"))
    words = {"questions": str(tmp_path / "questions"), "output": str(tmp_path / "out")}
    with pytest.raises(UsageError, match=r"not a result of .*--method likelihood"):
        evaluate(EvaluateConfig(task="planted"), model=str(write_bert(tmp_path / "bert")), **words)
    with pytest.raises(CorruptError, match=r"lacks 6 weights .* cls\.predictions\.bias"):
        evaluate(EvaluateConfig(task="planted", method="likelihood"), model=str(tmp_path / "bert"), **words)


def test_the_harness_is_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--engine lm_eval` gives the scores of ours; without the library it says what to install."""
    folder = write_decoder(tmp_path / "model", "gpt2")
    questions = [*planted_choice(12, "test", seed=1), *planted_labels(12, "test", seed=1)]
    write_questions(questions, str(tmp_path / "questions"))
    words = {"model": str(folder), "questions": str(tmp_path / "questions")}
    form = {"method": "likelihood", "task": "planted,planted-labels", "format": "letters,option-text"}
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "lm_eval.api.instance", None)
        with pytest.raises(UsageError, match=r"install it: pip install 'lm_eval>=0.4.13', or leave --engine out"):
            evaluate(EvaluateConfig(engine="lm_eval", **form), **words, output=str(tmp_path / "without"))
    with pytest.raises(ValueError, match="engine lm_eval is one of likelihood"):
        EvaluateConfig(engine="lm_eval")
    pytest.importorskip("lm_eval", reason="lm_eval is not installed")
    for engine in ("torch", "lm_eval"):
        evaluate(EvaluateConfig(engine=engine, **form), **words, output=str(tmp_path / engine))
    ours, theirs = (read_predictions(str(tmp_path / engine)) for engine in ("torch", "lm_eval"))
    assert [(row.id, row.format) for row in ours] == [(row.id, row.format) for row in theirs]
    for own, other in zip(ours, theirs, strict=True):
        assert own.scores == pytest.approx(other.scores, abs=1e-4)


@pytest.mark.exhaustive
def test_lm_eval_gives_the_same_numbers(tmp_path: Path) -> None:
    """Compare 24 questions by letters and option text with the harness; it is installed by whoever runs this."""
    pytest.importorskip("lm_eval", reason="lm_eval is not installed")
    from tests.benchmarks.qa_lm_eval import compare

    folder = write_decoder(tmp_path / "model", "llama")
    questions = planted_choice(24, "test", seed=1)
    for form in ("letters", "option-text"):
        found = compare(str(folder), questions, form, str(tmp_path / form))
        assert found.difference <= 1e-4
        assert found.accuracies == found.theirs
