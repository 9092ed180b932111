"""Chapter 19: how wrong a prediction is, as one number.

Left out: label smoothing and anything else Llama 3 does not use.
"""

import numpy as np

from llama_np.attention import softmax


def cross_entropy(logits, targets, importance=None):
    """The mean of -log of the probability given to the token that came next, in nats.

    logits: [N, V]; targets: N integers; importance: [N], what each token counts for, the same for all if not given.
    A model that knows nothing scores log(V). Returns a float.
    """
    peak = logits.max(axis=-1)  # [N]
    log_total = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=-1))  # [N]
    return float(np.average(log_total - logits[np.arange(len(targets)), targets], weights=importance))


def cross_entropy_backward(logits, targets, importance=None):
    """The gradient of cross_entropy: the probabilities, less 1 at the target, times the token's share. [N, V]."""
    dlogits = softmax(logits)
    dlogits[np.arange(len(targets)), targets] -= 1
    share = np.ones(len(targets)) if importance is None else importance
    dlogits *= (share / np.sum(share)).astype(dlogits.dtype)[:, None]
    return dlogits
