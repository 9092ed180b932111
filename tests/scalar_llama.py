"""Llama 3 once more, one number at a time: Python's loops and floats (float64), no llama_np, no NumPy.

Written from Meta's llama3/llama/model.py, to be compared with the array code.
"""

import math


def norm(row, weight, eps):
    rms = math.sqrt(sum(a * a for a in row) / len(row) + eps)
    return [a / rms * w for a, w in zip(row, weight, strict=True)]


def times(matrix, row):
    return [sum(w * a for w, a in zip(weights, row, strict=True)) for weights in matrix]


def turned(head, position, theta):
    out = []
    for i in range(0, len(head), 2):
        angle = position * theta ** (-i / len(head))
        a, b = head[i], head[i + 1]
        out += [a * math.cos(angle) - b * math.sin(angle), a * math.sin(angle) + b * math.cos(angle)]
    return out


def shares(scores):
    e = [math.exp(score - max(scores)) for score in scores]
    return [a / sum(e) for a in e]


def scalar_attention(rows, wq, wk, wv, wo, n_heads, n_kv_heads, theta):
    """rows: T lists of D numbers, normalised. Returns what is added to the residual stream."""
    head_dim = len(wq) // n_heads
    out = []
    for t in range(len(rows)):
        joined = []
        for head in range(n_heads):
            kv_head = head // (n_heads // n_kv_heads)
            of_q = slice(head * head_dim, (head + 1) * head_dim)
            of_kv = slice(kv_head * head_dim, (kv_head + 1) * head_dim)
            query = turned(times(wq[of_q], rows[t]), t, theta)
            scores = []
            for s in range(t + 1):
                key = turned(times(wk[of_kv], rows[s]), s, theta)
                scores.append(sum(a * b for a, b in zip(query, key, strict=True)) / math.sqrt(head_dim))
            values = [times(wv[of_kv], rows[s]) for s in range(t + 1)]
            taken = shares(scores)
            joined += [sum(taken[s] * values[s][i] for s in range(t + 1)) for i in range(head_dim)]
        out.append(times(wo, joined))
    return out


def scalar_forward(weights, ids, n_layers, n_heads, n_kv_heads, eps, theta):
    """weights: Meta's names to nested lists. Returns T lists of V logits."""
    rows = [weights["tok_embeddings.weight"][i] for i in ids]
    for layer in range(n_layers):

        def w(name, layer=layer):
            return weights[f"layers.{layer}.{name}.weight"]

        normed = [norm(row, w("attention_norm"), eps) for row in rows]
        matrices = [w(f"attention.{name}") for name in ("wq", "wk", "wv", "wo")]
        added = scalar_attention(normed, *matrices, n_heads, n_kv_heads, theta)
        rows = [[a + b for a, b in zip(row, more, strict=True)] for row, more in zip(rows, added, strict=True)]
        for t, row in enumerate(rows):
            normed = norm(row, w("ffn_norm"), eps)
            gate, up = times(w("feed_forward.w1"), normed), times(w("feed_forward.w3"), normed)
            hidden = [g / (1 + math.exp(-g)) * u for g, u in zip(gate, up, strict=True)]
            rows[t] = [a + b for a, b in zip(row, times(w("feed_forward.w2"), hidden), strict=True)]
    return [times(weights["output.weight"], norm(row, weights["norm.weight"], eps)) for row in rows]
