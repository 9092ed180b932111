"""Writes a model folder in Hugging Face's form, without their libraries: for tests, and for tests.synthetic.

tests/test_layouts.py compares it with what transformers and tokenizers write themselves.
"""

import json
import struct

import ml_dtypes
import numpy as np

from llama_np.bpe import SPLIT_PATTERN
from llama_np.files import replace_file
from tests.oracle import half_split, reference_name

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


# Weights


def write_weights(folder, tensors, params, n_files=4, progress=lambda n_bytes: None):
    """Write the weights in up to n_files files of about the same size, and the index last, each whole or not at all.

    tensors: for each Meta's name, the shape, and the parts of its bytes, in bfloat16 and in Meta's order of rows.
    progress is called with the number of bytes just written.
    """
    tensors = [(reference_name(name), shape, _rows(name, shape, parts, params)) for name, shape, parts in tensors]
    total, before = sum(n_bytes(shape) for _, shape, _ in tensors), 0
    groups, weight_map = {}, {}
    for tensor in tensors:
        groups.setdefault(before * n_files // total, []).append(tensor)
        before += n_bytes(tensor[1])
    for n, group in enumerate(groups.values(), 1):
        file = f"model-{n:05d}-of-{len(groups):05d}.safetensors"
        weight_map |= {name: file for name, _, _ in group}
        replace_file(folder / file, lambda path, group=group: write_bf16(path, group, progress))
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def _rows(name, shape, parts, params):
    """The parts of a tensor with its rows as Hugging Face orders them. Yields them when they are asked for."""
    if name.endswith((".wq.weight", ".wk.weight")):
        rows = np.concatenate([*parts]).view(np.uint16).reshape(shape)
        yield half_split(rows, params.head_dim).reshape(-1).view(np.uint8)
    else:
        yield from parts


def n_bytes(shape):
    return BFLOAT16.itemsize * int(np.prod(shape))


def header(shapes):
    """The first bytes of a safetensors file of bf16 tensors. shapes: pairs of a name and a shape.

    Format: the length of the JSON as 8 bytes, the JSON, filled up with blanks so that the numbers begin at a multiple
    of 8, then the numbers without gaps. Source: the README of the safetensors project.
    """
    entries, end = {}, 0
    for name, shape in shapes:
        start, end = end, end + n_bytes(shape)
        entries[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def write_bf16(path, tensors, progress=lambda n_bytes: None):
    """Write a safetensors file part by part. tensors: for each its name, its shape and the parts of its bytes."""
    with path.open("wb", buffering=0) as file:
        _write(file, header([(name, shape) for name, shape, _ in tensors]))
        for _, _, parts in tensors:
            for part in parts:
                _write(file, part)
                progress(len(part))


def _write(file, data):
    """Write all of data: without a buffer, a write may take less than it is given."""
    data = memoryview(data)
    while data:
        data = data[file.write(data) :]


# Everything else


def write_json(path, fields):
    text = json.dumps(fields, indent=2, ensure_ascii=False) + "\n"
    replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def config_fields(params):
    """config.json as Meta publishes it, in the names that transformers had before version 5."""
    scaling = params.rope_scaling and {"rope_type": "llama3", **vars(params.rope_scaling)}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": params.dim,
        "intermediate_size": params.ffn_dim,
        "num_hidden_layers": params.n_layers,
        "num_attention_heads": params.n_heads,
        "num_key_value_heads": params.n_kv_heads,
        "vocab_size": params.vocab_size,
        "rms_norm_eps": params.norm_eps,
        "max_position_embeddings": params.max_seq_len,
        "rope_theta": params.rope_theta,
        "rope_scaling": scaling,
        "tie_word_embeddings": params.tied_output,
        "attention_bias": False,
        "mlp_bias": False,
        "hidden_act": "silu",
        "torch_dtype": "bfloat16",
    }


def tokenizer_fields(ranks, special_tokens):
    """tokenizer.json as the library tokenizers writes it. ranks: bytes to id; special_tokens: name to id."""
    written = {token: token.decode("latin-1").translate(CHARACTERS) for token in ranks}
    split = {"type": "Split", "pattern": {"Regex": SPLIT_PATTERN}, "behavior": "Isolated", "invert": False}
    as_bytes = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [{"id": i, "content": name, **flags} for name, i in special_tokens.items()]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None}
    model |= {"end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True}
    model["vocab"] = {written[token]: rank for token, rank in ranks.items()}
    model["merges"] = [[written[left], written[right]] for left, right in merges(ranks)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, as_bytes | {"use_regex": False}]},
        "post_processor": None,
        "decoder": as_bytes,
        "model": model,
    }


def merges(ranks):
    """Every way to make a token of two others: the token of lowest rank first, then by the ranks of the two."""
    for token in sorted(ranks, key=ranks.get):
        halves = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        whole = [(left, right) for left, right in halves if left in ranks and right in ranks]
        yield from sorted(whole, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))


def _characters():
    """The characters that stand for bytes: those of Latin-1 that can be printed and seen, the rest from U+0100 on."""
    seen = [n for n in range(256) if chr(n).isprintable() and not chr(n).isspace()]
    unseen = [n for n in range(256) if n not in seen]
    return {n: n for n in seen} | {n: 256 + i for i, n in enumerate(unseen)}


CHARACTERS = _characters()
