"""Chapter 03: RMSNorm, which brings every token's vector to the same size.

Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
Left out: nothing. There is no mean to subtract and no bias to add; that is LayerNorm.
"""

import numpy as np


def rms_norm(x, weight, eps):
    """Divide each row by its root mean square, then scale each column.

    x: [T, D] float32; weight: [D]; eps: keeps a row of zeros from dividing by zero.
    Returns [T, D] in x's dtype.
    """
    mean_square = np.mean(x * x, axis=-1, keepdims=True)  # [T, 1]
    return x / np.sqrt(mean_square + eps) * weight.astype(x.dtype)
