"""The product every layer is made of: activations times a weight matrix.

Part II, chapter 14, rebuilds it for speed; here is the plain form that Part I stands on.
Left out: threads, tiles chosen for the cache, and bf16 arithmetic without a copy.
"""

import numpy as np

# A whole bf16 matrix of the 8B, copied to float32, can take 2 GB: a tile of rows at a time takes 32 MB.
_TILE_ELEMENTS = 8 * 1024 * 1024


def linear(x, weight):
    """Multiply every row of x by a weight matrix stored as [out, in], as Meta's files store it.

    x: [T, in] float32; weight: [out, in], bfloat16 or any float. Returns [T, out] in x's dtype.
    Raises ValueError if the two inner dimensions differ.
    """
    n_out, n_in = weight.shape
    if x.shape[-1] != n_in:
        raise ValueError(f"linear: x has {x.shape[-1]} columns, but the weight [{n_out}, {n_in}] takes {n_in}")
    if weight.dtype == x.dtype:
        return x @ weight.T
    out = np.empty((*x.shape[:-1], n_out), x.dtype)
    tile = max(1, _TILE_ELEMENTS // n_in)
    for start in range(0, n_out, tile):
        rows = weight[start : start + tile].astype(x.dtype)  # [tile, in]
        out[..., start : start + tile] = x @ rows.T
    return out
