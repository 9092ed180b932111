"""`python -m tests.synthetic OUT --like 8b`: a model folder of the 8B's shape and formats, with random weights.

What such a model says is noise, but it takes the room and the time that the real one takes, so it shows whether the
chapters run on the 8B. With --layers 2 it is 3 GB instead of 16. --layout hf writes it in Hugging Face's form.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import ml_dtypes
import numpy as np
from tqdm import tqdm

from llama_np.checkpoint import TINY
from llama_np.command_line import Parser, positive_int, run
from llama_np.files import replace_file
from llama_np.params import each_weight_shape, read_params
from llama_np.tokenizer import Tokenizer
from tests import hugging_face

ROOT = Path(__file__).parent.parent
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

# Meta's params.json. Source: Meta-Llama-3-8B and Llama-3.2-1B, as published with the weights; tied_output is ours.
_LLAMA_3_8B = {"dim": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 8, "vocab_size": 128256}
_LLAMA_3_8B |= {"multiple_of": 1024, "ffn_dim_multiplier": 1.3, "norm_eps": 1e-05, "rope_theta": 500000.0}
_LLAMA_3_2_1B = {"dim": 2048, "n_layers": 16, "n_heads": 32, "n_kv_heads": 8, "vocab_size": 128256}
_LLAMA_3_2_1B |= {"multiple_of": 256, "ffn_dim_multiplier": 1.5, "norm_eps": 1e-05, "rope_theta": 500000.0}
_LLAMA_3_2_1B |= {"use_scaled_rope": True, "tied_output": True}
_TINY = json.loads((TINY / "params.json").read_text(encoding="utf-8"))

SHAPES = {"8b": _LLAMA_3_8B, "1b": _LLAMA_3_2_1B, "tiny": _TINY}
LAYOUTS = ("meta", "hf")

# How many random numbers there are. Each tensor takes them from a place of its own and begins again at the end; the
# number is odd, so no two rows of a matrix as wide as a power of two begin at the same place.
_POOL = 5_000_011


def meta_fields(like, n_layers=None):
    """The fields of Meta's params.json for one of SHAPES, with another number of layers if asked for."""
    return SHAPES[like] | ({"n_layers": n_layers} if n_layers else {})


def shape_like(like, n_layers=None):
    """The Params of one of SHAPES."""
    with tempfile.TemporaryDirectory() as folder:
        hugging_face.write_json(Path(folder, "params.json"), meta_fields(like, n_layers))
        return read_params(Path(folder, "params.json"))


def tokenizer_for(like):
    """Where the tokenizer.model of a shape is looked for if no other is given."""
    folder = os.environ.get("LLAMA_NP_TOKENIZER") or ROOT.parent / "shared" / "llama-3-tokenizer"
    return Path(TINY if like == "tiny" else folder) / "tokenizer.model"


def write_checkpoint(folder, like, n_layers=None, tokenizer=None, seed=0, quiet=False, layout="meta"):
    """Write the weights, the tokenizer and, last, the sizes, each file whole or not at all. Returns Params.

    layout: one of LAYOUTS. The weights are written as they are made, a tensor at most in memory at a time; a seed gives
    the same model every time, in either layout.
    Raises OSError or ValueError with one line: no room, no tokenizer, or one of another vocabulary.
    """
    folder, path = Path(folder), Path(tokenizer or tokenizer_for(like))
    params, tokenizer = shape_like(like, n_layers), Tokenizer(path)
    n_ids = tokenizer.vocab_size
    if n_ids != params.vocab_size:
        raise ValueError(f"{path}: it makes {n_ids} ids, but a model like {like} has {params.vocab_size}")
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = _bytes_needed(params), shutil.disk_usage(folder).free
    if needed > free:
        sizes = f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB free"
        raise OSError(f"{folder}: {sizes}; make room, name a folder on another disk, or ask for fewer --layers")
    total, random = 2 * params.n_parameters, tensors(params, seed)
    with tqdm(total=total, unit="B", unit_scale=True, desc=folder.name, disable=quiet) as progress:
        if layout == "hf":
            hugging_face.write_weights(folder, random, params, progress=progress.update)
            fields = hugging_face.tokenizer_fields(tokenizer.ranks, tokenizer.special_tokens)
            hugging_face.write_json(folder / "tokenizer.json", fields)
            hugging_face.write_json(folder / "config.json", hugging_face.config_fields(params))
        else:
            whole = list(random)
            replace_file(
                folder / "model.safetensors", lambda path: hugging_face.write_bf16(path, whole, progress.update)
            )
            replace_file(folder / "tokenizer.model", lambda copy: shutil.copyfile(path, copy))
            hugging_face.write_json(folder / "params.json", meta_fields(like, n_layers))
    return params


def _bytes_needed(params):
    return BFLOAT16.itemsize * params.n_parameters + 20_000_000  # and the headers and the tokenizer


def tensors(params, seed):
    """Random weights: yields each tensor's name, shape and the parts of its bytes, made when they are asked for."""
    random = np.random.default_rng(seed)
    normal = random.standard_normal(_POOL, dtype=np.float32)
    pools = {}
    for name, shape in each_weight_shape(params):
        if name == "output.weight" and params.tied_output:
            continue
        kind = _kind(name, shape)
        if kind not in pools:
            pools[kind] = _numbers(normal, kind).astype(BFLOAT16).view(np.uint8)
        yield name, shape, _parts(pools[kind], hugging_face.n_bytes(shape), 2 * int(random.integers(_POOL)))


def _parts(pool, n_bytes, place):
    """As many bytes of the pool as asked for, from a place on, and round again from its start."""
    while n_bytes:
        part = pool[place : place + n_bytes]
        yield part
        n_bytes, place = n_bytes - len(part), 0


def _kind(name, shape):
    """What decides the size of a tensor's numbers: (centre, spread)."""
    if len(shape) == 1:
        return 1.0, 0.1  # a norm's weights
    if name == "tok_embeddings.weight":
        return 0.0, 1.0
    return 0.0, shape[1] ** -0.5  # a product of normalised vectors keeps its size


def _numbers(normal, kind):
    centre, spread = kind
    return centre + spread * normal


def main(arguments=None):
    parser = Parser(prog="python -m tests.synthetic", description="Write a model folder with random weights.")
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to write")
    parser.add_argument("--like", required=True, choices=SHAPES, help="whose shape")
    parser.add_argument("--layers", type=positive_int, metavar="N", help="fewer layers (or more)")
    parser.add_argument("--layout", choices=LAYOUTS, default="meta", help="whose file formats (meta)")
    parser.add_argument("--tokenizer", type=Path, metavar="PATH", help="the tokenizer.model to copy")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="which random numbers (0)")
    return run("tests.synthetic", _make, parser.parse_args(arguments))


def _make(options):
    params = write_checkpoint(
        options.out, options.like, options.layers, options.tokenizer, options.seed, layout=options.layout
    )
    print(f"{options.out}: {params.n_layers} layers, {params.n_parameters:,} parameters")


if __name__ == "__main__":
    sys.exit(main())
