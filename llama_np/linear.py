"""Chapter 14: the product every layer is made of, activations times a weight matrix, at the speed of memory.

A product reads every weight once, and reading them is what takes the time. So the weights are widened to float32 a
tile of rows at a time, in a scratch array that stays in the processor's cache, and threads share the tiles.
Left out: arithmetic in bf16, which NumPy does not have.
"""

import numpy as np

from llama_np.threads import on_every_core

# With fewer weights than this, handing tiles to threads costs more than it saves.
_SMALL = 256 * 1024

# Weights in a tile. In float32 they are 0.8 MB, which stays in a second cache of 1 MB or more; with many rows of x the
# product itself takes the time, and BLAS does it better in larger pieces.
_TILE = 200 * 1024
_TILE_FOR_MANY = 1024 * 1024

# For a few rows of x, OpenBLAS has a quick way on processors with AVX-512: up to a million multiplications at once.
_FEW = 12
_QUICK = 900_000


def linear(x, weight):
    """Multiply every row of x by a weight matrix stored as [out, in], as Meta's files store it.

    x: [T, in] float32 (any number of leading axes); weight: [out, in], bfloat16 or any float no wider
    than x's. Returns [T, out] in x's dtype. The weights are widened to it, never rounded.
    Raises ValueError if the two inner dimensions differ.
    """
    n_out, n_in = weight.shape
    if x.shape[-1] != n_in:
        raise ValueError(f"linear: x has {x.shape[-1]} columns, but the weight [{n_out}, {n_in}] takes {n_in}")
    if weight.dtype == x.dtype or weight.size <= _SMALL:
        return x @ weight[:].astype(x.dtype, copy=False).T
    return tiled_product(x.reshape(-1, n_in), weight).reshape(*x.shape[:-1], n_out)


def tiled_product(x, weight):
    """x @ weight.T, widening a tile of the weight's rows at a time; all cores take part.

    x: [T, in]; weight: [out, in]. Returns [T, out].
    """
    out = np.empty((len(weight), len(x)), x.dtype)  # [out, T]
    tile = tile_rows(*x.shape)
    starts = iter(range(0, len(weight), tile))  # for all threads: whoever is done takes the next

    def work():
        scratch = np.empty((tile, x.shape[1]), x.dtype)
        for start in starts:
            rows = weight[start : start + tile]  # [tile, in], and fewer at the end
            widened = scratch[: len(rows)]
            widened[:] = rows
            np.dot(widened, x.T, out=out[start : start + tile])  # [tile, T]

    on_every_core(work)
    return np.ascontiguousarray(out.T)  # [T, out]


def tile_rows(n_rows, n_in):
    """How many rows of a weight matrix [out, n_in] make a tile, where x has n_rows rows."""
    n_weights = _TILE_FOR_MANY if n_rows > _FEW else min(_TILE, _QUICK // max(1, n_rows))
    return max(1, n_weights // n_in)
