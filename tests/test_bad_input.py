"""Wrong input of every kind: one line that says what is wrong and what to do, and never half a file.

CASES is the table. Each case breaks a good model folder, or makes a wrong call, and gives what must be said.
"""

import base64
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError

from llama_np import __main__ as command
from llama_np import checkpoint, evaluate, forward, load, training
from llama_np.checkpoint import map_safetensors, read_weights, write_safetensors
from llama_np.decode import generate
from llama_np.files import replace_file
from llama_np.params import each_weight_shape, read_params
from llama_np.tokenizer import save_ranks
from llama_np.training import Recipe, Stage, initial_weights

ROOT = Path(__file__).parents[1]
FIELDS = {
    "dim": 16,
    "n_layers": 2,
    "n_heads": 4,
    "n_kv_heads": 2,
    "multiple_of": 8,
    "ffn_dim_multiplier": 1.0,
    "vocab_size": 512,
    "norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "max_seq_len": 24,
}
OPTIONAL = {"n_kv_heads": 4, "ffn_dim_multiplier": 1.0, "rope_theta": 10000.0, "max_seq_len": 8192}  # to their defaults
FRACTIONS = {"ffn_dim_multiplier", "norm_eps", "rope_theta"}
RANKS = {bytes([value]): value for value in range(256)}
FIRST, SECOND = "é".encode()

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


# A good folder, and ways to break it


def make_model(folder, **changes):
    """A model of two layers that goes on with é, whatever the prompt."""
    folder.mkdir()
    (folder / "params.json").write_text(json.dumps(FIELDS | changes), encoding="utf-8")
    save_ranks(RANKS, folder / "tokenizer.model")
    weights = initial_weights(read_params(folder / "params.json"), seed=0)
    for name in weights:
        if name.endswith(("wo.weight", "w2.weight")):
            weights[name][:] = 0  # no layer adds anything: what is embedded comes out
    embeddings, output = weights["tok_embeddings.weight"], weights["output.weight"]
    embeddings[:], output[:] = np.eye(16)[0], 0
    embeddings[FIRST] = output[SECOND] = np.eye(16)[1]
    output[FIRST] = np.eye(16)[0]
    weights = {name: array.astype(ml_dtypes.bfloat16) for name, array in weights.items()}
    write_safetensors(weights, folder / "model.safetensors")
    return folder


def nothing(folder):
    pass


def remove(file):
    return lambda folder: (folder / file).unlink()


def contents(file, data):
    return lambda folder: (folder / file).write_bytes(data)


def directory(file):
    def breaks(folder):
        (folder / file).unlink()
        (folder / file).mkdir()

    return breaks


def fields(**changes):
    """Other values in params.json; ... takes the field out."""
    changed = {name: value for name, value in (FIELDS | changes).items() if value is not ...}
    return contents("params.json", json.dumps(changed).encode())


def tensors(change):
    """Apply change to the dict of tensors, and write what comes of it."""

    def breaks(folder):
        path = folder / "model.safetensors"
        arrays = {name: np.array(array) for name, array in map_safetensors(path).items()}
        change(arrays)
        write_safetensors(arrays, path)

    return breaks


def replaced(name, change):
    return tensors(lambda arrays: arrays.update({name: change(arrays[name])}))


def split_file(path):
    """A safetensors file as its header, a dict, and its data."""
    raw = path.read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    return json.loads(raw[8:end]), raw[end:]


def raw_weights(header, data, length=None):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(header) if length is None else length
    return length.to_bytes(8, "little") + header + data


def header(change):
    """Apply change to the header of the weights, a dict."""

    def breaks(folder):
        path = folder / "model.safetensors"
        head, data = split_file(path)
        head = change(head) or head
        path.write_bytes(raw_weights(head, data))

    return breaks


def entry(name, **changes):
    return header(lambda head: head[name].update(changes))


def twice(head):
    """The header as JSON that holds its first tensor two times, the second time with other offsets."""
    name, first = next(iter(head.items()))
    again = first | {"data_offsets": [n + 64 for n in first["data_offsets"]]}
    return (json.dumps(head)[:-1] + f", {json.dumps(name)}: {json.dumps(again)}}}").encode()


def cut(where):
    """Cut the weights short. where(header's end, size) is how many bytes are left."""

    def breaks(folder):
        path = folder / "model.safetensors"
        raw = path.read_bytes()
        path.write_bytes(raw[: where(8 + int.from_bytes(raw[:8], "little"), len(raw))])

    return breaks


def ranks_line(number, line):
    lines = [base64.b64encode(token) + b" %d" % rank for token, rank in RANKS.items()]
    lines[number - 1] = line
    return contents("tokenizer.model", b"\n".join(lines) + b"\n")


# Ways to call it wrongly


def forward_on(ids):
    def call(folder):
        model = load(folder)
        forward(model.weights, model.params, ids)

    return call


def generate_on(ids):
    def call(folder):
        model = load(folder)
        list(generate(model.weights, model.params, ids, 2))

    return call


def load_tokenizer(folder):
    return load(folder).tokenizer


def with_tokenizer(method, argument):
    return lambda folder: getattr(load_tokenizer(folder), method)(argument)


class Case(NamedTuple):
    """One way to go wrong: in Python by call(folder), on the command line with arguments; None: not there."""

    name: str
    says: str  # a pattern, found in the message
    breaks: Callable = nothing
    call: Callable | None = load
    arguments: tuple | None = ("Hi", "--model", "{folder}")


WQ, NORM = "layers.1.attention.wq.weight", "layers.0.ffn_norm.weight"
CUT = r"model\.safetensors: not a whole safetensors file \(.*\); copy it again"

FOLDERS = [
    Case("no such folder", r"none: no such folder; .*\$LLAMA_NP_MODEL", shutil.rmtree),
    Case("a file for a folder", r"params\.json: no such folder",
         arguments=("Hi", "--model", "{folder}/params.json"),
         call=lambda folder: load(folder / "params.json")),
    Case("an empty folder", r"none: there is neither config\.json, .* nor Meta's params\.json; .* needs",
         lambda f: (shutil.rmtree(f), f.mkdir())),
    Case("an empty path", r"there is neither config\.json.* nor .*params\.json", call=lambda _: load(""),
         arguments=("Hi", "--model", "")),
    Case("a path with a line end", "no such folder", call=None,
         arguments=("Hi", "--model", "{folder}\nx\x1b[2J\u2028")),
    Case("an endless path", "a{200}", call=None, arguments=("Hi", "--model", "a" * 5000)),
]  # fmt: skip

PARAMS = [
    Case("no params.json", r"none: there is neither config\.json.* nor .*params\.json", remove("params.json")),
    Case("params.json is a folder", r"neither config\.json.* nor .*params\.json", directory("params.json")),
    Case("params.json is empty", r"params\.json: not JSON \(.*\); copy", contents("params.json", b"")),
    Case("params.json is text", r"params\.json: not JSON", contents("params.json", b"dim = 16\n")),
    Case("params.json is cut short", r"params\.json: not JSON",
         contents("params.json", b'{"dim": 16, "n_la')),
    Case("params.json is UTF-16", r"params\.json: not JSON",
         contents("params.json", '{"dim": 16}'.encode("utf-16"))),
    Case("params.json has a BOM", r"params\.json: not JSON", contents("params.json", b"\xef\xbb\xbf{}")),
    Case("params.json is a list", r"params\.json: must hold .* not list", contents("params.json", b"[16]")),
    Case("params.json is a number", r"params\.json: must hold .* not int", contents("params.json", b"16")),
    Case("params.json is null", r"params\.json: must hold .* not NoneType", contents("params.json", b"null")),
    Case("params.json nests without end", r"params\.json: not JSON", contents("params.json", b"[" * 200_000)),
    Case("a field nests deep", r'params\.json: the field "dim"',
         contents("params.json", b'{"dim": %s}' % (b"[" * 50 + b"]" * 50))),
    Case("a number of 5000 digits", r"params\.json: ",
         contents("params.json", b'{"dim": %s}' % (b"9" * 5000))),
    Case("params.json is empty but for braces", r'params\.json: the field "\w+" is missing',
         contents("params.json", b"{}")),
    Case("Hugging Face's names", r'params\.json: the field "dim" is missing',
         contents("params.json", b'{"hidden_size": 16}')),
    Case("heads that do not divide dim", r"params\.json: dim 16 cannot be divided among n_heads 3",
         fields(n_heads=3)),
    Case("more heads than dim", r"params\.json: dim 16 cannot be divided among n_heads 32",
         fields(n_heads=32, n_kv_heads=32)),
    Case("heads that cannot share", r"params\.json: n_heads 4 cannot be shared by n_kv_heads 3",
         fields(n_kv_heads=3)),
    Case("more kv heads than heads", r"params\.json: n_heads 4 cannot be shared by n_kv_heads 8",
         fields(n_kv_heads=8)),
    Case("an odd head_dim", r"params\.json: dim / n_heads is 3.*must be even", fields(dim=12)),
    Case("head_dim 1", r"params\.json: dim / n_heads is 1", fields(n_heads=16, n_kv_heads=16)),
    *[Case(f"{name} {value!r}, no truth", rf'params\.json: the field "{name}" is .*; it must be true or false',
           fields(**{name: value}))
      for name in ("use_scaled_rope", "tied_output") for value in ("true", 1, 0, [])],
    Case("a factor that is no number", r'the field "rope_scaling_factor" is .*; it must be a positive number',
         fields(use_scaled_rope=True, rope_scaling_factor="8")),
    Case("factors that leave nothing between", r"params\.json: the low frequency factor 1\.0 must be below .* 1\.0",
         fields(use_scaled_rope=True, rope_high_freq_factor=1)),
    Case("Meta's quantised models", r'params\.json: "quantization_args" is not supported; use the same model',
         fields(quantization_args={"group_size": 32})),
    Case("Meta's adapters", r'params\.json: "lora_args" is not supported; use', fields(lora_args={"rank": 16})),
    Case("another dim than the weights'",
         r"tok_embeddings\.weight has shape \[512, 16\], but params\.json asks for \[512, 32\]",
         fields(dim=32)),
    Case("another vocab than the weights'", r"tok_embeddings\.weight has shape .* \[513, 16\]; copy both",
         fields(vocab_size=513)),
    Case("another ffn than the weights'", r"feed_forward\.w1\.weight has shape \[48, 16\], .*\[1024, 16\]",
         fields(multiple_of=1024)),
    Case("more kv heads than the weights'", r"attention\.wk\.weight has shape \[8, 16\], .*\[16, 16\]",
         fields(n_kv_heads=4)),
    Case("more layers than the weights'", r"layers\.2\.attention_norm\.weight, .* and 6 more are missing",
         fields(n_layers=3)),
    Case("fewer layers than the weights'",
         r"safetensors: layers\.1\.\S+, layers\.1\.\S+, layers\.1\.\S+ and 6 more are more than params\.json asks for",
         fields(n_layers=1)),
    *[Case(f"no {name}", rf'params\.json: the field "{name}" is missing; it must be', fields(**{name: ...}))
      for name in FIELDS if name not in OPTIONAL],
    *[Case(f"{name} null", rf'params\.json: the field "{name}" is missing', fields(**{name: None}))
      for name in FIELDS if name not in OPTIONAL],
    *[Case(f"{name} {json.dumps(value)[:12]}", rf'params\.json: the field "{name}" is .*must be a positive ',
           fields(**{name: value}))
      for name in FIELDS
      for value in ("16", "a\nb", True, [16], {}, -1, 0, float("nan"), float("inf"), -float("inf"),
                    10**400, 2**31 + 1)],
    *[Case(f"{name} {value}", rf'params\.json: the field "{name}" is {value}; .*whole number',
           fields(**{name: value}))
      for name in FIELDS if name not in FRACTIONS for value in (16.0, 0.5)],
]  # fmt: skip

WEIGHTS = [
    Case("no weights", r"none: the weights are missing, none of consolidated\.00\.pth, .*model\.safetensors; copy",
         remove("model.safetensors")),
    Case("the weights are a folder", r"none: the weights are missing", directory("model.safetensors")),
    *[Case(f"no {name}", rf"model\.safetensors: {re.escape(name)} is missing.*copy",
           tensors(lambda arrays, name=name: arrays.pop(name)))
      for name in ("tok_embeddings.weight", WQ, NORM, "norm.weight", "output.weight")],
    Case("no tensors at all", r"0 tensors are too few for the 2 layers of params\.json; copy", tensors(dict.clear)),
    Case("two tensors missing", rf"safetensors: {re.escape(NORM)}, {re.escape(WQ)} are missing, but params\.json asks",
         tensors(lambda a: (a.pop(WQ), a.pop(NORM)))),
    Case("five tensors missing",
         r"safetensors: tok_embeddings\.weight, (layers\.0\.attention\.w[qk]\.weight, ){1}\S+ and 2 more are missing",
         tensors(lambda a: [a.pop(name) for name in list(a) if re.search(r"tok|\.w[qk]\.", name)])),
    Case("a tensor too many", r"safetensors: layers\.0\.attention\.wq\.bias is more than params\.json asks for; copy",
         tensors(lambda a: a.update({"layers.0.attention.wq.bias": np.zeros(16, "f4")}))),
    Case("a tensor too many with an odd name",
         r"safetensors: a\\nb\\x1b\[2J.* is more than params\.json asks for; copy",
         tensors(lambda a: a.update({"a\nb\x1b[2J\u2028" + 500 * "x": np.zeros(3, "f4")}))),
    Case("Hugging Face's tensors", r"model\.safetensors: tok_embeddings\.weight, .* and 18 more are missing",
         header(lambda h: {f"model.{n}": e for n, e in h.items()})),
    Case("a transposed matrix",
         r"output\.weight has shape \[16, 512\], but params\.json asks for \[512, 16\]",
         replaced("output.weight", np.transpose)),
    Case("a row more", r"attention\.wq\.weight has shape \[17, 16\], but .* \[16, 16\]",
         replaced(WQ, lambda a: np.vstack([a, a[:1]]))),
    Case("a row fewer", r"attention\.wq\.weight has shape \[15, 16\]", replaced(WQ, lambda a: a[1:])),
    Case("a dimension more", r"ffn_norm\.weight has shape \[1, 16\], but .* \[16\]",
         replaced(NORM, lambda a: a[None])),
    Case("a dimension fewer", r"attention\.wq\.weight has shape \[256\]", replaced(WQ, np.ravel)),
    Case("a scalar", r"ffn_norm\.weight has shape \[\], but", replaced(NORM, lambda a: a[0])),
    Case("nothing in a tensor", r"ffn_norm\.weight has shape \[0\], but", replaced(NORM, lambda a: a[:0])),
    *[Case(f"weights of {stored}", rf"ffn_norm\.weight' is stored as {stored}; convert it to BF16",
           replaced(NORM, lambda a, to=dtype: a.astype(to)))
      for stored, dtype in {"I8": "i1", "I64": "i8", "U16": "u2", "BOOL": "?"}.items()],
    Case("weights of F8", r"ffn_norm\.weight' is stored as F8_E4M3; convert",
         entry(NORM, dtype="F8_E4M3", shape=[32])),
    Case("weights of an unknown kind", CUT, entry(NORM, dtype="F\n16")),
    Case("an odd name", r"'a\\nb\\x1b\[2J.*' is stored as I8",
         tensors(lambda a: a.update({"a\nb\x1b[2J\u2028": np.zeros(3, "i1")}))),
    Case("the weights are text", CUT,
         contents("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")),
    *[Case(f"the weights end {name}", CUT, cut(where)) for name, where in {
        "at once": lambda header_end, size: 0,
        "after 1 byte": lambda header_end, size: 1,
        "after 7 bytes": lambda header_end, size: 7,
        "after the length": lambda header_end, size: 8,
        "after 9 bytes": lambda header_end, size: 9,
        "in the header": lambda header_end, size: header_end // 2,
        "a byte before the header's end": lambda header_end, size: header_end - 1,
        "with the header": lambda header_end, size: header_end,
        "a byte after the header": lambda header_end, size: header_end + 1,
        "in the data": lambda header_end, size: (header_end + size) // 2,
        "a byte too early": lambda header_end, size: size - 1,
    }.items()],
    Case("a byte too much", CUT,
         lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes() + b"\0")),
    Case("a header of length 0", CUT, contents("model.safetensors", raw_weights(b"", b"\0" * 64))),
    Case("a header longer than the file", CUT, contents("model.safetensors", raw_weights(b"{}", b"", 5000))),
    Case("a header of 2**63 bytes", CUT, contents("model.safetensors", raw_weights(b"{}", b"", 2**63))),
    Case("a header that is not JSON", CUT, header(lambda _: b"not JSON at all")),
    Case("a header that is a list", CUT, header(lambda _: b"[]")),
    Case("a header that nests without end", CUT, header(lambda _: b'{"a":' * 10_000)),
    Case("a header that is not UTF-8", CUT,
         header(lambda h: json.dumps(h).encode().replace(b"norm", b"n\xffrm"))),
    Case("offsets that overlap", CUT, entry(NORM, data_offsets=[0, 32])),
    Case("offsets that leave a hole", CUT, header(lambda h: {n: e for n, e in h.items() if n != WQ})),
    Case("offsets that run backwards", CUT, header(lambda h: h[NORM]["data_offsets"].reverse())),
    Case("offsets beyond the file", CUT, entry(NORM, data_offsets=[10**6, 10**6 + 32])),
    Case("offsets below zero", CUT, entry(NORM, data_offsets=[-32, 0])),
    Case("offsets that do not fit the shape", CUT, entry(NORM, shape=[8])),
    Case("a shape that overflows", CUT, entry(NORM, shape=[2**62, 2**62])),
    Case("a shape below zero", CUT, entry(NORM, shape=[-16])),
    Case("a name twice", CUT, header(twice)),
    Case("a tensor without a kind", CUT, header(lambda h: h[NORM].pop("dtype") and None)),
    Case("a tensor that is a number", CUT, header(lambda h: h | {NORM: 3})),
]  # fmt: skip

TOKENIZERS = [
    Case("no tokenizer.model", r"tokenizer\.model: no such file; .*needs", remove("tokenizer.model")),
    Case("tokenizer.model is a folder", r"tokenizer\.model: no such file", directory("tokenizer.model")),
]  # fmt: skip

INSIDE_TOKENIZERS = [
    Case("tokenizer.model is empty", r"tokenizer\.model.*; copy", contents("tokenizer.model", b"")),
    Case("tokenizer.model is SentencePiece's", r"tokenizer\.model, line 1: .*copy",
         contents("tokenizer.model", b"\n\x0e\n\x05<unk>\x15\0")),
    Case("a line that is not base64", r"tokenizer\.model, line 5: .* not base64; copy",
         ranks_line(5, b"B*== 4")),
    Case("a line without a rank", r"tokenizer\.model, line 5: ", ranks_line(5, b"BA==")),
    Case("a rank that is a word", r"tokenizer\.model, line 5: .*whole number", ranks_line(5, b"BA== four")),
    Case("a rank out of order", r"tokenizer\.model, line 5: .*5.*4.* due", ranks_line(5, b"BA== 5")),
    Case("a token twice", r"tokenizer\.model, line 6: .*line 5 already", ranks_line(6, b"BA== 5")),
    Case("a byte that has no token", r"tokenizer\.model: .*0x41", ranks_line(66, b"YWJj 65")),
    Case("a tokenizer of another model",
         r"none: the tokenizer makes 513 ids, but vocab_size is 512; copy both",
         lambda folder: save_ranks(RANKS | {b"ab": 256}, folder / "tokenizer.model")),
]  # fmt: skip
TOKENIZERS += [case._replace(call=load_tokenizer) for case in INSIDE_TOKENIZERS]

CALLS = [
    Case("no ids", "no token ids.*needs at least one", call=forward_on([]), arguments=None),
    Case("an empty array of ids", "no token ids", call=forward_on(np.array([])), arguments=None),
    Case("an id too large", "token id 512 at position 1: .* 0 to 511", call=forward_on([5, 512]),
         arguments=None),
    Case("an id below zero", "token id -1 at position 0", call=forward_on([-1]), arguments=None),
    Case("ids that are fractions", "whole numbers", call=forward_on([1.0, 2.5]), arguments=None),
    Case("ids that are digits", "whole numbers", call=forward_on(["1", "2"]), arguments=None),
    Case("ids that are text", "whole numbers", call=forward_on("12"), arguments=None),
    Case("ids in two dimensions", "whole numbers", call=forward_on([[1, 2]]), arguments=None),
    Case("an id beyond 64 bits", "whole numbers", call=forward_on([10**30]), arguments=None),
    Case("more ids than the context", "25 tokens .* context of 24: shorten", call=forward_on([1] * 25),
         arguments=None),
    Case("generate: no ids", "no token ids", call=generate_on([]), arguments=None),
    Case("generate: an id too large", "token id 512 at position 0", call=generate_on([512]), arguments=None),
    Case("generate: ids that are fractions", "whole numbers", call=generate_on([1.5]), arguments=None),
    Case("generate: ids that are digits", "whole numbers", call=generate_on("12"), arguments=None),
    Case("generate: more ids than the context", "25 tokens .* context of 24: shorten",
         call=generate_on([1] * 25), arguments=None),
    Case("decode: an id too large", "token id 512: .* 0 to 511", call=with_tokenizer("decode", [65, 512]),
         arguments=None),
    Case("decode: an id below zero", "token id -1: ", call=with_tokenizer("decode", [-1]), arguments=None),
    Case("half a character", r"U\+D83D at position 3: remove", call=with_tokenizer("encode", "Hi \ud83d"),
         arguments=("Hi \ud83d", "--model", "{folder}")),
    *[Case(f"weights of {value}", "not numbers",
           replaced("norm.weight", lambda a, v=value: a * a.dtype.type(v)), generate_on([65]), None)
      for value in ("nan", "inf")],
]  # fmt: skip

COMMANDS = [
    Case("an empty prompt", "the prompt is empty: give", call=None, arguments=("", "--model", "{folder}")),
    Case("a prompt longer than the context", "the prompt has 31 tokens, the model's context 24: shorten",
         call=None, arguments=("a" * 30, "--model", "{folder}")),
    Case("an unknown option", "unrecognized arguments: --tokens=3.*--help", call=None,
         arguments=("Hi", "--tokens=3")),
    Case("an odd unknown option", r"unrecognized arguments: --a\\nb", call=None,
         arguments=("Hi", "--a\nb\x1b[2J")),
    Case("too many arguments", "unrecognized arguments: more words", call=None,
         arguments=("Hi", "more", "words")),
    Case("--model without a folder", "--model: expected one argument", call=None,
         arguments=("Hi", "--model")),
    Case("--max-new-tokens without a number", "--max-new-tokens: expected one argument", call=None,
         arguments=("Hi", "--max-new-tokens")),
    *[Case(f"--max-new-tokens {value[:12]!r}", "--max-new-tokens: .* is not a whole number from 1", call=None,
           arguments=("Hi", "--model", "{folder}", "--max-new-tokens", value))
      for value in ("0", "-1", "00", "1.5", "1e3", "x", "", " ", "1_000", "٣", "²", "1\n",
                    "9" * 10, "9" * 5000)],
]  # fmt: skip

CASES = FOLDERS + PARAMS + WEIGHTS + TOKENIZERS + CALLS + COMMANDS
REMEDIES = "copy|give|name|must|make|convert|shorten|remove|remake|needs|use|has ids 0 to|--help|name too long"


def parameters(cases):
    """Those cases for pytest, by name."""
    return [pytest.param(case, id=case.name) for case in cases]


def check_message(message, case, folder):
    message = message.replace(str(folder.parent), "")  # its name has words of the case's name
    assert re.search(case.says, message)
    assert re.search(REMEDIES, message), "it does not say what to do"
    assert message.isprintable() and "Traceback" not in message


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("good") / "model")


@pytest.fixture
def folder(good, tmp_path):
    return Path(shutil.copytree(good, tmp_path / "none"))


@pytest.fixture(autouse=True)
def no_model_of_the_users(monkeypatch):
    monkeypatch.delenv("LLAMA_NP_MODEL", raising=False)


def test_names_of_cases_differ():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 60


@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")  # damaged weights
@pytest.mark.parametrize("case", parameters(case for case in CASES if case.call))
def test_in_python(case, folder):
    case.breaks(folder)
    with pytest.raises((ValueError, FileNotFoundError)) as refusal:
        case.call(folder)
    assert type(refusal.value) in {ValueError, FileNotFoundError}
    assert len(str(refusal.value)) < len(str(folder)) + 500
    check_message(str(refusal.value), case, folder)


@pytest.mark.parametrize("case", parameters(case for case in CASES if case.arguments))
def test_on_the_command_line(case, folder, capsys):
    case.breaks(folder)
    arguments = [argument.replace("{folder}", str(folder)) for argument in case.arguments]
    try:
        status = command.main(arguments)
    except SystemExit as leaving:  # from the parser
        status = leaving.code
    out, err = capsys.readouterr()
    assert status == 2 and out == "" and err.endswith("\n")
    assert re.match(r"(python -m )?llama_np: ", err)
    check_message(err.removesuffix("\n"), case, folder)


def test_evaluate_finds_a_bad_tokenizer_before_all_its_work(folder, capsys):
    (folder / "tokenizer.model").write_bytes(b"x\n")
    assert evaluate.main(["--model", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and re.fullmatch(r"llama_np\.evaluate: .*tokenizer\.model, line 1: .*; copy .*\n", err)


def test_the_folder_that_the_bad_ones_are_made_from_is_good(folder):
    model = load(folder)
    assert forward(model.weights, model.params, [1, 2]).shape == (2, 512)
    assert list(generate(model.weights, model.params, [65], 4)) == [FIRST, SECOND, FIRST, SECOND]


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_fields_that_may_be_left_out_or_null(name, tmp_path):
    read = []
    for value in (OPTIONAL[name], ..., None):
        fields(**{name: value})(tmp_path)
        read.append(read_params(tmp_path / "params.json"))
    assert read[0] == read[1] == read[2]


def test_other_tensors_and_fields_do_no_harm(folder):
    tensors(lambda arrays: arrays.update({"rope.freqs": np.ones(2, np.float32)}))(folder)
    entry("rope.freqs", note="a reader may skip this")(folder)
    fields(use_scaled_rope=False, quantization_args=None, lora_args=None, comment="a small model")(folder)
    assert load(folder).params.dim == 16


def test_a_variable_that_leads_nowhere(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LLAMA_NP_MODEL", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match=r"none: no such folder; .*\$LLAMA_NP_MODEL"):
        load()
    assert command.main(["Hi"]) == 2
    assert capsys.readouterr() == ("", f"llama_np: {tmp_path / 'none'}: no such folder; let --model or "
                                       "$LLAMA_NP_MODEL name a model's folder\n")  # fmt: skip


def test_shapes_are_made_one_at_a_time(folder):
    fields(n_layers=2**31)(folder)
    shapes = each_weight_shape(read_params(folder / "params.json"))
    assert iter(shapes) is shapes and next(shapes) == ("tok_embeddings.weight", (512, 16))


@pytest.mark.parametrize("wrong", [["a"], [1.5], [None], [[1, 2]], "ab", [np.float32(1)]])
def test_decode_never_makes_text_of_what_is_no_id(wrong, good):
    with pytest.raises((TypeError, ValueError)) as refusal:
        load(good).tokenizer.decode(wrong)
    assert "\n" not in str(refusal.value)


# Damage by chance


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_weights_cut_anywhere(good, tmp_path_factory, data):
    raw = (good / "model.safetensors").read_bytes()
    path = tmp_path_factory.getbasetemp() / "cut.safetensors"
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1))])
    with pytest.raises(ValueError, match=r"cut\.safetensors: not a whole .*; copy it again$"):
        map_safetensors(path)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_header_with_a_wrong_byte(good, tmp_path_factory, data):
    raw = bytearray((good / "model.safetensors").read_bytes())
    end = 8 + int.from_bytes(raw[:8], "little")
    place, value = data.draw(st.integers(0, end - 1)), data.draw(st.integers(0, 255))
    harmless = raw[place] == value
    raw[place] = value
    path = tmp_path_factory.getbasetemp() / "wrong.safetensors"
    path.write_bytes(raw)
    params = read_params(good / "params.json")
    try:
        weights = read_weights([path], params, good / "params.json")
    except ValueError as error:
        assert not harmless and str(error).startswith(str(path)) and str(error).isprintable()
    else:  # a blank in the padding, say, or two dtypes of one size
        assert all(weights[name].shape == shape for name, shape in each_weight_shape(params))


simple_value = st.none() | st.booleans() | st.floats() | st.integers() | st.text()


@settings(deadline=None, max_examples=100)
@given(simple_value | st.lists(simple_value, max_size=3))
def test_a_field_of_any_kind(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "params.json"
    for name in FIELDS:
        path.write_text(json.dumps(FIELDS | {name: value}), encoding="utf-8")
        try:
            read_params(path)
        except ValueError as error:
            assert str(error).startswith(str(path)) and str(error).isprintable() and len(str(error)) < 400


# Files are written whole or not at all


def write_weights(path):
    write_safetensors({"a": np.arange(1000, dtype=np.float32)}, path)


def write_ranks(path):
    save_ranks(RANKS, path)


def write_text(path):
    replace_file(path, lambda temporary: temporary.write_bytes(b"new" * 1000))


writers = pytest.mark.parametrize("write", [write_weights, write_ranks, write_text])


def break_off(monkeypatch, error):
    """Let every way to write a file put half of it down, then fail."""

    def half(data, path):
        with Path(path).open("wb") as file:
            file.write(data[: len(data) // 2])
        raise error

    monkeypatch.setattr(checkpoint, "save_file", lambda arrays, path, metadata: half(b"0" * 100, path))
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: half(data, path))


@writers
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt(), SafetensorError("I/O error")]
)
def test_a_write_broken_off_leaves_the_old_file(write, error, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    break_off(monkeypatch, error)
    with pytest.raises((OSError, KeyboardInterrupt, SafetensorError)) as failure:
        write(path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    if isinstance(error, OSError):
        assert str(failure.value).startswith(f"{path}: cannot be written (No space left on device); ")


def test_what_safetensors_raises_becomes_an_oserror(tmp_path, monkeypatch):
    break_off(monkeypatch, SafetensorError("I/O error"))
    with pytest.raises(OSError, match=r"file: cannot be written \(I/O error\); make room"):
        write_weights(tmp_path / "file")
    assert not list(tmp_path.iterdir())


@writers
def test_a_last_step_that_fails_leaves_the_old_file(write, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match=r"file: cannot be written \(Permission denied\); "):
        write(path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@writers
def test_where_nothing_can_be_written(write, tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "none" / "a", tmp_path / "file" / "a", tmp_path / "folder"):
        with pytest.raises(OSError, match="cannot be written") as failure:
            write(path)
        assert str(failure.value).startswith(f"{path}: ") and str(failure.value).isprintable()
    assert (tmp_path / "file").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


@writers
@posix
def test_a_link_is_replaced_and_what_it_leads_to_is_not(write, tmp_path):
    (tmp_path / "far").write_bytes(b"old")
    (tmp_path / "link").symlink_to("far")
    write(tmp_path / "link")
    assert not (tmp_path / "link").is_symlink() and (tmp_path / "link").stat().st_size > 3
    assert (tmp_path / "far").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 2


@writers
@posix
def test_files_have_the_usual_permissions(write, tmp_path):
    (tmp_path / "usual").touch()
    write(tmp_path / "file")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "usual").stat().st_mode


@posix
def test_a_real_disk_that_is_full(tmp_path):
    script = """
import resource, sys
import numpy as np
from pathlib import Path
from llama_np.checkpoint import write_safetensors
from llama_np.tokenizer import save_ranks
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for write in (
    lambda path: write_safetensors({"a": np.zeros(100_000)}, path),
    lambda path: save_ranks({bytes([i]): i for i in range(256)}, path),
):
    try:
        write(folder / "file")
    except OSError as error:
        print(error)
"""
    (tmp_path / "file").write_bytes(b"old")
    done = run_python("-c", script, str(tmp_path))
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and len(lines) == 2, done.stderr.decode()
    assert all(line.startswith(f"{tmp_path / 'file'}: cannot be written (") for line in lines)
    assert (tmp_path / "file").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("shape", [(), (3,), (0, 4), (2, 3, 4)])
def test_shapes_come_back_as_they_were(shape, tmp_path):
    array = np.asarray(np.random.default_rng(0).standard_normal(shape), np.float32)
    write_safetensors({"a": array, "turned": array.T}, tmp_path / "file")
    back = map_safetensors(tmp_path / "file")
    np.testing.assert_array_equal(back["a"], array, strict=True)
    np.testing.assert_array_equal(back["turned"], array.T, strict=True)


# Training


@pytest.fixture
def work(tmp_path):
    (tmp_path / "work").mkdir()
    save_ranks(RANKS, tmp_path / "work" / "tokenizer.model")
    return tmp_path / "work"


ONE_STEP = Stage(n_layers=1, n_steps=1, peak_rate=1e-3, last_rate=1e-3, warm_up=1)
SMALL = Recipe(
    vocabulary_characters=1000, n_merges=0, dim=8, n_heads=2, n_kv_heads=1, multiple_of=8, stages=(ONE_STEP,)
)


def no_step(monkeypatch):
    monkeypatch.setattr(training, "_step", lambda *_: pytest.fail("training began"))


@pytest.mark.parametrize("length", [0, 7, 8, 500, -1])
def test_a_damaged_state_is_refused_and_left_as_it_is(length, work, monkeypatch):
    training.train(SMALL, work)
    path = work / "state.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    damaged = path.read_bytes()
    no_step(monkeypatch)
    with pytest.raises(ValueError, match=r"state\.safetensors: a damaged checkpoint; delete it") as refusal:
        training.train(SMALL, work)
    assert str(refusal.value).isprintable() and path.read_bytes() == damaged
    assert {file.name for file in work.iterdir()} == {"tokenizer.model", "state.safetensors"}


def test_a_state_that_is_not_ours(work, monkeypatch):
    write_weights(work / "state.safetensors")
    no_step(monkeypatch)
    with pytest.raises(ValueError, match=r"state\.safetensors: left by another"):
        training.train(SMALL, work)


def test_a_work_folder_that_cannot_be(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(training, "_make_tokenizer", lambda *_: pytest.fail("training began"))
    for work in ("file", "file/below"):
        assert training.main(["--work", str(tmp_path / work), "--out", str(tmp_path / "out")]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("llama_np.training: ") and err.count("\n") == 1
        assert str(tmp_path / "file") in err
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_an_out_folder_that_cannot_be_is_refused_at_once(out, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(training, "train", lambda *_: pytest.fail("training began"))
    assert training.main(["--work", str(tmp_path / "work"), "--out", str(tmp_path / out)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and str(tmp_path / "file") in err


def test_wrong_options_of_training(capsys):
    with pytest.raises(SystemExit) as leaving:
        training.main(["--steps", "3"])
    out, err = capsys.readouterr()
    assert leaving.value.code == 2 and out == "" and err.count("\n") == 1


# The good path of the command, and how it ends


def run_python(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=clean_environment(environment),
        capture_output=True,
        timeout=60,
        check=False,
    )


def clean_environment(changes):
    ours = {"LLAMA_NP_MODEL", "PYTHONUNBUFFERED"}
    return {name: value for name, value in os.environ.items() if name not in ours} | changes


def start(*arguments, **options):
    """Start the command, to be killed after a minute should it hang."""
    process = subprocess.Popen(
        [sys.executable, "-m", "llama_np", *arguments],
        cwd=ROOT,
        env=clean_environment({}),
        stderr=subprocess.PIPE,
        **options,
    )
    killer = threading.Timer(60, process.kill)
    killer.daemon = True
    killer.start()
    return process


@pytest.fixture(scope="session")
def talker(tmp_path_factory):
    """The arguments that make the command talk for minutes."""
    model = make_model(tmp_path_factory.mktemp("talker") / "model", max_seq_len=1_000_000)
    return ["Hi", "--model", str(model), "--max-new-tokens", "100000"]


def test_the_prompt_and_its_continuation(folder, capsys):
    assert command.main(["Hi", "--model", str(folder), "--max-new-tokens", "4"]) == 0
    out, err = capsys.readouterr()
    assert out == "Hiéé\n"
    figures = r"3 prompt tokens, first answer after [\d.]+ s; then [\d.]+ tokens/s(; peak memory [\d.]+ GiB)?\n"
    assert re.fullmatch(figures, err)


def test_text_is_printed_as_it_is_made(folder, capsys, monkeypatch):
    seen = []

    def slowly(*_):
        for i in b"abc":
            yield i
            seen.append(capsys.readouterr().out)

    monkeypatch.setattr(command, "generate", slowly)
    assert command.main(["Hi", "--model", str(folder)]) == 0
    assert seen == ["Hia", "b", "c"] and capsys.readouterr().out == "\n"


def test_a_prompt_that_fills_the_context(folder, capsys):
    assert command.main(["a" * 23, "--model", str(folder)]) == 0
    assert capsys.readouterr().out == "a" * 23 + "\ufffd\n"  # one token more, half of é


def test_the_model_of_the_variable(folder):
    done = run_python("-m", "llama_np", "Hi", "--max-new-tokens", "2", LLAMA_NP_MODEL=str(folder))
    assert (done.returncode, done.stdout.decode().rstrip()) == (0, "Hié")


def test_output_is_utf8_wherever_it_goes(folder):
    ascii_only = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    arguments = ["Hi", "--model", str(folder), "--max-new-tokens", "4"]
    done = run_python("-m", "llama_np", *arguments, **ascii_only)
    assert done.returncode == 0 and done.stdout.rstrip() == "Hiéé".encode()


def check_one_line(done, says):
    err = done.stderr.decode()
    assert done.returncode == 2 and not done.stdout
    assert err.count("\n") == err.endswith("\n") == 1 and re.search(says, err)


def test_a_process_refuses_in_one_line(folder):
    done = run_python("-m", "llama_np", "Hi", "--model", str(folder / "none"))
    check_one_line(done, "^llama_np: .*none: no such folder; ")
    cut(lambda header_end, size: size - 1)(folder)
    check_one_line(run_python("-m", "llama_np", "Hi", "--model", str(folder)), CUT)


@posix
def test_a_prompt_that_is_not_text(folder):
    done = run_python("-m", "llama_np", b"Hi \xff", "--model", str(folder))
    check_one_line(done, r"half a character.*: remove")


def test_a_billion_layers_are_refused_at_once(folder):
    fields(n_layers=10**9)(folder)
    done = run_python("-m", "llama_np", "Hi", "--model", str(folder))
    check_one_line(done, r"21 tensors are too few for the 1000000000 layers of params\.json")


def test_a_reader_that_has_enough(talker):
    process = start(*talker, stdout=subprocess.PIPE)
    assert process.stdout.read(6) == "Hiéé".encode()
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait() == 0


@posix
def test_ctrl_c(talker):
    # A shell starts what it runs in the background with Ctrl-C ignored, and that is inherited: undo it.
    heeding = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = start(*talker, stdout=subprocess.PIPE, preexec_fn=heeding)
    assert process.stdout.read(6) == "Hiéé".encode()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130 and err == b"\nllama_np: stopped\n"


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs a device that is always full")
def test_output_that_cannot_be_written(folder):
    with Path("/dev/full").open("wb") as full:
        process = start("Hi", "--model", str(folder), stdout=full)
        _, err = process.communicate()
    assert process.returncode == 2 and re.fullmatch(rb"llama_np: .*No space left on device\n", err)


@posix
def test_output_that_is_closed(folder):
    process = start("Hi", "--model", str(folder), preexec_fn=lambda: os.close(1))
    _, err = process.communicate()
    assert process.returncode == 0 and re.fullmatch(rb"3 prompt tokens, .*\n", err)
