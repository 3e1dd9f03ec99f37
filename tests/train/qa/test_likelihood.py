"""Likelihood of ends: equal to transformers' logits of each whole text, read one by one, and to lm_eval's numbers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from corpus.errors import CorruptError, UsageError
from corpus.qa.predictions import read_predictions
from corpus.qa.question import Question
from corpus.qa.store import write_questions
from tests.train.qa.models import WORDS, gpt2, loud, planted_choice, planted_labels, word_tokenizer, write_bert
from train.export.backbone import load_backbone
from train.model.backbone import Backbone
from train.qa.config import EvaluateConfig
from train.qa.evaluation import evaluate, result_lines
from train.qa.likelihood import score_ends
from train.qa.prompts import Prompt, choose_examples, prompt_of


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
    lines = result_lines(words["output"], words["questions"])
    assert len(lines) == 6
    right = sum(row.choice == row.gold for row in rows if (row.task, row.format) == ("planted", "letters"))
    assert lines[0].startswith(f"planted test 10: {10 * right:.1f}, 95 % ")
    assert "majority" in lines[0]
    assert "longest" in lines[0]
    assert lines[0].endswith("format letters, 0 truncated")
    before = (tmp_path / "out" / "predictions.parquet").read_bytes()
    evaluate(config, **words)
    assert (tmp_path / "out" / "predictions.parquet").read_bytes() == before
    with pytest.raises(UsageError, match="0 questions to take worked examples from"):
        evaluate(
            EvaluateConfig(task="planted-labels", method="likelihood", shots=1),
            **words | {"output": str(tmp_path / "x")},
        )


def test_what_cannot_answer_is_refused(tmp_path: Path) -> None:
    write_questions(planted_choice(4, "test", seed=1), str(tmp_path / "questions"))
    words = {"questions": str(tmp_path / "questions"), "output": str(tmp_path / "out")}
    with pytest.raises(UsageError, match=r"not a result of .*--method likelihood"):
        evaluate(EvaluateConfig(task="planted"), model=str(write_bert(tmp_path / "bert")), **words)
    with pytest.raises(CorruptError, match=r"lacks 6 weights .* cls\.predictions\.bias"):
        evaluate(EvaluateConfig(task="planted", method="likelihood"), model=str(tmp_path / "bert"), **words)


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
