"""Chapter 13: opening a model folder, in any of the forms people have, with its weights memory-mapped.

A folder of 16 GB opens at once, since nothing is read until a layer is used; the operating system keeps what
fits in memory. Left out: weights cut into parts for several machines (chapter 18).
"""

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from llama_np.files import replace_file
from llama_np.hugging_face import PermutedRows, name_in_file, read_config, read_stop_ids, weight_files
from llama_np.memory import available_memory
from llama_np.params import Params, read_params, weight_shapes
from llama_np.pth import map_pth
from llama_np.tokenizer import Tokenizer, require_file
from llama_np.tokenizer_json import read_tokenizer

TINY = Path(__file__).parent.parent / "data" / "tiny"

_REMEDY = "copy both from the same model again"

_DTYPES = {
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F16": np.dtype(np.float16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
}

# Tables of turns that some files hold beside the weights. rope.py makes its own.
_NOT_WEIGHTS = ("rope.freqs", "rotary_emb.inv_freq")


@dataclass(frozen=True, eq=False)
class Model:
    """What `load` returns. weights: Meta's names to read-only arrays, mapped from the files; files: their paths.

    read_tokenizer: what `tokenizer` asks, which reads the file the first time and has the Tokenizer ready ever after.
    """

    weights: dict[str, np.ndarray]
    params: Params
    files: tuple[Path, ...]
    read_tokenizer: Callable[[], Tokenizer]

    @property
    def tokenizer(self):
        """The Tokenizer, read when it is first asked for: 128,000 tokens take longer than all that `load` does.

        Until then its file must stay. Raises FileNotFoundError or ValueError with one line that says what is wrong
        with the file, or that it is another model's.
        """
        return self.read_tokenizer()


class MemoryWarning(UserWarning):
    """The weights are larger than the memory that is free."""


def load(path=None):
    """Open a model folder. path: the folder; without it $LLAMA_NP_MODEL, or else the one in data/tiny.

    Reads Hugging Face's form where there is a config.json, or else Meta's. Returns Model.
    Raises FileNotFoundError or ValueError with one line that says which file is wrong, how, and what to do;
    what the tokenizer's file holds is looked at when Model.tokenizer is first asked for.
    Warns with MemoryWarning where the weights do not fit in memory.
    """
    folder = Path(os.environ.get("LLAMA_NP_MODEL") or TINY) if path is None else Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; let --model or $LLAMA_NP_MODEL name a model's folder")
    if (folder / "config.json").is_file():
        model = _load_hugging_face(folder)
    elif (folder / "params.json").is_file():
        model = _load_meta(folder)
    else:
        inside = " (its folder original has one: name that)" if (folder / "original" / "params.json").is_file() else ""
        wanted = "neither config.json, as Hugging Face has it, nor Meta's params.json"
        raise FileNotFoundError(f"{folder}: there is {wanted}{inside}; a model folder needs one of them")
    _check_memory(folder, model.files)
    return model


def _load_meta(folder):
    config = folder / "params.json"
    params = read_params(config)
    file = _meta_file(folder)
    weights = read_weights([file], params, config)
    embeddings, output = weights["tok_embeddings.weight"], weights["output.weight"]
    if output.__array_interface__ == embeddings.__array_interface__:  # so torch.save stores a tied output
        params, weights["output.weight"] = replace(params, tied_output=True), embeddings
    tokenizer = require_file(folder / "tokenizer.model").absolute()
    return Model(weights, params, (file,), _once(_read_tokenizer, folder, tokenizer, params, None))


def _load_hugging_face(folder):
    config = folder / "config.json"
    params = read_config(config)
    files = weight_files(folder)
    weights = read_weights(files, params, config, name_in_file)
    for name in weights:
        if name.endswith((".wq.weight", ".wk.weight")):
            weights[name] = PermutedRows(weights[name], params.head_dim)
    tokenizer = _hugging_face_tokenizer(folder).absolute()
    stop_ids = read_stop_ids(folder)
    if stop_ids and max(stop_ids) >= params.vocab_size:
        wrong = f'"eos_token_id" {max(stop_ids)} is not one of the {params.vocab_size} ids'
        raise ValueError(f"{folder}: {wrong}; copy generation_config.json and config.json again")
    return Model(weights, params, tuple(files), _once(_read_tokenizer, folder, tokenizer, params, stop_ids))


def _meta_file(folder):
    """The one file with the weights. Raises FileNotFoundError, or ValueError if there are several."""
    whole = [folder / "model.safetensors", folder / "consolidated.safetensors"]
    for kind in ("safetensors", "pth"):
        parts = sorted(folder.glob(f"consolidated.[0-9][0-9].{kind}"))
        if len(parts) > 1 and not any(file.is_file() for file in whole):
            cut = f"the model is cut into {len(parts)} parts for {len(parts)} machines"
            raise ValueError(f"{folder}: {cut}; use the Hugging Face form of the same model, which is not")
        whole.append(folder / f"consolidated.00.{kind}")
    for file in whole:
        if file.is_file():
            return file
    names = ", ".join(file.name for file in reversed(whole))
    raise FileNotFoundError(f"{folder}: the weights are missing, none of {names}; {_fetch(folder)}")


def _hugging_face_tokenizer(folder):
    """The file with the tokenizer. Raises FileNotFoundError if there is none."""
    places = [folder / "tokenizer.json", folder / "original" / "tokenizer.model", folder / "tokenizer.model"]
    for path in places:
        if path.is_file():
            return path
    raise FileNotFoundError(f"{folder}: there is neither tokenizer.json nor tokenizer.model; {_fetch(folder)}")


def _once(function, *arguments):
    """A function without arguments that calls the given one the first time, and gives what it gave ever after."""
    return cache(partial(function, *arguments))


def _read_tokenizer(folder, path, params, stop_ids):
    """The Tokenizer of a file, checked against the model's sizes. stop_ids: the model's, or None for Meta's."""
    tokenizer = Tokenizer(*read_tokenizer(path)) if path.suffix == ".json" else Tokenizer(path)
    if tokenizer.vocab_size != params.vocab_size:
        found, asked = tokenizer.vocab_size, params.vocab_size
        raise ValueError(f"{folder}: the tokenizer makes {found} ids, but vocab_size is {asked}; {_REMEDY}")
    tokenizer.stop_ids = tokenizer.stop_ids if stop_ids is None else stop_ids
    return tokenizer


def _fetch(folder):
    """What to do about a file that is not there."""
    places = [folder]
    if folder.resolve().parent.name == "snapshots":  # Hugging Face's cache, where the files are links to blobs
        places.append(folder.resolve().parent.parent / "blobs")
    unfinished = [file.name for place in places for file in place.rglob("*.incomplete")]
    return f"the download is not finished ({unfinished[0]}): run it again" if unfinished else "copy the folder again"


def _check_memory(folder, files):
    needed, free = sum(file.stat().st_size for file in files), available_memory()
    if free is not None and free < needed:
        sizes = f"the weights need {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free"
        effect = "every token will read them from the disk again, which works but takes some 8 times as long"
        remedy = "end other programs, or use a smaller model such as Llama 3.2 1B (2.5 GB)"
        warnings.warn(f"{folder}: {sizes}; {effect}: {remedy}", MemoryWarning, stacklevel=3)


def read_weights(files, params, config, name_in_file=str):
    """Map the weights and check them against the model's sizes. Returns a dict of Meta's name to array.

    files: the paths; config: where params came from; name_in_file: from Meta's name of a tensor to the files' name.
    Raises FileNotFoundError or ValueError that names the file or tensors, and says what is wrong and what to do.
    """
    folder = config.parent
    if absent := [file.name for file in files if not file.is_file()]:
        raise FileNotFoundError(f"{folder}: {_several(absent)} missing; {_fetch(folder)}")
    tensors = {}
    for file in files:
        tensors |= map_pth(file) if file.suffix == ".pth" else map_safetensors(file)
    tensors = {name: np.asarray(array, order="C") for name, array in tensors.items()}  # torch may save one transposed
    place = files[0] if len(files) == 1 else folder
    if params.n_layers > len(tensors):  # do not make a billion names for a bad file
        few = f"{len(tensors)} tensors are too few for the {params.n_layers} layers of {config.name}"
        raise ValueError(f"{place}: {few}; {_REMEDY}")
    shapes = weight_shapes(params)
    sources = {name: name_in_file(name) for name in shapes}
    if params.tied_output:
        sources["output.weight"] = sources["tok_embeddings.weight"]
    _check_tensors(place, tensors, {sources[name]: shape for name, shape in shapes.items()}, config.name)
    return {name: tensors[source] for name, source in sources.items()}


def _check_tensors(place, tensors, shapes, config_name):
    """ValueError if tensors are missing, misshapen, or not part of such a model: they might change its answer."""
    if missing := [name for name in shapes if name not in tensors]:
        raise ValueError(f"{place}: {_several(missing)} missing, but {config_name} asks for it; {_REMEDY}")
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            found, asked = list(tensors[name].shape), list(shape)
            raise ValueError(f"{place}: {name} has shape {found}, but {config_name} asks for {asked}; {_REMEDY}")
    known = {*shapes, "output.weight", "lm_head.weight"}  # an output that is tied may be stored again
    if others := [name for name in tensors if name not in known and not name.endswith(_NOT_WEIGHTS)]:
        raise ValueError(f"{place}: {_several(others)} more than {config_name} asks for; {_REMEDY}")


def _several(names):
    """Names as the beginning of a sentence, with its verb: "a, b, c and 12 more are"."""
    shown = ", ".join(repr(name)[1:-1][:80] for name in names[:3])  # a bad file may hold any name
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{shown}{more} {'is' if len(names) == 1 else 'are'}"


def map_safetensors(path):
    """Map every tensor of a safetensors file, reading none: a dict from name to read-only array.

    The library's own loader copies every tensor; here it only checks the header, and the offsets are
    mapped. Format: 8 bytes with the header's length N, N bytes of JSON, then the numbers, at offsets
    that the JSON gives.
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
