"""Writes tests/golden/*.pth with torch itself. Run: python -m tests.make_golden_pth

test_pth.py knows the numbers, so it needs no torch.
"""

from pathlib import Path

import torch
from torch import nn

GOLDEN = Path(__file__).parent / "golden"


def numbers(*shape, dtype=torch.float32):
    """0, 1, 2 … less one half, in a shape."""
    return (torch.arange(torch.Size(shape).numel()) - 0.5).to(dtype).reshape(shape)


def plain():
    """Meta's way: a dict of tensors, each with a storage of its own."""
    return {
        "tok_embeddings.weight": numbers(5, 4, dtype=torch.bfloat16),
        "norm.weight": numbers(4, dtype=torch.bfloat16),
        "half": numbers(2, 3, dtype=torch.float16),
        "single": numbers(2, 3, 2),
        "double": numbers(3, dtype=torch.float64),
    }


def state_dict():
    """A module's state_dict, an OrderedDict with versions hung on, whose output is tied to its embeddings."""
    module = nn.ModuleDict({"embeddings": nn.Embedding(3, 4), "output": nn.Linear(4, 3)})
    module["embeddings"].weight = nn.Parameter(numbers(3, 4))
    module["output"].weight = module["embeddings"].weight
    module["output"].bias = nn.Parameter(numbers(3))
    return module.state_dict()


def views():
    """Views of one storage, whole and in part, and in other orders."""
    base = numbers(4, 6)
    once = base[2]
    return {
        "base": base,
        "transposed": base.T,
        "rows": base[1:3],
        "every_other": base[1::2, ::3],
        "permuted": base.reshape(2, 2, 6).permute(2, 0, 1),
        "once": once,
        "again": once,
    }


def odd():
    """No dimensions, no numbers, parameters."""
    return {
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "empty_view": numbers(4)[4:],
        "parameter": nn.Parameter(numbers(2, dtype=torch.bfloat16)),
    }


def many():
    """More values in the memo than one byte counts, a storage of more numbers than one byte counts."""
    return {f"layers.{layer}.weight": numbers(2) + layer for layer in range(30)} | {"long": numbers(300)}


def main():
    for make in (plain, state_dict, views, odd, many):
        path = GOLDEN / f"{make.__name__}.pth"
        torch.save(make(), path)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
