"""`python -m tests.bench_training`: a training step of ours beside PyTorch's, on the same documents and weights.

Needs torch (tests/requirements-oracle.txt). PyTorch gets the same batches in the two forms one would write: padded to
a rectangle, and laid end to end as ours are. Steps alternate, so that a busy moment hits all of them alike.
"""

import argparse
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_info, threadpool_limits

from llama_np.checkpoint import load
from llama_np.training import (
    Recipe,
    State,
    _zeros,
    adamw_step,
    batch,
    batch_gradients,
    clip_gradients,
    initial_weights,
    model_params,
)


def rotate(x, freqs_cis):
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * freqs_cis).flatten(-2)


def torch_logits(w, params, ids, freqs_cis, attend):
    """ids: [..., T]. attend: from q, k, v [..., heads, T, head_dim] to the same shape as q."""
    x = w["tok_embeddings.weight"][ids]
    for layer in range(params.n_layers):
        prefix = f"layers.{layer}."
        normed = F.rms_norm(x, (params.dim,), w[prefix + "attention_norm.weight"], params.norm_eps)
        q, k, v = (
            F.linear(normed, w[f"{prefix}attention.{name}.weight"])
            .unflatten(-1, (-1, params.head_dim))
            .transpose(-2, -3)
            for name in ("wq", "wk", "wv")
        )
        heads = attend(rotate(q, freqs_cis), rotate(k, freqs_cis), v)
        x = x + F.linear(heads.transpose(-2, -3).flatten(-2), w[prefix + "attention.wo.weight"])
        normed = F.rms_norm(x, (params.dim,), w[prefix + "ffn_norm.weight"], params.norm_eps)
        w1, w2, w3 = (w[f"{prefix}feed_forward.{name}.weight"] for name in ("w1", "w2", "w3"))
        x = x + F.linear(F.silu(F.linear(normed, w1)) * F.linear(normed, w3), w2)
    x = F.rms_norm(x, (params.dim,), w["norm.weight"], params.norm_eps)
    return F.linear(x, w["output.weight"])


def torch_freqs_cis(params, n_positions):
    freqs = params.rope_theta ** (-torch.arange(0, params.head_dim, 2) / params.head_dim)
    angles = torch.outer(torch.arange(n_positions), freqs)
    return torch.polar(torch.ones_like(angles), angles)


def padded_loss(w, params, id_lists):
    longest = max(map(len, id_lists)) - 1
    ids = torch.zeros(len(id_lists), longest, dtype=torch.long)
    targets = torch.full((len(id_lists), longest), -100)
    for row, document in enumerate(id_lists):
        ids[row, : len(document) - 1] = torch.tensor(document[:-1])
        targets[row, : len(document) - 1] = torch.tensor(document[1:])

    def attend(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    logits = torch_logits(w, params, ids, torch_freqs_cis(params, longest), attend)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def end_to_end_loss(w, params, id_lists):
    lengths = [len(document) - 1 for document in id_lists]
    ids = torch.cat([torch.tensor(document[:-1]) for document in id_lists])
    targets = torch.cat([torch.tensor(document[1:]) for document in id_lists])

    def attend(q, k, v):
        documents = zip(*(a.split(lengths, dim=-2) for a in (q, k, v)), strict=True)
        heads = [
            F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, enable_gqa=True)[0]
            for q, k, v in documents
        ]
        return torch.cat(heads, dim=-2)

    freqs_cis = torch_freqs_cis(params, max(lengths))
    freqs_cis = torch.cat([freqs_cis[:length] for length in lengths])
    return F.cross_entropy(torch_logits(w, params, ids, freqs_cis, attend), targets)


def torch_stepper(weights, params, recipe, loss_of):
    w = {name: torch.nn.Parameter(torch.from_numpy(array.copy())) for name, array in weights.items()}
    optimizer = torch.optim.AdamW(w.values(), 1e-3, (recipe.beta1, recipe.beta2), weight_decay=recipe.weight_decay)

    def step(examples, n):
        loss = loss_of(w, params, [ids for ids, _ in examples])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(w.values(), recipe.clip)
        optimizer.step()
        return float(loss)

    return step


def our_stepper(weights, params, recipe, pool):
    copies = {name: array.copy() for name, array in weights.items()}
    state = State(copies, _zeros(copies), _zeros(copies))

    def step(examples, n):
        with threadpool_limits(1):
            loss, grads = batch_gradients(state.weights, params, examples, pool)
            clip_gradients(grads, recipe.clip)
            adamw_step(state, grads, recipe, 1e-3, n + 1)
        return loss

    return step


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.bench_training", description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=10, help="steps of each, after two to warm up (10)")
    parser.add_argument("--layers", type=int, default=32, help="layers of the model (32)")
    options = parser.parse_args()
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        if name in os.environ:
            raise SystemExit(f"{name} is set, which slows NumPy down: unset it first")
    recipe, tokenizer = Recipe(), load().tokenizer
    params = model_params(recipe, options.layers)
    weights = initial_weights(params, seed=0)
    with ThreadPoolExecutor(2) as pool:
        steppers = {
            "llama_np": our_stepper(weights, params, recipe, pool),
            "PyTorch, padded": torch_stepper(weights, params, recipe, padded_loss),
            "PyTorch, end to end": torch_stepper(weights, params, recipe, end_to_end_loss),
        }
        rates = {name: [] for name in steppers}
        for n in range(options.steps + 2):
            examples = [(ids, np.ones(len(ids) - 1)) for ids, _ in batch(tokenizer, recipe, n)]
            n_tokens = sum(len(ids) - 1 for ids, _ in examples)
            for name, step in steppers.items():
                start = time.perf_counter()
                loss = step(examples, n)
                rates[name].append(n_tokens / (time.perf_counter() - start))
                if n == options.steps + 1:
                    print(f"{name}: loss {loss:.4f} after {n + 1} steps")
    print(
        "OpenBLAS kernel:",
        {info.get("architecture") for info in threadpool_info()},
        "torch threads:",
        torch.get_num_threads(),
    )
    ours = statistics.median(rates["llama_np"][2:])
    for name, values in rates.items():
        rate = statistics.median(values[2:])
        spread = f"(lowest {min(values[2:]):.0f}, highest {max(values[2:]):.0f})"
        print(f"{name:20} {rate:7.0f} tokens/s {spread}; llama_np is {ours / rate:.2f} times as fast")


if __name__ == "__main__":
    main()
