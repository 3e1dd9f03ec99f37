"""Questions in the loop: the share that the model as it is answers right, by likelihood, by task.

The prompts are those of `corpuscle qa evaluate --method likelihood --format letters`, and so are the answers: the end
of a prompt whose ids are likeliest. Each end is a row of its own through the engine, so that it works at every ZeRO
stage; a prompt that is too long loses its beginning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
from tokenizers import Tokenizer
from torch import Tensor, distributed

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.prompts import encode_ends, prompt_of
from corpus.qa.question import Question
from corpus.qa.store import read_questions
from tokenizer.hf_json import TOKENIZER
from train.loop.rank_state import RankState
from train.model.head import IGNORE


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedEnd:
    """A possible end of a question's prompt as a row: ids up to the last but one, and what each place predicts."""

    question: int
    option: int
    ids: tuple[int, ...]
    begin: int  # the place whose prediction is the end's first id


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopQuestions:
    """Questions with a known answer, and the rows of their ends."""

    questions: tuple[Question, ...]
    ends: tuple[AskedEnd, ...]


def ask_questions(state: RankState, done: int) -> None:
    """Log the accuracy over all questions and by task after a step; on all ranks together."""
    asked = _asked(state)
    scores = _scores(state, asked)
    right: dict[str, list[bool]] = {}
    for number, question in enumerate(asked.questions):
        best = int(scores[number, : len(question.options)].argmax())
        right.setdefault(question.task, []).append(best == question.label)
    values = {f"accuracy_{task}": sum(found) / len(found) for task, found in sorted(right.items())}
    values["accuracy"] = sum(map(sum, right.values())) / len(asked.questions)
    if state.log is not None:
        state.log.record(done, values)
    shown = ", ".join(f"{name.removeprefix('accuracy_')} {value:.1%}" for name, value in values.items())
    state.say(f"step {done:>6,}/{state.job.config.steps:,}  questions answered right: {shown}")


def _asked(state: RankState) -> LoopQuestions:
    config = state.job.config
    assert config.questions is not None
    return _read(
        config.questions, state.job.output, config.questions_split, config.questions_limit, state.rows.seq_length
    )


@cache
def _read(directory: str, output: str, split: str, limit: int, seq_length: int) -> LoopQuestions:
    """Return the first `limit` questions of each task of a split whose answer is known; raises UsageError for none."""
    tokenizer = Tokenizer.from_file(storage.join(output, TOKENIZER))
    tokenizer.encode_special_tokens = True  # what a text spells out is text
    taken: dict[str, int] = {}
    questions: list[Question] = []
    ends: list[AskedEnd] = []
    known = [one for one in read_questions(directory, split=split) if one.label is not None and one.options]
    options = {task: {one.options for one in known if one.task == task} for task in {one.task for one in known}}
    for question in known:
        count = taken.get(question.task, 0)
        if count == limit:
            continue
        taken[question.task] = count + 1
        labels = len(options[question.task]) == 1  # yes, no, maybe of all of them
        ends += _rows(question, len(questions), tokenizer, seq_length, labels=labels)
        questions.append(question)
    if not questions:
        raise UsageError(f"{directory}: no {split} question with options and a known answer; give another result")
    return LoopQuestions(questions=tuple(questions), ends=tuple(ends))


def _rows(
    question: Question, number: int, tokenizer: Tokenizer, seq_length: int, *, labels: bool
) -> Iterator[AskedEnd]:
    prompt = prompt_of(question, "letters", labels=labels)
    text, ends = encode_ends(prompt, lambda words: list(tokenizer.encode(words, add_special_tokens=False).ids))
    cut = max(0, len(text) - (seq_length - max(map(len, ends)) + 1))
    for option, end in enumerate(ends):
        ids = [*text[cut:], *end]
        yield AskedEnd(question=number, option=option, ids=tuple(ids), begin=len(text) - cut - 1)


def _scores(state: RankState, asked: LoopQuestions) -> Tensor:
    """Return the log-likelihood of each option of each question, (questions, most options); -inf where there is none.

    All ranks run as many batches; those beyond the ends of one rank count nothing.
    """
    config = state.job.config
    most = max(len(question.options) for question in asked.questions)
    found = torch.zeros((len(asked.questions), most), dtype=torch.float64, device=state.device)
    together = config.ranks * config.micro_batch
    state.engine.eval()
    for start in range(0, len(asked.ends), together):
        first = start + state.rank * config.micro_batch
        own = asked.ends[first : first + config.micro_batch]
        ids, targets = _batch(own, config.micro_batch, start_length(asked, start, together))
        with torch.no_grad():
            losses = state.engine(ids.to(state.device), targets.to(state.device), each=True)
        sums = losses.double().sum(dim=1)
        for place, end in enumerate(own):
            found[end.question, end.option] = -sums[place]
    state.engine.train()
    distributed.all_reduce(found)  # each end is one rank's
    for number, question in enumerate(asked.questions):
        found[number, len(question.options) :] = -torch.inf
    return found


def start_length(asked: LoopQuestions, start: int, count: int) -> int:
    """Return the width of the batches of all ranks at a place: the longest of their rows without its last id."""
    return max(len(end.ids) - 1 for end in asked.ends[start : start + count])


def _batch(ends: tuple[AskedEnd, ...], rows: int, width: int) -> tuple[Tensor, Tensor]:
    """Return ids and targets (rows, width): what predicts an end counts, all else is IGNORE."""
    ids = torch.zeros((rows, width), dtype=torch.long)
    targets = torch.full((rows, width), IGNORE, dtype=torch.long)
    for place, end in enumerate(ends):
        whole = torch.tensor(end.ids)
        ids[place, : len(whole) - 1] = whole[:-1]
        targets[place, end.begin : len(whole) - 1] = whole[end.begin + 1 :]
    return ids, targets
