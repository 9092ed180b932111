"""`python -m tests.bench DIR --like 8b`: how long a pass takes, here and in transformers, PyTorch and llama.cpp.

All run on the same weights, in turns, so that a busy moment of the machine hits all of them alike; what counts is the
ratio. Needs torch and transformers (tests/requirements-oracle.txt); llama.cpp takes part where llama-cpp-python and
gguf are installed and the disk has room for its copy of the weights. A pass is one forward pass over T tokens with
nothing before them, and the mean of several where one takes less than 0.2 s: over 1 token it does the work of decoding
one, over 17 the question, over 512 a page.
"""

import os
import shutil
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil
import torch
from threadpoolctl import threadpool_info
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

from llama_np import forward, load
from llama_np.attention import attention, causal_mask
from llama_np.checkpoint import TINY
from llama_np.command_line import Parser, positive_int, run
from llama_np.embeddings import embed
from llama_np.memory import warm_up
from llama_np.rmsnorm import rms_norm
from llama_np.rope import apply_rotary_emb, precompute_freqs_cis
from llama_np.swiglu import silu
from llama_np.threads import usable_cores
from tests.oracle import reference_config, reference_name
from tests.synthetic import SHAPES, write_checkpoint

LENGTHS = [1, 2, 4, 8, 16, 17, 512]

# Seconds between passes: the threads of some contenders go on spinning for a while after their work.
_REST = 0.4

# For so many seconds a quick pass is repeated, as decoding repeats it: a single one would time the waking up.
_BURST = 0.2

# Whoever takes more seconds than this for a pass, and 4 times as long as llama_np, runs once, and that is all.
_PATIENCE = 5


def numpy_by_heads(weights, params, ids):
    """The plainest NumPy: whole matrices copied to float32 at each use, and a loop over the heads."""

    def product(x, name):
        return x @ weights[name + ".weight"].astype(np.float32).T

    x, mask = embed(ids, weights["tok_embeddings.weight"]), causal_mask(len(ids))
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), params.rope_theta)
    size, group = params.head_dim, params.n_heads // params.n_kv_heads
    for layer in range(params.n_layers):
        at = f"layers.{layer}."
        normed = rms_norm(x, weights[at + "attention_norm.weight"], params.norm_eps)
        q, k, v = (product(normed, f"{at}attention.{name}") for name in ("wq", "wk", "wv"))
        heads = []
        for head in range(params.n_heads):
            of_q, of_kv = slice(head * size, (head + 1) * size), slice(head // group * size, (head // group + 1) * size)
            turned = (apply_rotary_emb(np.ascontiguousarray(part), freqs_cis) for part in (q[:, of_q], k[:, of_kv]))
            heads.append(attention(*turned, v[:, of_kv], mask))
        x = x + product(np.concatenate(heads, axis=1), at + "attention.wo")
        normed = rms_norm(x, weights[at + "ffn_norm.weight"], params.norm_eps)
        gate, up = (product(normed, f"{at}feed_forward.{name}") for name in ("w1", "w3"))
        x = x + product(silu(gate) * up, at + "feed_forward.w2")
    return product(rms_norm(x, weights["norm.weight"], params.norm_eps), "output")


def on_same_memory(array):
    """A torch tensor of a mapped bf16 array, which is not copied."""
    return torch.from_numpy(array[:].view(np.int16)).view(torch.bfloat16)


def transformers_model(weights, params):
    """transformers' model in bf16, on our mapped weights. (wq and wk are not permuted: it costs the same time.)"""
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**reference_config(params))).to(torch.bfloat16)
    state = {reference_name(name): on_same_memory(array) for name, array in weights.items()}
    model.load_state_dict(state, assign=True, strict=False)
    model.model.rotary_emb = type(model.model.rotary_emb)(model.config)  # its buffers were on "meta" as well
    return model.eval()


def upcast_pass(model, ids):
    """The same model with float32 products: each matrix is copied to float32 when it is used."""
    linear = torch.nn.Linear.forward
    torch.nn.Linear.forward = lambda self, x: (x.float() @ self.weight.float().T).bfloat16()
    try:
        model(ids, use_cache=False)
    finally:
        torch.nn.Linear.forward = linear


def contenders(model, like_llama_cpp):
    """A dict from name to a function that takes T token ids and runs a pass."""
    theirs = transformers_model(model.weights, model.params)
    passes = {
        "llama_np": lambda ids: forward(model.weights, model.params, ids),
        "transformers, bf16": lambda ids: theirs(torch.tensor([ids]), use_cache=False),
        "torch, float32 upcast": lambda ids: upcast_pass(theirs, torch.tensor([ids])),
        "NumPy, float32 copies": lambda ids: numpy_by_heads(model.weights, model.params, ids),
    }
    return passes | like_llama_cpp


def llama_cpp(model, folder, kinds):
    """The same as contenders for llama.cpp, of the given kinds of weights: "BF16", "Q8_0"."""
    if not find_spec("llama_cpp") or not find_spec("gguf"):
        print("llama.cpp: llama-cpp-python and gguf are not installed; it is left out", file=sys.stderr)
        return {}
    from tests.gguf_file import llama_cpp_pass, write_gguf

    passes = {}
    for kind in kinds:
        path = folder / f"model-{kind}.gguf"
        if not path.is_file():
            needed, free = 2.1 * model.params.n_parameters, shutil.disk_usage(folder).free
            if needed > free:
                print(f"llama.cpp {kind}: {folder} has no room for {needed / 1e9:.0f} GB; left out", file=sys.stderr)
                continue
            write_gguf(model, path, kind)
        passes[f"llama.cpp, {kind}"] = llama_cpp_pass(path, usable_cores())
    return passes


def read_bandwidth(weights, limit=2 * 10**9):
    """How fast all cores together read mapped weights, in bytes per second: the best of three looks for a maximum."""
    parts, n_bytes = [], 0
    for array in weights.values():
        if n_bytes < limit and array.ndim == 2:
            parts += np.array_split(array[:].view(np.uint16).reshape(-1), usable_cores())
            n_bytes += array.nbytes
    with ThreadPoolExecutor(usable_cores()) as threads:
        return max(n_bytes / seconds(lambda: list(threads.map(np.max, parts))) for _ in range(3))


def seconds(function):
    """How long a call takes: the mean of as many, each right after the other, as it takes to fill a burst."""
    start, n_calls, elapsed = time.perf_counter(), 0, 0
    while elapsed < _BURST:
        function()
        n_calls, elapsed = n_calls + 1, time.perf_counter() - start
    return elapsed / n_calls


def own_memory():
    """Bytes of this process that are not pages of a file."""
    memory = psutil.Process().memory_info()
    return memory.rss - memory.shared


def measure(passes, params, rounds, lengths):
    """Times in seconds: a dict from (name, T) to a list, a round after the other and the contenders in turn.

    The first round at each length only warms up.
    """
    times, first, slow = {}, {}, set()
    random = np.random.default_rng(0)
    turns = [(T, n, name) for T in lengths for n in range(rounds + 1) for name in passes]  # llama_np is the first
    for T, n, name in tqdm(turns, desc="passes", leave=False):
        if name in slow:
            continue
        ids = random.integers(params.vocab_size, size=T).tolist()
        time.sleep(_REST)
        taken = seconds(lambda name=name, ids=ids: passes[name](ids))
        if n == 0:
            first[name] = taken
            slow |= {name} if taken > max(_PATIENCE, 4 * first["llama_np"]) else set()
        if n > 0 or name in slow:
            times.setdefault((name, T), []).append(taken)
    return times


def print_table(times, lengths, names):
    print("| tokens | who | median s | fastest to slowest | llama_np's time / theirs |")
    print("| ---: | --- | ---: | --- | ---: |")
    for T in lengths:
        ours = statistics.median(times["llama_np", T])
        for name in names:
            if found := times.get((name, T)):
                median = statistics.median(found)
                spread = f"{min(found):.3g} to {max(found):.3g}"
                print(f"| {T} | {name} | {median:.3g} | {spread} | {ours / median:.2f} |")


def main(arguments=None):
    parser = Parser(prog="python -m tests.bench", description="Time forward passes beside other implementations.")
    parser.add_argument("model", nargs="?", type=Path, metavar="DIR", help="a model folder (default: data/tiny)")
    parser.add_argument("--like", choices=SHAPES, help="write a model of this shape and random weights into DIR first")
    parser.add_argument("--layers", type=positive_int, metavar="N", help="with --like: fewer layers")
    parser.add_argument("--tokenizer", type=Path, metavar="PATH", help="with --like: the tokenizer.model to copy")
    parser.add_argument("--rounds", type=positive_int, default=5, metavar="N", help="how often each takes its turn (5)")
    parser.add_argument("--tokens", type=positive_int, nargs="+", default=LENGTHS, metavar="T", help="which passes")
    parser.add_argument("--gguf", nargs="*", default=[], metavar="KIND", help="llama.cpp as well: BF16 Q8_0")
    return run("tests.bench", _bench, parser.parse_args(arguments))


def _bench(options):
    if options.like and not options.model:
        raise ValueError("--like needs DIR, the folder to write the model into: name one")
    if options.like and not any((options.model / name).is_file() for name in ("params.json", "config.json")):
        write_checkpoint(options.model, options.like, options.layers, options.tokenizer)
    unwanted = [name for name in os.environ if name.startswith("OPENBLAS_")]
    if unwanted:
        raise ValueError(f"{' and '.join(unwanted)} changes NumPy's speed; unset it")
    torch.set_num_threads(usable_cores())
    torch.set_grad_enabled(False)
    folder = options.model or TINY
    start, before = time.perf_counter(), own_memory()
    model = load(folder)
    load_time, load_memory = time.perf_counter() - start, own_memory() - before
    start, _ = time.perf_counter(), model.tokenizer
    tokenizer_time = time.perf_counter() - start
    blas = ", ".join(f"{info['architecture']}" for info in threadpool_info() if info["internal_api"] == "openblas")
    warm_up(model.files)
    print(f"{folder.name}: {model.params}; {usable_cores()} cores, OpenBLAS kernel {blas}")
    print(f"load: {load_time:.3f} s, {load_memory / 1e6:.0f} MB of own memory; its tokenizer: {tokenizer_time:.3f} s")
    before = own_memory()
    forward(model.weights, model.params, list(range(17)))
    memory = psutil.Process().memory_info()
    print(f"after a pass over 17: {(own_memory() - before) / 1e6:.0f} MB more, {memory.shared / 1e9:.2f} GB mapped")
    passes = contenders(model, llama_cpp(model, folder, options.gguf) if options.gguf else {})
    lengths = [T for T in options.tokens if model.params.max_seq_len >= T]
    times = measure(passes, model.params, options.rounds, lengths)
    print_table(times, lengths, passes)
    bandwidth = read_bandwidth(model.weights)
    per_token = sum(array.nbytes for name, array in model.weights.items() if name != "tok_embeddings.weight")
    if ("llama_np", 1) in times:
        share = per_token / statistics.median(times["llama_np", 1]) / bandwidth
        print(f"bandwidth: {bandwidth / 1e9:.1f} GB/s of reading, of which a pass over 1 token uses {share:.0%}")


if __name__ == "__main__":
    sys.exit(main())
