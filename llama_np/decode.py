"""Chapter 10: from logits to the next token, and from one token to a text.

Left out: choosing at random (chapter 12) and remembering earlier work (chapter 11): every new token runs the
whole sequence again.
"""

import numpy as np

from llama_np.attention import softmax
from llama_np.layers import forward


def next_token(logits):
    """The likeliest next token after the last position. logits: [T, V]. Returns its id.

    Raises ValueError if the best logit is not a finite number.
    """
    best = int(np.argmax(logits[-1]))
    if not np.isfinite(logits[-1, best]):  # argmax takes a NaN for the largest
        raise ValueError("the logits are not numbers: the weights are damaged, copy them again")
    return best


def likeliest(logits, n):
    """The n likeliest next tokens after the last position, best first: a list of (id, probability)."""
    probabilities = softmax(logits[-1])  # [V]
    best = np.argsort(-probabilities, kind="stable")[:n]
    return [(int(i), float(probabilities[i])) for i in best]


def generate(weights, params, ids, max_new_tokens, stop_ids=()):
    """Yield new ids one by one, always the likeliest, until a stop id, the count or the context's end.

    ids: the prompt, T integers. A stop id ends the text and is not yielded. Raises what forward raises.
    """
    ids = list(ids)
    for _ in range(max_new_tokens):
        token = next_token(forward(weights, params, ids))
        if token in stop_ids:
            return
        yield token
        ids.append(token)
        if len(ids) > params.max_seq_len:
            return
