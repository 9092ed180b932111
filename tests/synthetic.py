"""`python -m tests.synthetic OUT --like 8b`: a model folder of the 8B's shape and formats, with random weights.

What such a model says is noise, but it takes the room and the time that the real one takes, so it shows whether the
chapters run on the 8B. With --layers 2 it is 3 GB instead of 16.
"""

import json
import os
import shutil
import struct
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

ROOT = Path(__file__).parent.parent
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

# Meta's params.json. Source: Meta-Llama-3-8B, as published with the weights.
_LLAMA_3_8B = {"dim": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 8, "vocab_size": 128256}
_LLAMA_3_8B |= {"multiple_of": 1024, "ffn_dim_multiplier": 1.3, "norm_eps": 1e-05, "rope_theta": 500000.0}

SHAPES = ("8b", "tiny")

# How many random numbers there are. Each tensor takes them from a place of its own and begins again at the end; the
# number is odd, so no two rows of a matrix as wide as a power of two begin at the same place.
_POOL = 5_000_011


def meta_fields(like, n_layers=None):
    """The fields of Meta's params.json for one of SHAPES, with another number of layers if asked for."""
    fields = dict(_LLAMA_3_8B) if like == "8b" else json.loads((TINY / "params.json").read_text(encoding="utf-8"))
    return fields | ({"n_layers": n_layers} if n_layers else {})


def shape_like(like, n_layers=None):
    """The Params of one of SHAPES."""
    with tempfile.TemporaryDirectory() as folder:
        return read_params(_write_fields(Path(folder, "params.json"), meta_fields(like, n_layers)))


def _write_fields(path, fields):
    path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
    return path


def tokenizer_for(like):
    """Where the tokenizer.model of a shape is looked for if no other is given."""
    folder = os.environ.get("LLAMA_NP_TOKENIZER") or ROOT.parent / "shared" / "llama-3-tokenizer"
    return Path(folder if like == "8b" else TINY) / "tokenizer.model"


def write_checkpoint(folder, like, n_layers=None, tokenizer=None, seed=0, quiet=False):
    """Write model.safetensors, tokenizer.model and, last, params.json, each whole or not at all. Returns Params.

    The weights are written as they are made and never held in memory; a seed gives the same bytes every time.
    Raises OSError or ValueError with one line: no room, no tokenizer, or one of another vocabulary.
    """
    folder, tokenizer = Path(folder), Path(tokenizer or tokenizer_for(like))
    params = shape_like(like, n_layers)
    n_ids = Tokenizer(tokenizer).vocab_size
    if n_ids != params.vocab_size:
        raise ValueError(f"{tokenizer}: it makes {n_ids} ids, but a model like {like} has {params.vocab_size}")
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = _bytes_needed(params), shutil.disk_usage(folder).free
    if needed > free:
        sizes = f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB free"
        raise OSError(f"{folder}: {sizes}; make room, name a folder on another disk, or ask for fewer --layers")
    replace_file(folder / "model.safetensors", lambda path: _write_weights(path, params, seed, quiet))
    replace_file(folder / "tokenizer.model", lambda path: shutil.copyfile(tokenizer, path))
    replace_file(folder / "params.json", lambda path: _write_fields(path, meta_fields(like, n_layers)))
    return params


def _bytes_needed(params):
    return BFLOAT16.itemsize * params.n_parameters + 10_000_000  # and the header and the tokenizer


def header(shapes):
    """The first bytes of a safetensors file of bf16 tensors. shapes: pairs of a name and a shape.

    Format: the length of the JSON as 8 bytes, the JSON, filled up with blanks so that the numbers begin at a multiple
    of 8, then the numbers without gaps. Source: the README of the safetensors project.
    """
    entries, end = {}, 0
    for name, shape in shapes:
        start, end = end, end + BFLOAT16.itemsize * int(np.prod(shape))
        entries[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _write_weights(path, params, seed, quiet):
    shapes = list(each_weight_shape(params))
    random = np.random.default_rng(seed)
    normal = random.standard_normal(_POOL, dtype=np.float32)
    pools = {}
    with (
        path.open("wb", buffering=0) as file,
        tqdm(
            total=2 * params.n_parameters, unit="B", unit_scale=True, desc=path.parent.name, disable=quiet
        ) as progress,
    ):
        _write(file, header(shapes))
        for name, shape in shapes:
            kind = _kind(name, shape)
            if kind not in pools:
                pools[kind] = _numbers(normal, kind).astype(BFLOAT16).view(np.uint8)
            left, place = 2 * int(np.prod(shape)), 2 * int(random.integers(_POOL))
            while left:
                part = pools[kind][place : place + left]
                _write(file, part)
                progress.update(len(part))
                left, place = left - len(part), 0


def _write(file, data):
    """Write all of data: without a buffer, a write may take less than it is given."""
    data = memoryview(data)
    while data:
        data = data[file.write(data) :]


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
    parser.add_argument("--tokenizer", type=Path, metavar="PATH", help="the tokenizer.model to copy")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="which random numbers (0)")
    return run("tests.synthetic", _make, parser.parse_args(arguments))


def _make(options):
    params = write_checkpoint(options.out, options.like, options.layers, options.tokenizer, options.seed)
    print(f"{options.out}: {params.n_layers} layers, {params.n_parameters:,} parameters")


if __name__ == "__main__":
    sys.exit(main())
