"""Heads: transformers' own as the oracle of logits and gradients, under any padding, side, batch and pad id."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers import BertForMultipleChoice, GPT2ForSequenceClassification

from tests.train.qa.models import backbone_of, bert, gpt2, loud, word_tokenizer
from train.model.backbone import pad_rows
from train.qa.heads import Answerer, ChoiceHead, ClassHead, RowBatch, batch_rows, make_head, pool

DECODER = backbone_of(loud(gpt2()), word_tokenizer())
ENCODER = backbone_of(loud(bert()), word_tokenizer(encoder=True))
QUESTIONS = [
    [[5, 6, 7, 8, 1], [5, 6, 9, 1]],  # ends with 1, which is the decoder's end of text and pad
    [[10, 11], [10, 12], [10, 13, 14, 15, 16, 17]],
    [[20, 21, 22, 1, 1], [23]],
]
LABELS = torch.tensor([1, 2, 0])


def test_encoder_and_decoder_are_told_apart() -> None:
    assert DECODER.causal
    assert not ENCODER.causal


def test_choice_head_equals_bert_for_multiple_choice() -> None:
    # The oracle's pooler is made the identity up to tanh, which is put onto our states too.
    theirs = BertForMultipleChoice(ENCODER.config).eval()
    theirs.bert.load_state_dict(ENCODER.model.state_dict(), strict=False)
    head = make_head("choice", hidden=32, labels=0, seed=4)
    with torch.no_grad():
        theirs.bert.pooler.dense.weight.copy_(torch.eye(32))
        theirs.bert.pooler.dense.bias.zero_()
        theirs.classifier.load_state_dict(head.linear.state_dict())
    rows = [[[1, *row, 2] for row in rows] for rows in ([[5, 6, 7], [8]], [[9, 10, 11, 12], [13, 14]])]
    ids, mask = pad_rows([row for one in rows for row in one], pad_id=3)
    labels = torch.tensor([1, 0])
    expected = theirs(input_ids=ids.view(2, 2, -1), attention_mask=mask.long().view(2, 2, -1), labels=labels)
    states = torch.tanh(pool(ENCODER(ids, mask), mask, "cls"))
    scores = head(states, (2, 2))
    torch.testing.assert_close(scores, expected.logits, rtol=0, atol=1e-5)
    functional.cross_entropy(scores, labels).backward()
    expected.loss.backward()
    _check_gradients(ENCODER.model, theirs.bert)
    torch.testing.assert_close(head.linear.weight.grad, theirs.classifier.weight.grad, rtol=0, atol=1e-5)


def test_class_head_equals_gpt2_for_sequence_classification() -> None:
    theirs = GPT2ForSequenceClassification(DECODER.config).eval()
    theirs.transformer.load_state_dict(DECODER.model.state_dict())
    head = make_head("class", hidden=32, labels=2, seed=4)
    theirs.score.load_state_dict(head.linear.state_dict())
    rows = [[5, 6, 7, 8], [9, 10], [11, 12, 13, 14, 15, 16]]  # none ends with the pad id, where the oracle errs
    labels = torch.tensor([1, 0, 1])
    ids, mask = pad_rows(rows, pad_id=1)
    expected = theirs(input_ids=ids, attention_mask=mask.long(), labels=labels)
    ours = Answerer(DECODER, head)
    batch = batch_rows([[row] for row in rows])
    torch.testing.assert_close(ours.scores(batch), expected.logits, rtol=0, atol=1e-5)
    DECODER.zero_grad()
    ours(batch, labels).backward()
    expected.loss.backward()
    _check_gradients(DECODER.model, theirs.transformer)
    torch.testing.assert_close(head.linear.weight.grad, theirs.score.weight.grad, rtol=0, atol=1e-5)


def test_the_oracle_errs_where_a_text_ends_with_its_pad_and_ours_does_not() -> None:
    head = make_head("class", hidden=32, labels=2, seed=4)
    theirs = GPT2ForSequenceClassification(DECODER.config).eval()
    theirs.transformer.load_state_dict(DECODER.model.state_dict())
    theirs.score.load_state_dict(head.linear.state_dict())
    ids = torch.tensor([[5, 6, 7, 1]])  # the last 1 is text
    with torch.no_grad():
        wrong = theirs(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        right = theirs.score(DECODER.model(input_ids=ids).last_hidden_state[:, -1])
        ours = Answerer(DECODER, head).scores(batch_rows([[[5, 6, 7, 1]]]))
    assert (wrong - right).abs().max() > 1e-2
    torch.testing.assert_close(ours, right, rtol=0, atol=1e-5)


@pytest.mark.parametrize("backbone", [DECODER, ENCODER], ids=["decoder", "encoder"])
@pytest.mark.parametrize("pooling", ["last", "cls", "mean"])
@settings(max_examples=15)
@given(pad_id=st.sampled_from([0, 1, 3, 7]), side=st.sampled_from(["right", "left"]), more=st.integers(0, 30))
def test_scores_are_equal_under_any_padding(backbone: Any, pooling: Any, pad_id: int, side: Any, more: int) -> None:
    ours = Answerer(backbone, make_head("choice", hidden=32, labels=0, seed=4), pooling)
    with torch.no_grad():
        alone = [ours.scores(batch_rows([[row]]))[0, 0] for rows in QUESTIONS for row in rows]
        flat = [row for rows in QUESTIONS for row in rows]
        ids, mask = pad_rows(flat, pad_id=pad_id, side=side, length=6 + more)
        batch = RowBatch(ids_RT=ids, mask_RT=mask, counts=tuple(map(len, QUESTIONS)))
        together = ours.scores(batch)
    assert together.shape == (3, 3)
    found = torch.cat([own[: len(rows)] for own, rows in zip(together, QUESTIONS, strict=True)])
    torch.testing.assert_close(found, torch.stack(alone), rtol=0, atol=1e-5)
    assert (together == -torch.inf).sum() == 2, "options that a question does not have"


def test_gradients_are_equal_in_any_batch() -> None:
    ours = Answerer(DECODER, make_head("choice", hidden=32, labels=0, seed=4))
    ours.zero_grad()
    ours(batch_rows(QUESTIONS), LABELS).backward()
    together = {
        name: parameter.grad.clone() for name, parameter in ours.named_parameters() if parameter.grad is not None
    }
    ours.zero_grad()
    for rows, label in zip(QUESTIONS, LABELS, strict=True):
        (ours(batch_rows([rows], pad_id=9), label[None]) / len(QUESTIONS)).backward()
    for name, parameter in ours.named_parameters():
        if name in together:
            torch.testing.assert_close(parameter.grad, together[name], rtol=0, atol=1e-5)


def test_heads_start_as_stated() -> None:
    choice, label = (make_head(kind, hidden=4096, labels=3, seed=1) for kind in ("choice", "class"))
    assert isinstance(choice, ChoiceHead)
    assert isinstance(label, ClassHead)
    assert choice.linear.bias.item() == 0.0
    assert label.linear.bias is None
    assert label.linear.weight.std().item() == pytest.approx(0.02, rel=0.05)


def _check_gradients(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    own = dict(ours.named_parameters())
    checked = 0
    for name, parameter in theirs.named_parameters():
        if name in own and parameter.grad is not None:
            torch.testing.assert_close(own[name].grad, parameter.grad, rtol=0, atol=1e-5)
            checked += 1
    assert checked > 20
