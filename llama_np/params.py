"""The sizes of a model, as Meta's params.json gives them (hugging_face.py reads Hugging Face's config.json).

Left out: models that see pictures, and quantised ones.
"""

import json
import math
import reprlib
from dataclasses import dataclass
from pathlib import Path

# Llama 3 was trained on sequences of 8,192 tokens, and 3.1 to 3.3 reach 131,072; Meta's params.json does not say so.
_LLAMA_3_CONTEXT = 8192
_SCALED_CONTEXT = 131072

# No size or constant of any Llama comes near it, and NumPy's integers and floats hold it.
_LARGEST = 2**31


@dataclass(frozen=True)
class RopeScaling:
    """How Llama 3.1, 3.2 and 3.3 slow the slow pairs down (rope.scale_freqs), in Hugging Face's names."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int


@dataclass(frozen=True)
class Params:
    """The sizes of a model. `dim` is D, `vocab_size` V and `ffn_dim` F in the shape comments of this code.

    rope_scaling: None for Llama 3. tied_output: the output matrix is the embedding table, as in Llama 3.2's 1B and 3B.
    """

    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    vocab_size: int
    ffn_dim: int
    norm_eps: float
    rope_theta: float
    max_seq_len: int = _LLAMA_3_CONTEXT
    rope_scaling: RopeScaling | None = None
    tied_output: bool = False

    @property
    def head_dim(self):
        return self.dim // self.n_heads

    @property
    def n_parameters(self):
        shared = self.vocab_size * self.dim if self.tied_output else 0  # one matrix, under two names
        return sum(math.prod(shape) for shape in weight_shapes(self).values()) - shared


def feed_forward_dim(dim, multiple_of, ffn_dim_multiplier=1.0):
    """The hidden size of the feed-forward part: 4 dim, times 2/3, times the multiplier, rounded up.

    Source: FeedForward in Meta's llama3/llama/model.py. For the 8B (4096, 1024, 1.3) it is 14336.
    """
    hidden = int(ffn_dim_multiplier * int(2 * 4 * dim / 3))
    return multiple_of * -(-hidden // multiple_of)


def weight_shapes(params):
    """Every tensor a checkpoint must hold: a dict from Meta's name to its shape."""
    return dict(each_weight_shape(params))


def each_weight_shape(params):
    """Yield what weight_shapes holds, pair by pair: a bad file may ask for a billion layers."""
    D, F, V = params.dim, params.ffn_dim, params.vocab_size
    kv_dim = params.n_kv_heads * params.head_dim
    yield "tok_embeddings.weight", (V, D)
    for layer in range(params.n_layers):
        yield f"layers.{layer}.attention_norm.weight", (D,)
        yield f"layers.{layer}.attention.wq.weight", (D, D)
        yield f"layers.{layer}.attention.wk.weight", (kv_dim, D)
        yield f"layers.{layer}.attention.wv.weight", (kv_dim, D)
        yield f"layers.{layer}.attention.wo.weight", (D, D)
        yield f"layers.{layer}.ffn_norm.weight", (D,)
        yield f"layers.{layer}.feed_forward.w1.weight", (F, D)
        yield f"layers.{layer}.feed_forward.w2.weight", (D, F)
        yield f"layers.{layer}.feed_forward.w3.weight", (F, D)
    yield "norm.weight", (D,)
    yield "output.weight", (V, D)


def read_params(path):
    """Read Meta's params.json. Returns Params.

    Besides Meta's fields it knows our own `max_seq_len` and `tied_output`, where the file says nothing of the output
    matrix being the embedding table.
    Raises FileNotFoundError or ValueError with one line that says which file, which field, and what to do.
    """
    path = Path(path)
    fields = read_fields(path)

    def number(name, kind, default=None):
        return positive_number(path, fields, name, kind, default)

    for name in ("quantization_args", "lora_args"):
        if fields.get(name):
            raise ValueError(f'{path}: "{name}" is not supported; use the same model in bfloat16')
    dim, n_heads = number("dim", int), number("n_heads", int)
    multiple_of, multiplier = number("multiple_of", int), number("ffn_dim_multiplier", float, 1.0)
    scaling = _scaling(path, fields, dim) if flag(path, fields, "use_scaled_rope") else None
    params = Params(
        dim=dim,
        n_layers=number("n_layers", int),
        n_heads=n_heads,
        n_kv_heads=number("n_kv_heads", int, n_heads),
        vocab_size=number("vocab_size", int),
        ffn_dim=feed_forward_dim(dim, multiple_of, multiplier),
        norm_eps=number("norm_eps", float),
        rope_theta=number("rope_theta", float, 10000.0),
        max_seq_len=number("max_seq_len", int, _SCALED_CONTEXT if scaling else _LLAMA_3_CONTEXT),
        rope_scaling=scaling,
        tied_output=flag(path, fields, "tied_output"),
    )
    check_heads(path, params)
    return params


def _scaling(path, fields, dim):
    """What Meta's `use_scaled_rope` stands for. The numbers are in Meta's code, not in the file.

    That code (llama-models, models/llama3/model.py, apply_scaling) has 8, 1, 4 and 8192 for every model. But Llama
    3.2's 1B and 3B want a factor of 32: so says their config.json, and a maintainer of Meta's (llama-models on GitHub,
    issue 166; issue 241 shows long texts suffering from 8). No other model with scaled frequencies has a dim below
    4096, so we go by that. A file may say otherwise with `rope_scaling_factor` and `rope_high_freq_factor`, the names
    in models/llama4/args.py.
    """
    factor = positive_number(path, fields, "rope_scaling_factor", float, 32.0 if dim < 4096 else 8.0)
    high = positive_number(path, fields, "rope_high_freq_factor", float, 4.0)
    return checked_scaling(path, RopeScaling(factor, 1.0, high, _LLAMA_3_CONTEXT))


def checked_scaling(path, scaling):
    """Return scaling; ValueError if it leaves no frequencies between low and high."""
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    if low >= high:
        raise ValueError(f"{path}: the low frequency factor {low} must be below the high one, {high}")
    return scaling


def read_fields(path):
    """Read a JSON file that holds one object, as a dict. FileNotFoundError or ValueError in one line."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; a model folder needs it")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or nested without end
        raise ValueError(f"{path}: not JSON ({error}); copy it again from where the model came from") from None
    if not isinstance(fields, dict):
        raise ValueError(f'{path}: must hold an object of fields like {{"dim": 4096, …}}, not {type(fields).__name__}')
    return fields


def positive_number(path, fields, name, kind, default=None):
    """The field `name` as kind, int or float; default where it is missing or null. ValueError in one line."""
    value = fields.get(name)
    if value is None:
        if default is None:
            raise ValueError(f'{path}: the field "{name}" is missing; it must be a positive number')
        return default
    is_number = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < value <= _LARGEST:
        what = f"positive {'whole ' if kind is int else ''}number, {_LARGEST} at most"
        raise ValueError(f'{path}: the field "{name}" is {reprlib.repr(value)}; it must be a {what}')
    return kind(value)


def flag(path, fields, name):
    """The field `name` as True or False; False where it is missing or null. ValueError in one line."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f'{path}: the field "{name}" is {reprlib.repr(value)}; it must be true or false')
    return bool(value)


def check_heads(path, params):
    """ValueError in one line if the model's dim cannot be cut into its heads."""
    dim, n_heads, n_kv_heads = params.dim, params.n_heads, params.n_kv_heads
    if dim % n_heads:
        raise ValueError(f"{path}: dim {dim} cannot be divided among n_heads {n_heads}; make it a multiple")
    if n_heads % n_kv_heads:
        raise ValueError(f"{path}: n_heads {n_heads} cannot be shared by n_kv_heads {n_kv_heads}; make it a multiple")
    if params.head_dim % 2:
        raise ValueError(f"{path}: dim / n_heads is {params.head_dim}; rotation needs pairs, so it must be even")
