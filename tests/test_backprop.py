"""Chapters 19 and 20: gradients against differences and torch, the training forward against Part I."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_np import backprop, forward
from llama_np.attention import attention_weights, causal_mask, softmax
from llama_np.embeddings import embed
from llama_np.layers import block
from llama_np.linear import linear
from llama_np.loss import cross_entropy, cross_entropy_backward
from llama_np.params import Params, RopeScaling
from llama_np.rmsnorm import rms_norm
from llama_np.rope import apply_rotary_emb, precompute_freqs_cis
from llama_np.swiglu import silu
from tests.oracle import oracle_module, reference_model, reference_state
from tests.random_models import random_ids, random_params, random_weights

few = settings(deadline=None, max_examples=15)
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 5)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def differences(f, x, eps=1e-6):
    """The gradient of a number f() by the array x, by moving each element of x up and down. float64."""
    grad = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        kept = x[i]
        x[i] = kept + eps
        above = f()
        x[i] = kept - eps
        grad[i] = (above - f()) / (2 * eps)
        x[i] = kept
    return grad


def assert_gradients(f, dy, grads, inputs):
    """grads, as a backward function gives them from dy, against differences of f() by each of the inputs."""
    assert len(grads) == len(inputs)
    for grad, x in zip(grads, inputs, strict=True):
        assert grad.shape == x.shape and grad.dtype == x.dtype
        np.testing.assert_allclose(grad, differences(lambda: float(np.sum(f() * dy)), x), rtol=1e-5, atol=1e-7)


# ---- each function by itself ----


@few
@given(seed=seeds, N=sizes, n_in=sizes, n_out=sizes)
def test_linear_backward(seed, N, n_in, n_out):
    x, weight, dy = normal([seed, 0], N, n_in), normal([seed, 1], n_out, n_in), normal([seed, 2], N, n_out)
    grads = backprop.linear_backward(dy, x, weight)
    assert_gradients(lambda: linear(x, weight), dy, grads, (x, weight))


@few
@given(seed=seeds, V=sizes, D=sizes, data=st.data())
def test_embed_backward_adds_up_rows_used_twice(seed, V, D, data):
    ids = data.draw(st.lists(st.integers(0, V - 1), min_size=1, max_size=9))
    table, dx = normal([seed, 0], V, D), normal([seed, 1], len(ids), D)
    grad = backprop.embed_backward(dx, np.array(ids), V)
    # embed gives float32 and only copies, so that large steps are as good as small ones.
    by_steps = differences(lambda: float(np.sum(embed(ids, table) * dx)), table, eps=1.0)
    np.testing.assert_allclose(grad, by_steps, atol=1e-5)


@few
@given(seed=seeds, N=sizes, D=sizes, eps=st.sampled_from([1e-5, 0.5]))
def test_rms_norm_backward(seed, N, D, eps):
    x, weight, dy = normal([seed, 0], N, D), normal([seed, 1], D), normal([seed, 2], N, D)
    x += 0.3 * np.sign(x)
    grads = backprop.rms_norm_backward(dy, x, weight, eps)
    assert_gradients(lambda: rms_norm(x, weight, eps), dy, grads, (x, weight))


@few
@given(seed=seeds, n=sizes, T=sizes, half=sizes)
def test_apply_rotary_emb_backward(seed, n, T, half):
    x, dy = normal([seed, 0], n, T, 2 * half), normal([seed, 1], n, T, 2 * half)
    freqs_cis = precompute_freqs_cis(2 * half, T, 100.0)
    grad = backprop.apply_rotary_emb_backward(dy, freqs_cis)
    assert_gradients(lambda: apply_rotary_emb(x, freqs_cis), dy, [grad], [x])


@few
@given(seed=seeds, rows=sizes, T=sizes)
def test_softmax_backward(seed, rows, T):
    x, dy = normal([seed, 0], rows, T), normal([seed, 1], rows, T)
    assert_gradients(lambda: softmax(x), dy, [backprop.softmax_backward(dy, softmax(x))], [x])


@few
@given(seed=seeds)
def test_silu_backward(seed):
    x, dy = 4 * normal([seed, 0], 3, 7), normal([seed, 1], 3, 7)
    assert_gradients(lambda: silu(x), dy, [backprop.silu_backward(dy, x)], [x])


@few
@given(seed=seeds, n_kv=st.integers(1, 3), group=st.integers(1, 3), T=st.integers(1, 4), head_dim=sizes)
def test_attention_backward(seed, n_kv, group, T, head_dim):
    q, dout = normal([seed, 0], n_kv, group, T, head_dim), normal([seed, 1], n_kv, group, T, head_dim)
    k, v = normal([seed, 2], n_kv, T, head_dim), normal([seed, 3], n_kv, T, head_dim)

    def weights():
        return attention_weights(q, k[:, None], causal_mask(T))

    grads = backprop.attention_backward(dout, q, k, v, weights())
    assert_gradients(lambda: weights() @ v[:, None], dout, grads, (q, k, v))


@few
@given(
    seed=seeds,
    n_kv=st.integers(1, 2),
    group=st.integers(1, 3),
    lengths=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    head_dim=st.integers(1, 3),
)
def test_attention_forward_backward_keeps_documents_apart(seed, n_kv, group, lengths, head_dim):
    N = sum(lengths)
    q, dheads = normal([seed, 0], n_kv * group, N, head_dim), normal([seed, 1], n_kv * group, N, head_dim)
    k, v = normal([seed, 2], n_kv, N, head_dim), normal([seed, 3], n_kv, N, head_dim)
    _, kept = backprop.attention_forward(q, k, v, lengths)
    grads = backprop.attention_forward_backward(dheads, q, k, v, kept, lengths)
    assert_gradients(lambda: backprop.attention_forward(q, k, v, lengths)[0], dheads, grads, (q, k, v))


def test_spans_lie_end_to_end():
    assert backprop.spans([2, 1, 4]) == [slice(0, 2), slice(2, 3), slice(3, 7)]


@few
@given(seed=seeds, N=sizes, V=st.integers(1, 6), data=st.data())
def test_cross_entropy_backward(seed, N, V, data):
    logits = 3 * normal(seed, N, V)
    targets = np.array(data.draw(st.lists(st.integers(0, V - 1), min_size=N, max_size=N)))
    before = logits.copy()
    grad = cross_entropy_backward(logits, targets)
    assert np.array_equal(logits, before)
    assert_gradients(lambda: cross_entropy(logits, targets), 1.0, [grad], [logits])
    importance = np.linspace(0.1, 2, N)
    grad = cross_entropy_backward(logits, targets, importance)
    assert_gradients(lambda: cross_entropy(logits, targets, importance), 1.0, [grad], [logits])


def test_importance_by_hand():
    logits = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    assert cross_entropy(logits, np.array([1, 2]), np.array([3, 1])) == pytest.approx(
        -(3 * np.log(0.25) + np.log(0.8)) / 4
    )


def test_cross_entropy_by_hand():
    assert cross_entropy(np.zeros((3, 8)), np.array([0, 7, 3])) == pytest.approx(np.log(8))
    logits = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    assert cross_entropy(logits, np.array([1, 2])) == pytest.approx(-(np.log(0.25) + np.log(0.8)) / 2)
    assert cross_entropy(logits + 1000, [1, 2]) == pytest.approx(-(np.log(0.25) + np.log(0.8)) / 2)
    assert cross_entropy(np.array([[1e4, -1e4]], np.float32), [1]) == pytest.approx(2e4)


# ---- a layer, and the whole model ----


def a_batch(params, seed, lengths):
    """Random documents laid end to end. Returns ids and targets, N of each."""
    return random_ids(params, seed, sum(lengths)), random_ids(params, seed + 1, sum(lengths))


def small_model(seed, dtype=np.float64):
    """A model of two layers with few enough weights for differences. Returns weights and params."""
    n_heads, n_kv_heads = ((4, 2), (2, 2), (3, 1))[seed % 3]
    params = Params(2 * n_heads, 2, n_heads, n_kv_heads, 7, 5, norm_eps=1e-3, rope_theta=100.0, max_seq_len=9)
    return random_weights(params, seed, dtype=dtype), params


def packed_freqs_cis(params, lengths):
    freqs_cis = precompute_freqs_cis(params.head_dim, max(lengths), params.rope_theta)
    return np.concatenate([freqs_cis[:length] for length in lengths])


@pytest.mark.parametrize("seed", range(3))
def test_block_backward(seed):
    weights, params = small_model(seed)
    lengths = [3, 1, 2]
    freqs_cis = packed_freqs_cis(params, lengths)
    x, dout = normal([seed, 0], 6, params.dim), normal([seed, 1], 6, params.dim)

    def run():
        return backprop.block_forward(x, weights, params, 1, freqs_cis, lengths)

    dx, grads = backprop.block_backward(dout, run()[1], weights, params, 1, freqs_cis, lengths)
    assert sorted(grads) == sorted(name for name in weights if name.startswith("layers.1."))
    names = list(grads)
    inputs = [x, *(weights[name] for name in names)]
    assert_gradients(lambda: run()[0], dout, [dx, *(grads[name] for name in names)], inputs)


@pytest.mark.parametrize("seed", range(6))
def test_block_forward_is_block_document_by_document(seed):
    params = random_params(seed)
    weights = random_weights(params, seed)
    lengths = [4, 1, 7]
    x = normal(seed, 12, params.dim).astype(np.float32)
    out, _ = backprop.block_forward(x, weights, params, 0, packed_freqs_cis(params, lengths), lengths)
    assert out.dtype == np.float32
    for span, length in zip((slice(0, 4), slice(4, 5), slice(5, 12)), lengths, strict=True):
        freqs_cis = precompute_freqs_cis(params.head_dim, length, params.rope_theta)
        alone = block(x[span], weights, params, 0, freqs_cis, causal_mask(length))
        np.testing.assert_allclose(out[span], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_the_loss_is_that_of_part_one_on_each_document_by_itself(seed):
    scaling = RopeScaling(8.0, 1.0, 4.0, original_max_position_embeddings=8) if seed % 2 else None
    params = replace(random_params(seed), rope_scaling=scaling)
    weights = random_weights(params, seed)
    lengths = [5, 1, 9, 2]
    ids, targets = a_batch(params, seed, lengths)
    loss, _ = backprop.loss_and_gradients(weights, params, ids, targets, lengths)
    total, start = 0.0, 0
    for length in lengths:
        logits = forward(weights, params, ids[start : start + length])
        total += length * cross_entropy(logits, targets[start : start + length])
        start += length
    assert type(loss) is float
    assert loss == pytest.approx(total / sum(lengths), abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_gradients_of_the_whole_model(seed, monkeypatch):
    """In float64: embed alone would round to float32, so here it does not."""
    monkeypatch.setattr(backprop, "embed", lambda ids, table: table[ids])
    weights, params = small_model(seed)
    lengths = [4, 1, 2]
    ids, targets = a_batch(params, seed, lengths)

    def loss_and_gradients():
        return backprop.loss_and_gradients(weights, params, ids, targets, lengths)

    _, grads = loss_and_gradients()
    assert grads.keys() == weights.keys()
    for name, grad in grads.items():
        assert grad.shape == weights[name].shape
        expected = differences(lambda: loss_and_gradients()[0], weights[name], eps=1e-5)
        np.testing.assert_allclose(grad, expected, rtol=1e-5, atol=1e-8, err_msg=name)


def test_gradients_are_float32_and_the_weights_are_left_alone():
    params = random_params(4)
    weights = random_weights(params, 4)
    kept = {name: array.copy() for name, array in weights.items()}
    ids, targets = a_batch(params, 4, [6, 3])
    _, grads = backprop.loss_and_gradients(weights, params, ids, targets, [6, 3])
    assert {grad.dtype for grad in grads.values()} == {np.dtype(np.float32)}
    assert all(np.array_equal(kept[name], array) for name, array in weights.items())


@pytest.mark.parametrize("seed", [13, 14])
def test_gradients_are_those_of_autograd(seed):
    torch = oracle_module("torch")
    params = replace(random_params(seed), n_layers=3)
    weights = random_weights(params, seed)
    lengths = [7, 1, 12]
    ids, targets = a_batch(params, seed, lengths)
    loss, grads = backprop.loss_and_gradients(weights, params, ids, targets, lengths)

    model = reference_model(weights, params)
    starts = np.cumsum([0, *lengths])
    logits = [model(torch.from_numpy(ids[a:b])[None]).logits[0] for a, b in pairwise(starts)]
    reference = torch.nn.functional.cross_entropy(torch.cat(logits), torch.from_numpy(targets))
    reference.backward()

    assert loss == pytest.approx(reference.item(), abs=1e-5)
    ours = reference_state(grads, params)
    named = dict(model.named_parameters())
    assert ours.keys() == named.keys()
    for name, parameter in named.items():
        theirs = parameter.grad.numpy()
        assert np.abs(theirs).max() > 1e-4, name
        np.testing.assert_allclose(ours[name], theirs, rtol=1e-3, atol=2e-6, err_msg=name)
