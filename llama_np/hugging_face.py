"""Chapter 13: Hugging Face's form of a model folder: its names, its order of rows and config.json.

Left out: other architectures than Llama's and quantised weights, which are refused by name.
"""

import json
import re
import reprlib

import numpy as np

from llama_np.params import Params, RopeScaling, check_heads, checked_scaling, flag, positive_number, read_fields

_NAMES = {
    "tok_embeddings": "model.embed_tokens",
    "attention_norm": "input_layernorm",
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
    "norm": "model.norm",
    "output": "lm_head",
}

# What Llama 3 has and config.json may say otherwise. null is as good as the value here.
_MUST_BE = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "quantization_config": None}


# Names and rows


def name_in_file(name):
    """What Hugging Face calls the tensor that Meta calls `name`."""
    layer, name = re.fullmatch(r"(layers\.\d+\.)?(.+)\.weight", name).groups()
    return f"{f'model.{layer}' if layer else ''}{_NAMES[name]}.weight"


class PermutedRows(np.lib.mixins.NDArrayOperatorsMixin):
    """wq or wk of a Hugging Face file with its rows in Meta's order. Only the rows asked for are read and copied.

    rows: [n * head_dim, D], the matrix in the file. Meta's files pair neighbours, rows 2 i and 2 i + 1 of a head;
    Hugging Face's pair rows i and head_dim / 2 + i (chapter 05). So Meta's row r of a head is the file's row
    r // 2 + (r % 2) * head_dim / 2: with a head_dim of 4, Meta's rows 0 1 2 3 are the file's 0 2 1 3.
    A slice, a number or an array of numbers gives those rows; in any other use it becomes the whole array, a copy.
    """

    def __init__(self, rows, head_dim):
        self.rows, self.head_dim = rows, head_dim
        self.shape, self.ndim, self.size = rows.shape, rows.ndim, rows.size
        self.dtype, self.nbytes = rows.dtype, rows.nbytes

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, key):
        if isinstance(key, tuple) or np.asarray(key).dtype == bool:
            return self[:][key]
        head, r = np.divmod(np.arange(len(self))[key], self.head_dim)
        place = head * self.head_dim + r // 2 + r % 2 * (self.head_dim // 2)
        raw = self.rows.view(f"u{self.dtype.itemsize}")  # other threads wait while NumPy copies bf16 as such
        return raw.take(place, axis=0).view(self.dtype)

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("rows in another order than the file's cannot be had without a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        whole = [array[:] if isinstance(array, PermutedRows) else array for array in inputs]
        return getattr(ufunc, method)(*whole, **options)

    def __getattr__(self, name):
        if name.startswith("_") or name == "rows":  # "rows": while it is being unpickled
            raise AttributeError(name)
        return getattr(self[:], name)


# config.json and generation_config.json


def read_config(path):
    """Read config.json. Returns Params. Raises FileNotFoundError or ValueError that says which field is wrong."""
    fields = read_fields(path)
    _refuse_other_models(path, fields)
    rope = fields.get("rope_parameters") or fields.get("rope_scaling") or {}  # transformers 5, and earlier
    if not isinstance(rope, dict):
        raise ValueError(f"{path}: the field of the rope is {reprlib.repr(rope)}; it must be an object")

    def number(name, kind, default=None):
        return positive_number(path, fields, name, kind, default)

    n_heads = number("num_attention_heads", int)
    params = Params(
        dim=number("hidden_size", int),
        n_layers=number("num_hidden_layers", int),
        n_heads=n_heads,
        n_kv_heads=number("num_key_value_heads", int, n_heads),
        vocab_size=number("vocab_size", int),
        ffn_dim=number("intermediate_size", int),
        norm_eps=number("rms_norm_eps", float),
        rope_theta=positive_number(path, rope, "rope_theta", float, number("rope_theta", float, 10000.0)),
        max_seq_len=number("max_position_embeddings", int),
        rope_scaling=_rope_scaling(path, rope),
        tied_output=flag(path, fields, "tie_word_embeddings"),
    )
    check_heads(path, params)
    if number("head_dim", int, params.head_dim) != params.head_dim:
        raise ValueError(f'{path}: "head_dim" is {fields["head_dim"]}; in Llama 3 it must be {params.head_dim}')
    return params


def _refuse_other_models(path, fields):
    if fields.get("model_type") != "llama":
        kind = reprlib.repr(fields.get("model_type"))
        raise ValueError(f'{path}: "model_type" is {kind}; it must be "llama", the only one this reads')
    for name, value in _MUST_BE.items():
        if fields.get(name) not in (None, value):
            given = reprlib.repr(fields[name])
            raise ValueError(f'{path}: "{name}" is {given}; it must be {json.dumps(value)}, as in Llama 3')


def _rope_scaling(path, rope):
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default":
        return None
    if kind != "llama3":
        raise ValueError(f'{path}: the rope type is {reprlib.repr(kind)}; it must be "default" or "llama3"')
    names = ("factor", "low_freq_factor", "high_freq_factor")
    factors = [positive_number(path, rope, name, float) for name in names]
    original = positive_number(path, rope, "original_max_position_embeddings", int)
    return checked_scaling(path, RopeScaling(*factors, original))


def read_stop_ids(folder):
    """The ids that end a text: a list of int from generation_config.json or config.json; None if neither says."""
    for path in (folder / "generation_config.json", folder / "config.json"):
        value = read_fields(path).get("eos_token_id") if path.is_file() else None
        ids = value if isinstance(value, list) else [value]
        if value is not None and not (ids and all(type(i) is int and i >= 0 for i in ids)):
            raise ValueError(
                f'{path}: "eos_token_id" is {reprlib.repr(value)}; it must be a token id or a list of them'
            )
        if value is not None:
            return ids
    return None


def weight_files(folder):
    """Where the weights must be: model.safetensors, or else the files named in the index. A list of paths."""
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [folder / "model.safetensors"]
    names = read_fields(index).get("weight_map")
    plain = isinstance(names, dict) and [re.fullmatch(r"[\w.-]{1,99}\.safetensors", str(n)) for n in names.values()]
    if not plain or not all(plain):
        raise ValueError(f'{index}: "weight_map" must give the file of each tensor; copy it again')
    return [folder / name for name in sorted(set(names.values()))]
