"""Chapter 20: the gradient of the loss by every weight, one backward function for each function of Part I.

`f_backward(dy, …)` takes the gradient of the loss by f's output and returns the gradients by f's inputs, in
their order. The forward pass here calls Part I's own functions and keeps what the backward pass needs.

A batch is documents laid end to end: x is [N, D], N tokens in all. Every function of the model but attention
works on each token by itself, so only attention has to know where a document begins.
Left out: recomputing activations to save memory.
"""

import numpy as np

from llama_np.attention import attention_weights, causal_mask
from llama_np.embeddings import embed
from llama_np.linear import linear
from llama_np.loss import cross_entropy, cross_entropy_backward
from llama_np.multihead import concatenate_heads, group_queries
from llama_np.qkv import project_qkv, split_heads
from llama_np.rmsnorm import rms_norm
from llama_np.rope import apply_rotary_emb, precompute_freqs_cis
from llama_np.swiglu import sigmoid, silu


def linear_backward(dy, x, weight):
    """dy: [N, out]; x: [N, in]; weight: [out, in]. Returns dx: [N, in] and dweight: [out, in]."""
    return dy @ weight, dy.T @ x


def embed_backward(dx, ids, n_rows):
    """dx: [N, D]; ids: N integers. Returns dtable: [V, D]: a row used twice gets the sum of both gradients."""
    dtable = np.zeros((n_rows, dx.shape[1]), dx.dtype)
    np.add.at(dtable, ids, dx)
    return dtable


def rms_norm_backward(dy, x, weight, eps):
    """dy, x: [N, D]; weight: [D]. Returns dx: [N, D] and dweight: [D]."""
    D = x.shape[-1]
    rms = np.sqrt(np.vecdot(x, x) / D + eps)[:, None]  # [N, 1]
    normed = x / rms  # [N, D]
    dweight = np.einsum("nd,nd->d", dy, normed)
    dx = dy * weight
    # Making x longer does not change the output, so the part of the gradient along x is taken out.
    dx -= normed * (np.vecdot(dx, normed) / D)[:, None]
    dx /= rms
    return dx, dweight


def apply_rotary_emb_backward(dy, freqs_cis):
    """A turn is undone by the opposite turn. dy: [n, T, head_dim]. Returns dx of the same shape."""
    return apply_rotary_emb(dy, freqs_cis.conj())


def softmax_backward(dy, y):
    """dy, y: [..., T], y the softmax's output. Returns dx of the same shape."""
    dx = dy - np.vecdot(dy, y)[..., None]
    dx *= y
    return dx


def attention_backward(dout, q, k, v, weights):
    """The gradient of grouped attention in one document.

    dout, q: [n_kv_heads, group, T, head_dim]; k, v: [n_kv_heads, T, head_dim];
    weights: [n_kv_heads, group, T, T] from the forward pass. Returns dq, dk, dv, shaped like q, k, v.
    """
    n_kv_heads, group, T, head_dim = q.shape
    scale = head_dim**-0.5
    dweights = dout @ v[:, None].swapaxes(-1, -2)  # [n_kv_heads, group, T, T]
    dscores = softmax_backward(dweights, weights)
    dscores *= scale
    dq = dscores @ k[:, None]  # [n_kv_heads, group, T, head_dim]

    # A key serves every query of its group: all their rows stacked make one product that also sums them.
    def stacked(a):
        return a.reshape(n_kv_heads, group * T, -1)

    dk = stacked(dscores).swapaxes(-1, -2) @ stacked(q)  # [n_kv_heads, T, head_dim]
    dv = stacked(weights).swapaxes(-1, -2) @ stacked(dout)
    return dq, dk, dv


def silu_backward(dy, x):
    """dy, x: the same shape. With s the sigmoid of x, d(x s)/dx = s (1 + x (1 - s)). Returns dx."""
    s = sigmoid(x)
    dx = 1 - s
    dx *= x
    dx += 1
    dx *= s
    dx *= dy
    return dx


def spans(lengths):
    """Where each document lies in the batch. lengths: tokens of each document. Returns a list of slices."""
    ends = np.cumsum(lengths)
    return [slice(int(end - length), int(end)) for end, length in zip(ends, lengths, strict=True)]


def attention_forward(q, k, v, lengths):
    """Causal grouped attention within each document.

    q: [n_heads, N, head_dim]; k, v: [n_kv_heads, N, head_dim]. Returns heads: [n_heads, N, head_dim] and, for
    each document, its attention weights.
    """
    n_heads, N, head_dim = q.shape
    heads = np.empty((N, n_heads, head_dim), q.dtype).swapaxes(0, 1)  # laid out as concatenate_heads wants it
    kept = []
    for span in spans(lengths):
        grouped = group_queries(q[:, span], len(k))  # [n_kv_heads, group, T, head_dim]
        weights = attention_weights(grouped, k[:, None, span], causal_mask(grouped.shape[2]))
        heads[:, span] = (weights @ v[:, None, span]).reshape(n_heads, -1, head_dim)
        kept.append(weights)
    return heads, kept


def attention_forward_backward(dheads, q, k, v, kept, lengths):
    """The gradients of attention_forward: dheads and q [n_heads, N, head_dim]. Returns dq, dk, dv."""
    dq, dk, dv = np.empty_like(q), np.empty_like(k), np.empty_like(v)
    for span, weights in zip(spans(lengths), kept, strict=True):
        grouped_dheads = group_queries(dheads[:, span], len(k))
        grouped_q = group_queries(q[:, span], len(k))
        dgrouped, dk[:, span], dv[:, span] = attention_backward(
            grouped_dheads, grouped_q, k[:, span], v[:, span], weights
        )
        dq[:, span] = dgrouped.reshape(dq[:, span].shape)
    return dq, dk, dv


def block_forward(x, weights, params, layer, freqs_cis, lengths):
    """layers.block for documents laid end to end. x: [N, D]. Returns [N, D] and what block_backward needs."""
    w = _layer_weights(weights, layer)
    attention_in = rms_norm(x, w["attention_norm"], params.norm_eps)  # [N, D]
    q, k, v = project_qkv(attention_in, w["attention.wq"], w["attention.wk"], w["attention.wv"], params.head_dim)
    q, k = apply_rotary_emb(q, freqs_cis), apply_rotary_emb(k, freqs_cis)
    heads, attention_kept = attention_forward(q, k, v, lengths)
    concatenated = concatenate_heads(heads)  # [N, D]
    h = x + linear(concatenated, w["attention.wo"])
    ffn_in = rms_norm(h, w["ffn_norm"], params.norm_eps)
    gate = linear(ffn_in, w["feed_forward.w1"])  # [N, F]
    up = linear(ffn_in, w["feed_forward.w3"])  # [N, F]
    activated = silu(gate)
    out = h + linear(activated * up, w["feed_forward.w2"])
    return out, (x, attention_in, q, k, v, attention_kept, concatenated, h, ffn_in, gate, up, activated)


def block_backward(dout, kept, weights, params, layer, freqs_cis, lengths):
    """dout: [N, D]. Returns dx: [N, D] and a dict of the layer's gradients under Meta's names."""
    x, attention_in, q, k, v, attention_kept, concatenated, h, ffn_in, gate, up, activated = kept
    w = _layer_weights(weights, layer)
    grads = {}

    dgated, grads["feed_forward.w2"] = linear_backward(dout, activated * up, w["feed_forward.w2"])
    dup, dgate = dgated * activated, silu_backward(dgated * up, gate)
    dffn_in_up, grads["feed_forward.w3"] = linear_backward(dup, ffn_in, w["feed_forward.w3"])
    dffn_in_gate, grads["feed_forward.w1"] = linear_backward(dgate, ffn_in, w["feed_forward.w1"])
    dffn_in_up += dffn_in_gate
    dh, grads["ffn_norm"] = rms_norm_backward(dffn_in_up, h, w["ffn_norm"], params.norm_eps)
    dh += dout  # the residual passes the gradient on unchanged

    dconcatenated, grads["attention.wo"] = linear_backward(dh, concatenated, w["attention.wo"])
    dheads = split_heads(dconcatenated, params.head_dim)  # [n_heads, N, head_dim]
    dq, dk, dv = attention_forward_backward(dheads, q, k, v, attention_kept, lengths)
    dq, dk = apply_rotary_emb_backward(dq, freqs_cis), apply_rotary_emb_backward(dk, freqs_cis)
    dq, dk, dv = concatenate_heads(dq), concatenate_heads(dk), concatenate_heads(dv)  # [N, n * head_dim]
    dattention_in, grads["attention.wq"] = linear_backward(dq, attention_in, w["attention.wq"])
    dkey_in, grads["attention.wk"] = linear_backward(dk, attention_in, w["attention.wk"])
    dvalue_in, grads["attention.wv"] = linear_backward(dv, attention_in, w["attention.wv"])
    dattention_in += dkey_in
    dattention_in += dvalue_in
    dx, grads["attention_norm"] = rms_norm_backward(dattention_in, x, w["attention_norm"], params.norm_eps)
    dx += dh
    return dx, {f"layers.{layer}.{name}.weight": grad for name, grad in grads.items()}


def _layer_weights(weights, layer):
    names = [
        "attention_norm",
        "ffn_norm",
        *(f"attention.w{c}" for c in "qkvo"),
        *(f"feed_forward.w{c}" for c in "123"),
    ]
    return {name: weights[f"layers.{layer}.{name}.weight"] for name in names}


def loss_and_gradients(weights, params, ids, targets, lengths, importance=None):
    """The mean loss over a batch and its gradient by every weight.

    weights: Meta's names to float32 arrays; ids, targets: N integers, the documents laid end to end;
    lengths: the tokens of each document, adding up to N; importance: [N], as for cross_entropy.
    Returns the loss and a dict like weights.
    """
    eps = params.norm_eps
    freqs_cis = precompute_freqs_cis(params.head_dim, max(lengths), params.rope_theta, params.rope_scaling)
    freqs_cis = np.concatenate([freqs_cis[:length] for length in lengths])  # [N, head_dim / 2], each from 0
    x = embed(ids, weights["tok_embeddings.weight"])  # [N, D]
    kept = []
    for layer in range(params.n_layers):
        x, layer_kept = block_forward(x, weights, params, layer, freqs_cis, lengths)
        kept.append(layer_kept)
    normed = rms_norm(x, weights["norm.weight"], eps)
    logits = linear(normed, weights["output.weight"])  # [N, V]

    grads = {}
    dlogits = cross_entropy_backward(logits, targets, importance)
    dnormed, grads["output.weight"] = linear_backward(dlogits, normed, weights["output.weight"])
    dx, grads["norm.weight"] = rms_norm_backward(dnormed, x, weights["norm.weight"], eps)
    for layer in reversed(range(params.n_layers)):
        dx, layer_grads = block_backward(dx, kept.pop(), weights, params, layer, freqs_cis, lengths)
        grads |= layer_grads
    grads["tok_embeddings.weight"] = embed_backward(dx, ids, params.vocab_size)
    return cross_entropy(logits, targets, importance), grads
