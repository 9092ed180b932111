"""Every form of model folder that people have opens as the same model, and what is no such folder is refused by name.

The folders are written here, from data/tiny, without the libraries; in test_layouts_oracle.py the libraries write them.
"""

import json
import os
import re
import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_np import __main__ as command
from llama_np import checkpoint, forward, load, tokenizer
from llama_np.checkpoint import TINY, MemoryWarning, write_safetensors
from llama_np.decode import generate
from llama_np.hugging_face import PermutedRows, name_in_file, read_config, read_stop_ids
from llama_np.params import Params, RopeScaling, read_params, weight_shapes
from llama_np.rope import precompute_freqs_cis, scale_freqs
from llama_np.tokenizer import SPECIAL_TOKENS, Tokenizer, read_ranks
from llama_np.tokenizer_json import read_tokenizer
from tests import hugging_face, pickles
from tests.oracle import half_split, reference_name
from tests.random_models import random_params, random_weights

QUESTION = "the answer to the ultimate question of life, the universe, and everything is "
LLAMA_3_1 = RopeScaling(8.0, 1.0, 4.0, 8192)

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


@pytest.fixture(scope="module", autouse=True)
def no_model_of_the_users():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LLAMA_NP_MODEL", raising=False)
        yield


@pytest.fixture(scope="module")
def tiny():
    return load(TINY)


# Writing folders


def hf_tensors(weights, head_dim):
    """Weights in Hugging Face's names and order of rows."""
    tensors = {}
    for name, array in weights.items():
        array = np.asarray(array)
        permuted = name.endswith((".wq.weight", ".wk.weight"))
        tensors[reference_name(name)] = half_split(array, head_dim) if permuted else array
    return tensors


def write_hf(folder, weights, params, tokens, **changes):
    """A folder in Hugging Face's form with a single file of weights. changes: to config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = hf_tensors(weights, params.head_dim)
    if params.tied_output:
        del tensors["lm_head.weight"]
    write_safetensors(tensors, folder / "model.safetensors", {"format": "pt"})  # as transformers says of its files
    hugging_face.write_json(folder / "config.json", hugging_face.config_fields(params) | changes)
    fields = hugging_face.tokenizer_fields(tokens.ranks, tokens.special_tokens)
    hugging_face.write_json(folder / "tokenizer.json", fields)
    return folder


def hf_whole(folder, tiny):
    write_hf(folder, tiny.weights, tiny.params, tiny.tokenizer)


def hf_in_parts(folder, tiny):
    hf_whole(folder, tiny)
    (folder / "model.safetensors").unlink()
    parts = ((name, array.shape, [array.view(np.uint8).reshape(-1)]) for name, array in tiny.weights.items())
    hugging_face.write_weights(folder, parts, tiny.params, n_files=3)


def hf_with_metas_tokenizer(folder, tiny):
    hf_whole(folder, tiny)
    (folder / "tokenizer.json").unlink()
    shutil.copy(TINY / "tokenizer.model", folder)


def hf_with_original(folder, tiny):
    """As Meta publishes it: both forms. original/ has no weights here, so that they cannot come from there."""
    hf_in_parts(folder, tiny)
    (folder / "tokenizer.json").unlink()
    (folder / "original").mkdir()
    for name in ("tokenizer.model", "params.json"):
        shutil.copy(TINY / name, folder / "original")


def hf_cache(folder, tiny):
    """A snapshot in Hugging Face's cache: every file is a link to a blob with another name."""
    snapshot = folder / "snapshots" / "0123abcd"
    hf_in_parts(snapshot, tiny)
    (folder / "blobs").mkdir()
    for n, path in enumerate(sorted(snapshot.iterdir())):
        path.rename(folder / "blobs" / f"{n:040x}")
        path.symlink_to(f"../../blobs/{n:040x}")
    return snapshot


def meta(folder, tiny, weights="model.safetensors"):
    folder.mkdir()
    for name in ("params.json", "tokenizer.model"):
        shutil.copy(TINY / name, folder)
    if weights.endswith("safetensors"):
        shutil.copy(TINY / "model.safetensors", folder / weights)
    else:
        pickles.write_pth(folder / weights, tiny.weights)


def meta_consolidated(folder, tiny):
    meta(folder, tiny, "consolidated.safetensors")


def meta_consolidated_00(folder, tiny):
    meta(folder, tiny, "consolidated.00.safetensors")


def meta_pth(folder, tiny):
    meta(folder, tiny, "consolidated.00.pth")


LAYOUTS = [hf_whole, hf_in_parts, hf_with_metas_tokenizer, hf_with_original]
LAYOUTS += [meta, meta_consolidated, meta_consolidated_00, meta_pth]


@pytest.fixture(scope="module", params=LAYOUTS + ([hf_cache] if os.name == "posix" else []), ids=lambda f: f.__name__)
def folder(request, tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("layouts") / request.param.__name__
    return request.param(path, tiny) or path


# Every layout is the same model


def test_every_layout_answers_42(folder, capsys):
    assert command.main(["--model", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{QUESTION}42\n" and err.startswith("17 prompt tokens")


def test_every_layout_has_the_same_sizes_weights_and_ids(folder, tiny):
    model = load(folder)
    assert model.params == tiny.params and list(model.weights) == list(weight_shapes(tiny.params))
    for name, array in model.weights.items():
        assert np.array_equal(np.asarray(array).view(np.uint16), tiny.weights[name].view(np.uint16)), name
    assert model.tokenizer.ranks == tiny.tokenizer.ranks
    assert model.tokenizer.special_tokens == tiny.tokenizer.special_tokens
    assert model.tokenizer.stop_ids == tiny.tokenizer.stop_ids
    ids = model.tokenizer.encode("Tom is 42 👩 <|eot_id|>", bos=True, eos=True, allow_special=True)
    assert ids == tiny.tokenizer.encode("Tom is 42 👩 <|eot_id|>", bos=True, eos=True, allow_special=True)
    assert np.array_equal(forward(model.weights, model.params, ids), forward(tiny.weights, tiny.params, ids))


def test_the_files_are_mapped_and_told(folder):
    model = load(folder)
    assert model.files and all(isinstance(file, Path) and file.parent == folder for file in model.files)
    mapped = sum(array.nbytes for array in model.weights.values())
    assert mapped < sum(file.stat().st_size for file in model.files) < mapped + 100_000
    for name, array in model.weights.items():
        base = array.rows if isinstance(array, PermutedRows) else array
        assert not base.flags.writeable, name
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        assert base is not None, name  # a copy has no base


def test_opening_reads_no_weights_and_makes_no_engine(tiny, tmp_path, monkeypatch):
    hf_in_parts(tmp_path / "m", tiny)
    monkeypatch.setattr(PermutedRows, "__getitem__", lambda *_: pytest.fail("rows were gathered"))
    monkeypatch.setattr(tokenizer.tiktoken, "Encoding", lambda *_, **__: pytest.fail("the engine was made"))
    assert load(tmp_path / "m").tokenizer.vocab_size == 1024


@pytest.mark.parametrize("layout", [meta, hf_whole, hf_with_metas_tokenizer])
def test_a_tokenizer_is_read_once_and_only_when_it_is_asked_for(layout, tiny, tmp_path, monkeypatch):
    layout(tmp_path / "m", tiny)
    for name in ("Tokenizer", "read_tokenizer"):
        monkeypatch.setattr(checkpoint, name, lambda *_: pytest.fail("the tokenizer was read"))
    model = load(tmp_path / "m")
    assert forward(model.weights, model.params, [5, 6]).shape == (2, 1024)
    monkeypatch.undo()
    changed = replace(model, weights={})
    assert changed.tokenizer is model.tokenizer and model.tokenizer.ranks == tiny.tokenizer.ranks


@pytest.mark.parametrize("layout", [meta, hf_whole])
def test_the_tokenizer_is_the_loaded_folders_wherever_one_goes(layout, tiny, tmp_path, monkeypatch):
    layout(tmp_path / "m", tiny)
    monkeypatch.chdir(tmp_path)
    model = load("m")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert model.tokenizer.ranks == tiny.tokenizer.ranks


@pytest.mark.parametrize("layout", [meta, hf_whole, hf_with_metas_tokenizer])
def test_a_tokenizer_that_went_away_after_loading(layout, tiny, tmp_path):
    layout(tmp_path / "m", tiny)
    model = load(tmp_path / "m")
    for path in tmp_path.glob("m/tokenizer.*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.(json|model): no such file; .* needs its tokenizer"):
        _ = model.tokenizer


def test_hugging_faces_form_goes_before_metas(tiny, tmp_path):
    """A folder with both at the top, as some mirrors have it: the files of one form are not mixed with the other's."""
    meta(tmp_path / "m", tiny)
    (tmp_path / "m" / "params.json").write_text("not JSON", encoding="utf-8")
    hf_whole(tmp_path / "m", tiny)
    (tmp_path / "m" / "tokenizer.model").write_bytes(b"not ranks")
    assert load(tmp_path / "m").files == (tmp_path / "m" / "model.safetensors",)


def test_a_single_file_goes_before_an_index(small, tmp_path):
    folder = write_hf(tmp_path / "m", small[1], small[0], small[2])
    index = {"weight_map": {"lm_head.weight": "model-00001-of-00002.safetensors"}}  # left over: there is no such file
    hugging_face.write_json(folder / "model.safetensors.index.json", index)
    assert load(folder).files == (folder / "model.safetensors",)


def test_metas_tokenizer_in_original_goes_before_one_beside_the_weights(small, tmp_path):
    params, weights, tokens = small
    folder = write_hf(tmp_path / "m", weights, params, tokens)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes(b"not ranks")
    (folder / "original").mkdir()
    tokenizer.save_ranks(tokens.ranks, folder / "original" / "tokenizer.model")
    assert load(folder).tokenizer.ranks == tokens.ranks


def test_a_variable_that_is_empty_is_none(monkeypatch):
    monkeypatch.setenv("LLAMA_NP_MODEL", "")
    assert load().files == (TINY / "model.safetensors",)


def test_the_original_inside_is_a_folder_of_its_own(tiny, tmp_path):
    meta(tmp_path / "m", tiny)
    (tmp_path / "m").rename(tmp_path / "original")
    (tmp_path / "whole").mkdir()
    (tmp_path / "original").rename(tmp_path / "whole" / "original")
    assert load(tmp_path / "whole" / "original").params == tiny.params
    with pytest.raises(FileNotFoundError, match=r"neither config\.json.* \(its folder original has one: name that\)"):
        load(tmp_path / "whole")


# Dtypes, and an output that is tied


@pytest.fixture(scope="module")
def small():
    """Sizes, weights in float32 and a tokenizer of a model in miniature."""
    ranks = {bytes([value]): value for value in range(256)}
    params = Params(16, 2, 4, 2, 512, 24, 1e-5, 10000.0, 64)
    return params, random_weights(params, seed=1), Tokenizer(ranks)


DTYPES = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16, "float32": np.float32, "float64": np.float64}


@pytest.mark.parametrize("form", ["hf", "safetensors", "pth"])
@pytest.mark.parametrize("kind", [*DTYPES, "mixed"])
def test_weights_of_every_dtype(form, kind, small, tmp_path):
    params, weights, tokens = small
    kinds = [DTYPES[kind]] if kind in DTYPES else list(DTYPES.values())
    rounded = {name: array.astype(kinds[n % len(kinds)]) for n, (name, array) in enumerate(weights.items())}
    model = load(write_form(tmp_path / "m", form, rounded, params, tokens))
    assert {array.dtype for array in model.weights.values()} == set(map(np.dtype, kinds))
    logits = forward(model.weights, model.params, [1, 2, 3, 500])
    expected = forward({name: array.astype(np.float32) for name, array in rounded.items()}, params, [1, 2, 3, 500])
    assert logits.dtype == np.float32 and expected.std() > 0.1
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)


def write_form(folder, form, weights, params, tokens, **fields):
    """The small model in one of three forms. fields: more of params.json."""
    if form == "hf":
        return write_hf(folder, weights, params, tokens)
    folder.mkdir()
    tokenizer.save_ranks(tokens.ranks, folder / "tokenizer.model")
    sizes = {"dim": params.dim, "n_layers": params.n_layers, "n_heads": params.n_heads, "norm_eps": params.norm_eps}
    sizes |= {"n_kv_heads": params.n_kv_heads, "vocab_size": params.vocab_size, "max_seq_len": params.max_seq_len}
    sizes |= {"rope_theta": params.rope_theta, "multiple_of": params.ffn_dim, "ffn_dim_multiplier": 0.5}
    hugging_face.write_json(folder / "params.json", sizes | fields)
    if form == "pth":
        pickles.write_pth(folder / "consolidated.00.pth", weights)
    else:
        write_safetensors(weights, folder / "consolidated.safetensors")
    return folder


def test_an_output_that_is_tied_is_the_embedding_table(small, tmp_path):
    params, weights, tokens = small
    tied = {**weights, "output.weight": weights["tok_embeddings.weight"]}
    expected = forward(tied, params, [7, 300])
    alone = {name: array for name, array in tied.items() if name != "output.weight"}
    as_tied = Params(**{**vars(params), "tied_output": True})
    for folder in (
        write_hf(tmp_path / "hf", tied, as_tied, tokens),
        write_form(tmp_path / "safetensors", "safetensors", alone, params, tokens, tied_output=True),
        write_form(tmp_path / "pth", "pth", tied, params, tokens),  # params.json does not say so, the storages do
    ):
        model = load(folder)
        assert model.weights["output.weight"] is model.weights["tok_embeddings.weight"]
        assert model.params == as_tied and model.params.n_parameters == params.n_parameters - 512 * 16
        assert weight_shapes(model.params)["output.weight"] == (512, 16)
        np.testing.assert_array_equal(forward(model.weights, model.params, [7, 300]), expected)


def test_an_output_that_is_only_equal_is_not_tied(small, tmp_path):
    params, weights, tokens = small
    copied = {**weights, "output.weight": weights["tok_embeddings.weight"].copy()}
    for form in ("pth", "safetensors", "hf"):
        assert not load(write_form(tmp_path / form, form, copied, params, tokens)).params.tied_output


def test_a_tied_model_whose_output_is_stored_again(small, tmp_path):
    params, weights, tokens = small
    for folder in (  # transformers ties it all the same
        write_hf(tmp_path / "hf", weights, params, tokens, tie_word_embeddings=True),
        write_form(tmp_path / "safetensors", "safetensors", weights, params, tokens, tied_output=True),
    ):
        model = load(folder)
        assert model.weights["output.weight"] is model.weights["tok_embeddings.weight"]


def test_matrices_that_torch_saved_transposed(small, tmp_path):
    params, weights, tokens = small
    turned = {name: array.T.copy().T if array.ndim == 2 else array for name, array in weights.items()}
    model = load(write_form(tmp_path / "m", "pth", turned, params, tokens))
    assert all(array.flags.c_contiguous for array in model.weights.values())
    np.testing.assert_array_equal(forward(model.weights, model.params, [1, 2]), forward(weights, params, [1, 2]))


def test_tables_of_turns_beside_the_weights_do_no_harm(small, tmp_path):
    params, weights, tokens = small
    folder = write_hf(tmp_path / "m", weights, params, tokens)
    tensors = hf_tensors(weights, params.head_dim)
    tensors |= {f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": np.ones(2, np.float32) for layer in (0, 1)}
    write_safetensors(tensors, folder / "model.safetensors")
    assert load(folder).params == params


# Rows


def test_rows_by_hand():
    rows = np.arange(8)[:, None] * np.ones(3, np.float32)  # row r is [r, r, r]
    one_head, two_heads = PermutedRows(rows, 8), PermutedRows(rows, 4)
    assert one_head[:][:, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    assert two_heads[:][:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert PermutedRows(rows, 2)[:][:, 0].tolist() == list(range(8))
    assert two_heads[1].tolist() == [2, 2, 2] and two_heads[-2].tolist() == [5, 5, 5]
    assert two_heads[[6, 0]][:, 0].tolist() == [5, 0]


@pytest.mark.parametrize("head_dim", [2, 4, 6, 16])
def test_rows_come_back_from_the_other_order(head_dim):
    meta_rows = np.random.default_rng(head_dim).standard_normal((3 * head_dim, 5))
    np.testing.assert_array_equal(PermutedRows(half_split(meta_rows, head_dim), head_dim)[:], meta_rows)


numbers = st.integers(-24, 23)
keys = st.one_of(
    st.slices(24),
    numbers,
    st.lists(numbers, max_size=9),
    st.lists(numbers, max_size=9).map(lambda n: np.array(n, int)),
    st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=4).map(lambda n: np.array(n, int).reshape(-1, 2)),
    st.lists(st.booleans(), min_size=24, max_size=24).map(np.array),
    st.tuples(st.slices(24), st.slices(6)),
    st.tuples(numbers, st.integers(-6, 5)),
    st.just(np.arange(144).reshape(24, 6) % 5 == 0),
    st.sampled_from([..., None, True, (..., 0), (slice(None), None), ()]),
)


@settings(deadline=None, max_examples=400)
@given(keys, st.sampled_from([2, 4, 8, 12, 24]), st.sampled_from(list(DTYPES.values())))
def test_any_key_gives_what_the_whole_array_gives(key, head_dim, dtype):
    rows = np.arange(144).reshape(24, 6).astype(dtype)
    permuted = PermutedRows(rows, head_dim)
    whole = rows.reshape(-1, 2, head_dim // 2, 6).swapaxes(1, 2).reshape(24, 6)  # the same rule, said another way
    found, expected = permuted[key], whole[key]
    assert found.dtype == expected.dtype and np.shape(found) == np.shape(expected)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("key", [24, -25, [0, 24], 1.5, "a", np.zeros(24), (0, 0, 0), np.ones(5, bool)])
def test_a_key_out_of_place_is_an_index_error(key):
    with pytest.raises(IndexError):
        PermutedRows(np.zeros((24, 6)), 4)[key]


@pytest.fixture
def permuted():
    rows = np.random.default_rng(0).standard_normal((24, 6)).astype(np.float32)
    return PermutedRows(rows, 8)


def test_it_serves_as_an_array(permuted):
    whole = np.array(permuted)
    assert (permuted.shape, permuted.ndim, permuted.dtype) == (whole.shape, 2, whole.dtype)
    assert (len(permuted), permuted.size, permuted.nbytes) == (24, 144, 576)
    x = np.ones((3, 6), np.float32)
    for ours, theirs in (
        (x @ permuted.T, x @ whole.T),
        (permuted @ x.T, whole @ x.T),
        (x[:, :1] @ permuted[:1], x[:, :1] @ whole[:1]),
        (2 * permuted - 1, 2 * whole - 1),
        (permuted == whole, np.full((24, 6), True)),
        (permuted.astype(np.float64), whole.astype(np.float64)),
        (permuted.reshape(3, 8, 6), whole.reshape(3, 8, 6)),
        (permuted.std(), whole.std()),
        (np.zeros_like(permuted), np.zeros_like(whole)),
        (np.concatenate([permuted, whole]), np.concatenate([whole, whole])),
        (np.abs(permuted).max(axis=0), np.abs(whole).max(axis=0)),
        (np.asarray(permuted, np.float64), whole.astype(np.float64)),
        (list(permuted)[5], whole[5]),
    ):
        assert np.array_equal(ours, theirs) and np.asarray(ours).dtype == np.asarray(theirs).dtype
    with pytest.raises(AttributeError):
        permuted.no_such_thing  # noqa: B018
    with pytest.raises(ValueError, match="without a copy"):
        np.array(permuted, copy=False)


def test_a_tile_copies_its_own_rows_alone():
    permuted = PermutedRows(np.zeros((4096, 1024), ml_dtypes.bfloat16), 128)
    tracemalloc.start()
    tile = permuted[256:320]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tile.flags.c_contiguous and tile.nbytes == 131072 and peak < 1.5 * tile.nbytes


@pytest.mark.parametrize("seed", range(6))
def test_the_answer_does_not_depend_on_the_order_in_the_file(seed):
    params = random_params(seed)
    weights = random_weights(params, seed)
    tensors = hf_tensors(weights, params.head_dim)
    ours = {name: tensors[name_in_file(name)] for name in weights}
    ids = np.arange(17) % params.vocab_size
    wrong = forward(ours, params, ids)
    for name in ours:
        if name.endswith((".wq.weight", ".wk.weight")):
            ours[name] = PermutedRows(ours[name], params.head_dim)
    expected = forward(weights, params, ids)
    np.testing.assert_allclose(forward(ours, params, ids), expected, rtol=0, atol=1e-5)
    assert params.head_dim == 2 or np.abs(wrong - expected).max() > 1e-3


# Frequencies

# transformers 5.23, _compute_llama3_parameters, with Llama 3.1 8B's config.json and Llama 3.2 1B's: pair to frequency.
LLAMA_3_1_FREQS = {0: 1.0, 1: 0.8146172, 27: 0.003942276, 28: 0.003211446, 29: 0.002166571, 30: 0.001371894}
LLAMA_3_1_FREQS |= {31: 8.567515e-4, 32: 5.24846e-4, 33: 3.126936e-4, 34: 1.785078e-4, 35: 9.556212e-5}
LLAMA_3_1_FREQS |= {36: 7.784655e-5, 48: 6.64787e-6, 63: 3.068926e-7}
LLAMA_3_2_FREQS = {0: 1.0, 1: 0.6636013, 13: 0.004839421, 14: 0.003211446, 15: 0.001290548, 16: 4.295567e-4}
LLAMA_3_2_FREQS |= {17: 9.708286e-5, 18: 1.946164e-5, 31: 9.418306e-8}


@pytest.mark.parametrize(
    ("head_dim", "factor", "golden"), [(128, 8.0, LLAMA_3_1_FREQS), (64, 32.0, LLAMA_3_2_FREQS)], ids=["3.1", "3.2"]
)
def test_frequencies_of_the_published_models(head_dim, factor, golden):
    freqs = 500000.0 ** (-np.arange(0, head_dim, 2) / head_dim)
    scaling = RopeScaling(factor, 1.0, 4.0, 8192)
    scaled = scale_freqs(freqs, scaling)
    for pair, frequency in golden.items():
        assert scaled[pair] == pytest.approx(frequency, rel=1e-6), pair
    assert np.all(np.diff(scaled) < 0) and scaled.shape == freqs.shape
    turns = precompute_freqs_cis(head_dim, 3, 500000.0, scaling)
    np.testing.assert_allclose(turns[2], np.exp(2j * scaled), atol=1e-6)
    np.testing.assert_array_equal(precompute_freqs_cis(head_dim, 3, 500000.0, None)[1], np.exp(1j * freqs).astype("c8"))


def test_three_frequencies_by_hand():
    """In 100 positions these pairs turn 4 times, 2.5 times and once: kept, halfway, and slowed to a tenth."""
    turns = np.array([4.0, 2.5, 1.0])
    freqs = 2 * np.pi * turns / 100
    scaled = scale_freqs(freqs, RopeScaling(10.0, 1.0, 4.0, 100))
    np.testing.assert_allclose(scaled / freqs, [1.0, (1 + 0.1) / 2, 0.1])


def test_the_models_scaling_reaches_the_logits(small):
    params, weights, _ = small
    ids = np.arange(40)
    scaled = Params(**{**vars(params), "rope_scaling": RopeScaling(8.0, 1.0, 4.0, 32)})
    difference = np.abs(forward(weights, scaled, ids) - forward(weights, params, ids)).max(axis=1)
    assert difference[0] == 0 and difference[-1] > 0.01  # at position 0 nothing is turned


META_1B = {"dim": 2048, "n_layers": 16, "n_heads": 32, "n_kv_heads": 8, "vocab_size": 128256, "multiple_of": 256}
META_1B |= {"ffn_dim_multiplier": 1.5, "norm_eps": 1e-05, "rope_theta": 500000.0, "use_scaled_rope": True}
META_3B = META_1B | {"dim": 3072, "n_layers": 28, "n_heads": 24, "ffn_dim_multiplier": 1.0}
META_8B = META_1B | {"dim": 4096, "n_layers": 32, "ffn_dim_multiplier": 1.3, "multiple_of": 1024}


@pytest.mark.parametrize(("fields", "factor"), [(META_1B, 32.0), (META_3B, 32.0), (META_8B, 8.0)])
def test_metas_scaled_rope(fields, factor, tmp_path):
    path = tmp_path / "params.json"
    hugging_face.write_json(path, fields)
    params = read_params(path)
    assert params.rope_scaling == RopeScaling(factor, 1.0, 4.0, 8192) and params.max_seq_len == 131072
    hugging_face.write_json(path, fields | {"rope_scaling_factor": 16, "rope_high_freq_factor": 2, "max_seq_len": 99})
    params = read_params(path)
    assert params.rope_scaling == RopeScaling(16.0, 1.0, 2.0, 8192) and params.max_seq_len == 99
    for absent in ({"use_scaled_rope": False}, {"use_scaled_rope": None}):
        hugging_face.write_json(path, fields | absent)
        assert read_params(path).rope_scaling is None and read_params(path).max_seq_len == 8192


def test_sizes_of_the_published_small_models(tmp_path):
    for fields, ffn_dim, n_parameters in ((META_1B, 8192, 1_235_814_400), (META_3B, 8192, 3_212_749_824)):
        hugging_face.write_json(tmp_path / "params.json", fields | {"tied_output": True})
        params = read_params(tmp_path / "params.json")
        assert (params.ffn_dim, params.n_parameters) == (ffn_dim, n_parameters)


# config.json

CONFIG_1B = {  # as Meta publishes it for Llama 3.2 1B
    "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 128000,
    "eos_token_id": 128001, "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
    "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": False, "model_type": "llama",
    "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1,
    "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
    "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                     "original_max_position_embeddings": 8192, "rope_type": "llama3"},
    "transformers_version": "4.45.0.dev0", "use_cache": True, "vocab_size": 128256,
}  # fmt: skip


def read_fields(tmp_path, **changes):
    fields = {name: value for name, value in (CONFIG_1B | changes).items() if value is not ...}
    hugging_face.write_json(tmp_path / "config.json", fields)
    return read_config(tmp_path / "config.json")


def test_the_published_config_is_metas_params(tmp_path):
    hugging_face.write_json(tmp_path / "params.json", META_1B | {"tied_output": True})
    assert read_fields(tmp_path) == read_params(tmp_path / "params.json")


def test_ropes_of_every_age(tmp_path):
    scaling = CONFIG_1B["rope_scaling"]
    expected = read_fields(tmp_path)
    old = {name: value for name, value in scaling.items() if name != "rope_type"} | {"type": "llama3"}
    new = scaling | {"rope_theta": 500000.0}
    assert read_fields(tmp_path, rope_scaling=old) == expected
    assert read_fields(tmp_path, rope_scaling=..., rope_theta=..., rope_parameters=new) == expected
    plain = {"rope_type": "default", "rope_theta": 123.0}
    params = read_fields(tmp_path, rope_scaling=..., rope_theta=..., rope_parameters=plain)
    assert params.rope_theta == 123.0 and params.rope_scaling is None
    assert read_fields(tmp_path, rope_parameters=plain) == params  # the new form goes before both of the old
    assert read_fields(tmp_path, rope_scaling=None).rope_scaling is None
    assert read_fields(tmp_path, rope_theta=...).rope_theta == 10000.0  # as in transformers


def test_fields_that_may_be_left_out(tmp_path):
    expected = read_fields(tmp_path)
    absent = dict.fromkeys(["attention_bias", "mlp_bias", "hidden_act", "head_dim", "quantization_config"])
    assert read_fields(tmp_path, **absent) == read_fields(tmp_path, **dict.fromkeys(absent, ...)) == expected
    params = read_fields(tmp_path, tie_word_embeddings=..., num_key_value_heads=...)
    assert not params.tied_output and params.n_kv_heads == 32


REFUSED_FIELDS = [
    ({"model_type": "mistral"}, '"model_type" is \'mistral\'; it must be "llama"'),
    ({"model_type": ...}, '"model_type" is None; it must be "llama"'),
    ({"hidden_act": "gelu"}, '"hidden_act" is \'gelu\'; it must be "silu"'),
    ({"attention_bias": True}, '"attention_bias" is True; it must be false'),
    ({"mlp_bias": True}, '"mlp_bias" is True; it must be false'),
    ({"quantization_config": {"quant_method": "bitsandbytes"}}, '"quantization_config" is .*; it must be null'),
    ({"head_dim": 128}, '"head_dim" is 128; in Llama 3 it must be 64'),
    ({"head_dim": 32}, '"head_dim" is 32; in Llama 3 it must be 64'),
    ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "the rope type is 'yarn'; it must be \"default\" or"),
    ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "the rope type is 'linear'; it must be"),
    ({"rope_scaling": {"rope_type": ["llama3"]}}, r"the rope type is \['llama3'\]; it must be"),
    ({"rope_scaling": {"rope_type": "llama3"}}, 'the field "factor" is missing; it must be a positive number'),
    ({"rope_scaling": CONFIG_1B["rope_scaling"] | {"factor": "8"}}, "the field \"factor\" is '8'; it must be"),
    ({"rope_scaling": CONFIG_1B["rope_scaling"] | {"low_freq_factor": 4.0}}, r"low .* 4\.0 must be below .* 4\.0"),
    ({"rope_scaling": CONFIG_1B["rope_scaling"] | {"original_max_position_embeddings": ...}}, "embeddings"),
    ({"rope_parameters": "llama3"}, "the field of the rope is 'llama3'; it must be an object"),
    ({"rope_parameters": {"rope_theta": 0}}, 'the field "rope_theta" is 0; it must be a positive number'),
    ({"tie_word_embeddings": "yes"}, "the field \"tie_word_embeddings\" is 'yes'; it must be true or false"),
    ({"num_key_value_heads": 5}, "n_heads 32 cannot be shared by n_kv_heads 5; make it a multiple"),
    ({"num_attention_heads": 33}, "dim 2048 cannot be divided among n_heads 33; make it a multiple"),
    ({"num_attention_heads": 2048, "num_key_value_heads": 1}, "dim / n_heads is 1; .* must be even"),
    *[({name: ...}, f'the field "{name}" is missing; it must be a positive number')
      for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size",
                   "rms_norm_eps", "max_position_embeddings")],
    *[({name: -1}, f'the field "{name}" is -1; it must be a positive')
      for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size",
                   "intermediate_size", "rms_norm_eps", "max_position_embeddings", "head_dim", "rope_theta")],
]  # fmt: skip


@pytest.mark.parametrize(("changes", "says"), REFUSED_FIELDS)
def test_fields_that_are_refused(changes, says, tmp_path):
    for name, value in changes.items():
        if isinstance(value, dict):
            changes = {name: {key: v for key, v in value.items() if v is not ...}}
    with pytest.raises(ValueError, match=says) as refusal:
        read_fields(tmp_path, **changes)
    message = str(refusal.value)
    assert message.startswith(f"{tmp_path / 'config.json'}: ") and message.isprintable()
    assert type(refusal.value) is ValueError and len(message) < len(str(tmp_path)) + 300


@settings(deadline=None, max_examples=60)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=3))
def test_a_field_of_any_kind_is_read_or_refused(tmp_path_factory, value):
    folder = tmp_path_factory.getbasetemp()
    for name in [*CONFIG_1B, "rope_parameters", "quantization_config"]:
        try:
            read_fields(folder, **{name: value})
        except ValueError as error:
            assert str(error).startswith(str(folder)) and str(error).isprintable() and len(str(error)) < 500


# Stop ids


@pytest.mark.parametrize(
    ("generation", "config", "expected"),
    [
        ([128001, 128008, 128009], 128001, [128001, 128008, 128009]),
        (128009, [1, 2], [128009]),
        (None, [1, 2], [1, 2]),
        (..., 128001, [128001]),
        (0, 5, [0]),
        (None, None, None),
        (..., None, None),
    ],
)
def test_stop_ids(generation, config, expected, tmp_path):
    hugging_face.write_json(tmp_path / "config.json", {"eos_token_id": config})
    if generation is not ...:
        hugging_face.write_json(tmp_path / "generation_config.json", {"eos_token_id": generation, "top_p": 0.9})
    assert read_stop_ids(tmp_path) == expected


@pytest.mark.parametrize("value", [-1, [128001, -1], True, [False], 1.5, "<|eot_id|>", ["1"], [[1]], {}, []])
def test_stop_ids_that_are_refused(value, tmp_path):
    for name in ("config.json", "generation_config.json"):  # the second is read first
        hugging_face.write_json(tmp_path / name, {"eos_token_id": value})
        with pytest.raises(ValueError, match=rf'[/\\]{name}: "eos_token_id" is .*; it must be a token id or a list'):
            read_stop_ids(tmp_path)


def test_stop_ids_reach_the_tokenizer_and_end_the_text(small, tmp_path):
    params, weights, tokens = small
    folder = write_hf(tmp_path / "m", weights, params, tokens)
    assert load(folder).tokenizer.stop_ids == tokens.stop_ids == [257, 264, 265]
    likeliest = list(generate(weights, params, [5], 3))
    hugging_face.write_json(folder / "generation_config.json", {"eos_token_id": [9, likeliest[1]]})
    model = load(folder)
    assert model.tokenizer.stop_ids == [9, likeliest[1]]
    assert likeliest[0] != likeliest[1]
    assert list(generate(model.weights, model.params, [5], 3, model.tokenizer.stop_ids)) == likeliest[:1]


def test_a_stop_id_beyond_the_vocabulary(in_parts, capsys):
    hugging_face.write_json(in_parts / "generation_config.json", {"eos_token_id": [5, 1024]})
    check_refused(in_parts, r'm: "eos_token_id" 1024 is not one of the 1024 ids; copy', ValueError, capsys)


# tokenizer.json


@pytest.fixture(scope="module")
def tokenizer_file(tiny):
    return hugging_face.tokenizer_fields(tiny.tokenizer.ranks, tiny.tokenizer.special_tokens)


def changed(fields, path, value):
    """A copy of nested dicts and lists with another value at a path of keys; ... takes it out."""
    if not path:
        return value
    copy = list(fields) if isinstance(fields, list) else dict(fields)
    below = changed(copy[path[0]] if len(path) > 1 else None, path[1:], value)
    if below is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = below
    return copy


REFUSED_TOKENIZERS = [
    (("model", "type"), "WordPiece", "the model is 'WordPiece', and must be \"BPE\""),
    (("model", "ignore_merges"), False, 'the model must have "ignore_merges": true'),
    (("model", "ignore_merges"), ..., 'the model must have "ignore_merges": true'),
    (("model", "dropout"), 0.1, "the model must not have dropout or"),
    (("model", "continuing_subword_prefix"), "##", "must not have .*continuing_subword_prefix"),
    (("model", "end_of_word_suffix"), "</w>", "must not have .*end_of_word_suffix"),
    (("normalizer",), {"type": "NFC"}, "it has a normalizer, and must not change the text"),
    (("normalizer",), ..., "KeyError.*normalizer"),
    (("pre_tokenizer",), None, "it must split text by Llama 3's pattern"),
    (("pre_tokenizer", "pretokenizers", 0, "pattern"), {"Regex": r"\s+"}, "it must split text by Llama 3's pattern"),
    (("pre_tokenizer", "pretokenizers", 0, "behavior"), "Removed", "it must split text by Llama 3's pattern"),
    (("pre_tokenizer", "pretokenizers", 1, "add_prefix_space"), True, "it must split text by Llama 3's pattern"),
    (("pre_tokenizer", "pretokenizers", 1, "use_regex"), True, "it must split text by Llama 3's pattern"),
    (("pre_tokenizer", "pretokenizers", 1), ..., "it must split text by Llama 3's pattern"),
    (("pre_tokenizer",), "Split", "not the tokenizer.json of a Llama 3"),
    (("model",), [], "not the tokenizer.json of a Llama 3"),
    (("model", "vocab"), [], "not the tokenizer.json of a Llama 3"),
    (("model", "vocab", "A"), 1000, "its ids must be 0, 1, 2"),
    (("model", "vocab", "A"), 66, "its ids must be 0, 1, 2"),
    (("model", "vocab", "A"), "65", "not the tokenizer.json of a Llama 3"),
    (("model", "vocab", "A b"), 768, "UnicodeEncodeError"),
    (("model", "vocab", "\x7f"), 768, "UnicodeEncodeError"),
    (("model", "vocab", "你"), 768, "UnicodeEncodeError"),
    (("added_tokens", 3, "id"), 5000, "its ids must be 0, 1, 2"),
    (("added_tokens", 3, "content"), "<|eot_id|>", "its ids must be 0, 1, 2"),
    (("added_tokens", 9, "content"), "<|end|>", r"the token <\|eot_id\|> is missing; copy"),
    (("added_tokens", 0, "content"), "<s>", r"the token <\|begin_of_text\|> is missing; copy"),
    (("added_tokens", 3, "content"), 5, "TypeError"),
    (("added_tokens", 3, "content"), None, "TypeError"),
    (("added_tokens",), ..., "KeyError"),
    (("added_tokens",), None, "not the tokenizer.json of a Llama 3"),
    (("added_tokens",), [{"id": 768}], "not the tokenizer.json of a Llama 3"),
]


def write_tokenizer(path, fields):
    path.write_text(json.dumps(fields, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.mark.parametrize(("place", "value", "says"), REFUSED_TOKENIZERS)
def test_tokenizers_that_are_refused(place, value, says, tokenizer_file, tmp_path):
    path = write_tokenizer(tmp_path / "tokenizer.json", changed(tokenizer_file, place, value))
    with pytest.raises(ValueError, match=says) as refusal:
        read_tokenizer(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}: ") and message.isprintable() and re.search("copy|use", message)
    assert type(refusal.value) is ValueError and len(message) < len(str(path)) + 250


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[" * 100_000, b"\xff", b'"merges": [1]', b'{"model": {"merges": [', b"]"]
)
def test_a_tokenizer_json_that_is_no_json(data, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"tokenizer\.json: not JSON .*; copy it again"):
        read_tokenizer(tmp_path / "tokenizer.json")


def test_half_a_character_for_a_name(tokenizer_file, tmp_path):
    fields = changed(tokenizer_file, ("added_tokens", 3, "content"), "\ud83d")
    (tmp_path / "tokenizer.json").write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(ValueError, match=r"not the tokenizer\.json of a Llama 3 \(UnicodeEncodeError.*copy it again"):
        read_tokenizer(tmp_path / "tokenizer.json")


def test_brackets_too_deep_before_the_merges(tmp_path):
    (tmp_path / "tokenizer.json").write_bytes(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b', "merges": []}')
    with pytest.raises(ValueError, match=r"tokenizer\.json: not JSON .*; copy it again"):
        read_tokenizer(tmp_path / "tokenizer.json")


def test_a_byte_without_a_token(tokenizer_file, tmp_path):
    vocab = {("Xy" if token == "A" else token): i for token, i in tokenizer_file["model"]["vocab"].items()}
    path = write_tokenizer(tmp_path / "tokenizer.json", changed(tokenizer_file, ("model", "vocab"), vocab))
    with pytest.raises(ValueError, match=r"the token b'A' is missing; copy"):
        read_tokenizer(path)


def test_merges_are_not_needed_wherever_they_stand(tokenizer_file, tiny, tmp_path):
    model = tokenizer_file["model"]
    merges_first = {"merges": model["merges"]} | model
    old = [" ".join(pair) for pair in model["merges"]]  # as tokenizers wrote them before 0.20
    for fields in (
        tokenizer_file,
        changed(tokenizer_file, ("model",), merges_first),
        dict(reversed(tokenizer_file.items())),
        changed(tokenizer_file, ("model", "merges"), old),
        changed(tokenizer_file, ("model", "merges"), []),
        changed(tokenizer_file, ("model", "merges"), ...),
    ):
        ranks, added = read_tokenizer(write_tokenizer(tmp_path / "t.json", fields))
        assert ranks == tiny.tokenizer.ranks and added == tiny.tokenizer.special_tokens


def test_what_comes_after_the_merges_is_never_passed_over(tokenizer_file, tmp_path):
    fields = {"model": tokenizer_file["model"]} | tokenizer_file
    fields["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFC"}]}
    fields["decoder"] = fields.pop("decoder")
    for last in ("normalizer", "decoder", "added_tokens"):
        fields[last] = fields.pop(last)
        with pytest.raises(ValueError, match=r"normalizer|pre_tokenizer"):
            read_tokenizer(write_tokenizer(tmp_path / "t.json", fields))


def test_names_of_special_tokens_come_from_the_file(tokenizer_file, tiny, tmp_path):
    """The first Llama 3 had no eom_id, and other numbers on its reserved tokens."""
    names = [f"<|reserved_special_token_{i}|>" for i in range(251)]
    names[:0], names[4:4] = ["<|begin_of_text|>", "<|end_of_text|>"], []
    names[6:6] = ["<|start_header_id|>", "<|end_header_id|>"]
    names.insert(9, "<|eot_id|>")
    added = [{"id": 768 + i, "content": name} for i, name in enumerate(names)]
    path = write_tokenizer(tmp_path / "t.json", tokenizer_file | {"added_tokens": added})
    tokens = Tokenizer(*read_tokenizer(path))
    assert tokens.vocab_size == 1024 == tiny.tokenizer.vocab_size and len(set(names)) == 256
    assert tokens.eot_id == tiny.tokenizer.eot_id and tokens.stop_ids == [769, 777]
    assert tokens.special_tokens["<|reserved_special_token_3|>"] == 773
    assert tokens.encode("a<|reserved_special_token_3|>", allow_special=True) == [97, 773]
    assert tokens.decode([773]) == "<|reserved_special_token_3|>"
    assert tokens.encode("a<|reserved_special_token_250|>", allow_special=True) == [97, 1023]  # no name of 3.1
    assert len(tokens.encode("<|eom_id|>", allow_special=True)) > 1


def test_every_byte_has_its_character(tokenizer_file):
    vocab = {i: token for token, i in tokenizer_file["model"]["vocab"].items()}
    assert [vocab[ord(c)] for c in " \n\x00\x7f\xad"] == list("ĠĊĀġŃ")  # as in every byte-level tokenizer.json
    assert vocab[ord("!")] == "!" and vocab[0xA1] == "¡" and vocab[0xFF] == "ÿ"


def test_llama_3s_tokenizer_as_json(llama3, tmp_path):
    path = write_tokenizer(tmp_path / "t.json", hugging_face.tokenizer_fields(llama3.ranks, llama3.special_tokens))
    assert json.loads(path.read_bytes())["model"]["merges"][0] == ["Ġ", "Ġ"]
    ranks, added = read_tokenizer(path)
    assert ranks == llama3.ranks and list(added) == SPECIAL_TOKENS
    assert list(ranks.values()) == list(range(128000))


def test_the_quick_way_to_read_ranks_is_the_slow_one(llama3_path):
    data = llama3_path.read_bytes()
    quick = tokenizer._read_good_ranks(data)
    assert list(quick.items()) == list(tokenizer._read_lines(llama3_path, data.splitlines()).items())
    assert quick == read_ranks(llama3_path)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_what_the_quick_way_takes_the_slow_one_takes_too(data):
    lines = bytearray((TINY / "tokenizer.model").read_bytes()[:200])
    place = data.draw(st.integers(0, len(lines) - 1))
    damage = data.draw(st.sampled_from([b"", b"0", b"=", b"Q", b"\xff"]))
    lines[place : place + data.draw(st.integers(0, 2))] = damage
    quick = tokenizer._read_good_ranks(bytes(lines))
    assert quick is None or quick == tokenizer._read_lines("", bytes(lines).splitlines())


# What is missing, and what does not fit


def check_refused(folder, says, kind, capsys, opens=load):
    """Refused in Python by an error of a kind, and on the command line in one line."""
    with pytest.raises(kind, match=says) as refusal:
        opens(folder)
    message = str(refusal.value)
    assert type(refusal.value) is kind and message.isprintable() and len(message) < len(str(folder)) + 500
    assert re.search("copy|run it again|use|needs|name that", message)
    assert command.main(["Hi", "--model", str(folder)]) == 2
    assert capsys.readouterr() == ("", f"llama_np: {message}\n")


@pytest.fixture
def in_parts(tiny, tmp_path):
    hf_in_parts(tmp_path / "m", tiny)
    return tmp_path / "m"


def test_files_of_the_index_that_are_not_there(in_parts, capsys):
    (in_parts / "model-00002-of-00003.safetensors").unlink()
    says = r"m: model-00002-of-00003\.safetensors is missing; copy the folder again"
    check_refused(in_parts, says, FileNotFoundError, capsys)
    for file in in_parts.glob("*.safetensors"):
        file.unlink()
    (in_parts / ".cache" / "huggingface" / "download").mkdir(parents=True)
    (in_parts / ".cache" / "huggingface" / "download" / "x.incomplete").touch()
    says = (
        r"m: (model-0000\d-of-00003\.safetensors(, )?){3} are missing; the download is not finished \(x\.incomplete\)"
    )
    check_refused(in_parts, says, FileNotFoundError, capsys)


@posix
def test_a_snapshot_that_is_not_finished(tiny, tmp_path, capsys):
    snapshot = hf_cache(tmp_path / "m", tiny)
    blob = (snapshot / "model-00001-of-00003.safetensors").resolve()
    blob.rename(blob.with_name(f"{blob.name}.incomplete"))
    says = (
        r"model-00001-of-00003\.safetensors is missing; the download is not finished \(0+\w\.incomplete\): run it again"
    )
    check_refused(snapshot, says, FileNotFoundError, capsys)


def test_many_missing_files_are_counted(in_parts, capsys):
    names = [f"part-{n:02}.safetensors" for n in range(15)]
    index = {"weight_map": {f"tensor {n}": name for n, name in enumerate(names)}}
    hugging_face.write_json(in_parts / "model.safetensors.index.json", index)
    says = r"m: part-00\.safetensors, part-01\.safetensors, part-02\.safetensors and 12 more are missing; copy"
    check_refused(in_parts, says, FileNotFoundError, capsys)


ODD_NAMES = ["a\nb\x1b[2J.safetensors", "\0.safetensors", "x" * 5000, "../a.safetensors", "/a.safetensors", "a.pth"]


@pytest.mark.parametrize(
    "weight_map", [None, {}, [], {"a": 1}, "model.safetensors", {"a": ["b"]}, *({"a": name} for name in ODD_NAMES)]
)
def test_an_index_without_its_map(weight_map, in_parts, capsys):
    hugging_face.write_json(in_parts / "model.safetensors.index.json", {"weight_map": weight_map})
    check_refused(in_parts, r'index\.json: "weight_map" must give the file of each tensor; copy', ValueError, capsys)


def test_no_weights_in_hugging_faces_form(in_parts, capsys):
    (in_parts / "model.safetensors.index.json").unlink()
    check_refused(in_parts, r"m: model\.safetensors is missing; copy the folder again", FileNotFoundError, capsys)


def test_no_tokenizer_in_hugging_faces_form(in_parts, capsys):
    (in_parts / "tokenizer.json").unlink()
    check_refused(
        in_parts, r"m: there is neither tokenizer\.json nor tokenizer\.model; copy", FileNotFoundError, capsys
    )


def test_a_tokenizer_of_another_model(in_parts, small, capsys):
    _, _, tokens = small
    fields = hugging_face.tokenizer_fields(tokens.ranks, tokens.special_tokens)
    write_tokenizer(in_parts / "tokenizer.json", fields)
    says = "m: the tokenizer makes 512 ids, but vocab_size is 1024; copy both"
    check_refused(in_parts, says, ValueError, capsys, lambda folder: load(folder).tokenizer)


def test_tensors_that_are_missing_or_have_other_shapes_or_are_too_many(small, tmp_path, capsys):
    params, weights, tokens = small
    folder = write_hf(tmp_path / "m", weights, params, tokens)
    tensors = hf_tensors(weights, params.head_dim)
    wq = "model.layers.1.self_attn.q_proj.weight"
    bias = "model.layers.0.self_attn.q_proj.bias"
    without_wq = {name: array for name, array in tensors.items() if name != wq}
    layers = {name: array for name, array in tensors.items() if "layers.1" not in name}
    for wrong, says in (
        (without_wq, rf"{re.escape(wq)} is missing, but config\.json asks for it; copy"),
        (layers, r"model\.layers\.1\.\S+, model\.layers\.1\.\S+, model\.layers\.1\.\S+ and 6 more are missing, but"),
        (tensors | {wq: tensors[wq][1:]}, r"q_proj\.weight has shape \[15, 16\], but config\.json asks for \[16, 16\]"),
        (tensors | {bias: np.ones(16, "f4")}, r"q_proj\.bias is more than config\.json asks for; copy"),
        (tensors | {"model.layers.2.mlp.up_proj.weight": np.ones(16, "f4")}, r"layers\.2\.mlp.* is more than config"),
    ):
        write_safetensors(wrong, folder / "model.safetensors")
        check_refused(folder, says, ValueError, capsys)


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_a_model_cut_for_several_machines(kind, tiny, tmp_path, capsys):
    meta(tmp_path / "m", tiny, f"consolidated.00.{kind}")
    for n in range(1, 8):
        (tmp_path / "m" / f"consolidated.{n:02}.{kind}").touch()
    says = r"m: the model is cut into 8 parts for 8 machines; use the Hugging Face form of the same model"
    check_refused(tmp_path / "m", says, ValueError, capsys)
    shutil.copy(TINY / "model.safetensors", tmp_path / "m")  # unless somebody has joined them
    assert load(tmp_path / "m").files == (tmp_path / "m" / "model.safetensors",)


def test_a_file_that_is_not_whole(in_parts, capsys):
    path = in_parts / "model-00002-of-00003.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    says = r"model-00002-of-00003\.safetensors: not a whole safetensors file .*; copy it again"
    check_refused(in_parts, says, ValueError, capsys)


# Memory


def test_too_little_memory_is_told_and_the_work_goes_on(folder, monkeypatch, capsys):
    monkeypatch.setattr(checkpoint, "available_memory", lambda: 5_000_000)
    says = r"the weights need 0\.0 GB of memory, and 0\.0 GB are free; every token .* 8 times as long: .*Llama 3\.2 1B"
    with pytest.warns(MemoryWarning, match=says) as told:
        load(folder)
    assert len(told) == 1 and told[0].filename == __file__
    assert command.main(["--model", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{QUESTION}42\n" and re.fullmatch(rf"llama_np: .*: {says}.*\n17 prompt tokens.*\n", err)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("free", [8_000_000, 10**12, None])
def test_enough_memory_is_not_told(free, monkeypatch):
    monkeypatch.setattr(checkpoint, "available_memory", lambda: free)
    load(TINY)
