"""Chapter 05: rotary position embedding, which turns queries and keys by their position.

Source: Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021.
Pairs are neighbours (0, 1), (2, 3), …, as in Meta's files; Hugging Face's files pair number i with number
i + head_dim / 2 and permute wq and wk to match.
"""

import numpy as np


def precompute_freqs_cis(head_dim, n_positions, theta, scaling=None):
    """The turn of every pair at every position, as complex numbers of length 1.

    Pair i turns by theta ** (-2 i / head_dim) radians a position.
    scaling: Params.rope_scaling, None for Llama 3.
    Returns [n_positions, head_dim / 2] complex64.
    """
    freqs = theta ** (-np.arange(0, head_dim, 2) / head_dim)  # [head_dim / 2]
    if scaling is not None:
        freqs = scale_freqs(freqs, scaling)  # [head_dim / 2]
    angles = np.outer(np.arange(n_positions), freqs)  # [n_positions, head_dim / 2]
    return np.exp(1j * angles).astype(np.complex64)


def scale_freqs(freqs, scaling):
    """Slow the slow pairs down, so that Llama 3.1 reaches further than the texts it was first trained on.

    freqs: [head_dim / 2], radians a position; scaling: Params.rope_scaling. A pair that makes
    high_freq_factor turns or more within original_max_position_embeddings positions stays as it is; one
    that makes low_freq_factor or fewer turns by 1 / factor of its angle; between the two it changes over
    in proportion. Returns [head_dim / 2]. Chapter 13 builds it.
    Source: apply_scaling in Meta's llama-models, models/llama3/model.py.
    """
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    turns = scaling.original_max_position_embeddings * freqs / (2 * np.pi)  # [head_dim / 2]
    kept = np.clip((turns - low) / (high - low), 0, 1)  # [head_dim / 2]: 1 stays, 0 is slowed down
    return freqs * (kept + (1 - kept) / scaling.factor)


def apply_rotary_emb(x, freqs_cis):
    """Turn the pairs of each query or key by its position.

    x: [n, T, head_dim] float32 (any number of leading axes); freqs_cis: [T, head_dim / 2] complex.
    Returns an array of x's shape and dtype.
    """
    pairs = x.view(np.result_type(x, np.complex64))  # [n, T, head_dim / 2]: (a, b) is a + bi
    return (pairs * freqs_cis).view(x.dtype)  # [n, T, head_dim]
