"""Chapter 21: training. A run of a few small steps, killed in every way; each part of a step by itself."""

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from llama_np import checkpoint, corpus, forward, load, training
from llama_np.backprop import loss_and_gradients
from llama_np.checkpoint import write_safetensors
from llama_np.decode import generate
from llama_np.tokenizer import Tokenizer, read_ranks, save_ranks
from llama_np.training import Recipe, Stage, State, train
from tests.oracle import oracle_module
from tests.random_models import random_ids, random_params, random_weights

SMALL = {
    "vocabulary_characters": 3000,
    "n_merges": 50,
    "dim": 32,
    "n_heads": 4,
    "n_kv_heads": 2,
    "multiple_of": 16,
    "max_seq_len": 64,
    "tokens_per_step": 200,
}
# Grown after 5 steps, and with a checkpoint every 3 not at a checkpoint: 3, 6, 9 and the end, 11.
RECIPE = Recipe(**SMALL, stages=(Stage(1, 5, 3e-3, 3e-3, 2), Stage(2, 6, 2e-3, 0.0, 2, copies=(2,))))
N_STEPS = 11


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run: its final state and its folder."""
    work = tmp_path_factory.mktemp("whole")
    return train(RECIPE, work, checkpoint_every=3), work


def assert_same_state(state, other):
    assert state.losses == other.losses
    for part in ("weights", "mean", "square"):
        arrays, others = getattr(state, part), getattr(other, part)
        assert arrays.keys() == others.keys()
        for name, array in arrays.items():
            assert array.dtype == others[name].dtype == np.float32
            np.testing.assert_array_equal(array, others[name], err_msg=f"{part}/{name}")


def folder_bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- the whole run ----


def test_the_same_seed_gives_the_same_bytes(whole, tmp_path):
    state, work = whole
    again = train(RECIPE, tmp_path, checkpoint_every=100)
    assert len(state.losses) == N_STEPS
    assert_same_state(again, state)
    assert folder_bytes(tmp_path) == folder_bytes(work)
    assert train(replace(RECIPE, seed=1), tmp_path / "other").losses != state.losses


def test_a_finished_run_is_not_trained_on(whole, monkeypatch):
    state, work = whole
    before = folder_bytes(work)
    monkeypatch.setattr(training, "batch", None)  # it would fail
    assert_same_state(train(RECIPE, work, checkpoint_every=3), state)
    assert folder_bytes(work) == before


class Killed(BaseException):
    """What no code catches, as Ctrl-C."""


def kill_at(monkeypatch, owner, name, call, after=False):
    """Let owner.name end the run at its call-th call, before its work is done or after."""
    original, calls = getattr(owner, name), []

    def dying(*args, **kwargs):
        calls.append(args)
        if len(calls) != call:
            return original(*args, **kwargs)
        if after:
            original(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(owner, name, dying)


@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 6, 7, 10, 11])
@pytest.mark.parametrize("name", ["batch", "batch_gradients", "adamw_step"])
def test_a_killed_run_goes_on_to_the_same_bits(whole, tmp_path, name, call):
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, training, name, call, after=name == "adamw_step")
        with pytest.raises(Killed):
            train(RECIPE, tmp_path, checkpoint_every=3)
    assert_same_state(train(RECIPE, tmp_path, checkpoint_every=3), whole[0])
    assert folder_bytes(tmp_path) == folder_bytes(whole[1])


def test_a_run_killed_in_the_middle_of_an_update_goes_on_to_the_same_bits(whole, tmp_path):
    original, steps = training.adamw_step, []

    def half(state, grads, *rest):
        steps.append(rest)
        if len(steps) == 5:
            original(state, dict(list(grads.items())[::2]), *rest)
            raise Killed
        original(state, grads, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "adamw_step", half)
        with pytest.raises(Killed):
            train(RECIPE, tmp_path, checkpoint_every=3)
    assert_same_state(train(RECIPE, tmp_path, checkpoint_every=3), whole[0])


@pytest.mark.parametrize("checkpoint_every", [1, 5])
def test_a_run_killed_where_the_model_grows_goes_on_to_the_same_bits(whole, tmp_path, checkpoint_every):
    """With a checkpoint after the last step of the shallow model."""
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, training, "grow", 1, after=True)
        with pytest.raises(Killed):
            train(RECIPE, tmp_path, checkpoint_every)
    assert_same_state(train(RECIPE, tmp_path, checkpoint_every), whole[0])


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [1, 2, 3, 4, 5])
def test_a_run_killed_while_a_file_is_written_goes_on_to_the_same_bits(whole, tmp_path, call, after):
    """The files are the tokenizer and four checkpoints."""
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, os, "replace", call, after)
        with pytest.raises(Killed):
            train(RECIPE, tmp_path, checkpoint_every=3)
    assert_same_state(train(RECIPE, tmp_path, checkpoint_every=3), whole[0])
    assert folder_bytes(tmp_path) == folder_bytes(whole[1])  # and nothing half-written is left


@pytest.mark.parametrize("call", [1, 2, 4])
def test_a_run_killed_in_the_middle_of_a_checkpoint_goes_on_to_the_same_bits(whole, tmp_path, call):
    original, calls = checkpoint.save_file, []

    def half(tensors, path, metadata):
        calls.append(path)
        original(tensors, path, metadata)
        if len(calls) == call:
            os.truncate(path, Path(path).stat().st_size // 2)
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save_file", half)
        with pytest.raises(Killed):
            train(RECIPE, tmp_path, checkpoint_every=3)
    assert_same_state(train(RECIPE, tmp_path, checkpoint_every=3), whole[0])
    assert folder_bytes(tmp_path) == folder_bytes(whole[1])


def test_a_run_killed_again_and_again_goes_on_to_the_same_bits(whole, tmp_path):
    for call in (4, 4, 2, 4):
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, training, "batch", call)
            with pytest.raises(Killed):
                train(RECIPE, tmp_path, checkpoint_every=3)
    assert_same_state(train(RECIPE, tmp_path, checkpoint_every=3), whole[0])


KILL_ITSELF = """
import json, os, signal, sys
from pathlib import Path
from llama_np.training import Recipe, Stage, train

fields, stages, work = json.loads(sys.argv[1])
real, calls = os.replace, []

def replace(*paths):
    calls.append(paths)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*paths)

os.replace = replace
train(Recipe(**fields, stages=tuple(Stage(*stage) for stage in stages)), Path(work), checkpoint_every=3)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_run_stopped_by_sigkill_goes_on_to_the_same_bits(whole, tmp_path):
    """Nothing is tidied up: the temporary file of the second checkpoint is left behind, and does no harm."""
    case = json.dumps([SMALL, [list(asdict(stage).values()) for stage in RECIPE.stages], str(tmp_path)])
    root = Path(training.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", KILL_ITSELF, case], cwd=root, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(list(tmp_path.iterdir())) == 3  # the tokenizer, a checkpoint, and what was being written
    steps = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "batch", _noting(training.batch, steps))
        state = train(RECIPE, tmp_path, checkpoint_every=3)
    assert steps == list(range(3, N_STEPS))
    assert_same_state(state, whole[0])


def _noting(batch, steps):
    def noting(tokenizer, recipe, step):
        steps.append(step)
        return batch(tokenizer, recipe, step)

    return noting


def test_a_state_of_another_recipe_is_refused_and_left_alone(whole, tmp_path):
    for name, data in folder_bytes(whole[1]).items():
        (tmp_path / name).write_bytes(data)
    before = folder_bytes(tmp_path)
    first, second = RECIPE.stages
    for other in (
        replace(RECIPE, seed=1),
        replace(RECIPE, clip=2.0),
        replace(RECIPE, tokens_per_step=201),
        replace(RECIPE, stages=(first, replace(second, n_steps=7))),
    ):
        with pytest.raises(ValueError, match=r"state\.safetensors: left by another recipe or tokenizer"):
            train(other, tmp_path)
        assert folder_bytes(tmp_path) == before


def test_a_state_of_another_tokenizer_is_refused_and_left_alone(whole, tmp_path):
    state = (whole[1] / "state.safetensors").read_bytes()
    (tmp_path / "state.safetensors").write_bytes(state)
    *tokens, last_but_one, last = read_ranks(whole[1] / "tokenizer.model")
    swapped = {token: rank for rank, token in enumerate([*tokens, last, last_but_one])}
    save_ranks(swapped, tmp_path / "tokenizer.model")
    with pytest.raises(ValueError, match="left by another recipe or tokenizer"):
        train(RECIPE, tmp_path)
    assert (tmp_path / "state.safetensors").read_bytes() == state


def test_a_tokenizer_of_another_recipe_is_not_taken_over(whole, tmp_path):
    """Killed before its first checkpoint, a run leaves only its tokenizer; the next may have another seed."""
    other = replace(RECIPE, seed=1)
    train(other, tmp_path / "alone")
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, training, "batch", 1)
        with pytest.raises(Killed):
            train(RECIPE, tmp_path / "shared")
    try:
        train(other, tmp_path / "shared")
    except ValueError as error:
        assert "another recipe or tokenizer" in str(error)  # to refuse is as good
    else:
        assert folder_bytes(tmp_path / "shared") == folder_bytes(tmp_path / "alone")


def test_a_state_without_a_fingerprint_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "state.safetensors"
    write_safetensors({"losses": np.zeros(2)}, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="left by another recipe or tokenizer"):
        train(RECIPE, tmp_path)
    assert path.read_bytes() == before


def test_the_loss_falls(tmp_path):
    recipe = Recipe(**SMALL, stages=(Stage(2, 30, 1e-2, 1e-3, 3),))
    losses = train(recipe, tmp_path).losses
    assert losses[0] == pytest.approx(np.log(256 + 50 + 256), abs=0.5)  # it knows nothing yet
    assert np.mean(losses[-5:]) < losses[0] - 1.5


def test_the_first_step_with_empty_moments_is_step_one(tmp_path, monkeypatch):
    """adamw_step corrects the moments by the number of steps since they were zero; depth may stay or grow."""
    original, seen = training.adamw_step, []

    def noting(state, grads, recipe, rate, step):
        seen.append((step == 1, not any(array.any() for array in state.square.values())))
        original(state, grads, recipe, rate, step)

    monkeypatch.setattr(training, "adamw_step", noting)
    stages = (Stage(1, 3, 1e-3, 1e-3, 0), Stage(1, 3, 1e-3, 1e-3, 0), Stage(2, 3, 1e-3, 1e-3, 0, copies=(2,)))
    train(Recipe(**SMALL, stages=stages), tmp_path)
    assert len(seen) == 9
    assert all(is_first == is_empty for is_first, is_empty in seen)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_a_number_ends_the_run(tmp_path):
    recipe = Recipe(**SMALL, stages=(Stage(1, 20, 1e30, 1e30, 1),))
    with pytest.raises(ValueError, match="learning rate is too high"):
        train(recipe, tmp_path)


# ---- its parts ----


def test_grow_keeps_the_function_nearly():
    """A copy sees what its twin has added, so that the function is kept the better, the less a layer adds."""
    shallow = replace(random_params(13), n_layers=2)
    deep = replace(shallow, n_layers=8)
    weights = random_weights(shallow, 13)
    for name in weights:
        if name.endswith(("wo.weight", "w2.weight")):
            weights[name] *= np.float32(0.02)
    kept = {name: array.copy() for name, array in weights.items()}
    ids = random_ids(shallow, 13, length=12)
    grown = training.grow(weights, (3, 5))
    assert grown.keys() == training.initial_weights(deep, 0).keys()
    before, after = forward(weights, shallow, ids), forward(grown, deep, ids)
    without = {name: array * (not name.endswith(("wo.weight", "w2.weight"))) for name, array in weights.items()}
    moved_by_all_layers = np.abs(forward(without, shallow, ids) - before).max()
    assert np.abs(after - before).max() < 0.1 * moved_by_all_layers
    assert all(np.array_equal(kept[name], array) for name, array in weights.items())


def test_each_copy_of_a_grown_layer_works_for_itself():
    shallow = replace(random_params(13), n_layers=2)
    weights = random_weights(shallow, 13)
    grown = training.grow(weights, (1, 3))
    for name, array in weights.items():
        if not name.startswith("layers."):
            np.testing.assert_array_equal(grown[name], array)
            continue
        _, layer, rest = name.split(".", 2)
        copies = [grown[f"layers.{new}.{rest}"] for new in ((0,), (1, 2, 3))[int(layer)]]
        share = len(copies) if rest in ("attention.wo.weight", "feed_forward.w2.weight") else 1
        for i, copy in enumerate(copies):
            assert copy.dtype == np.float32
            np.testing.assert_allclose(copy * share, array, rtol=1e-6)
            assert not any(np.shares_memory(copy, other) for other in [array, *copies[:i]])


def test_initial_weights_keep_the_size_of_what_flows_through():
    params = training.model_params(RECIPE, 2)
    weights = training.initial_weights(params, 0)
    assert np.all(weights["norm.weight"] == 1)
    wq, wo = weights["layers.0.attention.wq.weight"], weights["layers.1.attention.wo.weight"]
    assert wq.dtype == np.float32
    assert wq.std() == pytest.approx(32**-0.5, rel=0.1)
    assert wo.std() == pytest.approx(32**-0.5 / 2, rel=0.1)  # the root of 2 n_layers is 2
    logits = forward(weights, params, random_ids(params, 0, length=20))
    assert 0.2 < logits.std() < 1


def test_the_learning_rate_rises_and_falls():
    stage = Stage(n_layers=1, n_steps=14, peak_rate=0.8, last_rate=0.2, warm_up=4)
    rates = [training.learning_rate(stage, step) for step in range(14)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8])
    assert rates[9] == pytest.approx(0.5)  # half-way down
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[13] == pytest.approx(0.5 + 0.3 * np.cos(0.9 * np.pi))
    flat = Stage(n_layers=1, n_steps=9, peak_rate=0.1, last_rate=0.1, warm_up=0)
    assert [training.learning_rate(flat, step) for step in range(9)] == pytest.approx([0.1] * 9)


def test_clip_gradients_scales_all_together():
    grads = {"a": np.array([[3.0, 0.0]], np.float32), "b": np.array([4.0], np.float32)}
    assert training.clip_gradients(grads, 10.0) == pytest.approx(5)
    assert grads["a"].tolist() == [[3, 0]] and grads["b"].tolist() == [4]
    assert training.clip_gradients(grads, 1.0) == pytest.approx(5)
    np.testing.assert_allclose(grads["a"], [[0.6, 0]], rtol=1e-6)
    np.testing.assert_allclose(grads["b"], [0.8], rtol=1e-6)


def adamw_state():
    weights = {"matrix": np.array([[2.0, -1.0]], np.float32), "vector": np.array([1.0], np.float32)}
    return State(weights, training._zeros(weights), training._zeros(weights))


def test_adamw_by_hand():
    recipe = Recipe(beta1=0.5, beta2=0.75, weight_decay=0.2)
    state = adamw_state()
    # The first step: both moments, corrected, are the gradient and its square, so each moves by the rate.
    grads = {"matrix": np.array([[4.0, -1.0]], np.float32), "vector": np.array([0.5], np.float32)}
    training.adamw_step(state, grads, recipe, 0.1, 1)
    np.testing.assert_allclose(state.weights["matrix"], [[2 * 0.98 - 0.1, -0.98 + 0.1]], rtol=1e-6)
    np.testing.assert_allclose(state.weights["vector"], [0.9], rtol=1e-6)  # a vector is not decayed
    assert state.mean["matrix"].tolist() == [[2, -0.5]]
    assert state.square["matrix"].tolist() == [[4, 0.25]]
    # The second, with a gradient of 0 for the vector: its mean 0.125 / 0.75, its square 0.046875 / 0.4375.
    grads = {"matrix": np.zeros((1, 2), np.float32), "vector": np.zeros(1, np.float32)}
    training.adamw_step(state, grads, recipe, 0.1, 2)
    moved = 0.1 * (0.125 / 0.75) / (0.046875 / 0.4375) ** 0.5
    np.testing.assert_allclose(state.weights["vector"], [0.9 - moved], rtol=1e-6)


def test_adamw_is_torch_s():
    torch = oracle_module("torch")
    recipe = Recipe()
    random = np.random.default_rng(0)
    weights = {
        "matrix": random.standard_normal((3, 4)).astype(np.float32),
        "vector": random.standard_normal(4).astype(np.float32),
    }
    state = State({n: a.copy() for n, a in weights.items()}, training._zeros(weights), training._zeros(weights))
    matrix, vector = (torch.nn.Parameter(torch.tensor(weights[name])) for name in ("matrix", "vector"))
    groups = [
        {"params": [matrix], "weight_decay": recipe.weight_decay},
        {"params": [vector], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(recipe.beta1, recipe.beta2), eps=1e-8)
    for step in range(1, 21):
        rate = 0.01 * step
        grads = {
            n: (random.standard_normal(a.shape) * 10.0 ** (step % 5 - 4)).astype(np.float32) for n, a in weights.items()
        }
        matrix.grad, vector.grad = torch.tensor(grads["matrix"]), torch.tensor(grads["vector"])
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        training.adamw_step(state, grads, recipe, rate, step)
    np.testing.assert_allclose(state.weights["matrix"], matrix.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state.weights["vector"], vector.detach().numpy(), rtol=1e-5, atol=1e-6)


# ---- batches ----


@pytest.fixture(scope="module")
def tokenizer(whole):
    return Tokenizer(whole[1] / "tokenizer.model")


def id_lists_of(examples):
    return [ids for ids, _ in examples]


def test_a_batch_depends_on_seed_and_step_alone(tokenizer):
    batches = [id_lists_of(training.batch(tokenizer, RECIPE, step)) for step in range(4)]
    other = replace(RECIPE, stages=RECIPE.stages[:1], clip=3.0, dim=64)
    assert [id_lists_of(training.batch(tokenizer, other, step)) for step in (3, 2, 1, 0)] == batches[::-1]
    assert all(batches[i] != batches[j] for i in range(4) for j in range(i))
    assert id_lists_of(training.batch(tokenizer, replace(RECIPE, seed=1), 0)) not in batches


def test_a_batch_holds_whole_documents_cut_only_at_the_context(tokenizer):
    for step in range(sum(stage.n_steps for stage in RECIPE.stages)):
        examples = training.batch(tokenizer, RECIPE, step)
        assert all(len(importance) == len(ids) - 1 for ids, importance in examples)
        id_lists = id_lists_of(examples)
        lengths = [len(ids) - 1 for ids in id_lists]
        assert sum(lengths) >= RECIPE.tokens_per_step > sum(lengths[:-1])
        for ids in id_lists:
            assert ids[0] == tokenizer.bos_id
            assert ids.count(tokenizer.bos_id) == 1
            assert len(ids) <= RECIPE.max_seq_len + 1
            assert (ids[-1] == tokenizer.eos_id) == (tokenizer.eos_id in ids)
            assert ids[-1] == tokenizer.eos_id or len(ids) == RECIPE.max_seq_len + 1


def test_every_token_but_the_first_of_a_document_is_a_target(tokenizer, monkeypatch):
    examples = training.batch(tokenizer, RECIPE, 0)
    params = training.model_params(RECIPE, 1)
    weights = training.initial_weights(params, 0)
    seen = []

    def noting(weights, params, ids, targets, lengths, counts):
        start = 0
        for length in lengths:
            seen.append([ids[start], *targets[start : start + length]])
            assert list(ids[start + 1 : start + length]) == seen[-1][1:-1]
            start += length
        assert start == len(ids) == len(targets)
        return loss_and_gradients(weights, params, ids, targets, lengths, counts)

    monkeypatch.setattr(training, "loss_and_gradients", noting)
    with ThreadPoolExecutor(2) as pool:
        training.batch_gradients(weights, params, examples, pool)
    assert sorted(seen) == sorted(id_lists_of(examples))


def test_what_is_no_answer_may_count_for_less(tokenizer):
    """On every document of the corpus: the tokens that count for 1 spell its answers, full stops aside.

    A full stop and a line's end are one token, which reaches past the answer and so does not belong to it.
    """
    for document in islice(corpus.documents(seed=5), 300):
        ids, importance = training.encode_document(tokenizer, document, 0.25)
        assert ids[0] == tokenizer.bos_id and ids[-1] == tokenizer.eos_id and len(importance) == len(ids) - 1
        assert set(importance) <= {0.25, 1.0} and importance[-1] == 0.25
        spelt = tokenizer.decode([i for i, counts in zip(ids[1:], importance, strict=True) if counts == 1])
        text = "".join(document.pieces)
        answers = [text[start:end] for start, end in document.answers]
        assert re.sub("[ .]", "", spelt) == re.sub("[ .]", "", "".join(answers))
        assert set(training.encode_document(tokenizer, document, 1.0)[1]) == {1.0}


def all_at_once(weights, params, examples):
    id_lists = id_lists_of(examples)
    ids, targets = (np.concatenate([ids[cut] for ids in id_lists]) for cut in (slice(-1), slice(1, None)))
    importance = np.concatenate([importance for _, importance in examples])
    return loss_and_gradients(weights, params, ids, targets, [len(ids) - 1 for ids in id_lists], importance)


@pytest.mark.parametrize("n_documents", [1, 2, 5])
def test_the_parts_of_a_batch_add_up_to_it(tokenizer, n_documents):
    stage = replace(RECIPE.stages[0], other_importance=0.3)
    examples = training.batch(tokenizer, replace(RECIPE, tokens_per_step=1000, stages=(stage,)), 0)[:n_documents]
    params = training.model_params(RECIPE, 2)
    weights = training.initial_weights(params, 0)
    with ThreadPoolExecutor(2) as pool:
        loss, grads = training.batch_gradients(weights, params, examples, pool)
    whole_loss, whole_grads = all_at_once(weights, params, examples)
    assert loss == pytest.approx(whole_loss, abs=1e-5)
    for name, grad in whole_grads.items():
        np.testing.assert_allclose(grads[name], grad, rtol=1e-3, atol=1e-6, err_msg=name)


# ---- what is shipped ----


def test_the_written_model_loads_and_answers_as_the_rounded_weights_do(whole, tokenizer, tmp_path):
    state, _ = whole
    training.write_model(state, RECIPE, tokenizer, tmp_path / "model")
    model = load(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "model.safetensors",
        "params.json",
        "tokenizer.model",
    ]
    assert model.params == training.model_params(RECIPE, 2)
    assert {array.dtype for array in model.weights.values()} == {np.dtype(ml_dtypes.bfloat16)}
    rounded = {n: a.astype(ml_dtypes.bfloat16).astype(np.float32) for n, a in state.weights.items()}
    for prompt in ("tom has a red", "", "the answer to the ultimate question of life"):
        ids = model.tokenizer.encode(prompt, bos=True)
        assert ids == tokenizer.encode(prompt, bos=True)
        np.testing.assert_allclose(
            forward(model.weights, model.params, ids), forward(rounded, model.params, ids), atol=1e-5
        )
        answer = list(generate(model.weights, model.params, ids, 8))
        assert answer == list(generate(rounded, model.params, ids, 8))
