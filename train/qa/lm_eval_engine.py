"""Log-likelihood of ends by lm-evaluation-harness, for who wants its numbers under its name: `--engine lm_eval`.

Its model class reads our prompts and their ends as a pair each, and joins, cuts and scores them by its own rules. The
library is installed by whoever asks for it; ours gives the same numbers to 1e-4 nats (`tests.benchmarks.qa_lm_eval`).
"""

import time
from collections.abc import Sequence
from typing import Any

from corpus.errors import UsageError
from corpus.qa.question import Question
from train.model.backbone import Backbone
from train.qa.answered import Answered
from train.qa.likelihood import encode_prompts, scored_ends
from train.qa.local_answers import likelihood_answers, likelihood_prompts

LM_EVAL = "lm_eval"
_INSTALL = "pip install 'lm_eval>=0.4.13'"


def answer_by_lm_eval(
    backbone: Backbone, asked: Sequence[Question], examples: Sequence[Question], form: str, *, batch: int
) -> Answered:
    """Return the answers of a language model, its ends scored by the harness; raises UsageError without it."""
    instance_class, model_class = _harness()
    started = time.perf_counter()
    prompts = likelihood_prompts(asked, examples, form)
    encoded = encode_prompts(prompts, backbone.text.encode, max_length=backbone.max_length)
    pairs = [(prompt.text, end) for prompt in prompts for end in prompt.ends]
    requests = [
        instance_class(request_type="loglikelihood", doc={}, arguments=pair, idx=number)
        for number, pair in enumerate(pairs)
    ]
    model = model_class(
        pretrained=backbone.model,
        tokenizer=backbone.text.tokenizer,
        batch_size=batch,
        max_length=backbone.max_length,
        device=str(next(backbone.model.parameters()).device),
    )
    sums = iter([float(likelihood) for likelihood, _ in model.loglikelihood(requests)])
    found = [scored_ends(one, [next(sums) for _ in one.ends]) for one in encoded]
    return likelihood_answers(asked, found, form, time.perf_counter() - started, backbone.num_parameters)


def _harness() -> tuple[Any, Any]:
    """Return the harness's classes of a request and of a model; raises UsageError without the library."""
    try:
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM
    except ImportError as error:
        raise UsageError(f"--engine {LM_EVAL}: {error}; install it: {_INSTALL}, or leave --engine out") from error
    return Instance, HFLM
