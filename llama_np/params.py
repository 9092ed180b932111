"""The sizes of a model, as Meta's params.json gives them.

Left out: Hugging Face's config.json (chapter 13) and Llama 3.1's frequency scaling (chapter 16).
"""

import json
import reprlib
from dataclasses import dataclass
from pathlib import Path

# Llama 3 was trained on sequences of 8,192 tokens; Meta's params.json does not say so.
_LLAMA_3_CONTEXT = 8192

# No size or constant of any Llama comes near it, and NumPy's integers and floats hold it.
_LARGEST = 2**31


@dataclass(frozen=True)
class Params:
    """The sizes of a model. `dim` is D, `vocab_size` V and `ffn_dim` F in the shape comments of this code."""

    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    vocab_size: int
    ffn_dim: int
    norm_eps: float
    rope_theta: float
    max_seq_len: int = _LLAMA_3_CONTEXT

    @property
    def head_dim(self):
        return self.dim // self.n_heads

    @property
    def n_parameters(self):
        return sum(_product(shape) for shape in weight_shapes(self).values())


def _product(shape):
    result = 1
    for n in shape:
        result *= n
    return result


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

    Besides Meta's fields it knows `max_seq_len`, 8192 where it is not given.
    Raises FileNotFoundError or ValueError with one line that says which file, which field, and what to do.
    """
    path = Path(path)
    fields = _read_fields(path)

    def number(name, kind, default=None):
        return _positive_number(path, fields, name, kind, default)

    dim, n_heads = number("dim", int), number("n_heads", int)
    multiple_of, multiplier = number("multiple_of", int), number("ffn_dim_multiplier", float, 1.0)
    params = Params(
        dim=dim,
        n_layers=number("n_layers", int),
        n_heads=n_heads,
        n_kv_heads=number("n_kv_heads", int, n_heads),
        vocab_size=number("vocab_size", int),
        ffn_dim=feed_forward_dim(dim, multiple_of, multiplier),
        norm_eps=number("norm_eps", float),
        rope_theta=number("rope_theta", float, 10000.0),
        max_seq_len=number("max_seq_len", int, _LLAMA_3_CONTEXT),
    )
    _check_heads(path, params)
    if fields.get("use_scaled_rope"):
        raise ValueError(f'{path}: "use_scaled_rope" is not read yet; use a Llama 3 model, not 3.1 or later')
    return params


def _read_fields(path):
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; a model folder needs Meta's params.json")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or nested without end
        raise ValueError(f"{path}: not JSON ({error}); copy it again from where the model came from") from None
    if not isinstance(fields, dict):
        raise ValueError(f'{path}: must hold an object of fields like {{"dim": 4096, …}}, not {type(fields).__name__}')
    return fields


def _positive_number(path, fields, name, kind, default):
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


def _check_heads(path, params):
    dim, n_heads, n_kv_heads = params.dim, params.n_heads, params.n_kv_heads
    if dim % n_heads:
        raise ValueError(f"{path}: dim {dim} cannot be divided among n_heads {n_heads}; make it a multiple")
    if n_heads % n_kv_heads:
        raise ValueError(f"{path}: n_heads {n_heads} cannot be shared by n_kv_heads {n_kv_heads}; make it a multiple")
    if params.head_dim % 2:
        raise ValueError(f"{path}: dim / n_heads is {params.head_dim}; rotation needs pairs, so it must be even")
