"""Chapter 05: rotary position embedding, which turns queries and keys by their position.

Source: Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021.
Left out: Llama 3.1's scaled frequencies (chapter 16). Pairs are neighbours (0, 1), (2, 3), …, as in Meta's
files; Hugging Face's files pair number i with number i + head_dim / 2 and permute wq and wk to match.
"""

import numpy as np


def precompute_freqs_cis(head_dim, n_positions, theta):
    """The turn of every pair at every position, as complex numbers of length 1.

    Pair i turns by theta ** (-2 i / head_dim) radians a position. Returns [n_positions, head_dim / 2] complex64.
    """
    freqs = theta ** (-np.arange(0, head_dim, 2) / head_dim)  # [head_dim / 2]
    angles = np.outer(np.arange(n_positions), freqs)  # [n_positions, head_dim / 2]
    return np.exp(1j * angles).astype(np.complex64)


def apply_rotary_emb(x, freqs_cis):
    """Turn the pairs of each query or key by its position.

    x: [n, T, head_dim] float32 (any number of leading axes); freqs_cis: [T, head_dim / 2] complex.
    Returns an array of x's shape and dtype.
    """
    pairs = x.view(np.result_type(x, np.complex64))  # [n, T, head_dim / 2]: (a, b) is a + bi
    return (pairs * freqs_cis).view(x.dtype)  # [n, T, head_dim]
