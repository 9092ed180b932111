"""Chapter 21: training. `python -m llama_np.training` makes data/tiny from nothing.

Corpus, tokenizer, a model of 4 layers, the same grown to 8 and to 32, evaluation: all from one seed. Killed at any
moment, it goes on where it was, to the same bits. Left out: more than one machine (chapter 18).
"""

import hashlib
import io
import json
import math
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors import safe_open
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from llama_np import bpe, corpus
from llama_np.backprop import loss_and_gradients
from llama_np.checkpoint import TINY, load, map_safetensors, write_safetensors
from llama_np.command_line import Parser, run
from llama_np.evaluate import all_answers, widened, write_report
from llama_np.files import replace_file
from llama_np.params import Params, feed_forward_dim, weight_shapes
from llama_np.tokenizer import Tokenizer, save_ranks

# A batch is always cut in as many parts, so that the sum over them is the same on any number of cores. The parts are
# small enough for their arrays to stay in a core's cache.
_PARTS = 4


@dataclass(frozen=True)
class Stage:
    """A run of steps at one depth.

    The learning rate rises over `warm_up` steps, then falls to `last_rate`. copies: how often each layer of the stage
    before is copied to make this stage's layers; empty if the depth stays. shares: the mix of the corpus.
    other_importance: what a token counts for in the loss that is no part of an answer. Nobody can guess which name a
    story is about; counting that for less lets the model hear what can be learnt by looking back.
    """

    n_layers: int
    n_steps: int
    peak_rate: float
    last_rate: float
    warm_up: int
    copies: tuple = ()
    shares: dict = field(default_factory=lambda: corpus.SHARES)
    other_importance: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """All that decides what comes out: the same recipe gives the same bytes."""

    seed: int = 0
    vocabulary_characters: int = 1_500_000  # of the text that the tokenizer is trained on
    n_merges: int = 512
    dim: int = 128
    n_heads: int = 8
    n_kv_heads: int = 2
    multiple_of: int = 64
    ffn_dim_multiplier: float = 0.5
    norm_eps: float = 1e-5
    rope_theta: float = 500000.0
    max_seq_len: int = 256
    tokens_per_step: int = 2048
    beta1: float = 0.9
    beta2: float = 0.95
    weight_decay: float = 0.1
    clip: float = 1.0
    stages: tuple = (
        Stage(4, n_steps=350, peak_rate=3e-3, last_rate=3e-3, warm_up=50, shares=corpus.COPY_SHARES),
        Stage(4, 3650, 3e-3, 3e-3, warm_up=50, shares=corpus.QUIZ_SHARES, other_importance=0.1),
        Stage(4, 2000, 3e-3, 2e-3, warm_up=50, shares=corpus.SCENE_SHARES, other_importance=0.1),
        Stage(8, 4000, 2.5e-3, 1e-3, warm_up=50, copies=(1, 3, 3, 1), other_importance=0.2),
        Stage(
            32,
            1200,
            1e-3,
            0.0,
            warm_up=50,
            # Copies share a layer's work: those are copied most without which the 8 layers lose most, so that each
            # copy has work left (layers 1 to 6: about 0.1 nats of held-out loss; the last: more than 1).
            copies=(1, 4, 3, 3, 5, 3, 4, 9),
            shares=corpus.GROWN_SHARES,
            other_importance=0.6,
        ),
        Stage(32, 450, 6e-4, 0.0, warm_up=20, shares=corpus.LAST_SHARES, other_importance=0.4),
    )


@dataclass
class State:
    """A training run between two steps. mean, square: AdamW's moments; losses: one number a step so far."""

    weights: dict
    mean: dict
    square: dict
    losses: list = field(default_factory=list)


# ---- the model before its first step, and when it grows ----


def meta_params(recipe):
    """The fields of params.json, under Meta's names, for the last stage's model."""
    names = "dim n_heads n_kv_heads multiple_of ffn_dim_multiplier norm_eps rope_theta max_seq_len".split()
    fields = {name: getattr(recipe, name) for name in names}
    vocab_size = 256 + recipe.n_merges + 256  # single bytes, merges, special tokens
    return fields | {"n_layers": recipe.stages[-1].n_layers, "vocab_size": vocab_size}


def model_params(recipe, n_layers):
    """Params of the recipe's model at a depth."""
    fields = meta_params(recipe) | {"n_layers": n_layers}
    ffn_dim = feed_forward_dim(recipe.dim, fields.pop("multiple_of"), fields.pop("ffn_dim_multiplier"))
    return Params(ffn_dim=ffn_dim, **fields)


def initial_weights(params, seed):
    """Random weights that keep the size of what flows through: 1 / sqrt(inputs), and less for what is added up.

    Every layer adds twice to the residual stream, by wo and w2: these start smaller by sqrt(2 n_layers), as in
    GPT-2 (Radford et al., 2019). Returns a dict from Meta's name to float32 array.
    """
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in weight_shapes(params).items():
        if len(shape) == 1:
            weights[name] = np.ones(shape, np.float32)
            continue
        size = shape[1] ** -0.5
        if name.endswith(("wo.weight", "w2.weight")):
            size /= math.sqrt(2 * params.n_layers)
        elif name == "tok_embeddings.weight":
            size = 0.5
        elif name == "output.weight":
            size *= 0.5
        weights[name] = (size * random.standard_normal(shape)).astype(np.float32)
    # One vector that all tokens share gives queries and keys something to agree on whatever the tokens are, so
    # that a head can soon learn to look at a place, like the token before, instead of at a word.
    weights["tok_embeddings.weight"] += random.standard_normal(params.dim).astype(np.float32)
    return weights


def grow(weights, copies):
    """Make a deeper model of a trained one: layer i copies[i] times over, each copy adding 1 / copies[i] as much.

    weights: a model of len(copies) layers. Returns the weights of one of sum(copies), close to it in function.
    """
    grown = {name: array for name, array in weights.items() if not name.startswith("layers.")}
    origins = [layer for layer, times in enumerate(copies) for _ in range(times)]
    for new, layer in enumerate(origins):
        prefix = f"layers.{layer}."
        for name in [name for name in weights if name.startswith(prefix)]:
            share = copies[layer] if name.endswith(("wo.weight", "w2.weight")) else 1
            grown[f"layers.{new}.{name.removeprefix(prefix)}"] = weights[name] / np.float32(share)
    return grown


# ---- one step ----


def batch(tokenizer, recipe, step):
    """The documents of one step, a list of (ids, importance). They depend on the recipe and the step alone."""
    stage, _ = stage_at(recipe, step)
    chosen, n_tokens = [], 0
    for document in corpus.documents(recipe.seed + 1_000_003 * (step + 1), stage.shares):
        ids, importance = encode_document(tokenizer, document, stage.other_importance)
        chosen.append((ids[: recipe.max_seq_len + 1], importance[: recipe.max_seq_len]))
        n_tokens += len(chosen[-1][1])
        if n_tokens >= recipe.tokens_per_step:
            return chosen


def encode_document(tokenizer, document, other_importance):
    """Document -> its ids from begin_of_text to end_of_text, and what each but the first counts for in the loss.

    A token counts for 1 if it is a part of an answer, else for other_importance. Returns a list and an array.
    """
    ids, ends, end = [], [], 0
    for piece in document.pieces:
        for i in tokenizer.encode_pieces([piece]):
            end += len(piece) if piece in tokenizer.special_tokens else len(tokenizer.token_bytes(i))
            ids.append(i)
            ends.append(end)
    importance = np.full(len(ids) + 1, other_importance)
    for start, stop in document.answers:
        importance[:-1][(np.array(ends) > start) & (np.array(ends) <= stop)] = 1
    return [tokenizer.bos_id, *ids, tokenizer.eos_id], importance


def batch_gradients(weights, params, examples, pool):
    """Loss and gradients over a batch of (ids, importance). Returns the mean loss and a dict like weights."""

    def part(examples):
        ids = np.concatenate([ids[:-1] for ids, _ in examples])
        targets = np.concatenate([ids[1:] for ids, _ in examples])
        importance = np.concatenate([importance for _, importance in examples])
        lengths = [len(ids) - 1 for ids, _ in examples]
        return importance.sum(), *loss_and_gradients(weights, params, ids, targets, lengths, importance)

    parts = list(pool.map(part, [examples[start::_PARTS] for start in range(min(_PARTS, len(examples)))]))
    whole = sum(count for count, _, _ in parts)
    loss, total = 0.0, {}
    for count, part_loss, grads in parts:
        share = np.float32(count / whole)
        loss += float(share) * part_loss
        for name, grad in grads.items():
            grad *= share
            if name in total:
                total[name] += grad
            else:
                total[name] = grad
    return loss, total


def clip_gradients(grads, limit):
    """Scale all gradients down together, in place, if their common length is over the limit. Returns that length."""
    length = math.sqrt(sum(float(np.vdot(grad, grad)) for grad in grads.values()))
    if length > limit:
        for grad in grads.values():
            grad *= np.float32(limit / length)
    return length


def adamw_step(state, grads, recipe, rate, step):
    """Move the weights, in place. step: 1 for the first since the moments were zero.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019. Vectors are not decayed.
    """
    beta1, beta2 = np.float32(recipe.beta1), np.float32(recipe.beta2)
    mean_scale, square_scale = np.float32(1 - recipe.beta1**step), np.float32(1 - recipe.beta2**step)
    for name, grad in grads.items():
        weight, mean, square = state.weights[name], state.mean[name], state.square[name]
        mean += (1 - beta1) * (grad - mean)
        square += (1 - beta2) * (grad * grad - square)
        if weight.ndim == 2:
            weight *= np.float32(1 - rate * recipe.weight_decay)
        weight -= np.float32(rate) * (mean / mean_scale) / (np.sqrt(square / square_scale) + np.float32(1e-8))


def learning_rate(stage, step):
    """The rate of a step, 0 … n_steps-1 of its stage: a straight line up, then half a cosine down."""
    if step < stage.warm_up:
        return stage.peak_rate * (step + 1) / stage.warm_up
    done = (step - stage.warm_up) / max(1, stage.n_steps - stage.warm_up)
    return stage.last_rate + (stage.peak_rate - stage.last_rate) * (1 + math.cos(math.pi * done)) / 2


# ---- the whole run ----


def train(recipe, work, checkpoint_every=100):
    """Run the recipe's stages from the last checkpoint in the folder `work`, or from nothing. Returns State.

    Raises ValueError if what lies there was made by another recipe.
    """
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = _make_tokenizer(recipe, work)
    state = _read_state(work / "state.safetensors", recipe, tokenizer)
    n_steps = sum(stage.n_steps for stage in recipe.stages)
    bar = tqdm(total=n_steps, initial=len(state.losses), unit="step", smoothing=0.02, dynamic_ncols=True)
    with bar, threadpool_limits(1), ThreadPoolExecutor(min(_PARTS, os.cpu_count() or 1)) as pool:
        while len(state.losses) < n_steps:
            _step(state, recipe, tokenizer, pool, bar)
            if len(state.losses) % checkpoint_every == 0 or len(state.losses) == n_steps:
                _write_state(state, work / "state.safetensors", recipe, tokenizer)
    return state


def _make_tokenizer(recipe, work):
    path = work / "tokenizer.model"
    if not (path.is_file() and (work / "state.safetensors").is_file()):  # one alone may be another recipe's
        text = corpus.vocabulary_text(recipe.seed, recipe.vocabulary_characters)
        print(f"training the tokenizer on {len(text):,} characters", file=sys.stderr)
        save_ranks(bpe.train(text, recipe.n_merges), path)
    return Tokenizer(path)


def _step(state, recipe, tokenizer, pool, bar):
    stage, step = stage_at(recipe, len(state.losses))
    if step == 0:
        _begin(state, stage)
    examples = batch(tokenizer, recipe, len(state.losses))
    params = model_params(recipe, stage.n_layers)
    loss, grads = batch_gradients(state.weights, params, examples, pool)
    if not math.isfinite(loss):
        raise ValueError(
            f"the loss is {loss} at step {len(state.losses)}: the learning rate is too high for this recipe"
        )
    clip_gradients(grads, recipe.clip)
    adamw_step(state, grads, recipe, learning_rate(stage, step), step + 1)
    state.losses.append(loss)
    bar.update()
    rate = bar.format_dict["rate"] or 0
    bar.set_postfix(
        layers=stage.n_layers,
        loss=f"{np.mean(state.losses[-50:]):.3f}",
        tokens_per_s=round(rate * recipe.tokens_per_step),
    )


def stage_at(recipe, step):
    """The stage that a step of the whole run falls in, and its number there, from 0. Raises ValueError past the end."""
    for stage in recipe.stages:
        if step < stage.n_steps:
            return stage, step
        step -= stage.n_steps
    raise ValueError("the recipe has no such step")


def _begin(state, stage):
    """Grow the model if the stage says so, and forget AdamW's moments, which count from a stage's first step."""
    if stage.copies:
        state.weights = grow(state.weights, stage.copies)
    state.mean, state.square = _zeros(state.weights), _zeros(state.weights)


def _zeros(weights):
    return {name: np.zeros_like(array) for name, array in weights.items()}


def _fingerprint(recipe, tokenizer):
    """What a checkpoint must agree with to be gone on from: a retrained tokenizer makes older weights worthless."""
    ranks = "\n".join(f"{token.hex()} {rank}" for token, rank in tokenizer.ranks.items())
    return hashlib.sha256((json.dumps(asdict(recipe)) + ranks).encode()).hexdigest()


def _write_state(state, path, recipe, tokenizer):
    parts = {"weights": state.weights, "mean": state.mean, "square": state.square}
    tensors = {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}
    tensors["losses"] = np.array(state.losses)
    write_safetensors(tensors, path, {"fingerprint": _fingerprint(recipe, tokenizer)})


def _read_state(path, recipe, tokenizer):
    if not path.is_file():
        weights = initial_weights(model_params(recipe, recipe.stages[0].n_layers), recipe.seed)
        return State(weights, _zeros(weights), _zeros(weights))
    try:
        tensors = map_safetensors(path)
    except ValueError:
        raise ValueError(f"{path}: a damaged checkpoint; delete it to begin anew") from None
    with safe_open(path, framework="numpy") as file:
        if (file.metadata() or {}).get("fingerprint") != _fingerprint(recipe, tokenizer):
            raise ValueError(f"{path}: left by another recipe or tokenizer; delete that folder to begin anew")

    def part(kind):
        return {n.removeprefix(kind): np.array(a) for n, a in tensors.items() if n.startswith(kind)}

    return State(part("weights/"), part("mean/"), part("square/"), tensors["losses"].tolist())


# ---- what is shipped ----


def write_model(state, recipe, tokenizer, folder):
    """Write a model folder as `load` reads it: params.json, tokenizer.model, model.safetensors in bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    params = json.dumps(meta_params(recipe), indent=2) + "\n"
    weights = {name: array.astype(ml_dtypes.bfloat16) for name, array in state.weights.items()}
    save_ranks(tokenizer.ranks, folder / "tokenizer.model")
    replace_file(folder / "params.json", lambda temporary: temporary.write_text(params, encoding="utf-8"))
    write_safetensors(weights, folder / "model.safetensors")


def draw_losses(losses, recipe, path):
    """Save the loss curve as a PNG: every step as a dot, the mean of 25 steps as a line."""
    from matplotlib.figure import Figure  # only here: importing matplotlib takes a second

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    smooth = np.convolve(losses, np.ones(25) / 25, mode="valid") if len(losses) > 25 else losses
    axes.plot(losses, ".", markersize=1, color="0.75", label="one step")
    axes.plot(
        np.arange(len(smooth)) + (len(losses) - len(smooth)) / 2,
        smooth,
        color="tab:blue",
        label="mean of 25 steps",
    )
    axes.set(xlabel=f"step (of {recipe.tokens_per_step:,} tokens or a few more); a line begins a stage")
    axes.set(ylabel="loss (nats per token, as its stage counts them)", ylim=(0, 1.05 * losses[0]))
    step, depth = 0, None
    for stage in recipe.stages:
        axes.axvline(step, color="0.7", linewidth=0.8)
        if stage.n_layers != depth:
            axes.text(step, axes.get_ylim()[1], f" {stage.n_layers} layers", va="bottom")
        step, depth = step + stage.n_steps, stage.n_layers
    axes.legend(loc="upper center")
    replace_file(path, lambda temporary: figure.savefig(temporary, format="png", dpi=80))


def write_evaluation(state, folder):
    """Measure what was written, beside the float32 weights it was rounded from. Leaves folder/evaluation.md."""
    model = widened(load(folder))
    answers, exact_answers = all_answers(model), all_answers(replace(model, weights=state.weights))
    pairs = [(a, b) for name in answers for a, b in zip(answers[name], exact_answers[name], strict=True)]
    same = sum(a == b for a, b in pairs)
    text = io.StringIO()
    write_report(model, answers, text)
    text.write(f"Of {len(pairs)} answers, {same} are the same from the float32 weights before rounding to bfloat16.\n")
    report = text.getvalue()
    replace_file(folder / "evaluation.md", lambda temporary: temporary.write_text(report, encoding="utf-8"))
    print(report)


def make(options):
    """Train, or go on training, and write and measure what is shipped. options: the folders `work` and `out`."""
    options.out.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=options.out).close()  # if nothing can be written there, fail now, not in an hour
    recipe = Recipe()
    state = train(recipe, options.work)
    write_model(state, recipe, Tokenizer(options.work / "tokenizer.model"), options.out)
    draw_losses(state.losses, recipe, options.out / "loss.png")
    write_evaluation(state, options.out)


def main(arguments=None):
    parser = Parser(prog="python -m llama_np.training", description="Make data/tiny from nothing, or go on making it.")
    parser.add_argument("--out", type=Path, default=TINY, help="where the finished model goes (data/tiny)")
    parser.add_argument("--work", type=Path, default=TINY.parent / "training", help="the checkpoints (data/training)")
    return run("llama_np.training", make, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
