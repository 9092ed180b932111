"""Chapter 02: from token ids to vectors, a table look-up.

Left out: nothing. The table is stored in bfloat16; only the rows looked up become float32.
"""

import numpy as np


def embed(ids, table):
    """Look up the row of each token id.

    ids: T integers; table: [V, D], bfloat16 or float32 (`tok_embeddings.weight`).
    Returns x: [T, D] float32.
    Raises ValueError if there are no ids, or one is not a whole number from 0 to V-1.
    """
    ids = np.asarray(ids)
    if ids.size == 0:
        raise ValueError("there are no token ids: a forward pass needs at least one")
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError("token ids must be whole numbers in one row, as the tokenizer makes them")
    wrong = np.flatnonzero((ids < 0) | (ids >= len(table)))
    if wrong.size:
        first, last = wrong[0], len(table) - 1
        raise ValueError(f"token id {ids[first]} at position {first}: this table has ids 0 to {last}")
    return table[ids].astype(np.float32)  # [T, D]
