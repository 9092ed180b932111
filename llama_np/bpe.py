"""Chapter 01: byte-pair encoding, how text becomes token ids and how the tokens were found.

Left out: speed (a piece of n bytes takes about n² steps) and special tokens; tokenizer.py has both.
"""

from collections import Counter
from itertools import pairwise

import regex

# Meta's: contraction | character, letters | 3 digits | space, signs, line ends | line ends | blanks
SPLIT_PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
SPLIT_PATTERN += r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def refuse_half_characters(text):
    """Raise ValueError for a lone surrogate, half of a character, which UTF-8 cannot write."""
    if half := regex.search(r"\p{Cs}", text):
        where = f"the lone surrogate U+{ord(half[0]):04X} at position {half.start()}"
        raise ValueError(f"the text has half a character, {where}: remove it, or read the text as UTF-8")


def split(text):
    """Cut text into the pieces no token reaches across: list of str. ValueError for half a character."""
    refuse_half_characters(text)
    return regex.findall(SPLIT_PATTERN, text)


def train(text, n_merges):
    """Learn up to n_merges tokens: a dict, bytes to rank, single bytes first. Source: arXiv:1508.07909."""
    ranks = {bytes([value]): value for value in range(256)}
    counted = Counter(split(text)).items()
    pieces = [([bytes([value]) for value in s.encode()], times) for s, times in counted]
    while len(ranks) < 256 + n_merges:
        counts = Counter()  # taken anew: each merge uses up bytes that other pairs were counted with
        for parts, times in pieces:
            for left, right in pairwise(parts):
                counts[left + right] += times
        if not counts:
            break  # every piece is one token
        token = max(counts, key=counts.get)  # of equals, the one met first in the text
        ranks[token] = len(ranks)
        pieces = [(_join(parts, token), times) for parts, times in pieces]
    return ranks


def _join(parts, token):
    joined = []
    for part in parts:
        if joined and joined[-1] + part == token:
            joined[-1] = token
        else:
            joined.append(part)
    return joined


def merge(piece, ranks):
    """Merge a piece's bytes, lowest rank first, until no neighbours make a token: a list of bytes."""
    parts = [bytes([value]) for value in piece]
    while True:
        pairs = [left + right for left, right in pairwise(parts)]
        token = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)), default=None)
        if token not in ranks:
            return parts
        first = pairs.index(token)
        parts[first : first + 2] = [token]


def encode(text, ranks):
    """Turn text into its token ids, the same as tiktoken's. Raises ValueError for half a character."""
    pieces = [piece.encode() for piece in split(text)]
    tokens = [[piece] if piece in ranks else merge(piece, ranks) for piece in pieces]  # whole-piece rule
    return [ranks[token] for parts in tokens for token in parts]


def decode(ids, ranks):
    """Turn ids into text, U+FFFD for bytes that are not UTF-8. Raises KeyError for an unknown id."""
    tokens = {rank: token for token, rank in ranks.items()}
    return b"".join(tokens[i] for i in ids).decode(errors="replace")
