"""linear.py: the same product as in float64, whatever the shapes, types, tiles and threads."""

import os
import threading

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from llama_np import cgroup, linear, threads
from llama_np.linear import tile_rows, tiled_product
from llama_np.threads import on_every_core, usable_cores

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [BFLOAT16, np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)]


def random_weight(seed, n_out, n_in, dtype):
    return np.random.default_rng(seed).standard_normal((n_out, n_in)).astype(dtype)


def assert_right(x, weight, out):
    exact = x.astype(np.float64) @ weight.astype(np.float64).T
    size = np.abs(x).astype(np.float64) @ np.abs(weight.astype(np.float64)).T
    assert out.shape == exact.shape and out.dtype == x.dtype
    assert (np.abs(out - exact) <= 1e-6 * size + 1e-30).all()


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 40),
    st.integers(1, 90),
    st.integers(1, 60),
    st.sampled_from(DTYPES),
    st.data(),
)
def test_any_shape_in_small_tiles(seed, T, n_out, n_in, dtype, data):
    x = np.random.default_rng(seed).standard_normal((T, n_in)).astype(np.float32)
    weight = random_weight(seed + 1, n_out, n_in, dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "_SMALL", 0)
        for constant in ("_TILE", "_TILE_FOR_MANY", "_QUICK"):
            patch.setattr(linear, constant, data.draw(st.integers(1, 400)))
        assert_right(x, weight, linear.linear(x, weight))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("T", [1, 3, 17, 70])
def test_real_sizes(T, dtype):
    x = np.random.default_rng(0).standard_normal((T, 1024)).astype(np.float32)
    weight = random_weight(1, 1001, 1024, dtype)
    assert weight.size > linear._SMALL
    assert_right(x, weight, linear.linear(x, weight))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_small_weight_takes_the_type_of_x(dtype):
    weight = random_weight(1, 30, 20, dtype)
    assert weight.size <= linear._SMALL
    for kind in (np.float32, np.float64):
        x = np.random.default_rng(0).standard_normal((3, 20)).astype(kind)
        assert_right(x, weight, linear.linear(x, weight))


@pytest.mark.parametrize("dtype", [BFLOAT16, np.dtype(np.float32)], ids=str)
def test_leading_axes_and_float64(dtype):
    x = np.random.default_rng(0).standard_normal((2, 3, 512))
    weight = random_weight(1, 700, 512, dtype)
    assert weight.size > linear._SMALL
    for xs in (x, x.astype(np.float32)):
        out = linear.linear(xs, weight)
        assert out.shape == (2, 3, 700)
        assert_right(xs.reshape(6, 512), weight, out.reshape(6, 700))


def test_every_bf16_is_widened_exactly():
    """A one-hot x picks single weights: all 65,536 bit patterns come out as they are, in both places of a pair."""
    bits = np.arange(2**16, dtype=np.uint16)
    finite = np.isfinite(bits.view(BFLOAT16).astype(np.float32))
    bits = bits[finite].reshape(-1, 2)
    weight, x = bits.view(BFLOAT16), np.eye(2, dtype=np.float32)
    out = tiled_product(x, weight)  # [2, rows]
    wide = (bits.astype(np.uint32) << 16).view(np.float32)
    assert np.array_equal(out.T, wide)


def test_neither_x_nor_weight_is_changed():
    x, weight = np.ones((5, 1024), np.float32), random_weight(0, 600, 1024, BFLOAT16)
    x_before, weight_before = x.copy(), weight.copy()
    linear.linear(x, weight)
    assert np.array_equal(x, x_before) and np.array_equal(weight, weight_before)


def test_a_row_of_x_does_not_depend_on_the_others():
    x, weight = (
        np.random.default_rng(0).standard_normal((9, 1024)).astype(np.float32),
        random_weight(1, 600, 1024, BFLOAT16),
    )
    assert np.allclose(linear.linear(x, weight)[4], linear.linear(x[4:5], weight)[0], rtol=1e-4, atol=1e-4)


def test_other_columns_are_refused():
    for size in (10, 2000):
        with pytest.raises(ValueError, match=r"x has 5 columns, but the weight \[\d+, 600\] takes 600"):
            linear.linear(np.ones((1, 5), np.float32), random_weight(0, size, 600, BFLOAT16))


def test_the_rows_of_the_result_lie_one_after_the_other():
    weight = random_weight(1, 600, 1024, BFLOAT16)
    for T in (0, 1, 3, 20):
        out = linear.linear(np.ones((T, 1024), np.float32), weight)
        assert out.shape == (T, 600) and out.flags.c_contiguous


@given(st.integers(0, 600), st.integers(1, 10**6))
def test_tiles_fit(T, n_in):
    rows = tile_rows(T, n_in)
    assert rows >= 1
    if rows > 1:
        assert rows * n_in <= (linear._TILE if T <= linear._FEW else linear._TILE_FOR_MANY)
        if 1 < T <= linear._FEW:
            assert rows * n_in * T <= 1e6


def test_the_work_is_shared_by_threads(monkeypatch):
    monkeypatch.setattr(threads, "usable_cores", lambda: 2)
    monkeypatch.setattr(linear, "tile_rows", lambda T, n_in: 4)
    threads._threads.cache_clear()
    seen, gate = set(), threading.Barrier(2, timeout=20)

    class Weight:
        shape = (64, 4)

        def __len__(self):
            return 64

        def __getitem__(self, rows):
            if threading.get_ident() not in seen:
                seen.add(threading.get_ident())
                gate.wait()  # only passed when a second thread asks for a tile too
            return np.ones((64, 4), BFLOAT16)[rows]

    assert np.array_equal(tiled_product(np.ones((1, 4), np.float32), Weight()), np.full((1, 64), 4, np.float32))
    assert len(seen) == 2
    threads._threads.cache_clear()


def blas_threads():
    return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]


def test_blas_has_one_thread_meanwhile_and_its_own_number_afterwards():
    with threadpool_limits(2, "blas"):
        seen = []
        on_every_core(lambda: seen.append(blas_threads()))
        assert seen and all(set(numbers) == {1} for numbers in seen)
        assert set(blas_threads()) == {2}


def test_an_error_in_a_thread_is_raised():
    with pytest.raises(ZeroDivisionError):
        on_every_core(lambda: 1 / 0)


@pytest.fixture
def asked():
    """usable_cores without its memory."""
    usable_cores.cache_clear()
    yield usable_cores
    usable_cores.cache_clear()


def test_cores_as_asked(asked, monkeypatch):
    monkeypatch.setenv("LLAMA_NP_THREADS", "3")
    assert asked() == 3


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", " ", "²"])
def test_cores_wrongly_asked(asked, monkeypatch, text):
    monkeypatch.setenv("LLAMA_NP_THREADS", text)
    with pytest.raises(ValueError, match=r"LLAMA_NP_THREADS is .* set it to the number of threads, 1 or more"):
        asked()


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes the files of a cgroup tree: text by path, and what /proc/self/cgroup says."""

    def write(own, files):
        (tmp_path / "own").write_text(own, encoding="utf-8")
        for name, text in files.items():
            path = tmp_path / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    monkeypatch.setattr(cgroup, "_ROOT", tmp_path / "tree")
    monkeypatch.setattr(cgroup, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.delenv("LLAMA_NP_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", {0: set(range(16))}.get, raising=False)  # 0: ourselves
    return write


@pytest.mark.parametrize(
    "own, files, cores",
    [
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "max 100000\n"}, 3),
        ("3:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "400000\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, 4),
        ("3:cpu:/x\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 16),
        ("3:memory:/x\n", {}, 16),
    ],
)
def test_cores_granted(asked, groups, own, files, cores):
    groups(own, files)
    assert asked() == cores
