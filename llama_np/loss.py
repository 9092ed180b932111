"""Chapter 19: how wrong a prediction is, as one number.

Left out: label smoothing and anything else Llama 3 does not use.
"""

import numpy as np

from llama_np.attention import softmax


def cross_entropy(logits, targets):
    """The mean of -log of the probability given to the token that came next, in nats.

    logits: [N, V]; targets: N integers. A model that knows nothing scores log(V). Returns a float.
    """
    peak = logits.max(axis=-1)  # [N]
    log_total = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=-1))  # [N]
    return float(np.mean(log_total - logits[np.arange(len(targets)), targets]))


def cross_entropy_backward(logits, targets):
    """The gradient of cross_entropy: the probabilities, less 1 at the target, over N. Returns [N, V]."""
    dlogits = softmax(logits)
    dlogits[np.arange(len(targets)), targets] -= 1
    dlogits /= len(targets)
    return dlogits
