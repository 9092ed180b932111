"""Chapter 08: the feed-forward part, each token by itself.

Source: Shazeer, "GLU Variants Improve Transformer", 2020.
Left out: nothing. (A mixture of experts, chapter 24, is several of these with a choice between them.)
"""

import numpy as np

from llama_np.linear import linear


def sigmoid(x):
    """1 / (1 + exp(-x)), between 0 and 1. Keeps shape and dtype."""
    # Written with tanh, which cannot overflow as exp(-x) can.
    return 0.5 * np.tanh(0.5 * x) + 0.5


def silu(x):
    """x times its own sigmoid: near 0 for very negative x, near x for large x. Keeps shape and dtype."""
    return x * sigmoid(x)


def swiglu(x, w1, w2, w3):
    """The gated feed-forward network.

    x: [T, D]; w1 (gate) and w3 (up): [F, D]; w2 (down): [D, F]. Returns [T, D].
    """
    gated = silu(linear(x, w1)) * linear(x, w3)  # [T, F]
    return linear(gated, w2)  # [T, D]
