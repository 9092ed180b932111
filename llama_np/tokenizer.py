"""Chapter 01: the tokenizer of a model, with tiktoken to do the work of bpe.py fast.

It adds the file format, special tokens, long input and output that is printed while it is made. Left out:
Hugging Face's tokenizer.json (tokenizer_json.py) and the chat format (chat.py).
"""

import base64
import binascii
import codecs
import re
from functools import cached_property
from pathlib import Path

import tiktoken

from llama_np.bpe import SPLIT_PATTERN, refuse_half_characters
from llama_np.files import replace_file

_REMEDY = "copy Llama 3's tokenizer.model again, or remake it with save_ranks"

# In the order of their ids, which begin where the ranks end: 128000 in Llama 3.
# Source: Meta, llama-models, models/llama3/tokenizer.py.
_NAMES = ["begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1"]
_NAMES += ["finetune_right_pad_id", "step_id", "start_header_id", "end_header_id"]
_NAMES += ["eom_id", "eot_id", "python_tag"]
_NAMES += [f"reserved_special_token_{i}" for i in range(2, 247)]
SPECIAL_TOKENS = [f"<|{name}|>" for name in _NAMES]

# tiktoken's regular expressions run out of stack on a million spaces. Meta's limits, in characters:
_LONGEST_PART = 400_000
_LONGEST_RUN = 25_000


class Tokenizer:
    """Text to ids and back.

    source: the path of a tokenizer.model, or a dict of ranks as bpe.train makes it; names: the special tokens,
    whose ids follow the ranks. It has ranks, special_tokens (name to id), vocab_size, bos_id, eos_id, eot_id, and
    stop_ids: what a model says when it has finished. Raises what read_ranks raises.
    """

    def __init__(self, source, names=SPECIAL_TOKENS):
        self.ranks = source if isinstance(source, dict) else read_ranks(source)
        self.special_tokens = {name: len(self.ranks) + i for i, name in enumerate(names)}
        self.vocab_size = len(self.ranks) + len(self.special_tokens)
        self.bos_id = self.special_tokens["<|begin_of_text|>"]
        self.eos_id = self.special_tokens["<|end_of_text|>"]
        self.eot_id = self.special_tokens["<|eot_id|>"]
        ends = ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")  # the first Llama 3 has no eom_id in tokenizer.json
        self.stop_ids = [self.special_tokens[name] for name in ends if name in self.special_tokens]

    @cached_property
    def _engine(self):  # made when it is first needed, since that takes a tenth of a second or two
        return tiktoken.Encoding(
            "llama3", pat_str=SPLIT_PATTERN, mergeable_ranks=self.ranks, special_tokens=self.special_tokens
        )

    def encode(self, text, bos=False, eos=False, allow_special=False):
        """Turn text into a list of ids, with begin_of_text before and end_of_text after it if asked for.

        "<|eot_id|>" in the text stays text, and becomes a control token only with allow_special.
        Raises ValueError for half a character.
        """
        refuse_half_characters(text)
        special = set(self.special_tokens) if allow_special else set()
        ids = [self.bos_id] if bos else []
        for part in _parts(text):
            ids += self._engine.encode(part, allowed_special=special, disallowed_special=())
        return ids + ([self.eos_id] if eos else [])

    def encode_pieces(self, pieces):
        """Turn a list of texts into one list of ids, each by itself; a bare special name becomes its id.

        For texts we wrote ourselves: a user who types no more than "<|eot_id|>" would get the control token.
        """
        ids = []
        for piece in pieces:
            ids += [self.special_tokens[piece]] if piece in self.special_tokens else self.encode(piece)
        return ids

    def decode(self, ids):
        """Turn ids into text, with U+FFFD for what is not UTF-8. Raises ValueError as token_bytes does."""
        return self.decode_bytes(ids).decode(errors="replace")

    def decode_bytes(self, ids):
        """Turn ids into bytes. Raises ValueError as token_bytes does."""
        return b"".join(self.token_bytes(i) for i in ids)

    def token_bytes(self, i):
        """The bytes of one token. Raises ValueError for an id outside the vocabulary."""
        if not 0 <= i < self.vocab_size:
            raise ValueError(f"token id {i}: this vocabulary has ids 0 to {self.vocab_size - 1}")
        return self._engine.decode_single_token_bytes(i)

    def decode_stream(self, ids):
        """Yield text as ids come in, holding back a character of several tokens until it is whole."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for i in ids:
            if text := decoder.decode(self.token_bytes(i)):
                yield text
        if text := decoder.decode(b"", final=True):
            yield text


def _parts(text):
    """Cut a long text where Meta's code cuts it, so that the ids are the same; most texts are one part."""
    for start in range(0, len(text), _LONGEST_PART):
        block = text[start : start + _LONGEST_PART]
        begin = 0
        for run in re.finditer(r"\s+|\S+", block):
            for cut in range(run.start() + _LONGEST_RUN, run.end(), _LONGEST_RUN):
                yield block[begin:cut]
                begin = cut
        yield block[begin:]


def read_ranks(path):
    """Read a tokenizer.model, tiktoken's format: on each line the base64 of a token, a space and its rank.

    Returns a dict of bytes to rank. Raises FileNotFoundError, or ValueError that names the file and the line.
    tiktoken's own reader remembers files by path, and would give the old ranks for a new file.
    """
    path = require_file(path)
    data = path.read_bytes()
    if not data:
        raise ValueError(f"{path}: the file is empty; {_REMEDY}")
    ranks = _read_good_ranks(data) or _read_lines(path, data.splitlines())
    for value in range(256):
        if bytes([value]) not in ranks:
            raise ValueError(f"{path}: the single byte 0x{value:02X} is not among its tokens; {_REMEDY}")
    return ranks


def require_file(path):
    """The path of a tokenizer's file, if there is one. Raises FileNotFoundError."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file; a model folder needs its tokenizer")
    return Path(path)


def _read_good_ranks(data):
    """The ranks of a file without a fault, some three times as fast as line by line; None for any other file."""
    fields = data.split()
    try:
        tokens = [binascii.a2b_base64(token, strict_mode=True) for token in fields[::2]]
    except ValueError:
        return None
    ranks = dict(zip(tokens, range(len(tokens))))
    whole = data.count(b"\n") in (len(tokens), len(tokens) - 1) and len(ranks) == len(tokens)
    return ranks if whole and fields[1::2] == [b"%d" % rank for rank in range(len(tokens))] else None


def _read_lines(path, lines):
    """The ranks line by line, to say which line has a fault."""
    ranks = {}
    for number, line in enumerate(lines, 1):
        try:
            ranks[_read_token(line, ranks)] = len(ranks)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}; {_REMEDY}") from None
    return ranks


def _read_token(line, ranks):
    if not line.isascii():
        raise ValueError("it has bytes that are not ASCII")
    if len(line.split()) != 2:
        raise ValueError(f"{_short(line)} is not a token in base64, a space and a rank")
    token, rank = line.split()
    if not rank.isdigit():
        raise ValueError(f"the rank {_short(rank)} is not a whole number")
    if rank != b"%d" % len(ranks):
        raise ValueError(f"the rank is {_short(rank)} where '{len(ranks)}' is due")
    try:
        decoded = base64.b64decode(token, validate=True)
    except ValueError:
        raise ValueError(f"{_short(token)} is not base64") from None
    if decoded in ranks:
        raise ValueError(f"the token {_short(token)} is on line {ranks[decoded] + 1} already")
    return decoded


def _short(field):
    text = field.decode("ascii")
    return repr(text if len(text) <= 40 else text[:40] + "...")


def save_ranks(ranks, path):
    """Write ranks as a tokenizer.model, whole or not at all. ranks: a dict of bytes to rank, from 0 up.

    Raises OSError where the folder cannot be written.
    """
    lines = [base64.b64encode(token) + b" %d\n" % ranks[token] for token in sorted(ranks, key=ranks.get)]
    replace_file(path, lambda temporary: temporary.write_bytes(b"".join(lines)))
