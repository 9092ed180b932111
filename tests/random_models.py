"""Small random models in every shape, the same from the same seed."""

import ml_dtypes
import numpy as np

from llama_np.params import Params, weight_shapes


def random_params(seed):
    """Sizes of a small model. What has few values takes each in turn; the rest is drawn."""
    random = np.random.default_rng(seed)
    head_dim = (2, 4, 6, 8, 10, 16, 32)[seed % 7]
    n_kv_heads, group = ((1, 4), (2, 2), (3, 1), (1, 1), (2, 3), (4, 2))[seed % 6]
    n_heads = n_kv_heads * group
    return Params(
        dim=n_heads * head_dim,
        n_layers=int(random.integers(1, 4)),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        vocab_size=int(random.integers(20, 90)),
        ffn_dim=int(random.integers(5, 70)),
        norm_eps=float(random.choice([1e-5, 1e-6, 1e-2])),
        rope_theta=float(random.choice([10000.0, 500000.0, 100.0])),
        max_seq_len=48,
    )


def random_weights(params, seed, tied=False, dtype=np.float32):
    """Weights that keep the size of what flows through and make attention choose. Meta's names to arrays."""
    random = np.random.default_rng([seed, 1])
    weights = {}
    for name, shape in weight_shapes(params).items():
        if len(shape) == 1:
            array = random.uniform(0.5, 1.5, shape)
        else:
            size = 1.0 if name == "tok_embeddings.weight" and not tied else shape[1] ** -0.5
            size *= 1.5 if name.endswith(("wq.weight", "wk.weight")) else 1.0
            array = size * random.standard_normal(shape)
        weights[name] = array.astype(dtype)
    if tied:
        weights["output.weight"] = weights["tok_embeddings.weight"]
    return weights


def random_ids(params, seed, length=None):
    """Token ids: one, two, an odd or even number, or as many as the model takes. An array of T integers."""
    random = np.random.default_rng([seed, 2])
    lengths = (1, 2, 7, 16, params.max_seq_len)
    return random.integers(0, params.vocab_size, length or lengths[seed % len(lengths)])


def random_model(seed):
    """A whole case. Returns weights, params and ids; some models are tied, some stored in bfloat16."""
    params = random_params(seed)
    random = np.random.default_rng([seed, 3])
    dtype = ml_dtypes.bfloat16 if random.random() < 0.5 else np.float32
    weights = random_weights(params, seed, tied=random.random() < 0.4, dtype=dtype)
    return weights, params, random_ids(params, seed)
