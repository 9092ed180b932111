"""The oracle: transformers' Llama, made from our weights, and the rule for when it may be missing."""

import importlib
import os

import numpy as np
import pytest


def oracle_module(name):
    """Import a library that only checks ours: where it is missing the test is skipped.

    With LLAMA_NP_ORACLE=1 in the environment, as in CI, it fails.
    """
    if os.environ.get("LLAMA_NP_ORACLE") == "1":
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"{name} is not installed, and this test compares with it")


def half_split(weight, head_dim):
    """Move the rows of wq or wk from neighbouring pairs (0, 1), (2, 3), … to (0, head_dim / 2), (1, …), …

    weight: [n * head_dim, D]. Row 2 i of a head becomes row i, and row 2 i + 1 row head_dim / 2 + i.
    """
    order = [*range(0, head_dim, 2), *range(1, head_dim, 2)]
    heads = weight.reshape(-1, head_dim, weight.shape[1])
    return heads[:, order].reshape(weight.shape)


_NAMES = {
    "attention_norm": "input_layernorm",
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
}


def reference_name(name):
    """Meta's name of a tensor, as transformers spells it."""
    if name.startswith("layers."):
        _, layer, rest = name.split(".", 2)
        return f"model.layers.{layer}.{_NAMES[rest.removesuffix('.weight')]}.weight"
    return {
        "tok_embeddings.weight": "model.embed_tokens.weight",
        "norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    }[name]


def reference_state(arrays, params):
    """Weights, or their gradients, in transformers' names and order of rows: a dict of float32 arrays."""
    state = {}
    for name, array in arrays.items():
        array = np.array(array, np.float32)
        if name.endswith(("wq.weight", "wk.weight")):
            array = half_split(array, params.head_dim)
        state[reference_name(name)] = array
    return state


def reference_config(params):
    """The sizes of a model as transformers' LlamaConfig names them: a dict."""
    return {
        "hidden_size": params.dim,
        "num_hidden_layers": params.n_layers,
        "num_attention_heads": params.n_heads,
        "num_key_value_heads": params.n_kv_heads,
        "vocab_size": params.vocab_size,
        "intermediate_size": params.ffn_dim,
        "rms_norm_eps": params.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": params.rope_theta},
        "max_position_embeddings": params.max_seq_len,
    }


def reference_model(weights, params):
    """A LlamaForCausalLM in float32 with our weights. Output and embedding are tied if they are one array."""
    torch = oracle_module("torch")
    transformers = oracle_module("transformers")
    tied = weights["output.weight"] is weights["tok_embeddings.weight"]
    config = transformers.LlamaConfig(**reference_config(params), tie_word_embeddings=tied, attn_implementation="eager")
    model = transformers.LlamaForCausalLM(config).to(torch.float32).eval()
    state = {name: torch.from_numpy(array) for name, array in reference_state(weights, params).items()}
    model.load_state_dict(state, strict=True)
    return model


def reference_logits(weights, params, ids):
    """What transformers makes of ids. Returns logits: [T, V] float32."""
    torch = oracle_module("torch")
    with torch.no_grad():
        return reference_model(weights, params)(torch.tensor([list(ids)])).logits[0].numpy()
