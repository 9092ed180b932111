"""What must hold for any numbers: chapters 02 to 09 against properties, loops, and one number at a time."""

import tracemalloc
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_np import forward
from llama_np.attention import attention, attention_weights, causal_mask, softmax
from llama_np.embeddings import embed
from llama_np.layers import block, layer_outputs, output_logits
from llama_np.multihead import concatenate_heads, group_queries, grouped_attention, multihead_attention
from llama_np.params import Params, feed_forward_dim, weight_shapes
from llama_np.qkv import project_qkv, split_heads
from llama_np.rmsnorm import rms_norm
from llama_np.rope import apply_rotary_emb, precompute_freqs_cis
from llama_np.swiglu import sigmoid, silu, swiglu
from tests.random_models import random_ids, random_model, random_params, random_weights
from tests.scalar_llama import scalar_attention, scalar_forward

LLAMA_3_8B = Params(
    dim=4096,
    n_layers=32,
    n_heads=32,
    n_kv_heads=8,
    vocab_size=128256,
    ffn_dim=feed_forward_dim(4096, multiple_of=1024, ffn_dim_multiplier=1.3),
    norm_eps=1e-5,
    rope_theta=500000.0,
)
quick = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 2**32 - 1)
thetas = st.sampled_from([100.0, 10000.0, 500000.0])


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# ---- chapter 02: embeddings ----


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_embed_gives_the_rows_of_the_ids(dtype):
    table = normal(0, 9, 4).astype(dtype)
    x = embed([8, 0, 3, 3], table)
    assert x.dtype == np.float32
    assert x.tolist() == [[float(a) for a in table[i]] for i in (8, 0, 3, 3)]


@pytest.mark.parametrize("ids, wrong", [([1, -1], "-1 at position 1"), ([9], "9 at position 0"), ([0, 10**9], "1000")])
def test_embed_refuses_an_id_outside_the_table(ids, wrong):
    with pytest.raises(ValueError, match=wrong):
        embed(ids, normal(0, 9, 4))


def test_embed_takes_unsigned_ids_and_refuses_truth_values():
    table = normal(0, 2, 4)
    assert embed(np.array([1, 0], np.uint8), table).tolist() == table[[1, 0]].tolist()
    with pytest.raises(ValueError, match="whole numbers"):
        embed([True, False], table)  # as an index they would choose rows like a mask


def test_embed_refuses_no_ids():
    with pytest.raises(ValueError, match="no token ids"):
        embed([], normal(0, 9, 4))


# ---- chapter 03: RMSNorm ----


@quick
@given(seed=seeds, T=st.integers(1, 5), D=st.integers(1, 40), factor=st.floats(0.1, 1000))
def test_rms_norm_makes_rows_of_size_one_whatever_their_size(seed, T, D, factor):
    x = normal(seed, T, D) + np.float32(0.01)
    y = rms_norm(x, np.ones(D, np.float32), eps=0)
    np.testing.assert_allclose(np.sqrt(np.mean(y.astype(np.float64) ** 2, axis=-1)), 1, rtol=1e-5)
    larger = rms_norm(x * np.float32(factor), np.ones(D, np.float32), eps=0)
    np.testing.assert_allclose(larger, y, rtol=1e-4, atol=1e-6)


def test_rms_norm_scales_columns_and_lets_zeros_be():
    x = np.array([[3, -4], [0, 0]], np.float32)
    y = rms_norm(x, np.array([1, 10], ml_dtypes.bfloat16), eps=1e-5)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, [[3 / 12.5**0.5, -40 / 12.5**0.5], [0, 0]], rtol=1e-5)
    # eps is added to the mean square, not to the root, and not to the sum.
    np.testing.assert_allclose(rms_norm(x, np.ones(2, np.float32), eps=12.5)[0], x[0] / 5, rtol=1e-6)
    assert rms_norm(x, np.ones(2), eps=1e-5).dtype == np.float32  # a float64 weight widens nothing


# ---- chapter 04: queries, keys, values ----


def test_heads_are_neighbouring_columns_and_a_view():
    x = np.arange(24, dtype=np.float32).reshape(2, 12)
    heads = split_heads(x, 4)
    assert heads.shape == (3, 2, 4)
    assert np.shares_memory(heads, x)
    assert heads[1].tolist() == x[:, 4:8].tolist()
    assert concatenate_heads(heads).tolist() == x.tolist()


@quick
@given(seed=seeds, T=st.integers(1, 5), n_kv=st.integers(1, 3), group=st.integers(1, 3), half=st.integers(1, 4))
def test_projections_are_one_head_after_the_other(seed, T, n_kv, group, half):
    head_dim, D = 2 * half, n_kv * group * 2 * half
    x, wq, wk, wv = (normal([seed, i], n, D) for i, n in enumerate([T, D, n_kv * head_dim, n_kv * head_dim]))
    for projected, weight in zip(project_qkv(x, wq, wk, wv, head_dim), (wq, wk, wv), strict=True):
        by_head = [x @ weight[start : start + head_dim].T for start in range(0, len(weight), head_dim)]
        np.testing.assert_allclose(projected, by_head, rtol=1e-4, atol=1e-4)


# ---- chapter 05: rotation ----


def test_the_frequencies_of_the_8b():
    freqs_cis = precompute_freqs_cis(LLAMA_3_8B.head_dim, 3, LLAMA_3_8B.rope_theta)
    angles = np.angle(freqs_cis)  # position 1 turns each pair by its frequency
    assert freqs_cis.shape == (3, 64)
    assert angles[0].tolist() == [0] * 64
    np.testing.assert_allclose(angles[1, :4], [1.0, 0.81462, 0.66360, 0.54058], atol=5e-6)
    np.testing.assert_allclose(angles[1, -1], 2.4551e-06, rtol=2e-5)
    np.testing.assert_allclose(angles[2], 2 * angles[1], rtol=1e-6)
    np.testing.assert_allclose(np.abs(freqs_cis), 1, rtol=1e-6)


def test_late_positions_keep_their_angles():
    """Angles are taken in float64: at position 8191 float32's error would be 0.0005 of a radian."""
    freqs_cis = precompute_freqs_cis(128, 8192, 500000.0)
    frequency = 500000.0 ** (-2 / 128)
    np.testing.assert_allclose(freqs_cis[8191, 1], np.exp(1j * 8191 * frequency), atol=2e-7)


def test_a_quarter_turn_by_hand():
    x = np.array([[[1, 2, 3, 4]]], np.float32)
    turned = apply_rotary_emb(x, np.array([[1j, -1]], np.complex64))
    assert turned.tolist() == [[[-2, 1, -3, -4]]]


@quick
@given(
    seed=seeds,
    half=st.integers(1, 16),
    theta=thetas,
    n=st.integers(0, 30),
    m=st.integers(0, 30),
    by=st.integers(0, 400),
)
def test_a_score_depends_on_the_distance_alone(seed, half, theta, n, m, by):
    query, key = normal([seed, 0], 1, 1, 2 * half), normal([seed, 1], 1, 1, 2 * half)
    freqs_cis = precompute_freqs_cis(2 * half, 500, theta)

    def score(query_at, key_at):
        q = apply_rotary_emb(query, freqs_cis[query_at : query_at + 1])
        return float(np.sum(q * apply_rotary_emb(key, freqs_cis[key_at : key_at + 1])))

    assert score(n + by, m + by) == pytest.approx(score(n, m), abs=1e-4)


@quick
@given(seed=seeds, n=st.integers(1, 3), T=st.integers(1, 6), half=st.integers(1, 5), theta=thetas)
def test_rotation_keeps_length_shape_and_dtype(seed, n, T, half, theta):
    freqs_cis = precompute_freqs_cis(2 * half, T, theta)
    for dtype in (np.float32, np.float64):
        x = split_heads(normal(seed, T, n * 2 * half).astype(dtype), 2 * half)  # a view, as in the model
        y = apply_rotary_emb(x, freqs_cis)
        assert y.shape == x.shape and y.dtype == dtype
        np.testing.assert_allclose(np.linalg.norm(y, axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-5)
        np.testing.assert_array_equal(y[:, 0], x[:, 0])  # position 0 does not turn


# ---- chapter 06: attention ----


@quick
@given(
    seed=seeds,
    rows=st.integers(1, 4),
    n=st.integers(1, 30),
    size=st.sampled_from([1, 100, 1e4]),
    shift=st.integers(-1000, 1000),
)
def test_softmax_rows_add_up_to_one_and_a_shift_changes_nothing(seed, rows, n, size, shift):
    x = np.round(normal(seed, rows, n) * size).astype(np.float32)  # whole numbers: the shift is exact
    before = x.copy()
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = softmax(x)
        shifted = softmax(x + np.float32(shift))
    assert y.min() >= 0 and np.isfinite(y).all()
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(shifted, y)
    np.testing.assert_array_equal(x, before)


def test_softmax_by_hand():
    np.testing.assert_allclose(softmax(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]], rtol=1e-12)
    assert softmax(np.array([[1e4, -1e4, -np.inf]], np.float32)).tolist() == [[1, 0, 0]]


def test_the_mask_lets_a_query_see_itself_and_what_came_before():
    mask = causal_mask(4)
    assert mask.dtype == np.float32
    for t in range(4):
        for s in range(4):
            assert mask[t, s] == (0 if s <= t else -np.inf)


def test_attention_weights_are_scaled_and_masked():
    q, k = normal(0, 3, 4), normal(1, 3, 4)
    weights = attention_weights(q, k, causal_mask(3))
    for t in range(3):
        e = [np.exp(float(q[t] @ k[s]) / 2) for s in range(t + 1)]  # the root of head_dim is 2
        np.testing.assert_allclose(weights[t], [*(np.array(e) / sum(e)), *[0] * (2 - t)], rtol=1e-5)


# ---- chapter 07: all heads ----

head_counts = dict(n_kv=st.integers(1, 4), group=st.integers(1, 4), T=st.integers(1, 6), head_dim=st.integers(1, 6))


@quick
@given(seed=seeds, **head_counts)
def test_grouped_attention_is_a_loop_over_heads_with_keys_and_values_repeated(seed, n_kv, group, T, head_dim):
    q, k, v = (normal([seed, i], n, T, head_dim) for i, n in enumerate([n_kv * group, n_kv, n_kv]))
    mask = causal_mask(T)
    k_repeated, v_repeated = np.repeat(k, group, axis=0), np.repeat(v, group, axis=0)
    by_head = [attention(*head, mask) for head in zip(q, k_repeated, v_repeated, strict=True)]
    result = grouped_attention(q, k, v, mask)
    np.testing.assert_allclose(result, by_head, rtol=1e-5, atol=1e-5)
    # Ordinary multi-head attention: a key/value head for each query head, some of them equal.
    ordinary = grouped_attention(q, k_repeated, v_repeated, mask)
    np.testing.assert_allclose(ordinary, by_head, rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(
    seed=seeds,
    n_kv=st.integers(1, 2),
    group=st.integers(1, 3),
    T=st.integers(1, 4),
    half=st.integers(1, 2),
    theta=thetas,
)
def test_multihead_attention_is_the_scalar_loop_in_float64(seed, n_kv, group, T, half, theta):
    head_dim, D = 2 * half, n_kv * group * 2 * half
    shapes = [(T, D), (D, D), (n_kv * head_dim, D), (n_kv * head_dim, D), (D, D)]
    x, wq, wk, wv, wo = (normal([seed, i], *shape).astype(np.float64) for i, shape in enumerate(shapes))
    freqs_cis = np.exp(1j * np.outer(np.arange(T), theta ** (-np.arange(0, head_dim, 2) / head_dim)))
    result = multihead_attention(x, wq, wk, wv, wo, freqs_cis, causal_mask(T))
    lists = (a.tolist() for a in (x, wq, wk, wv, wo))
    loop = scalar_attention(*lists, n_kv * group, n_kv, theta)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, loop, rtol=1e-9, atol=1e-9)


def test_grouping_queries_copies_nothing():
    q = split_heads(normal(0, 5, 24), 4)
    grouped = group_queries(q, 2)
    assert grouped.shape == (2, 3, 5, 4)
    assert np.shares_memory(grouped, q)
    np.testing.assert_array_equal(grouped[1, 2], q[5])


def test_keys_and_values_are_never_repeated_in_memory():
    n_heads, n_keys, head_dim = 32, 4096, 64
    q = normal(0, n_heads, 1, head_dim)
    k, v = normal(1, 1, n_keys, head_dim), normal(2, 1, n_keys, head_dim)
    mask = np.zeros((1, n_keys), np.float32)
    scores = n_heads * n_keys * 4  # bytes
    tracemalloc.start()
    try:
        grouped_attention(q, k, v, mask)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * scores + 200_000  # the scores, less their maximum, and exp of that
    assert peak < n_heads * k.nbytes / 10


# ---- chapter 08: SwiGLU ----


def test_sigmoid_and_silu_hold_from_end_to_end():
    x = np.array([-1e4, -100, -3, -0.5, 0, 0.5, 3, 100, 1e4], np.float32)
    with np.errstate(all="raise", under="ignore"):
        s, y = sigmoid(x), silu(x)
    exact = 0.5 * (1 + np.tanh(x.astype(np.float64) / 2))
    assert s.dtype == y.dtype == np.float32
    np.testing.assert_allclose(s, exact, atol=1e-7)
    np.testing.assert_allclose(y, x * exact, rtol=1e-6, atol=1e-6)


@quick
@given(seed=seeds, T=st.integers(1, 4), D=st.integers(1, 8), F=st.integers(1, 9))
def test_swiglu_is_a_loop_over_hidden_units(seed, T, D, F):
    x, w1, w2, w3 = (normal([seed, i], *shape) for i, shape in enumerate([(T, D), (F, D), (D, F), (F, D)]))
    loop = np.zeros((T, D))
    for f in range(F):
        gate, up = x.astype(np.float64) @ w1[f], x.astype(np.float64) @ w3[f]
        loop += np.outer(gate / (1 + np.exp(-gate)) * up, w2[:, f])
    np.testing.assert_allclose(swiglu(x, w1, w2, w3), loop, rtol=1e-4, atol=1e-4)


# ---- chapter 09: the whole model ----


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 41), data=st.data())
def test_a_token_changes_no_logits_before_it(seed, data):
    weights, params, _ = random_model(seed)
    ids = random_ids(params, seed, length=data.draw(st.integers(2, 12)))
    at = data.draw(st.integers(1, len(ids) - 1))
    before = forward(weights, params, ids)
    changed = ids.copy()
    changed[at] = (ids[at] + data.draw(st.integers(1, params.vocab_size - 1))) % params.vocab_size
    after = forward(weights, params, changed)
    np.testing.assert_allclose(after[:at], before[:at], atol=1e-5)
    assert np.abs(after[at] - before[at]).max() > 1e-3
    np.testing.assert_allclose(forward(weights, params, ids[:at]), before[:at], atol=1e-5)


@pytest.mark.parametrize("n_heads, n_kv_heads, theta", [(4, 2, 10000.0), (2, 1, 500000.0), (2, 2, 100.0)])
def test_forward_is_the_scalar_model(n_heads, n_kv_heads, theta):
    params = Params(8, 2, n_heads, n_kv_heads, vocab_size=11, ffn_dim=7, norm_eps=1e-3, rope_theta=theta)
    weights = random_weights(params, seed=n_heads)
    ids = [3, 10, 0, 3, 7]
    lists = {name: array.astype(np.float64).tolist() for name, array in weights.items()}
    loop = scalar_forward(lists, ids, params.n_layers, n_heads, n_kv_heads, params.norm_eps, theta)
    assert np.std(loop) > 0.1
    np.testing.assert_allclose(forward(weights, params, ids), loop, atol=1e-5)


def test_layer_outputs_begin_with_the_embeddings_and_none_is_written_over():
    weights, params, ids = random_model(8)
    outputs = list(layer_outputs(weights, params, ids))
    assert len(outputs) == params.n_layers + 1
    np.testing.assert_array_equal(outputs[0], embed(ids, weights["tok_embeddings.weight"]))
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), params.rope_theta)
    for layer, (x, output) in enumerate(pairwise(outputs)):
        expected = block(x, weights, params, layer, freqs_cis, causal_mask(len(ids)))
        np.testing.assert_array_equal(output, expected)
    np.testing.assert_array_equal(output_logits(outputs[-1], weights, params), forward(weights, params, ids))


def test_forward_refuses_what_the_model_cannot_take():
    params = random_params(0)
    weights = random_weights(params, 0)
    with pytest.raises(ValueError, match=r"^49 tokens .* context of 48"):
        forward(weights, params, [0] * 49)
    with pytest.raises(ValueError, match="no token ids"):
        forward(weights, params, [])
    with pytest.raises(ValueError, match=f"ids 0 to {params.vocab_size - 1}"):
        forward(weights, params, [0, params.vocab_size])


def test_forward_leaves_its_input_alone():
    weights, params, ids = random_model(13)
    kept, ids_before = {name: array.copy() for name, array in weights.items()}, ids.copy()
    first = forward(weights, params, ids)
    np.testing.assert_array_equal(forward(weights, params, ids), first)
    assert all(np.array_equal(kept[name], array) for name, array in weights.items())
    assert np.array_equal(ids, ids_before)


def test_the_sizes_of_the_8b():
    assert LLAMA_3_8B.ffn_dim == 14336
    # 2/3 of 16 is cut to 10, 1.16 times 10 to 11, and only then is it rounded up.
    assert [feed_forward_dim(4, n, 1.16) for n in (1, 5)] == [11, 15] and feed_forward_dim(4, 1, 3.0) == 30
    assert LLAMA_3_8B.head_dim == 128
    assert LLAMA_3_8B.max_seq_len == 8192
    assert LLAMA_3_8B.n_parameters == 8_030_261_248
    shapes = weight_shapes(LLAMA_3_8B)
    assert len(shapes) == 3 + 32 * 9
    assert shapes["layers.31.attention.wk.weight"] == (1024, 4096)
    assert shapes["layers.0.feed_forward.w2.weight"] == (4096, 14336)
