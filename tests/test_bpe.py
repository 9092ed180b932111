"""Chapter 01: our byte-pair encoding against tiktoken, id for id and piece for piece."""

from functools import cache

import pytest
import regex
import tiktoken
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tiktoken._educational import bpe_train

from llama_np import bpe

QUESTION = "the answer to the ultimate question of life, the universe, and everything is "
STORY = """Did you see the cat? It's the cat that's on the mat; they'll say it isn't. I'VE 12 cats, 345 mats

    6789 rats. The naïve café in Việt Nam: ΣΊΣΥΦΟΣ, привет, 你好世界, שלום, नमस्ते, 🫠🫠!!!\r\n\tThat cat sat.
"""
# Meta's, copied whole: https://github.com/meta-llama/llama-models, models/llama3/tokenizer.py.
META_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
SINGLE_BYTES = {bytes([value]): value for value in range(256)}
EVERY_CHARACTER = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)

# What the pattern treats in different ways, more often than chance would give it.
BLANKS = " \t\n\r\x0b\x0c\x1c\x1d\x1f\x85\xa0\u180e\u2003\u200b\u2028\u3000\ufeff"
CONTRACTIONS = ["'s", "'S", "'ſ", "'T", "'re", "'VE", "'m", "'lL", "'d", "’s"]
WORDS = [
    "the",
    "Việt",
    "привет",
    "你好",
    "안녕",
    "שלום",
    "नमस्ते",
    "345",
    "٣٤٥",
    "👍🏽",
    "👩\u200d👩",
    "<|eot_id|>",
]
SIGNS = "aZe\u0301ßİıſ\u212aé1½²Ⅷ'!?.—$_\x00\x7f\u200d\ufe0f\ufffd\ue000\U0010ffff"
any_character = st.sampled_from([*BLANKS, *CONTRACTIONS, *WORDS, *SIGNS]) | st.characters(exclude_categories=["Cs"])
any_text = st.lists(any_character, max_size=30).map("".join)


def engine(ranks, pattern=META_PATTERN):
    return tiktoken.Encoding("test", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def matched_by_tiktoken(pattern):
    """The characters a pattern matches in tiktoken, which drops what its pattern does not match."""
    rust = engine(SINGLE_BYTES, pattern)
    blocks = [EVERY_CHARACTER[start : start + 50_000] for start in range(0, len(EVERY_CHARACTER), 50_000)]
    return set("".join(bytes(rust.encode_ordinary(block)).decode() for block in blocks))


@cache
def new_characters():
    """Characters only one of the two engines knows: Unicode grows, and their tables differ in age."""
    return matched_by_tiktoken(r"\p{Cn}") ^ set(regex.findall(r"\p{Cn}", EVERY_CHARACTER))


def split_by_tiktoken(texts):
    """Where tiktoken cuts: with every substring a token, each piece is one token by the whole-piece rule."""
    ranks = dict(SINGLE_BYTES)
    for text in texts:
        for start in range(len(text)):
            for end in range(start + 1, len(text) + 1):
                ranks.setdefault(text[start:end].encode(), len(ranks))
    rust = engine(ranks)
    return [[rust.decode([i]) for i in rust.encode_ordinary(text)] for text in texts]


# Training


def test_four_words_with_pairs_counted_anew():
    # ab 1, bc 2, cd 2, de 1        bc wins: it is met before cd
    # ab 1, bc+d 1, cd 1, de 1      cd occurs once now, not twice; ab is met first
    # then bc+d; then c+d; then cd+e, and nothing is left to join
    merges = list(bpe.train("ab\nbc\nbcd\ncde", n_merges=100))[256:]
    assert merges == [b"bc", b"ab", b"bcd", b"cd", b"cde"]


def test_training_counts_a_piece_as_often_as_it_occurs():
    assert list(bpe.train("xy\nab\nab", 1))[256:] == [b"ab"]
    assert list(bpe.train("xy\nab\nxy\nab", 1))[256:] == [b"xy"]  # as often: the one met first


@pytest.mark.parametrize(("text", "n_merges"), [("", 5), ("a", 5), ("hello", 0)])
def test_nothing_to_merge_leaves_the_single_bytes(text, n_merges):
    assert bpe.train(text, n_merges) == SINGLE_BYTES


def test_training_agrees_with_tiktokens_own_lesson():
    theirs = bpe_train(STORY * 2, 256 + 120, META_PATTERN, visualise=None)
    assert bpe.train(STORY * 2, 120) == theirs


@settings(deadline=None, max_examples=100)
@given(st.text("abc ", max_size=60), st.integers(0, 30))
@example("aaa aaaa aaaaa", 10)
def test_ranks_count_up_without_gaps_and_tokens_come_from_two_shorter_ones(text, n_merges):
    ranks = bpe.train(text, n_merges)
    assert list(ranks.values()) == list(range(len(ranks))) and len(ranks) <= 256 + n_merges
    for token in list(ranks)[256:]:
        halves = [(token[:i], token[i:]) for i in range(1, len(token))]
        assert any(ranks.get(a, len(ranks)) < ranks[token] > ranks.get(b, len(ranks)) for a, b in halves)


# Splitting


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("I'll say we'RE 12345!\n", ["I", "'ll", " say", " we", "'RE", " ", "123", "45", "!\n"]),
        ("a  b   ", ["a", " ", " b", "   "]),
        ("x\n\n  y", ["x", "\n\n", " ", " y"]),
        ("(that) 'ſ", ["(that", ")", " '", "ſ"]),
    ],
)
def test_pieces(text, pieces):
    assert bpe.split(text) == pieces


@pytest.mark.parametrize(
    "atom",
    [r"\p{L}", r"\p{N}", r"\s", r"\S", "[\r\n]", r"[^\r\n\p{L}\p{N}]", r"[^\s\p{L}\p{N}]"]
    + [f"(?i:{letter})" for letter in "'stremvld"],
)
def test_each_part_of_the_pattern_means_the_same_to_both_engines(atom):
    ours, theirs = set(regex.findall(atom, EVERY_CHARACTER)), matched_by_tiktoken(atom)
    assert ours and ours ^ theirs <= new_characters()


def test_every_character_up_to_ffff_is_cut_alike_among_others():
    contexts = ["a{0}a", "{0}{0}", " {0} ", "!{0}x", "1{0}'s", "x'{0}e", "\n{0}\n", "\t {0}"]
    characters = [c for c in EVERY_CHARACTER if c <= "\uffff" and c not in new_characters()]
    for start in range(0, len(characters), 8192):
        texts = [context.format(c) for c in characters[start : start + 8192] for context in contexts]
        assert [bpe.split(text) for text in texts] == split_by_tiktoken(texts)


@settings(deadline=None, max_examples=150)
@given(any_text)
def test_any_text_is_cut_alike_and_joins_again(text):
    text = text[:40]
    assume(new_characters().isdisjoint(text))
    assert bpe.split(text) == split_by_tiktoken([text])[0]
    assert "".join(bpe.split(text)) == text


@pytest.mark.parametrize("call", [bpe.split, lambda t: bpe.train(t, 5), lambda t: bpe.encode(t, SINGLE_BYTES)])
@pytest.mark.parametrize(("text", "position"), [("\ud83d", 0), ("ab \ude00", 3), ("é\ud83d\ude00", 1)])
def test_half_a_character_is_refused(call, text, position):
    with pytest.raises(ValueError, match=f"U\\+{ord(text[position]):04X} at position {position}: ") as refusal:
        call(text)
    assert type(refusal.value) is ValueError


# Encoding and decoding


@pytest.fixture(scope="module")
def small():
    return bpe.train(STORY, 150)


def test_the_whole_piece_comes_before_merging():
    ranks = SINGLE_BYTES | {b"bc": 256, b"abc": 257, b"ab": 258, b"abcd": 259}
    assert bpe.merge(b"abcd", ranks) == [b"abcd"]
    ranks = SINGLE_BYTES | {b"bc": 256, b"ab": 257, b"abcd": 258}  # no two tokens make abcd from a, bc, d
    assert bpe.merge(b"abcd", ranks) == [b"a", b"bc", b"d"]
    assert bpe.encode("abcd", ranks) == [258]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text("abc", min_size=2, max_size=5), unique=True, max_size=20), st.text("abc", max_size=25))
@example(["aba", "ab"], "abab")  # aba, b: after the first ab it is the turn of aba, before the second ab
def test_merging_agrees_with_tiktoken_for_tokens_in_any_order(tokens, text):
    ranks = SINGLE_BYTES | {token.encode(): 256 + i for i, token in enumerate(tokens)}
    assert bpe.encode(text, ranks) == engine(ranks).encode_ordinary(text)


@settings(deadline=None, max_examples=300)
@given(any_text)
def test_any_text_has_tiktokens_ids_and_comes_back_small(small, text):
    assume(new_characters().isdisjoint(text))
    ids = bpe.encode(text, small)
    assert ids == engine(small).encode_ordinary(text)
    assert bpe.decode(ids, small) == text


@settings(deadline=None, max_examples=1000)
@given(any_text)
def test_any_text_has_tiktokens_ids_llama3(llama3, llama3_engine, text):
    assume(new_characters().isdisjoint(text))
    assert bpe.encode(text, llama3.ranks) == llama3_engine.encode_ordinary(text)


@settings(deadline=None, max_examples=50)
@given(st.text(st.sampled_from(sorted(new_characters()) or "a"), min_size=1))
def test_new_characters_come_back_too(small, text):
    assert bpe.decode(bpe.encode(text, small), small) == text


def test_decoding_bytes_that_are_not_text():
    assert bpe.decode([0xF0, 0x9F, 0x41], SINGLE_BYTES) == "\ufffdA"
    with pytest.raises(KeyError, match="999"):
        bpe.decode([65, 999], SINGLE_BYTES)


# Llama 3's own 128,000 tokens


@pytest.fixture(scope="module")
def llama3_engine(llama3):
    return engine(llama3.ranks)


def test_the_question_and_its_answer(llama3):
    ids = [1820, 4320, 311, 279, 17139, 3488, 315, 2324, 11, 279, 15861, 11, 323, 4395, 374, 220]
    assert bpe.encode(QUESTION, llama3.ranks) == ids
    assert bpe.encode("42", llama3.ranks) == [2983]
    assert bpe.encode(" Việt", llama3.ranks) == [101798]


def test_every_token_of_llama3_encodes_as_in_tiktoken(llama3, llama3_engine):
    not_text = 0
    for token, rank in llama3.ranks.items():
        try:
            text = token.decode("utf-8")
        except UnicodeDecodeError:
            not_text += 1
            assert llama3_engine._encode_single_piece(token) == [rank]
            continue
        assert bpe.encode(text, llama3.ranks) == llama3_engine.encode_ordinary(text)
    assert not_text == 1352


def test_merging_by_rank_alone_misses_588_tokens(llama3):
    missed = [rank for token, rank in llama3.ranks.items() if bpe.merge(token, llama3.ranks) != [token]]
    assert len(missed) == 588 and min(missed) == 100769
    assert llama3.ranks[" Việt".encode()] == 101798 and 101798 in missed
