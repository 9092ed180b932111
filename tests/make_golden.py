"""Writes tests/golden: small models with the logits transformers gives. Run: python -m tests.make_golden

Needs torch and transformers. The weights are stored with the logits, so test_golden.py needs neither.
"""

import json
from dataclasses import asdict
from pathlib import Path

from llama_np.checkpoint import write_safetensors
from tests.oracle import reference_logits
from tests.random_models import random_ids, random_params, random_weights

GOLDEN = Path(__file__).parent / "golden"

# Name: seed for random_params, tied output, dtype of the weights, tokens. Between them: one key/value head,
# some, and as many as query heads; both kinds of output; both dtypes; one token, an odd number, all it takes.
CASES = {
    "one_kv_head": (12, False, "bfloat16", 23),
    "some_kv_heads": (1, False, "float32", 48),
    "all_kv_heads": (2, True, "float32", 7),
    "one_token": (4, True, "bfloat16", 1),
}


def main():
    for name, (seed, tied, dtype, length) in CASES.items():
        params = random_params(seed)
        weights = random_weights(params, seed, tied, dtype)
        ids = random_ids(params, seed, length)
        tensors = {f"weights/{key}": array for key, array in weights.items()}
        if tied:
            del tensors["weights/output.weight"]
        tensors["logits"] = reference_logits(weights, params, ids)
        # One entry: safetensors writes several in an order that changes from run to run.
        metadata = {"case": json.dumps({"params": asdict(params), "ids": ids.tolist()})}
        path = GOLDEN / f"{name}.safetensors"
        write_safetensors(tensors, path, metadata)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
