"""Servers as answerers: whatever breaks, each answer is the server's own or none, and nothing is asked twice."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import RetryError, UsageError
from corpus.qa.predictions import read_predictions
from corpus.qa.store import write_questions
from corpus.storage import parquet
from pipelines.cli.app import main
from tests.support.faulty_server import FaultyServer, faulty_server
from tests.train.qa.models import planted_choice, planted_labels
from train.qa import endpoint
from train.qa.chat import chat_turns
from train.qa.config import EvaluateConfig
from train.qa.evaluation import evaluate
from train.qa.logprobs import echoed_sum, next_logprobs, pick_next

ASKED = [*planted_choice(12, "test", seed=1), *planted_choice(6, "train", seed=1), *planted_labels(6, "test", seed=1)]
USAGE = {"prompt_tokens": 30, "completion_tokens": 2}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait little between tries, and have no key by accident."""
    monkeypatch.setattr(endpoint, "FIRST_WAIT", 0.02)
    monkeypatch.delenv(endpoint.DEFAULT_KEY, raising=False)


def right_letter(prompt: str) -> str:
    """Return the letter of the option that the last question of a prompt names."""
    text = prompt[prompt.rindex("Question: ") :]
    name = text.split()[2]
    return next(line[0] for line in text.splitlines() if line[1:] == f". {name}")


def knows(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Answer planted questions right, in chat or by the likeliest next tokens."""
    if path.endswith("/chat/completions"):
        said = f"The answer is {right_letter(body['messages'][-1]['content'])}."
        return {"choices": [{"message": {"content": said}, "finish_reason": "stop"}], "usage": USAGE}
    letter = right_letter(body["prompt"])
    likely = {f" {one}": -0.5 if one == letter else -3.0 for one in "ABCD"}
    return {"choices": [{"text": letter, "logprobs": {"top_logprobs": [likely]}}], "usage": USAGE}


def number_of(body: dict[str, Any]) -> int:
    """Return which of the questions a chat asks."""
    return [chat_turns(one)[0] for one in ASKED[:12]].index(body["messages"][-1])


@pytest.fixture
def questions(tmp_path: Path) -> str:
    """Return a directory of planted questions."""
    write_questions(ASKED, str(tmp_path / "questions"))
    return str(tmp_path / "questions")


def words(server: FaultyServer, questions: str, output: Path) -> dict[str, str]:
    return {"model": server.base, "questions": questions, "output": str(output)}


def config(**given: Any) -> EvaluateConfig:
    return EvaluateConfig(**{"task": "planted", "method": "chat", "name": "m", "timeout": 60, **given})


FAULTS = (429, 500, "cut", "garbled", "empty", "drop", "cut-in-flight", 503)


@pytest.mark.parametrize("method", ["chat", "likelihood"])
def test_no_fault_makes_an_answer(method: Any, questions: str, tmp_path: Path) -> None:
    with faulty_server(knows, FAULTS) as server:
        evaluate(config(method=method, attempts=9, requests=12), **words(server, questions, tmp_path / "out"))
        assert len(server.asked) == 12 * 9
    rows = read_predictions(str(tmp_path / "out"))
    assert [row.choice for row in rows] == [one.label for one in ASKED[:12]]
    if method == "likelihood":
        assert all(sorted(row.scores) == [-3.0, -3.0, -3.0, -0.5] for row in rows)


def test_who_dawdles_is_asked_again(questions: str, tmp_path: Path) -> None:
    with faulty_server(knows, ["slow"]) as server:
        evaluate(config(limit=1, timeout=1, attempts=60), **words(server, questions, tmp_path / "out"))
        assert len(server.asked) > 1
    assert [row.choice for row in read_predictions(str(tmp_path / "out"))] == [ASKED[0].label]


def test_who_never_answers_is_given_up_and_what_it_answered_is_not_asked_again(questions: str, tmp_path: Path) -> None:
    broken = {"on": True}

    def half(path: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"choices": []} if broken["on"] and number_of(body) == 7 else knows(path, body)

    with faulty_server(half) as server:
        given = words(server, questions, tmp_path / "out")
        with pytest.raises(RetryError, match=r"after 3 tries, the last: garbled: no choices.*run the same command"):
            evaluate(config(attempts=3, requests=1), **given)
        assert len(server.asked) == 7 + 3
        broken["on"] = False
        evaluate(config(attempts=3, requests=1), **given)
        assert len(server.asked) == 7 + 3 + 5
        evaluate(config(), **given)
        assert len(server.asked) == 15
    assert [row.choice for row in read_predictions(given["output"])] == [one.label for one in ASKED[:12]]


def test_a_damaged_answer_on_disk_is_asked_again(tmp_path: Path) -> None:
    with faulty_server(knows) as server:
        folder = tmp_path / "out" / "_work" / "asked"
        folder.mkdir(parents=True)
        ask = endpoint.open_endpoint(
            server.base, folder=str(folder), key_env="", rules=endpoint.EndpointRules(requests=1, attempts=1, timeout=5)
        )
        body = {"messages": [{"content": "Question: x w1 y\nA. w1"}]}
        for content in (None, b"", b'{"content": {"choices"', b'{"content": {}, "refused": "", "seconds": 1}'):
            if content is not None:
                next(folder.iterdir()).write_bytes(content)
            before = len(server.asked)
            ask.ask("/chat/completions", [body], lambda found: found["choices"][0], lambda: None)
            assert len(server.asked) == before + 1
            ask.ask("/chat/completions", [body], lambda found: found["choices"][0], lambda: None)
            assert len(server.asked) == before + 1


def test_retry_after_is_honoured_and_bounded(questions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with faulty_server(knows, [429]) as server:
        server.headers = {"Retry-After": "17"}
        evaluate(config(limit=1), **words(server, questions, tmp_path / "out"))
        assert max(slept) == 17.0
        server.faults, server.headers = [429] * 9, {"Retry-After": "3600"}
        with pytest.raises(RetryError, match=r"after 1 try, .*asks to wait 3,600 s"):
            evaluate(config(limit=2), **words(server, questions, tmp_path / "other"))


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, {"message": "Incorrect API key provided: secret-key"}, r"key was not taken.*OPENAI_API_KEY.*--key-env"),
        (404, {"message": "model m does not exist"}, r"model m does not exist.*--model"),
        (400, {"message": "secret-key is odd\x1b[2J"}, r"\*\*\* is odd \[2J"),
        (301, {}, "give that address itself"),
        (429, {"code": "insufficient_quota", "message": "pay"}, "no quota left"),
    ],
)
def test_what_will_never_be_answered_ends_at_once_and_shows_no_key(
    status: int, error: dict[str, Any], message: str, questions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(endpoint.DEFAULT_KEY, "secret-key")
    with faulty_server(knows, [status] * 9) as server:
        server.error = error
        with pytest.raises((UsageError, RetryError), match=message) as raised:
            evaluate(config(limit=1), **words(server, questions, tmp_path / "out"))
        assert len(server.asked) == 1
        assert server.keys == ["Bearer secret-key"]
    assert "secret-key" not in str(raised.value)


def test_the_key_is_in_no_file(questions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret-key")
    with faulty_server(knows) as server:
        monkeypatch.setattr("corpus.stage.workspace.Workspace.clean", lambda self: None)
        evaluate(config(key_env="MY_KEY"), **words(server, questions, tmp_path / "out"))
        assert {*server.keys} == {"Bearer secret-key"}
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) > 12
    assert not [path for path in files if b"secret-key" in path.read_bytes()]
    with pytest.raises(UsageError, match="--key-env NONE: that environment variable is not set"):
        evaluate(config(key_env="NONE"), model=server.base, questions=questions, output=str(tmp_path / "x"))


def test_a_key_that_was_not_named_goes_to_no_other_machine_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(endpoint.DEFAULT_KEY, "secret-key")
    rules = endpoint.EndpointRules(requests=1, attempts=1, timeout=1)
    keys = {
        base: endpoint.open_endpoint(base, folder="x", key_env=name, rules=rules).key
        for base, name in (
            ("https://host/v1", ""),
            ("http://host/v1", ""),
            ("http://localhost:1/v1", ""),
            ("http://other/v1", endpoint.DEFAULT_KEY),
        )
    }
    assert [*keys.values()] == ["secret-key", None, "secret-key", "secret-key"]


def test_refusals_and_unread_answers_are_counted(
    questions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[Any] = [
        {"message": {"content": "I cannot say.", "refusal": None}},
        {"message": {"content": None, "refusal": "I will not."}},
        {"message": {"content": ""}, "finish_reason": "length"},
        {"message": {"content": "A or B"}, "finish_reason": "stop"},
        {"message": {"content": "A"}, "finish_reason": "content_filter"},
    ]

    def wavers(path: str, body: dict[str, Any]) -> dict[str, Any]:
        number = number_of(body)
        return {"choices": [said[number]], "usage": USAGE} if number < len(said) else knows(path, body)

    with faulty_server(wavers) as server:
        output = str(tmp_path / "out")
        given = ["--questions", questions, "--task", "planted", "--method", "chat", "--model", "m", "--output", output]
        priced = ["--price-in", "2.5", "--price-out", "10"]
        assert main(["qa", "evaluate", server.base, *given, *priced]) == 0
    shown = capsys.readouterr().out
    assert "planted test 12: 58.3, 95 % " in shown
    assert "without a choice and so not right: 1 filtered, 1 refused, 3 unread" in shown
    assert "a thousand questions, chat: 30,000 tokens read, 2,000 written, " in shown
    assert "0.095 at the prices stated" in shown  # 30,000 × 2.5 + 2,000 × 10, a million of each
    rows = read_predictions(output)
    assert [row.choice for row in rows[:5]] == [None] * 5
    assert [row.choice for row in rows[5:]] == [one.label for one in ASKED[5:12]]
    served = parquet.read_table(str(tmp_path / "out" / "served.parquet")).to_pylist()
    assert [row["outcome"] for row in served[:5]] == ["unread", "refused", "unread", "unread", "filtered"]
    assert served[3]["text"] == "A or B"
    assert served[2]["finish"] == "length"


def test_a_refused_request_is_no_fault(questions: str, tmp_path: Path) -> None:
    with faulty_server(knows, [400] * 9) as server:
        for code, outcome in (("content_filter", "filtered"), ("context_length_exceeded", "too long")):
            server.error = {"code": code, "message": "no"}
            evaluate(config(limit=3), **words(server, questions, tmp_path / code))
            rows = parquet.read_table(str(tmp_path / code / "served.parquet")).to_pylist()
            assert [row["outcome"] for row in rows] == [outcome] * 3


def test_a_field_that_a_server_does_not_take_is_left_out(questions: str, tmp_path: Path) -> None:
    with faulty_server(knows, [400]) as server:
        server.error = {"code": "unsupported_parameter", "param": "max_tokens", "message": "use another"}
        evaluate(config(limit=1), **words(server, questions, tmp_path / "out"))
        assert sorted(server.asked[0]) == ["max_tokens", "messages", "model", "temperature"]
        assert sorted(server.asked[-1]) == ["max_completion_tokens", "messages", "model", "temperature"]


def test_shots_labels_and_what_does_not_go_together(questions: str, tmp_path: Path) -> None:
    def yes(path: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"choices": [{"message": {"content": "Yes."}}]}

    with faulty_server(yes) as server:
        evaluate(config(task="planted-labels"), **words(server, questions, tmp_path / "labels"))
        assert {row.choice for row in read_predictions(str(tmp_path / "labels"))} == {1}
        evaluate(config(shots=2, limit=1), **words(server, questions, tmp_path / "shots"))
        assert [turn["role"] for turn in server.asked[-1]["messages"]] == ["user", "assistant"] * 2 + ["user"]
        given = words(server, questions, tmp_path / "x")
        for wrong, message in (
            ({"method": "heads"}, "no fine-tuned heads"),
            ({"name": ""}, "which --model"),
            ({"task": ""}, "which --task"),
        ):
            with pytest.raises(UsageError, match=message):
                evaluate(config(**wrong), **given)
        for base, message in (
            ("https://me:pw@host/v1", "without a user"),
            ("https://host/v1?key=1", "without a user, a key"),
            ("https://host/v1/chat/completions", "the address above it"),
            (str(tmp_path), "give its address"),
        ):
            with pytest.raises(UsageError, match=message) as raised:
                evaluate(config(), **given | {"model": base})
            assert "pw" not in str(raised.value)


def test_log_probabilities_of_both_shapes_are_read() -> None:
    new = {"content": [{"token": " A", "logprob": -1, "top_logprobs": [{"token": " A", "logprob": -1.0}]}]}
    assert next_logprobs({"choices": [{"logprobs": new}]}) == {" A": -1.0}
    wrong: Any
    for wrong in ({"top_logprobs": []}, {"top_logprobs": [{" A": "x"}]}, {"top_logprobs": [{" A": math.nan}]}, {}):
        with pytest.raises(endpoint.GarbledError):
            next_logprobs({"choices": [{"logprobs": wrong}]})
    with pytest.raises(UsageError, match="gives no log-probabilities"):
        next_logprobs({"choices": [{"logprobs": None}]})


def test_what_is_not_listed_is_not_made_up() -> None:
    ends = (" A", " B", " C")
    assert pick_next({" A": -2.0, " B": -1.0, " C": -3.0}, ends).scores == (-2.0, -1.0, -3.0)
    some = pick_next({" A": -2.0, " B": -1.0, " x": -0.1}, ends)
    assert (some.choice, some.scores) == (1, None)
    assert pick_next({" x": -0.1}, ends).choice is None
    assert pick_next({"A": -2.0, "B": -1.0, "C": -3.0}, ends).choice == 1
    assert pick_next({" A": -2.0, "B": -1.0, "C": -3.0}, ends).choice == 0  # "B" without its space is another token
    labels = (" no", " yes", " maybe")
    assert pick_next({" no": -1.0, " may": -0.5}, labels).choice is None
    assert pick_next({" no": -0.5, " may": -1.0}, labels).choice == 0


def test_the_end_of_an_echo_is_summed() -> None:
    tokens = ["<s>", "bytes:\\xce", "Answer", ":", " left", " lung", " next"]
    logprobs = {"tokens": tokens, "token_logprobs": [None, -9.0, -9.0, -9.0, -1.0, -2.0, -9.0]}
    content = {"choices": [{"logprobs": logprobs}], "usage": {"prompt_tokens": 6}}
    assert echoed_sum(content, " left lung") == -3.0
    assert echoed_sum(content, "eft lung") is None  # no token begins there
    assert echoed_sum(content, ": right lung") is None
    with pytest.raises(UsageError, match="does not echo"):
        echoed_sum({"choices": [{"logprobs": logprobs}], "usage": {"prompt_tokens": 60}}, " lung")
    content = json.loads(json.dumps(content).replace("-2.0", '"x"'))
    with pytest.raises(endpoint.GarbledError):
        echoed_sum(content, " left lung")
