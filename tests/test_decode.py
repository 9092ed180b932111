"""Chapter 10: the likeliest token, and a text of likeliest tokens."""

from itertools import islice

import numpy as np
import pytest

from llama_np import decode, forward
from llama_np.decode import generate, likeliest, next_token
from tests.random_models import random_ids, random_params, random_weights


@pytest.fixture
def model():
    params = random_params(13)
    return random_weights(params, 13), params


@pytest.fixture
def counting(monkeypatch):
    """A model of 10 tokens that always counts on: after 3 comes 4. The prompts it was given are kept."""
    prompts = []

    def forward(weights, params, ids):
        prompts.append(list(ids))
        return np.eye(10, dtype=np.float32)[[(i + 1) % 10 for i in ids]]

    monkeypatch.setattr(decode, "forward", forward)
    return prompts


class Context:
    max_seq_len = 1000


def test_the_next_token_is_the_likeliest_after_the_last_position():
    logits = np.array([[9, 0, 0], [0, 1, 5]], np.float32)
    assert next_token(logits) == 2
    assert type(next_token(logits)) is int


def test_of_equally_likely_tokens_the_first_is_taken():
    assert next_token(np.array([[1, 7, 7]], np.float32)) == 1
    assert [i for i, _ in likeliest(np.array([[7, 1, 7, 7]], np.float32), 3)] == [0, 2, 3]
    # A short row is sorted by insertion, which keeps the order whatever the kind of sort; this one is longer.
    assert [i for i, _ in likeliest(np.arange(1000, dtype=np.float32)[None] % 2, 500)] == list(range(1, 1000, 2))


@pytest.mark.parametrize("best", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_numbers_are_refused(best):
    row = [-np.inf, best, -np.inf]
    assert next_token(np.array([row, [1, 2, 3]], np.float32)) == 2  # an earlier position is not asked
    with pytest.raises(ValueError, match="the logits are not numbers"):
        next_token(np.array([[1, 2, 3], row], np.float32))


def test_likeliest_gives_ids_and_probabilities_best_first():
    logits = np.log(np.array([[1, 0.01, 9], [0.2, 0.5, 0.3]]))
    best = likeliest(logits, 2)
    assert best == [(1, pytest.approx(0.5)), (2, pytest.approx(0.3))]
    assert [type(a) for a in best[0]] == [int, float]
    assert sum(p for _, p in likeliest(logits, 10)) == pytest.approx(1)  # more than there are: all of them


def test_generate_is_argmax_of_forward_step_by_step(model):
    weights, params = model
    ids = random_ids(params, 13, length=5).tolist()
    expected, so_far = [], list(ids)
    for _ in range(12):
        expected.append(int(forward(weights, params, so_far)[-1].argmax()))
        so_far.append(expected[-1])
    assert len(set(expected)) > 2
    assert list(generate(weights, params, ids, 12)) == expected


def test_generate_yields_before_it_computes_on_and_leaves_the_prompt_alone(counting):
    prompt = (1, 2)
    text = generate(None, Context, prompt, 5)
    assert list(islice(text, 2)) == [3, 4]
    assert counting == [[1, 2], [1, 2, 3]]
    assert prompt == (1, 2)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_generate_stops_at_the_count(counting, count):
    assert len(list(generate(None, Context, [0], count))) == count
    assert len(counting) == count


def test_a_stop_id_ends_the_text_and_is_not_yielded(counting):
    assert list(generate(None, Context, [1], 100, stop_ids=[8, 5])) == [2, 3, 4]
    assert list(generate(None, Context, [4], 100, stop_ids=[5])) == []
    # In the prompt it stops nothing.
    assert list(generate(None, Context, [5], 2, stop_ids=[5])) == [6, 7]


def test_generate_ends_where_the_context_ends(model):
    weights, params = model
    ids = random_ids(params, 13, length=params.max_seq_len - 2).tolist()
    text = list(generate(weights, params, ids, 100))
    assert len(text) == 3  # the last is told from a full context
    assert text == list(generate(weights, params, ids, 3))
    full = random_ids(params, 13, length=params.max_seq_len)
    assert len(list(generate(weights, params, full, 100))) == 1


def test_generate_refuses_what_forward_refuses(model):
    weights, params = model
    with pytest.raises(ValueError, match=f"context of {params.max_seq_len}"):
        next(generate(weights, params, [0] * (params.max_seq_len + 1), 5))
    with pytest.raises(ValueError, match="no token ids"):
        next(generate(weights, params, [], 5))
