"""Long form: the loss is transformers', the question is never learnt, and a killed run ends as a whole one."""

import hashlib
import json
import math
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertForMaskedLM, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from corpus.errors import UsageError
from corpus.qa.question import Question
from corpus.qa.store import Fold, write_questions
from tests.support.forked_ranks import start_server
from tests.train.qa.models import WORDS, backbone_of, bert, gpt2, loud, word_tokenizer, write_gpt2
from train.qa import steps
from train.qa.answerer import open_answerer, open_tuned
from train.qa.config import finetune_config
from train.qa.formats import END, FormatRule, asked_ids, format_question
from train.qa.heads import RowBatch
from train.qa.long_form import AnswerWriter, learnt_positions, loss_per_token
from train.qa.scoring import rows_of, score_questions
from train.qa.stage import finetune

QUICK: dict[str, Any] = {
    "learning_rates": (3e-3,), "warmup_fraction": 0.1, "batch_questions": 8, "micro_batch": 4, "epochs": 2.0,
    "max_tokens": 42,
}  # fmt: skip
BOS, END_ID = 42, 1
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join)


def asked(text: str, answer: str, **more: Any) -> Question:
    return Question(id=text, task="words", split="train", text=text, answer=answer, **more)


def rule(max_tokens: int = 42, **more: Any) -> FormatRule:
    given = {"name": "paper", "keep": "end", **more}
    return FormatRule(kind="answer", special_ids={"<|startoftext|>": BOS, END: END_ID}, max_tokens=max_tokens, **given)


def encode(text: str) -> list[int]:
    return [2 + WORDS.index(word) for word in text.split()]


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def writer(request: pytest.FixtureRequest) -> AnswerWriter:
    """Return a decoder whose weights matter, with a row for the beginning of an answer; a llama's head is its own."""
    if request.param == "gpt2":
        model: Any = GPT2LMHeadModel(gpt2().config)
    else:
        config = LlamaConfig(
            vocab_size=len(WORDS) + 2, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=96, tie_word_embeddings=False,
        )  # fmt: skip
        model = LlamaForCausalLM(config)
    backbone = backbone_of(loud(model), word_tokenizer())
    assert backbone.add_tokens(1, seed=3, rows="normal") == [BOS]
    return AnswerWriter(backbone.eval())


@settings(deadline=None, max_examples=30)
@given(texts, texts, texts, st.sampled_from(["paper", "released"]))
def test_rows_are_question_begin_answer_end_within_their_halves(
    text: str, context: str, answer: str, name: str
) -> None:
    found = format_question(asked(text, answer, context=context), encode, rule(name=name))
    (row,) = found.rows
    source, target = encode(f"{context} {text}"), encode(answer)
    kept = source[-20:]
    ended = len(target) <= 20 or name == "released"
    assert list(row) == [*kept, BOS, *target[:20], *([END_ID] if ended else [])]
    assert found.answer_tokens == min(len(target), 20) + ended
    assert found.truncated_tokens == max(0, len(source) - 20) + max(0, len(target) - 20)
    assert asked_ids(asked(text, "", context=context), encode, rule(name=name))[0] == [*kept, BOS]


def test_the_published_budget_is_510_and_510() -> None:
    words = " ".join(WORDS[number % 40] for number in range(600))
    found = format_question(asked(words, words), encode, rule(1022))
    assert (len(found.rows[0]), found.answer_tokens) == (510 + 1 + 510, 510)


ROWS = [asked("w1 w2 w3", "w4 w5"), asked("w6", "w7 w8 w9 w10"), asked("w1 w1 w2 w5 w9", "w3")]


def test_the_loss_is_transformers_with_labels_of_minus_100(writer: AnswerWriter) -> None:
    """Labels of -100 are left out by transformers' own loss: the mean over the other ids of the batch."""
    formatted = [format_question(one, encode, rule()) for one in ROWS]
    batch = rows_of(formatted)
    labels = batch.ids_RT.clone()
    for row, one in enumerate(ROWS):
        labels[row, : len(one.text.split()) + 1] = -100
    labels[~batch.mask_RT] = -100
    model: Any = writer.backbone.model
    wanted = model(input_ids=batch.ids_RT, attention_mask=batch.mask_RT.long(), labels=labels).loss
    tokens = sum(one.answer_tokens for one in formatted)
    assert tokens == 3 + 5 + 2
    assert writer(batch, torch.tensor(float(tokens))).item() == pytest.approx(wanted.item(), abs=1e-5)
    each = writer.losses(batch)
    assert (each.sum() / tokens).item() == pytest.approx(wanted.item(), abs=1e-5)
    alone = [writer.losses(rows_of([one])).item() for one in formatted]
    assert alone == pytest.approx(each.tolist(), abs=1e-4), "padding and neighbours change nothing"
    found = score_questions(writer, formatted, batch=2, device=torch.device("cpu"))
    assert loss_per_token(formatted, found) == pytest.approx(wanted.item(), abs=1e-5)


def test_the_gradient_of_what_the_question_says_is_zero(writer: AnswerWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = rows_of([format_question(one, encode, rule()) for one in ROWS])
    logits = writer.backbone.logits(batch.ids_RT, batch.mask_RT).detach().requires_grad_()
    monkeypatch.setattr(writer.backbone, "logits", lambda ids, mask: logits)
    writer(batch, torch.tensor(1.0)).backward()
    assert logits.grad is not None
    learnt = logits.grad.abs().sum(2) > 0
    assert learnt[:, :-1].equal(learnt_positions(batch)[:, 1:])
    # Of the first row: w1 w2 w3 <begin> w4 w5 <end>, padded: <begin>, w4 and w5 predict what is learnt.
    assert learnt[0].tolist() == [False, False, False, True, True, True] + [False] * (batch.ids_RT.shape[1] - 6)


def test_both_ends_of_a_model_have_rows_for_new_tokens(writer: AnswerWriter) -> None:
    model: Any = writer.backbone.model
    read, predicted = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert read.shape == predicted.shape == (len(WORDS) + 3, 32)
    for weight in (read, predicted):
        assert 0.005 < weight[BOS].std() < 0.04, "N(0, 0.02)"


def planted(count: int, split: str) -> list[Question]:
    """Return questions whose answer is their second word, three times."""
    found = []
    for number in range(count):
        first, second = WORDS[number % 7], WORDS[10 + (number * 5 + (split == "dev")) % 8]
        text = f"{first} {second} w30"
        found.append(Question(id=f"{split}-{number}", task="words", split=split, text=text, answer=f"{second} " * 3))
    return found


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("questions")
    write_questions([*planted(48, "train"), *planted(16, "dev")], str(folder))
    return folder


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gpt2(tmp_path_factory.mktemp("gpt2"))


def run(model: Path, questions: Path, output: Path, **changes: Any) -> Any:
    config = finetune_config(None, {"task": "words", **QUICK, **changes})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return finetune(config, model=str(model), questions=str(questions), output=str(output))
    finally:
        torch.set_num_threads(threads)


def metrics(output: Path) -> list[dict[str, Any]]:
    return list(map(json.loads, (output / "seed-0" / "metrics.jsonl").read_text().splitlines()))


@pytest.fixture(scope="module")
def whole(questions: Path, gpt: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that nothing struck, on one rank."""
    output = tmp_path_factory.mktemp("whole") / "out"
    run(gpt, questions, output)
    return output


def losses(output: Path) -> list[float]:
    return [line["loss"] for line in metrics(output) if "loss" in line]


def digest(output: Path) -> dict[str, str]:
    of_the_run = ("run.json", ".lock", "events.jsonl")
    files = [path for path in sorted(output.rglob("*")) if path.is_file() and path.name not in of_the_run]
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("changes", [{"micro_batch": 8}, {"micro_batch": 1, "zero_stage": 2}], ids=str)
def test_one_loss_curve_on_any_layout(
    questions: Path, gpt: Path, whole: Path, tmp_path: Path, changes: dict[str, int]
) -> None:
    run(gpt, questions, tmp_path / "other", **changes)
    assert losses(tmp_path / "other") == pytest.approx(losses(whole), abs=1e-5)


@pytest.mark.slow
def test_two_ranks_give_the_same_loss_curve(questions: Path, gpt: Path, whole: Path, tmp_path: Path) -> None:
    run(gpt, questions, tmp_path / "two", ranks=2, micro_batch=2, zero_stage=1)
    assert losses(tmp_path / "two") == pytest.approx(losses(whole), abs=1e-5)


def run_struck(words: tuple[Path, Path, Path], count: int) -> None:
    """Fine-tune, and be killed at the `count`-th step."""
    step, calls = steps._train_step, [0]

    def struck(*arguments: Any) -> None:
        calls[0] += 1
        if calls[0] == count:
            os.kill(os.getpid(), signal.SIGKILL)
        step(*arguments)

    steps._train_step = struck
    run(*words)


@pytest.mark.slow
@pytest.mark.parametrize("count", [4, 9])
def test_killed_it_goes_on_to_the_same_bytes(
    questions: Path, gpt: Path, whole: Path, tmp_path: Path, count: int
) -> None:
    start_server()
    victim = multiprocessing.get_context("forkserver").Process(
        target=run_struck, args=((gpt, questions, tmp_path / "out"), count)
    )
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    run(gpt, questions, tmp_path / "out")
    assert digest(tmp_path / "out") == digest(whole)


def test_the_pass_of_the_lowest_loss_is_kept_and_opened_again(questions: Path, gpt: Path, tmp_path: Path) -> None:
    manifest = run(gpt, questions, tmp_path / "out", epochs=5.0)
    lines = metrics(tmp_path / "out")
    scored = {line["step"]: line["dev_loss"] for line in lines if "dev_loss" in line}
    assert lines[-1]["kept_step"] == min(scored, key=lambda step: scored[step])
    assert manifest.summary["dev_loss"]["0.003"] == pytest.approx(min(scored.values()), abs=1e-6)
    assert min(scored.values()) < 0.75 * scored[6], "it learns"
    writer, card = open_tuned(str(tmp_path / "out" / "seed-0"), lambda line: None)
    assert isinstance(writer, AnswerWriter)
    assert (card.kind, card.format, card.new_tokens, card.special_ids) == (
        "answer", "paper", 1, {"<|startoftext|>": BOS, END: END_ID},
    )  # fmt: skip
    formatted = [format_question(one, encode, rule()) for one in planted(16, "dev")]
    found = score_questions(writer, formatted, batch=4, device=next(writer.parameters()).device)
    assert loss_per_token(formatted, found) == pytest.approx(min(scored.values()), abs=1e-5)
    with pytest.raises(UsageError, match=r"answers in words and scores no options; use `corpuscle qa answer`"):
        open_answerer(str(tmp_path / "out" / "seed-0"), lambda line: None)


def test_adapters_leave_the_rest_as_it_was(questions: Path, gpt: Path, tmp_path: Path) -> None:
    run(gpt, questions, tmp_path / "out", lora=2, epochs=1.0)
    writer, _ = open_tuned(str(tmp_path / "out" / "seed-0"), lambda line: None)
    trained = {name for name, parameter in writer.named_parameters() if parameter.requires_grad}
    assert all("lora" in name or "token_adapter" in name for name in trained)
    assert any("token_adapter" in name for name in trained), "the new token is learnt"


def test_a_set_without_dev_takes_fold_0(gpt: Path, tmp_path: Path) -> None:
    rows = planted(40, "train")
    folds = [Fold(task="words", id=one.id, fold=number % 10) for number, one in enumerate(rows)]
    write_questions(rows, str(tmp_path / "q"), folds=folds)
    manifest = run(gpt, tmp_path / "q", tmp_path / "out", epochs=1.0)
    assert manifest.summary["dev_loss"]["0.003"] > 0
    assert len(losses(tmp_path / "out")) == math.ceil(36 / 8)


def write_masked_bert(folder: Path) -> Path:
    """Write a random BERT with its head for masked words, as such models are published."""
    BertForMaskedLM(bert().config).save_pretrained(folder)
    word_tokenizer(encoder=True).save_pretrained(folder)
    return folder


def test_what_writes_no_answers_is_refused(questions: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="an encoder writes no answers; give a decoder"):
        run(write_masked_bert(tmp_path / "bert"), questions, tmp_path / "out")
    with pytest.raises(UsageError, match="format linkbert: has no form for answers in words; choose paper or released"):
        run(write_gpt2(tmp_path / "gpt2"), questions, tmp_path / "out", format="linkbert")
    mixed = [
        *planted(4, "train"),
        Question(id="m", task="words", split="train", text="w1", options=("a", "b"), label=0),
    ]
    write_questions([*mixed, *planted(4, "dev")], str(tmp_path / "mixed"))
    with pytest.raises(UsageError, match="has no options to choose from"):
        run(write_gpt2(tmp_path / "gpt2"), tmp_path / "mixed", tmp_path / "out")


def test_positions_are_the_last_of_each_row() -> None:
    batch = RowBatch(
        ids_RT=torch.zeros((2, 5), dtype=torch.long), counts=(1, 1), answers=(2, 1),
        mask_RT=torch.tensor([[True] * 5, [True] * 3 + [False] * 2]),
    )  # fmt: skip
    assert learnt_positions(batch).tolist() == [[False, False, False, True, True], [False, False, True, False, False]]
