"""Chapter 01: the tokenizer as the model uses it: its file, its special tokens, long texts and streams."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_np import bpe, tokenizer
from llama_np.tokenizer import SPECIAL_TOKENS, Tokenizer, read_ranks, save_ranks

EMOJI = "Hi 👩\u200d👩\u200d👧 🫠 Việt 你好 é!"
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.fixture(scope="session")
def small():
    return Tokenizer(bpe.train("the cat sat on the mat, and that is what the other cats saw from under the chair.", 30))


# Ids


def test_facts_of_llama3(llama3):
    assert llama3.vocab_size == 128256 and len(llama3.ranks) == 128000
    question = "the answer to the ultimate question of life, the universe, and everything is "
    ids = [128000, 1820, 4320, 311, 279, 17139, 3488, 315, 2324, 11, 279, 15861, 11, 323, 4395, 374, 220]
    assert llama3.encode(question, bos=True) == ids and len(ids) == 17
    assert llama3.encode("42") == [2983]
    sentence = [128000, 2028, 374, 264, 1296, 11914, 13, 128001]
    assert llama3.encode("This is a test sentence.", bos=True, eos=True) == sentence
    assert llama3.decode(ids[1:]) == question


def test_special_tokens_of_llama3(llama3):
    names = {
        0: "begin_of_text",
        1: "end_of_text",
        2: "reserved_special_token_0",
        3: "reserved_special_token_1",
        4: "finetune_right_pad_id",
        5: "step_id",
        6: "start_header_id",
        7: "end_header_id",
        8: "eom_id",
        9: "eot_id",
        10: "python_tag",
        11: "reserved_special_token_2",
        255: "reserved_special_token_246",
    }
    assert {i: llama3.special_tokens[f"<|{name}|>"] - 128000 for i, name in names.items()} == {i: i for i in names}
    assert len(llama3.special_tokens) == len(set(llama3.special_tokens.values())) == 256
    assert (llama3.bos_id, llama3.eos_id, llama3.eot_id) == (128000, 128001, 128009)
    assert set(llama3.stop_ids) == {128001, 128008, 128009}


def test_special_ids_follow_the_ranks(small):
    assert small.bos_id == len(small.ranks) == 256 + 30
    assert small.vocab_size == 256 + 30 + 256
    assert small.encode("", bos=True, eos=True) == [small.bos_id, small.eos_id]


@settings(deadline=None, max_examples=200)
@given(any_text)
def test_any_text_comes_back(small, text):
    assert small.decode(small.encode(text)) == text


@settings(deadline=None, max_examples=200)
@given(st.text("the catS 's12\n\t!é你🫠\u200d<|>", max_size=60))
def test_same_ids_as_our_own_encoding(small, text):
    # tests/test_bpe.py compares bpe.py and tiktoken on every character there is.
    assert small.encode(text) == bpe.encode(text, small.ranks)


@pytest.mark.parametrize("name", SPECIAL_TOKENS)
def test_special_tokens_in_a_text_are_text_unless_asked_for(small, name):
    text = f"the {name} cat{name}"
    ids = small.encode(text)
    assert max(ids) < len(small.ranks) and small.decode(ids) == text
    special = small.special_tokens[name]
    the, cat = small.encode("the "), small.encode(" cat")
    assert small.encode(text, allow_special=True) == [*the, special, *cat, special]
    assert small.decode([special]) == name


def test_pieces_are_encoded_each_by_itself(small):
    ids = small.encode_pieces(["the ", "cat", "<|eot_id|>", "the <|eot_id|>"])
    the_cat = small.encode("the ") + small.encode("cat")
    assert ids == [*the_cat, small.eot_id, *small.encode("the <|eot_id|>")]


@pytest.mark.parametrize("text", ["<|eot_id|", "<|no_such_token|>", "<|reserved_special_token_247|>"])
def test_what_only_looks_special_never_is(small, text):
    assert small.encode(text, allow_special=True) == small.encode(text)


def test_half_a_character_is_refused(small):
    with pytest.raises(ValueError, match=r"U\+D83D at position 4: ") as refusal:
        small.encode("the \ud83d\ude00")
    assert type(refusal.value) is ValueError


def test_ids_outside_the_vocabulary_are_refused(small):
    for wrong in (-1, small.vocab_size, 10**30):
        for call in (small.decode, small.decode_bytes, lambda ids: list(small.decode_stream(ids))):
            with pytest.raises(ValueError, match=f"token id {wrong}: this vocabulary has ids 0 to 541"):
                call([65, wrong])


def test_bytes_of_tokens(small):
    assert [small.token_bytes(i) for i in small.ranks.values()] == list(small.ranks)
    assert small.decode_bytes([0xF0, 0x9F]) == b"\xf0\x9f" and small.decode([0xF0, 0x9F, 65]) == "\ufffdA"
    assert small.decode(np.array(small.encode("the cat"))) == "the cat"


# Long texts


@pytest.mark.parametrize("text", [" " * 1_000_000, "a" * 1_000_000, "\n" * 1_000_000, " the\ncat" * 100_000])
def test_a_million_characters(small, text):
    assert small.decode(small.encode(text)) == text


@settings(deadline=None, max_examples=300)
@given(st.text("ab \n\x1c\u3000", max_size=80))
def test_long_texts_are_cut_where_meta_cuts_them(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizer, "_LONGEST_PART", 12)
        patch.setattr(tokenizer, "_LONGEST_RUN", 3)
        parts = list(tokenizer._parts(text))
    # The rule again, one character at a time.
    expected = []
    for i, character in enumerate(text):
        goes_on = i % 12 and character.isspace() == text[i - 1].isspace()
        run = run + 1 if goes_on and run < 3 else 1  # noqa: F821
        if i % 12 == 0 or (goes_on and run == 1):
            expected.append("")
        expected[-1] += character
    assert parts == expected


def test_texts_within_the_limits_are_not_cut():
    text = ("a" * 25_000 + " " * 25_000) * 8
    assert list(tokenizer._parts(text)) == [text]
    assert [len(part) for part in tokenizer._parts(text + "aa")] == [400_000, 2]
    assert [len(part) for part in tokenizer._parts("b " + "a" * 25_001)] == [25_002, 1]


# Streams


def test_a_stream_never_shows_part_of_a_character(small):
    ids = small.encode(EMOJI)
    pieces = list(small.decode_stream(ids))
    assert "".join(pieces) == EMOJI and len(ids) > len(EMOJI)
    assert "\ufffd" not in "".join(pieces) and "" not in pieces


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 541), max_size=40))
def test_a_stream_adds_up_to_the_whole(small, ids):
    assert "".join(small.decode_stream(ids)) == small.decode(ids)


def test_a_stream_of_llama3(llama3):
    pieces = list(llama3.decode_stream(llama3.encode(EMOJI)))
    assert "".join(pieces) == EMOJI and "🫠" in pieces


def test_a_stream_speaks_as_soon_as_it_can(small):
    taken = []
    stream = small.decode_stream(taken.append(i) or i for i in [*"é!".encode(), 0xF0, 0x9F])
    assert next(stream) == "é" and len(taken) == 2
    assert next(stream) == "!" and len(taken) == 3
    assert list(stream) == ["\ufffd"]  # the end came in the middle of a character


# The file


def test_llama3_is_written_as_meta_wrote_it(llama3, llama3_path, tmp_path):
    save_ranks(llama3.ranks, tmp_path / "tokenizer.model")
    assert (tmp_path / "tokenizer.model").read_bytes() == llama3_path.read_bytes()


def test_a_new_file_at_the_same_path_gives_its_own_ranks(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_ranks(small.ranks, "tokenizer.model")
    assert Tokenizer("tokenizer.model").ranks == small.ranks
    other = bpe.train("another text altogether", 7)
    save_ranks(other, "tokenizer.model")
    assert Tokenizer("tokenizer.model").ranks == other
    assert [file.name for file in Path().iterdir()] == ["tokenizer.model"]


def test_saving_puts_ranks_in_order(tmp_path):
    ranks = bpe.train("the cat", 3)
    save_ranks(dict(reversed(ranks.items())), tmp_path / "a.model")
    assert list(read_ranks(tmp_path / "a.model").items()) == list(ranks.items())


def test_windows_line_ends_are_read(small, tmp_path):
    path = tmp_path / "tokenizer.model"
    save_ranks(small.ranks, path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_ranks(path) == small.ranks


def test_a_write_that_fails_leaves_the_old_file_alone(small, tmp_path, monkeypatch):
    path = tmp_path / "tokenizer.model"
    path.write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_ranks(small.ranks, path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_no_file(tmp_path):
    for path in (tmp_path / "none.model", tmp_path):
        with pytest.raises(FileNotFoundError) as refusal:
            Tokenizer(path)
        assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


GOOD = [base64.b64encode(bytes([value])) + b" %d" % value for value in range(256)] + [b"YWI= 256"]


def changed(line, to):
    return b"\n".join(to if number == line else old for number, old in enumerate(GOOD, 1)) + b"\n"


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        (b"", "empty"),
        (b"\n \n", "line 1"),
        (changed(5, b"B*A== 4"), "line 5: 'B*A==' is not base64"),
        (changed(5, b"BA= 4"), "line 5: 'BA=' is not base64"),
        (changed(5, b"BA=="), "line 5: 'BA==' is not a token"),
        (changed(5, b""), "line 5: '' is not a token"),
        (changed(5, b"BA== 4 4"), "line 5: 'BA== 4 4' is not a token"),
        (changed(5, b"BA== four"), "line 5: the rank 'four' is not a whole number"),
        (changed(5, b"BA== 4.0"), "line 5: the rank '4.0' is not a whole number"),
        (changed(5, b"BA== -4"), "line 5: the rank '-4' is not a whole number"),
        (changed(5, b"BA== 5"), "line 5: the rank is '5' where '4' is due"),
        (changed(5, b"BA== " + b"9" * 5000), "line 5: the rank is '99"),
        (changed(257, b"YWI= 258"), "line 257: the rank is '258' where '256' is due"),
        (changed(257, b"BA== 256"), "line 257: the token 'BA==' is on line 5 already"),
        (changed(5, "é 4".encode()), "line 5: it has bytes that are not ASCII"),
        (b"\xff\xfe" + changed(5, b"BA== 4"), "line 1: it has bytes that are not ASCII"),
        (b"version https://git-lfs.github.com/spec/v1\n", "line 1: the rank 'https:"),
        (b" ".join(GOOD), "line 1: 'AA== 0 AQ== 1"),
        (changed(66, b"YWJj 65"), "the single byte 0x41 is not among its tokens"),
        (changed(256, b"YWJj 255"), "the single byte 0xFF is not among its tokens"),
        (b"\n".join(GOOD[:100]), "the single byte 0x64 is not among its tokens"),
    ],
)
def test_bad_files(tmp_path, contents, says):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(contents)
    with pytest.raises(ValueError) as refusal:
        Tokenizer(path)
    message = str(refusal.value)
    assert type(refusal.value) is ValueError and message.startswith(str(path)) and says in message
    assert "\n" not in message and len(message) < len(str(path)) + 250
    assert "copy" in message


def test_the_file_that_the_bad_ones_are_made_from_is_good(tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(b"\n".join(GOOD))
    assert Tokenizer(path).encode("abab") == [256, 256]


def test_neither_torch_nor_transformers_is_needed():
    code = "import sys, llama_np.tokenizer; print({'torch', 'transformers', 'tokenizers'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
