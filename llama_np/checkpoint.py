"""Reading a model folder: params.json, tokenizer.model and the weights, memory-mapped.

A folder of 16 GB opens at once, since nothing is read until a layer is used; the operating system keeps what
fits in memory. Left out: .pth files and Hugging Face's names (chapter 13).
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from llama_np.files import replace_file
from llama_np.params import Params, each_weight_shape, read_params
from llama_np.tokenizer import Tokenizer

TINY = Path(__file__).parent.parent / "data" / "tiny"

_REMEDY = "copy both from the same model again"

_DTYPES = {"BF16": np.dtype(ml_dtypes.bfloat16), "F32": np.dtype(np.float32), "F64": np.dtype(np.float64)}


class Model(NamedTuple):
    """What `load` returns. weights: Meta's names to read-only arrays, mapped from the file."""

    weights: dict[str, np.ndarray]
    params: Params
    tokenizer: Tokenizer


def load(path=None):
    """Open a model folder. path: the folder; without it $LLAMA_NP_MODEL, or else the one in data/tiny.

    Returns Model(weights, params, tokenizer).
    Raises FileNotFoundError or ValueError with one line that says which file is wrong, how, and what to do.
    """
    folder = Path(os.environ.get("LLAMA_NP_MODEL") or TINY) if path is None else Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder; let --model or $LLAMA_NP_MODEL name one that holds params.json, "
            "model.safetensors and tokenizer.model"
        )
    params = read_params(folder / "params.json")
    weights = read_weights(folder / "model.safetensors", params)
    tokenizer = Tokenizer(folder / "tokenizer.model")
    if tokenizer.vocab_size != params.vocab_size:
        raise ValueError(
            f"{folder}: tokenizer.model makes {tokenizer.vocab_size} ids, but params.json says vocab_size "
            f"{params.vocab_size}; the two must come from the same model"
        )
    return Model(weights, params, tokenizer)


def read_weights(path, params):
    """Map a safetensors file and check it against the model's sizes. Returns a dict of Meta's name to array.

    Raises FileNotFoundError or ValueError that names the file, the tensor and what is wrong with it.
    """
    tensors = map_safetensors(path)
    for name, shape in each_weight_shape(params):
        if name not in tensors:
            raise ValueError(f"{path}: {name} is missing, but params.json asks for it; {_REMEDY}")
        if tensors[name].shape != shape:
            found, asked = list(tensors[name].shape), list(shape)
            raise ValueError(f"{path}: {name} has shape {found}, but params.json asks for {asked}; {_REMEDY}")
    if f"layers.{params.n_layers}.attention.wq.weight" in tensors:
        raise ValueError(f"{path}: more layers than the {params.n_layers} of params.json; {_REMEDY}")
    return tensors


def map_safetensors(path):
    """Map every tensor of a safetensors file without reading it. Returns a dict from name to read-only array.

    The library's own loader copies every tensor; here it only checks the header, and the offsets are mapped.
    Format: 8 bytes with the header's length N, N bytes of JSON, then the numbers, at offsets the JSON gives.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; a model folder needs its weights")
    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        reason = repr(str(error))  # which may quote any odd character of the file
        raise ValueError(f"{path}: not a whole safetensors file ({reason}); copy it again") from None
    data = np.memmap(path, dtype=np.uint8, mode="r")
    header_length = int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8 : 8 + header_length].tobytes())
    header.pop("__metadata__", None)
    numbers = data[8 + header_length :]
    return {name: _map_tensor(path, name, numbers, entry) for name, entry in header.items()}


def _map_tensor(path, name, numbers, entry):
    dtype, (start, end) = entry["dtype"], entry["data_offsets"]
    if dtype not in _DTYPES:
        raise ValueError(f"{path}: {name!r} is stored as {dtype}; convert it to {' or '.join(_DTYPES)}")
    return np.ndarray(entry["shape"], _DTYPES[dtype], buffer=numbers[start:end])


def write_safetensors(tensors, path, metadata=None):
    """Write a dict of name to array as a safetensors file, whole or not at all. metadata: str to str."""
    # save_file writes the memory as it lies, so a transposed view would come out scrambled.
    tensors = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    replace_file(path, lambda temporary: _save_file(tensors, temporary, metadata))


def _save_file(tensors, path, metadata):
    path.touch()
    mode = path.stat().st_mode
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:  # a full disk, among others
        raise OSError(str(error)) from error
    path.chmod(mode)  # save_file leaves a file that nobody but its owner may read
