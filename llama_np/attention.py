"""Chapter 06: masked attention, each token gathering from those before it.

Source: Vaswani et al., "Attention Is All You Need", 2017.
Left out: blocks with an online softmax for long prompts (chapter 16).
"""

import numpy as np


def causal_mask(n_positions):
    """Added to the scores: 0 where a query may look, -inf above the diagonal. [T, T] float32."""
    return np.triu(np.full((n_positions, n_positions), -np.inf, np.float32), 1)


def softmax(x):
    """Turn the last axis into numbers from 0 to 1 that add up to 1.

    The maximum is taken off so that exp cannot overflow.
    """
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    e /= e.sum(axis=-1, keepdims=True)
    return e


def attention_weights(q, k, mask):
    """How much each query takes from each key.

    q: [..., T, head_dim]; k: [..., T, head_dim]; mask: [T, T].
    Returns [..., T, T], each row adding up to 1.
    """
    scale = q.shape[-1] ** -0.5
    scores = (q * scale) @ k.swapaxes(-1, -2)  # [..., T, T]
    scores += mask
    return softmax(scores)


def attention(q, k, v, mask):
    """Mix the values by the attention weights. v: [..., T, head_dim]. Returns [..., T, head_dim]."""
    return attention_weights(q, k, mask) @ v
