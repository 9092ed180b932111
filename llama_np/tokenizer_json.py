"""Chapter 13: Hugging Face's tokenizer.json, read into the ranks of tokenizer.model and the special tokens' names.

Left out: other ways to split, change or merge a text than Llama 3's, which are refused with the reason.
"""

import json
import re
import reprlib
from contextlib import suppress

from llama_np.bpe import SPLIT_PATTERN
from llama_np.tokenizer import require_file

_LLAMA_3_SPLIT = [
    {"type": "Split", "pattern": {"Regex": SPLIT_PATTERN}, "behavior": "Isolated", "invert": False},
    {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
]
_NEEDED_TOKENS = ("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>")
_UNUSED = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")


def read_tokenizer(path):
    """Read tokenizer.json. Returns ranks, a dict of bytes to id, and special tokens, a dict of name to id.

    The merges are not read: all ids follow from the ranks. Raises FileNotFoundError, or ValueError where the file would
    split or merge text in another way than Llama 3 does.
    """
    path = require_file(path)
    fields = _read_json(path)
    try:
        _refuse_other_tokenizers(path, fields)
        vocab = fields["model"]["vocab"]
        tokens = sorted(vocab, key=vocab.get)
        added = {token["content"]: token["id"] for token in sorted(fields["added_tokens"], key=lambda t: t["id"])}
        "".join(added).encode()  # they must be texts, and whole characters
        ids = [*map(vocab.get, tokens), *added.values()]
        ranks = {token.translate(_BYTES).encode("latin-1"): rank for rank, token in enumerate(tokens)}
    except (KeyError, TypeError, AttributeError, UnicodeEncodeError) as error:
        reason = f"{type(error).__name__}: {reprlib.repr(str(error))}"
        raise ValueError(f"{path}: not the tokenizer.json of a Llama 3 ({reason}); copy it again") from None
    if ids != list(range(len(ids))):
        raise ValueError(f"{path}: its ids must be 0, 1, 2, …, those of added_tokens last; copy it again")
    missing = [repr(bytes([b])) for b in range(256) if bytes([b]) not in ranks]
    missing += [name for name in _NEEDED_TOKENS if name not in added]
    if missing:
        raise ValueError(f"{path}: the token {missing[0]} is missing; copy it again")
    return ranks, added


def _read_json(path):
    """The file as a dict. Its merges, two thirds of it, are left out if they come last, as tokenizers writes them."""
    data = path.read_bytes()
    begin, end = re.search(rb'"merges":\s*\[|$', data).end(), data.rfind(b"]")
    if begin <= end and not data[end + 1 :].strip(b"} \r\n\t"):
        with suppress(ValueError, RecursionError):  # if these were not the brackets around the merges
            return json.loads(data[:begin] + data[end:])
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error}); copy it again from where the model came from") from None


def _refuse_other_tokenizers(path, fields):
    model, split = fields["model"], fields["pre_tokenizer"] or {}
    steps = split.get("pretokenizers", [])
    same_split = len(steps) == 2 and all(ours.items() <= step.items() for ours, step in zip(_LLAMA_3_SPLIT, steps))
    for wrong, reason in (
        (model.get("type") != "BPE", f'the model is {reprlib.repr(model.get("type"))}, and must be "BPE"'),
        (model.get("ignore_merges") is not True, 'the model must have "ignore_merges": true'),
        (fields["normalizer"], "it has a normalizer, and must not change the text"),
        (any(model.get(name) for name in _UNUSED), f"the model must not have {' or '.join(_UNUSED)}"),
        (not same_split, "it must split text by Llama 3's pattern"),
    ):
        if wrong:
            raise ValueError(f"{path}: {reason}; use the tokenizer.json of a Llama 3")


def _byte_alphabet():
    """How tokenizer.json writes bytes as characters: a dict of character to byte, both as numbers, for str.translate.

    Bytes that are printable in Latin-1 stand for themselves; the others, in order, are the characters from U+0100 on.
    Source: bytes_to_unicode in OpenAI's gpt-2, src/encoder.py. What else there is below U+0100 stands for nothing.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    nothing = dict.fromkeys(others, 0xFFFF)  # which no byte can hold
    return nothing | {byte: byte for byte in printable} | {256 + i: byte for i, byte in enumerate(others)}


_BYTES = _byte_alphabet()
