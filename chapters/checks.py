"""What the exercises of the chapters call: each check says "Right." or, where it knows the mistake, names it."""

import json
import math
import tracemalloc
import warnings
from contextlib import nullcontext
from inspect import isgenerator
from itertools import islice, pairwise
from unittest import mock

import ml_dtypes
import numpy as np

from llama_np import bpe
from llama_np.attention import causal_mask as _layers_causal_mask
from llama_np.attention import softmax as _layers_softmax
from llama_np.embeddings import embed as _layers_embed
from llama_np.layers import block as _layers_block
from llama_np.layers import forward as _layers_forward
from llama_np.layers import layer_outputs as _layers_layer_outputs
from llama_np.layers import output_logits as _layers_output_logits
from llama_np.linear import linear as _layers_linear
from llama_np.params import Params, RopeScaling
from llama_np.params import Params as _layers_Params
from llama_np.params import weight_shapes as _layers_weight_shapes
from llama_np.rmsnorm import rms_norm
from llama_np.rmsnorm import rms_norm as _layers_rms_norm
from llama_np.rope import precompute_freqs_cis as _layers_freqs_cis
from llama_np.swiglu import sigmoid as _swiglu_sigmoid
from llama_np.swiglu import silu as _swiglu_silu
from llama_np.swiglu import swiglu as _swiglu_swiglu


def _call(function, *arguments):
    """Call the reader's function. Returns its result and None, or None and what to say about its exception."""
    if not callable(function):
        return None, f"Not yet. The check needs your function itself, and was given {type(function).__name__}."
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return function(*arguments), None
    except Exception as error:
        reason = str(error).split("\n")[0][:160]
        return None, f"Not yet. Your function stopped with {type(error).__name__}: {reason}."


def _copies(arguments):
    return [argument.copy() if isinstance(argument, np.ndarray) else argument for argument in arguments]


def _first(problems):
    """The first problem that is one; None if nothing is wrong."""
    return next(filter(None, problems), None)


def _touched(copies, arguments):
    """What to say if the reader's function, called with copies, changed an array that it was given; else None."""
    pairs = [pair for pair in zip(copies, arguments, strict=True) if isinstance(pair[1], np.ndarray)]
    if all(copy.shape == given.shape and copy.tobytes() == given.tobytes() for copy, given in pairs):  # NaN is NaN too
        return None
    return "Not yet. Your function changed an array it was given, and others may still need it. Where do you write?"


def _elsewhere(function, arguments, right, hint="What in your code holds for the first sizes or numbers alone?"):
    """What to say if a function that was right once is wrong for other arguments, or changes them; else None."""
    copies = _copies(arguments)
    answer, problem = _call(function, *copies)
    try:
        fits = np.shape(answer) == right.shape and np.allclose(np.asarray(answer, np.float64), right, 0.001, 0.001)
    except (TypeError, ValueError):
        fits = False
    if fits:
        return _touched(copies, arguments)
    sizes = ", ".join(f"array {list(a.shape)}" if isinstance(a, np.ndarray) else str(a) for a in arguments)
    stopped = problem.removeprefix("Not yet. ") + " " if problem else ""
    return f"Not yet. Right at first, but not when called with other arguments ({sizes}). {stopped}{hint}"


# ---- 01 bpe ----

_BPE_FOUR_WORDS = ["ab", "bc", "bcd", "cde"]


def _bpe_caught(error):
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _bpe_texts(answer):
    """The answer as a list of str, or None if it is not one."""
    if not isinstance(answer, (list, tuple)):
        return None
    texts = [part.decode(errors="replace") if isinstance(part, bytes) else part for part in answer]
    return texts if texts and all(isinstance(text, str) and text for text in texts) else None


def joined_by_rank(tokens):
    """Exercise 1: the tokens of "abcde" under the five merges of the four words."""
    known = ["bc", "ab", "bcd", "cd", "cde"]
    texts = _bpe_texts(tokens)
    if texts is None:
        print('Not yet. Write your guess as a list of texts, such as ["a", "b", "c", "d", "e"].')
    elif sorted("".join(texts)) == list("abcde") and "".join(texts) != "abcde":
        print(f'Not yet. Put together in your order they give "{"".join(texts)}". A merge moves no letter: where is a?')
    elif "".join(texts) != "abcde":
        print(f'Not yet. Your tokens put together give "{"".join(texts)}", not "abcde". Which letter came or went?')
    elif unknown := [text for text in texts if len(text) > 1 and text not in known]:
        print(f'Not yet. "{unknown[0]}" is not among the five tokens learnt. Which two neighbours would make it?')
    elif texts == ["a", "bcd", "e"]:
        print("Right. bc has the lowest rank, then bcd; then no pair is a token. Nobody looks for the fewest tokens.")
    elif texts == ["ab", "cde"]:
        print("Not yet. Two tokens would be the fewest, but nobody looks for the fewest: which pair has rank 0?")
    elif texts == ["ab", "cd", "e"]:
        print("Not yet. You went from left to right. Rank decides, not place: which of ab, bc and cd was learnt first?")
    elif texts == ["a", "bc", "d", "e"]:
        print("Not yet. bc first is right, but you stopped there. Look at the pairs again: is one of them a token now?")
    elif texts == list("abcde"):
        print("Not yet. These are the five letters. Which of their four pairs has the lowest rank?")
    else:
        print("Not yet. Write the pairs of neighbours with their ranks, join the lowest, and write the pairs again.")


def recounting(learn):
    """Exercise 2: learn(words, n_merges) -> the merged tokens, as a list of str, with counts taken anew."""
    cases = [
        (_BPE_FOUR_WORDS, 2),
        (_BPE_FOUR_WORDS, 5),
        (_BPE_FOUR_WORDS, 9),
        (["hug", "pug", "hugs", "hug"], 6),
        (["xyxyxy", "xy", "yx"], 4),
        (["ab", "cd", "cd"], 2),
        (["ab", "cdecd"], 2),
    ]
    for words, n_merges in cases:
        expected = [token.decode() for token in list(bpe.train("\n".join(words), n_merges))[256:]]
        name = f"{', '.join(words)} and {n_merges} merges"
        given = list(words)
        try:
            merges = learn(given, n_merges)
        except Exception as error:
            hint = "What should happen when no pair is left?" if n_merges == 9 else "Which line says so?"
            return print(f"Not yet. For {name} your function stopped with {_bpe_caught(error)}. {hint}")
        merges = _bpe_texts(merges)
        if merges is None:
            wanted = "learn should return the list of the tokens it made, as texts, in their order"
            return print(f"Not yet. {wanted}, and does not for {name}.")
        if merges != expected:
            return print(f"Not yet. {_bpe_recounting_hint(words, n_merges, merges, expected)}")
        if given != words:
            return print("Not yet. Your function changed the list of words it was given. Where do you write?")
    print("Right. Every merge takes bytes away from other pairs and makes new pairs, so the counts are taken anew.")


def _bpe_recounting_hint(words, n_merges, merges, expected):
    name = ", ".join(words)
    if words == _BPE_FOUR_WORDS and merges[:1] == ["cd"]:
        return "bc and cd both occur twice at first; the rule takes the one met first in the text. Which one is it?"
    if twice := [token for i, token in enumerate(merges) if token in merges[:i]]:
        return f"From {name} {twice[0]} was chosen twice. Was it joined, wherever it stood, before you counted again?"
    if words == _BPE_FOUR_WORDS and merges[:2] == ["bc", "cd"]:
        return (
            "Your second merge is cd. Write the four words down with bc joined already: how often do c and d "
            "still stand side by side, and what does your count say?"
        )
    if words == _BPE_FOUR_WORDS and merges[:2] == ["bc", "de"]:
        return "After bc all pairs occur once, and you took the one met last. The rule takes the one met first."
    if len(merges) < len(expected) and merges == expected[: len(merges)]:
        made = ", ".join(merges)
        return (
            f"From {name} you made only {made}, though there are pairs left to join. Did you count all of them, and "
            "what ended your loop?"
        )
    if len(merges) > n_merges:
        return f"From {name} {n_merges} merges were asked for, and you gave {len(merges)}. What ends your loop?"
    if len(merges) > len(expected):
        return f"From {name} {len(expected)} merges can be made, and you gave {len(merges)}. When is nothing left?"
    i = next(i for i, (yours, due) in enumerate(zip(merges, expected)) if yours != due)
    return (
        f"For {name} the merge number {i + 1} should be {expected[i]} and yours is {merges[i]}. Is it the "
        "count that differs, or which of equals comes first?"
    )


def mark_dropped(drop_begin):
    """Exercise 3: drop_begin(text) -> the text without one "<s>" at its very front."""
    cases = [
        ("<s>she sells sea shells", "she sells sea shells"),
        ("<s>yes", "yes"),
        ("some text with no mark", "some text with no mark"),
        ("<s>in HTML <s> strikes out", "in HTML <s> strikes out"),
        ("in HTML <s> strikes out", "in HTML <s> strikes out"),
        ("<s>strike out with <s>", "strike out with <s>"),
        ("<s> a line ", " a line "),
        ("<s><s> opens a text", "<s> opens a text"),
        ("<s>", ""),
        ("<b>bold", "<b>bold"),
        ("<>s is no mark", "<>s is no mark"),
        ("<S>is not one either", "<S>is not one either"),
        ("<sub>is another", "<sub>is another"),
        ("s", "s"),
        (" <s>comes after a blank", " <s>comes after a blank"),
        ("line 1\n<s>line 2", "line 1\n<s>line 2"),
        ("<s>>> is a sign", ">> is a sign"),
        ("", ""),
    ]
    for text, expected in cases:
        try:
            result = drop_begin(text)
        except Exception as error:
            return print(f"Not yet. For {json.dumps(text)} your function stopped with {_bpe_caught(error)}.")
        if not isinstance(result, str):
            return print(f"Not yet. drop_begin should return the text, and gave {type(result).__name__}.")
        if result != expected:
            became = f"{json.dumps(text)} became {json.dumps(result)}"  # with \n for a line end
            return print(f"Not yet. {became}. {_bpe_mark_hint(text, result, expected)}")
    print("Right. One mark is gone from the front, and not a letter with it. Better still: drop the id, then decode.")


def _bpe_mark_hint(text, result, expected):
    if result == text:
        return "The mark is still there."
    if text.startswith("<s><s>"):
        return "Only one mark was put there by the tokenizer. Which one, and which did somebody write?"
    if "<s>" not in text:
        return "There was no mark to take away. What does your function look for: a word, or a set of characters?"
    if result == text.lstrip("<s>"):
        return (
            "The end is safe now; what of the front? More than the mark is gone there. (lstrip, like strip, would take "
            "a set of characters.)"
        )
    if result == text.strip("<s>"):
        return "Letters are gone at the front and at the end. What does strip take its argument for: a word, or a set?"
    if result == text.replace("<s>", ""):
        return "A mark that stood inside the text is gone too: those were three characters that somebody wrote."
    if result == text.removeprefix("<s>").strip():
        return "Blanks are gone too, and they belong to the text."
    if not text.startswith("<s>"):
        return "This text has no mark at the very front, only one further on, and that one belongs to the text."
    if result == text.split("<s>")[-1]:
        return "What stood before the last mark is gone. Only a mark at the very front is not part of the text."
    return f'It should become "{expected}".'


def out_of_reach(tokens):
    """Exercise 4: three tokens, each the join of two that exist before it, of which merging never makes the last."""
    texts = _bpe_texts(tokens)
    if texts is None or not all(text.isascii() and text.isalpha() for text in texts):
        return print('Not yet. Give a list of three texts of English letters, such as ["ab", "bc", "abc"].')
    if len(texts) != 3:
        return print(f"Not yet. Three tokens are asked for, not {len(texts)}. A token may hold the same letter twice.")
    ranks = {bytes([value]): value for value in range(256)}
    for text in texts:
        token = text.encode()
        if token in ranks:
            return print(f'Not yet. "{text}" is a token already when its turn comes. Each must be new.')
        if not any(token[:i] in ranks and token[i:] in ranks for i in range(1, len(token))):
            return print(
                f'Not yet. "{text}" is not the join of two tokens that exist when its turn comes (single letters '
                "do), so training could never have made it. Which two should be there?"
            )
        ranks[token] = len(ranks)
    parts = [part.decode() for part in bpe.merge(texts[-1].encode(), ranks)]
    if parts == [texts[-1]]:
        return print(
            f'Not yet. Merging "{texts[-1]}" by lowest rank does reach it: {_bpe_path(texts, ranks)}. Can an earlier '
            "token take a letter across the place where its two halves meet?"
        )
    joined = " ".join(parts)
    print(f'Right. Merging "{texts[-1]}" by lowest rank ends at {joined}, and only the whole-piece rule finds it.')


def _bpe_path(texts, ranks):
    """ "a b c, ab c, abc": the stops on the way when the last text is merged."""
    parts = [letter.encode() for letter in texts[-1]]
    stops = [parts]
    while len(parts) > 1:
        pairs = [left + right for left, right in pairwise(parts)]
        first = min(range(len(pairs)), key=lambda i: ranks.get(pairs[i], len(ranks)))
        parts = [*parts[:first], pairs[first], *parts[first + 2 :]]
        stops.append(parts)
    return ", ".join(b" ".join(stop).decode() for stop in stops)


def streamed(stream):
    """Exercise 5: stream(ids, ranks) yields text as ids come in, never part of a character."""
    ranks = {bytes([value]): value for value in range(256)}
    ranks |= {b"\xf0\x9f": 256, b"the": 257, b"\xe2\x82": 258, b" caf": 259, b"o\xc3": 260}
    for text in ("the end", "the café costs 5 €", "🙂 é🙂", "Zoë"):  # oë: o with half of ë, and the other half
        ids = bpe.encode(text, ranks)
        taken, seen = 0, []

        def coming(ids=ids):
            nonlocal taken
            for i in ids:
                taken += 1
                yield i

        try:
            pieces = stream(coming(), ranks)
            if pieces is None:
                return print("Not yet. stream handed nothing to its caller. Which keyword hands out a piece of text?")
            if not isgenerator(pieces) and not hasattr(pieces, "__next__"):
                kind = type(pieces).__name__
                return print(
                    f"Not yet. stream gave a {kind}, so nobody reads a word before the end. Which keyword hands out "
                    "a piece and then goes on?"
                )
            for piece in pieces:
                if not isinstance(piece, str):
                    return print(f"Not yet. stream should yield texts, and yielded {type(piece).__name__}: {piece!r}.")
                seen.append((taken, piece))
        except Exception as error:
            by_id = isinstance(error, KeyError) and taken == 1
            hint = " ranks goes from bytes to id. Which way do you need it?" if by_id else ""
            return print(f"Not yet. For {text!r} your function stopped with {_bpe_caught(error)}.{hint}")
        if message := _bpe_stream_hint(text, ids, seen) or _bpe_late(ids, ranks, seen):
            return print(f"Not yet. {message}")
    print("Right. Bytes wait until they are whole characters; everything else is shown at once.")


def _bpe_stream_hint(text, ids, seen):
    joined = "".join(piece for _, piece in seen)
    if "\ufffd" in joined:
        return f"{text!r} came out as {joined!r}: half a character was shown. What are its bytes still waiting for?"
    if seen and seen[-1][1] == text and joined != text:
        return f"The pieces put together give {joined!r}. What was shown once should not come again."
    if text.isascii() and joined[: len(text)] != text[: len(joined)]:
        return f"{text!r} came out as {joined!r}. Are these the bytes that `ranks` has for the ids, read as UTF-8?"
    if len(joined) < len(text):
        return f"{text!r} came out as {joined!r}: characters are lost. Where do bytes go that cannot be shown yet?"
    if joined != text:
        return f"{text!r} came out as {joined!r}. Which bytes make one character, and who decodes them together?"
    first = next((taken for taken, piece in seen if piece), len(ids))
    if text == "the end" and first == len(ids):
        return f"The first text came only after all {len(ids)} ids were read. Plain letters need not wait: show them."
    return ""


def _bpe_late(ids, ranks, seen):
    """What to say about the first id after which less was shown than could be read; "" if there is none."""
    tokens = {rank: token for token, rank in ranks.items()}
    for n in range(1, len(ids) + 1):
        due = b"".join(tokens[i] for i in ids[:n]).decode(errors="replace")
        if due.endswith("\ufffd"):
            continue  # a half character may hold up what came in the same token
        shown = "".join(piece for taken, piece in seen if taken <= n)
        if len(shown) < len(due):
            return f"After {n} of {len(ids)} ids {due!r} could be read, and only {shown!r} was shown. What holds it?"
    return ""


# ---- 02 embeddings ----


def _embeddings_list(answer):
    """The answer as a list of plain numbers, or None if it is no such thing."""
    try:
        return [float(number) for number in np.asarray(answer).ravel()]
    except (TypeError, ValueError):
        return None


def lookup_shapes(one_hot_shape, x_shape, rows_read):
    """ids [7, 3, 7] in a table [10, 4]."""
    one_hot, x = _embeddings_list(one_hot_shape), _embeddings_list(x_shape)
    if one_hot_shape is None or x_shape is None or rows_read is None:
        print("Not yet. Three answers are asked for, and one is still None. How many rows has x: one per what?")
    elif x == [4, 3] or one_hot == [10, 3]:
        print("Not yet. Both results have one row for each id of the text, so what comes first in their shapes?")
    elif x == [2, 4]:
        print("Not yet. x has fewer rows than the text has tokens. If a token occurs again, where does its row go?")
    elif x != [3, 4]:
        print("Not yet. The shape of x is not right: one row for each id, and as many columns as which array has?")
    elif one_hot != [3, 10] and (one_hot or [])[-1:] == [10]:
        print("Not yet. x is right, and so is the length of a one-hot row. But how many such rows does the text make?")
    elif one_hot != [3, 10]:
        print("Not yet. x is right. A one-hot row must be able to point at any row of the table: how long is it?")
    elif _embeddings_list(rows_read) == [3]:
        print("Not yet. Both shapes are right. But are the three rows that are looked up three different ones?")
    elif sorted(_embeddings_list(rows_read) or []) == [3, 7]:
        print("Not yet. Both shapes are right, and those are the rows. One number is asked for: how many are there?")
    elif _embeddings_list(rows_read) != [2]:
        print("Not yet. Both shapes are right. For rows_read, list the ids and cross out those already listed.")
    else:
        print("Right. One row out for every id, repeats included, though only two rows of the table are read.")


def read_bits(value):
    """1 10000001 1010000 is -6.5."""
    numbers = _embeddings_list(value)
    hints = {
        6.5: "The size is right. What does the first bit say?",
        -2.5: "That is what the fraction alone would give. What stands before its point, though it is not stored?",
        2.5: "Two things: what the first bit says, and what stands before the fraction's point without being stored.",
        -1.625: "Sign and fraction are right. What does the middle part, 129, multiply them by?",
        -3.25: "That is half of it. Is 127 or 128 taken off 129? And is what is left a factor, or a power of 2?",
        -0.40625: "That is far too small. Which is taken off which, 127 off 129 or 129 off 127?",
        -13.0: "That is twice as much. The stored exponent is 129: what is taken off it, 126 or 127?",
        -324.0: "The fraction is there as the whole number 80. It counts steps of 1/128: what part of 1 is that?",
        -7.2: "The fraction 1010000 is 80, and it counts 128ths, not hundredths.",
    }
    if value is None or numbers is None or len(numbers) != 1:
        print("Not yet. One number is asked for. Begin with the middle part: which power of two is meant?")
    elif numbers[0] == -6.5:
        print("Right. Minus, 2 to the power 129 - 127, times 1 + 80/128.")
    elif numbers[0] in hints:
        print("Not yet.", hints[numbers[0]])
    else:
        print("Not yet. Take it apart: the sign, the exponent as a whole number less 127, 1 + the fraction in 128ths.")


def to_bf16_bits(function):
    """Rounding to nearest, ties to an even last bit."""
    # 1 + 2**-8 and 1 + 3 * 2**-8 lie exactly half-way between two bf16 numbers.
    ties = np.array([1 + 2**-8, 1 + 3 * 2**-8, -(1 + 2**-8), -(1 + 3 * 2**-8)], np.float32)
    random = np.random.default_rng(0)
    others = (random.standard_normal(1000) * 10.0 ** random.integers(-3, 4, 1000)).astype(np.float32)
    x = np.concatenate([others, ties])
    copies = _copies([x])
    bits, problem = _call(function, *copies)
    if problem:
        print(problem, "It is called with a float32 array of shape [1004].")
        return
    if not isinstance(bits, np.ndarray) or bits.shape != x.shape or bits.dtype != np.uint16:
        got = f"{bits.dtype} {list(bits.shape)}" if isinstance(bits, np.ndarray) else type(bits).__name__
        print(f"Not yet. The check needs the bits, uint16 of shape [{len(x)}], and got {got}.")
        return
    whole = x.view(np.uint32)
    last = (whole >> 16) & 1
    back = (bits.astype(np.uint32) << 16).view(np.float32)
    right = ((whole + 0x7FFF + last) >> 16).astype(np.uint16)
    wrong = bits != right
    a_step_at_most = np.abs(bits.astype(int) - right).max() <= 1
    with np.errstate(all="ignore"):
        smaller, larger = np.abs(back) <= np.abs(x), np.abs(back) >= np.abs(x)
    if not wrong.any() and (touched := _touched(copies, [x])):
        print(touched, "(A view holds no numbers of its own.)")
    elif not wrong.any():
        print("Right. Never off by more than half a step, and a number half-way goes to the even neighbour.")
    elif a_step_at_most and smaller.all() and wrong[:1000].any():
        print("Not yet. No number came out larger in size than it went in. And if more than half a step is cut off?")
    elif a_step_at_most and larger.all() and wrong[:1000].any():
        print("Not yet. No number came out smaller in size than it went in. What if the cut-off part is tiny?")
    elif wrong[:1000].any():
        i = int(np.argmax(wrong))
        print(f"Not yet. {x[i]:.6f} became {back[i]:.6f}. Which two bf16 numbers is it between, and which is nearer?")
    elif wrong[[1000, 1002]].any():
        sign = "" if wrong[1000] else "-"
        print(f"Not yet. Only half-way numbers are wrong: {sign}(1 + 1/256) became {sign}(1 + 1/128).", end=" ")
        print("Which neighbour is even?")
    else:
        sign = "" if wrong[1001] else "-"
        print(f"Not yet. Only half-way numbers are wrong: {sign}(1 + 3/256) became {sign}(1 + 1/128).", end=" ")
        print("Which neighbour is even?")


def _embeddings_other_rows(function, table):
    """Right for row 0: is it so for another row, and for two rows of one direction?"""
    again, problem = _call(function, table.copy(), 1, 1)
    if problem or _embeddings_list(again) != [3]:
        print("Not yet. Right for row 0, but for row 1 and n = 1 the answer should be row 3.", end=" ")
        print("What is written in, or what is each dot product divided by?")
        return
    if _embeddings_list(_call(function, table.copy(), 0, 5)[0]) != [2, 3, 1, 5, 4]:
        print("Not yet. Right for n = 3. For n = 5 every row but row 0 belongs in the list, one with less than 0 too.")
        return
    alike = np.array([[1, 0], [2, 0], [0, 1]], np.float32)  # exact, so rows 0 and 1 are equal in any arithmetic
    found = [_embeddings_list(_call(function, alike.copy(), i, 1)[0]) for i in (0, 1)]
    if found != [[1], [0]]:
        print("Not yet. If row 1 is twice row 0, each is the other's nearest. Does row i always come first, as itself?")
        return
    random = np.random.default_rng(1)
    table = (random.standard_normal((500, 5)) * random.uniform(0.1, 10, (500, 1))).astype(np.float32)
    similarities = table @ table[7] / np.linalg.norm(table, axis=1)
    best = np.array([row for row in np.argsort(-similarities) if row != 7])
    hint = "Is it the cosine similarity of the rows as they are, and are the n rows in order?"
    problem = _elsewhere(function, [table, 7, 300], best[:300], hint)
    print(problem or "Right. Direction alone counts: a row a tenth as long can be the nearest of all.")


def nearest(function):
    """The n rows with the highest cosine similarity to row i, without i."""
    rows = [[1, 0.2, 0], [10, 6, 0], [0.1, 0.02, 0.001], [0.9, 0.5, 0], [-3, -0.6, 0], [5, 8, 0]]
    table = np.array(rows, np.float32)
    found, problem = _call(function, table.copy(), 0, 3)
    if problem:
        print(problem, "It is called with a table [6, 3], the row number 0, and 3.")
        return
    numbers = _embeddings_list(found)
    hints = {
        (1, 5, 3): "A long vector has a large dot product with everything. What takes the lengths out?",
        (3, 2, 4): "Those are nearest by distance, or by angle less the average row. Row 2 points as row 0 does.",
        (4, 5, 1): "Those are the least similar rows. Which end of the sorted list is wanted?",
        (1, 3, 2): "Those are the right rows, but the best comes last. Which way round is the list wanted?",
        (1, 2, 3): "Those are the right rows, in the order of their numbers. Which of them is the best?",
        (1, 5, 0): "Two things: long vectors win, and row 0 itself is in the list.",
        (1, 2, 0): "Each number is one too small. With row 0 taken out before the sorting, what number does row 1 get?",
    }
    if found is None or numbers is None:
        print("Not yet. A list of 3 row numbers is asked for. Begin with the similarity of row i to every row: [V].")
    elif np.ndim(found) > 1:
        print(f"Not yet. The answer has shape {list(np.shape(found))}: 3 row numbers are asked for, in one list.")
    elif len(numbers) in (2, 4, 5, 6):
        print(f"Not yet. There are {len(numbers)} rows in the list, and n asks for 3.", end=" ")
        print("What is done first, leaving row 0 out or cutting the list off?")
    elif len(numbers) != 3:
        shape = "What shape have the similarities when you sort them? [V] is wanted."
        print(f"Not yet. 3 rows are asked for, and there are {len(numbers)} numbers. {shape}")
    elif numbers == [2, 3, 1]:
        _embeddings_other_rows(function, table)
    elif any(number % 1 for number in numbers):
        print("Not yet. Those are similarities. Which rows have them?")
    elif tuple(numbers) in hints:
        print("Not yet.", hints[tuple(numbers)])
    elif 0 in numbers:
        print("Not yet. Row 0 is in its own list. Every row is most similar to itself: how is it left out?")
    else:
        got = [int(number) for number in numbers]
        print(f"Not yet. For row 0 the rows {got} came out. Cosine similarity: the dot product over both lengths.")


def column_lookup(function):
    """Look up tokens in a table stored as [D, V]."""
    columns = np.array([[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]], np.float32)  # [D, V]
    ids = [2, 0, 2, 3, 1]
    x, problem = _call(function, columns.copy(), list(ids))
    right = columns.T[ids]
    if problem:
        print(problem, "Ids go from 0 to V - 1. Of the array that you index, which axis is that long?")
    elif not isinstance(x, np.ndarray) or x.ndim != 2:
        print("Not yet. An array [T, D] is asked for: one row for each id.")
    elif x.shape == right.T.shape and np.array_equal(x, right.T):
        print(f"Not yet. The numbers are right, but the shape is {list(x.shape)}: a column per token, not a row.")
    elif x.shape != right.shape:
        print(f"Not yet. The result is {list(x.shape)}; five ids and three numbers each are asked for.")
    elif np.array_equal(x, columns.reshape(4, 3)[ids]):
        print("Not yet. Token 2 got [12, 13, 20]; its column holds 2, 12 and 22. What order does reshape read in?")
    elif np.array_equal(x, columns[:, ids].reshape(5, 3)):
        print("Not yet. The right columns are picked, but then token 2 got [2, 0, 2]. What order does reshape read in?")
    elif np.array_equal(x, right):
        others = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
        problem = _elsewhere(function, [others, [6, 1, 1]], others.T[[6, 1, 1]])
        print(problem or "Right. A transpose swaps the axes; a reshape only cuts the same numbers at other places.")
    else:
        t = int(np.argmax((x != right).any(axis=1)))
        print(f"Not yet. Row {t} of x is {x[t].tolist()}, and the column of token {ids[t]} is {right[t].tolist()}.")


# ---- 03 rmsnorm ----


def _rmsnorm_numbers(answer):
    """The answer as a flat float64 array, or None if it is no such thing."""
    try:
        return np.asarray(answer, np.float64).ravel()
    except (TypeError, ValueError):
        return None


def _rmsnorm_like(answer, right, tolerance=0.01):
    """Whether the answer has the right shape and numbers."""
    return answer is not None and answer.shape == right.shape and np.allclose(answer, right, atol=tolerance, rtol=0)


def norm_by_hand(rms, normed):
    """The row 3, -1, 1, 5: rms 3."""
    size, row = _rmsnorm_numbers(rms), _rmsnorm_numbers(normed)
    right = np.array([3, -1, 1, 5]) / 3
    hints = {
        6: "6 is the root of the sum of the squares, the row's length. Which of the three steps is missing?",
        9: "9 is the mean of the squares. Which of the three steps is left?",
        36: "36 is the sum of the squares. Two steps are left.",
        2: "2 is the mean of the numbers. What is done to each number before the mean?",
        2.5: "2.5 is the mean of the sizes. It is the squares that the mean is taken of.",
        2.236: "That is what LayerNorm divides by: it has the mean taken off first. What does RMSNorm leave out?",
    }
    if rms is None or size is None or size.size != 1:
        print("Not yet. Begin with rms, one number: square the four numbers. What do the squares add up to?")
    elif not abs(size[0] - 3) < 0.01:
        for wrong, hint in hints.items():
            if abs(size[0] - wrong) < 0.01:
                print("Not yet.", hint)
                return
        print("Not yet. rms is not right. Read its name from the end: the squares, their mean, its root.")
    elif normed is None or row is None or row.shape != right.shape:
        print("Not yet. rms is right. normed is a list of four numbers: what is each of the row's numbers divided by?")
    elif _rmsnorm_like(row, right, 0.04):  # one digit after the point will do
        print("Right. And the rms of your four numbers is 1, which you can check with the same pencil.")
    elif _rmsnorm_like(row, right * 9):
        print("Not yet. rms is right, but the row was multiplied by it. That makes large rows larger.")
    elif _rmsnorm_like(row, np.abs(right)):
        print("Not yet. The sizes are right. The signs are not the norm's to change: dividing by 3 keeps them.")
    elif _rmsnorm_like(row, (np.array([3, -1, 1, 5]) - 2) / 3) or _rmsnorm_like(row, np.array([1, -3, -1, 3]) / 5**0.5):
        print("Not yet. rms is right, but the mean was taken off the row. Which of the two norms does that?")
    else:
        print("Not yet. rms is right. Each number of the row is divided by it, and nothing else is done.")


def layer_norm(function):
    """LayerNorm: (x - mean) / sqrt(variance + eps) * weight + bias, row by row."""
    x = np.array([[1.0, -5.0, 7.0, 3.0], [2.0, 2.5, 1.0, 4.0], [-3.0, 0.5, 0.25, 1.0]])
    weight, bias, eps = np.array([1.0, 2.0, 0.5, -1.0]), np.array([0.0, 1.0, -1.0, 0.5]), 1e-5
    found, problem = _call(function, x.copy(), weight.copy(), bias.copy(), eps)
    if problem:
        print(problem, "It is called with x [3, 4], weight [4], bias [4] and eps. Does each mean keep its axis?")
        return
    if not isinstance(found, np.ndarray) or found.shape != x.shape:
        got = list(found.shape) if isinstance(found, np.ndarray) else type(found).__name__
        print(f"Not yet. An array [3, 4] is asked for, and {got} came out. What comes before the steps of rms_norm?")
        return
    centred = x - x.mean(-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(-1, keepdims=True))
    size = np.sqrt((x**2).mean(-1, keepdims=True))
    across = x - x.mean(0)
    whole = x - x.mean()
    wrong = [
        (x / size * weight + bias, "That is RMSNorm with a bias. What does LayerNorm take off each row first?"),
        (x / size * weight, "That is RMSNorm. LayerNorm takes something off first and adds something last."),
        (centred / spread * weight, "The row and the weight are right. One of the four arguments is not used yet."),
        (centred / size * weight + bias, "The mean is off the row, but its size was taken before. Which is divided?"),
        (x / spread * weight + bias, "It is divided by the right number, but what is divided still has its mean."),
        (centred / spread**2 * weight + bias, "It is divided by the mean of the squares. Which step is missing?"),
        (centred / (spread * np.sqrt(4 / 3)) * weight + bias, "Divided by D - 1, or by T? The mean divides by D."),
        (across / across.std(0) * weight + bias, "Mean and size were taken down the columns. Whose are they?"),
        (whole / whole.std() * weight + bias, "Mean and size were taken over all tokens at once. Each row is its own."),
        ((centred / spread + bias) * weight, "The bias was multiplied by the weight. Which of the two comes last?"),
    ]
    for values, hint in wrong:
        if np.allclose(found, values, atol=1e-3):
            print("Not yet.", hint)
            return
    if not np.allclose(found, centred / np.sqrt(spread**2 + eps) * weight + bias, atol=1e-3):
        print("Not yet. Take the mean off each row, bring what is left to rms 1, then the weight, then the bias.")
        return
    x, weight, bias, eps = *_rmsnorm_small_rows(), np.array([3.0, -1.0, 0.0, 2.0, 1.0]), 0.02
    right = rms_norm(x - x.mean(-1, keepdims=True), weight, eps) + bias
    problem = _elsewhere(function, [x, weight, bias, eps], right, _RMSNORM_SMALL)
    print(problem or "Right. LayerNorm is RMSNorm of a row whose mean has been taken off, and a bias.")


_RMSNORM_SMALL = "The last is eps, and one row or both are small beside it. Where is eps added? Is a number written in?"


def _rmsnorm_small_rows():
    """Rows whose mean square is about as small as an eps of 0.02, and a weight: [2, 5] and [5]."""
    return np.random.default_rng(0).standard_normal((2, 5)) / 10, np.array([2.0, -1.0, 0.5, 1.0, 4.0])


def token_by_token(function):
    """The mean of the squares is each token's own."""
    x = np.array([[1.0, -5.0, 7.0], [3.0, 4.0, 1.0], [0.5, 2.0, -1.0], [30.0, -20.0, 60.0]])
    weight, eps = np.array([1.0, 2.0, 0.5]), 1e-5
    found, problem = _call(function, x.copy(), weight.copy(), eps)
    if problem:
        print(problem, "It is called with x [4, 3], weight [3] and eps. Does the mean keep its axis?")
        return
    if not isinstance(found, np.ndarray) or found.shape != x.shape:
        print("Not yet. An array of x's shape [4, 3] is asked for: one row out for each row in.")
        return
    changed = x.copy()
    changed[[0, -1]] *= 10  # one before and one after the second
    again, problem = _call(function, changed, weight.copy(), eps)
    right = x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight
    if problem is None and isinstance(again, np.ndarray) and not np.allclose(found[1], again[1], rtol=1e-4):
        if np.allclose(found, x / np.sqrt((x * x).mean() + eps) * weight, atol=1e-4):
            print("Not yet. One size for all tokens: with a larger first and last, the second came out smaller.")
        else:
            print("Not yet. With the first and last token larger, the second's output changed. Whose mean is it?")
    elif np.allclose(found, right, atol=1e-4):
        small, weight = _rmsnorm_small_rows()
        problem = _elsewhere(function, [small, weight, 0.02], rms_norm(small, weight, 0.02), _RMSNORM_SMALL)
        print(problem or "Right. Whatever the other tokens are, a token's row comes out the same.")
    elif np.allclose(found * 3**0.5, right, atol=1e-4):
        print("Not yet. Each row is its own now, but too small by the root of 3. Sum or mean?")
    elif np.allclose(found, right / weight, atol=1e-4):
        print("Not yet. Each row is its own now. What became of the weight?")
    else:
        print("Not yet. Each row is its own now, but it is not row / rms * weight. Is a root there, and of what?")


def _rmsnorm_row(row):
    numbers = _rmsnorm_numbers(row)
    fits = numbers is not None and numbers.size >= 2 and np.abs(numbers).max() < 1e100  # not so for NaN
    return numbers if fits else None


def telling_rows(inverse_root, variance, eps_outside):
    """One row for each of three wrong norms on which it differs from RMSNorm by more than a tenth."""
    rows = [_rmsnorm_row(row) for row in (inverse_root, variance, eps_outside)]
    names = ["row_for_inverse_root", "row_for_variance", "row_for_eps_outside"]
    for row, name in zip(rows, names):
        if row is None:
            print(f"Not yet. {name} should be a list of at least two ordinary numbers.")
            return
        if not row.any():
            print(f"Not yet. {name} is all zeros, and 0 divided by anything is 0: no norm can be told apart there.")
            return
    mean_squares = [np.mean(row * row) for row in rows]
    factors = [1 / np.sqrt(mean_square + 1e-5) for mean_square in mean_squares]
    wrong = [
        np.sqrt(mean_squares[0] + 1e-5),
        1 / np.sqrt(np.var(rows[1]) + 1e-5),
        1 / (np.sqrt(mean_squares[2]) + 1e-5),
    ]
    hints = [
        f"Its rms is {np.sqrt(mean_squares[0]):.2f}. When is it the same to multiply and to divide?",
        f"Its mean is {np.mean(rows[1]):.2g}, its rms {np.sqrt(mean_squares[1]):.2g}, the root of eps 0.0032. "
        "When does it matter that the mean is taken off?",
        f"Its mean square is {mean_squares[2]:.2g}. How much is 0.00001 beside that?",
    ]
    for name, factor, other, hint in zip(names, factors, wrong, hints):
        if abs(other / factor - 1) <= 0.1:
            print(f"Not yet. {name}: within 10 %. {hint}")
            return
    print("Right. Such rows belong in a test: random rows of rms 1 and mean 0 let all three mistakes pass.")


def _rmsnorm_half_hint(row, found, right):
    """What to say of the row that came out worst; found and right: without the weight. All [D]."""
    numbers = [round(float(number), 4) for number in row]
    came, due = np.sqrt(np.mean(found**2)), np.sqrt(np.mean(right**2))
    if abs(came - due) < 0.01:
        return f"The row {numbers} came out with the right rms, but its numbers are no longer in proportion."
    if due < 0.9:
        return f"The small row {numbers} came out with rms {came:.2f}, and not {due:.2f}. Where is eps added?"
    return f"The row {numbers} came out with rms {came:.2f} (its weight taken off), and not 1."


def half_precision(function):
    """RMSNorm of float16 rows: squares must not overflow, and float16 comes out."""
    x = np.array([[300, -150, 600, 75], [0.002, -0.004, 0.001, 0.003], [2000, 1000, -4000, 500]], np.float16)
    weight = np.array([1, 2, 0.5, 1], np.float16)
    found, problem = _call(function, x.copy(), weight.copy(), 1e-5)
    if problem:
        print(problem, "It is called with x [3, 4] and weight [4], both float16, and eps.")
        return
    if not isinstance(found, np.ndarray) or found.shape != x.shape:
        print("Not yet. An array of x's shape [3, 4] is asked for.")
        return
    wide = x.astype(np.float64)
    right = wide / np.sqrt((wide * wide).mean(-1, keepdims=True) + 1e-5) * weight.astype(np.float64)
    values = _rmsnorm_numbers(found)
    values = values if values is None else values.reshape(x.shape)
    if values is None or not np.isfinite(values).all():
        print("Not yet. Some numbers came out that are not finite. Which step makes an infinity, and for which row?")
    elif not values[0].any():
        print("Not yet. The row 300, -150, 600, 75 came out as zeros. How large is 300 * 300? Where does float16 end?")
    elif np.allclose(values * weight, right, rtol=0.01, atol=0.001):
        print("Not yet. No row is lost any more. What became of the weight?")
    elif not np.allclose(values, right, rtol=0.01, atol=0.001):
        row = int(np.argmax(np.abs(values - right).max(-1)))
        print("Not yet.", _rmsnorm_half_hint(x[row], values[row] / weight, right[row] / weight))
    elif found.dtype != np.float16:
        print(f"Not yet. The numbers are right, but float16 went in and {found.dtype} came out.")
    else:
        rows, weight = _rmsnorm_small_rows()
        rows[0] *= 60000 / np.abs(rows[0]).max()  # nearly as large as float16 can hold
        rows, weight = np.vstack([rows, np.zeros(5)]).astype(np.float16), weight.astype(np.float16)
        right = rms_norm(rows.astype(np.float64), weight, 0.02)
        hint = "The rows: one up to 60,000, one small beside eps (the last), one of zeros. "
        hint += "Which step fails for one of them? Is a number written in?"
        problem = _elsewhere(function, [rows, weight, 0.02], right, hint)
        print(problem or "Right. The squares are made where there is room for them, and float16 comes out again.")


# ---- 04 qkv ----


def _qkv_array(function, *arguments):
    """Call what the reader wrote. Returns (array, None), or (None, a message that says what happened)."""
    answer, problem = _call(function, *arguments)
    if problem is not None:
        return None, problem
    if answer is None:
        return None, ""
    try:
        return np.asarray(answer, dtype=np.float64), None
    except (TypeError, ValueError):
        return None, f"Not yet. An array of numbers is wanted; your function returned a {type(answer).__name__}."


def _qkv_same(answer, wanted):
    return answer.shape == wanted.shape and np.allclose(answer, wanted)


def _qkv_shape(value):
    try:
        return tuple(int(n) for n in value)
    except (TypeError, ValueError):
        return None


def qkv_shapes(answer):
    """Exercise 1: the shapes of wq, wk, q and k in a layer of the 70B, for 5 tokens."""
    D, n_heads, n_kv_heads, T = 8192, 64, 8, 5
    head_dim = D // n_heads
    right = {
        "wq": (n_heads * head_dim, D),
        "wk": (n_kv_heads * head_dim, D),
        "q": (n_heads, T, head_dim),
        "k": (n_kv_heads, T, head_dim),
    }
    if not isinstance(answer, dict):
        print("Not yet. The answer is a dict with the names wq, wk, q and k.")
        return
    given = {name: _qkv_shape(answer.get(name)) for name in right}
    missing = [name for name, shape in given.items() if shape is None]
    if missing:
        print(
            f"Not yet. Still to fill in as a tuple of numbers: {', '.join(missing)}. "
            "How many numbers long is one head's vector, if 64 heads fill 8192?"
        )
    elif given == right:
        print("Right. Only wk and k know of the 8; a query and a key have the same length all the same.")
    elif D // n_kv_heads in given["q"][2:] + given["k"][2:]:
        print(
            "Not yet. A key must have the same length as a query, or they have no dot product. "
            "What is the length of a query's vector in one head?"
        )
    elif given["wk"] == right["wq"] or given["k"] == right["q"]:
        print("Not yet. Your keys are as many as your queries. How many key heads are there for 64 query heads?")
    elif max(len(given["wq"]), len(given["wk"])) > 2:
        print("Not yet. wq and wk are matrices, with two axes each. Where in them do the rows of each head stand?")
    elif (head_dim, D) in (given["wq"], given["wk"]):
        print("Not yet. Those are the rows of one head. How many heads has wq, and how many has wk?")
    elif given["q"] == (n_heads, head_dim) or given["k"] == (n_kv_heads, head_dim):
        print("Not yet. That is q or k of a single token. The prompt has 5: which axis is theirs?")
    elif given["wk"] == right["wk"][::-1]:
        print("Not yet. wk lies on its side: the files store [out, in]. Which of the two numbers goes in?")
    elif given["q"] == (T, n_heads, head_dim) or given["k"] == (T, n_kv_heads, head_dim):
        print("Not yet. The numbers of q or k are there in another order. Which axis stands first after split_heads?")
    elif given["q"] == (T, n_heads * head_dim) or given["k"] == (T, n_kv_heads * head_dim):
        print("Not yet. That is q or k as the product leaves it. What does split_heads make of it?")
    else:
        wrong = next(name for name in right if given[name] != right[name])
        print(f"Not yet. {wrong} is not {given[wrong]}. Which of T, heads, head_dim and D are its axes?")


def keys_of_one_head(answer):
    """Exercise 2: a function that makes the keys of one key/value head."""
    random = np.random.default_rng(0)
    T, D, n, head_dim, head = 5, 10, 4, 3, 2
    x, wk = random.standard_normal((T, D)), random.standard_normal((n * head_dim, D))
    mine = slice(head * head_dim, (head + 1) * head_dim)
    keys, message = _qkv_array(answer, x.copy(), wk.copy(), head, head_dim)
    if message is not None:
        if "matmul" in message or "not aligned" in message:
            message = (
                "Not yet. The two arrays you multiply do not fit: the last axis of the left one must be as long as the "
                f"first of the right one. Here x is {x.shape} and wk is {wk.shape}. What are your two?"
            )
        print(message or "Not yet. Nothing is returned so far. Which rows of wk belong to this head?")
        return
    every = x @ wk.T  # [T, n * head_dim]
    if not _qkv_same(keys, every[:, mine]):
        print(_qkv_keys_hint(keys, every, head, head_dim))
        return
    guarded = np.full(wk.shape, object())  # cannot be multiplied, nor made float32 (None would become NaN)
    guarded[mine] = wk[mine]
    if _call(answer, x.copy(), guarded, head, head_dim)[1] is not None:
        print("Not yet. The keys are right, but the rows of other heads were used too. Which rows are enough?")
        return
    x, wk = random.standard_normal((3, 6)), random.standard_normal((30, 6))
    problem = _elsewhere(answer, [x, wk, 1, 5], x @ wk[5:10].T)
    print(problem or "Right. One band of rows, one product: a head needs nothing from the rows of the others.")


def _qkv_keys_hint(keys, every, head, head_dim):
    T, n = len(every), every.shape[1] // head_dim
    right = every[:, head * head_dim : (head + 1) * head_dim]
    if _qkv_same(keys, every):
        return "Not yet. These are the keys of all heads side by side. Which rows of wk are this head's alone?"
    if _qkv_same(keys, right.T):
        return f"Not yet. The numbers are right, the shape is {keys.shape}: tokens should go down, not across."
    if _qkv_same(keys, every[:, :head_dim]):
        return "Not yet. These are the keys of head 0, whichever head is asked for. Where does head 2 begin?"
    if _qkv_same(keys, every[:, (head - 1) * head_dim : head * head_dim]):
        return f"Not yet. Asked for head {head}, it gives head {head - 1}. From which number are the heads counted?"
    if _qkv_same(keys, every[:, head : head + head_dim]):
        return (
            f"Not yet. For head 2 the rows taken begin at row 2, but each head has {head_dim} rows. "
            "Where does head 2 begin, if heads 0 and 1 come first?"
        )
    if keys.shape == right.shape and any(_qkv_same(keys, every[:, head::step]) for step in range(2, n + 1)):
        return "Not yet. The rows taken lie apart, one here and one there. A head's rows are neighbours."
    if _qkv_same(keys, every.reshape(n, T, head_dim)[head]):
        return "Not yet. These numbers come from several heads: reshape has cut across the tokens. See split_heads."
    if keys.shape != right.shape:
        return f"Not yet. The shape is {keys.shape}, where [T, head_dim] is {right.shape} in this test."
    return "Not yet. The shape is right, the numbers are not. Which rows were used: did x meet each row of this head?"


def split_into_heads(answer):
    """Exercise 3: cut the rows into heads without mixing tokens."""
    T, n_heads, head_dim = 2, 3, 4
    t, h, n = np.ogrid[0:T, 0:n_heads, 0:head_dim]
    x = (100 * t + 10 * h + n).reshape(T, -1)
    heads, message = _qkv_array(answer, x.copy(), n_heads, head_dim)
    if message is not None:
        print(message or "Not yet. Nothing is returned so far.")
        return
    by_token = x.reshape(T, n_heads, head_dim)
    if _qkv_same(heads, by_token.swapaxes(0, 1)):
        other = np.random.default_rng(0).standard_normal((5, 4 * 2))
        problem = _elsewhere(answer, [other, 4, 2], other.reshape(5, 4, 2).swapaxes(0, 1))
        right = "Right. Every head holds its own numbers, one row a token: first name the axes as they lie, then swap."
        print(problem or right)
    elif _qkv_same(heads, x.reshape(n_heads, T, head_dim)):
        print(
            f"Not yet. The second row of head 0 should belong to token 1, head 0; it begins with "
            f"{int(heads[0, 1, 0]):03d}, which is token 0, head 1. In what order do the numbers lie before the cut?"
        )
    elif _qkv_same(heads, by_token):
        print(
            f"Not yet. The cut is right, the shape is {heads.shape}: each token still holds its heads. "
            "Which two axes have to change places?"
        )
    elif _qkv_same(heads, x.reshape(T, head_dim, n_heads).transpose(2, 0, 1)):
        print(
            f"Not yet. Head 0, token 0 holds {[int(i) for i in heads[0, 0]]}: numbers of several heads. "
            "Does a head own neighbouring numbers of a row, or every third one?"
        )
    elif heads.shape != (n_heads, T, head_dim):
        print(f"Not yet. The shape is {heads.shape}, where [n_heads, T, head_dim] is {(n_heads, T, head_dim)}.")
    else:
        found = [f"{number:03.0f}" for number in heads[0, 0]]
        print(
            f"Not yet. The shape is right, but the first row of head 0 is {', '.join(found)} (token, head, number). "
            "Which addresses belong there?"
        )


def tokens_that_fit(answer):
    """Exercise 4: how many tokens of keys and values fit beside the weights."""
    sizes = Params(4096, 32, 32, 8, 128256, 14336, 1e-5, 500000.0)
    memory = 24 * 2**30
    given, message = _call(answer, sizes, memory)
    if message is None and given is None:
        message = "Not yet. Nothing is returned so far."
    elif message is None and (not isinstance(given, (int, float, np.integer, np.floating)) or not math.isfinite(given)):
        message = f"Not yet. The answer should be a whole number; your function returned a {type(given).__name__}."
    if message is not None:
        print(message)
        return
    left = memory - 2 * sizes.n_parameters
    group = sizes.n_heads // sizes.n_kv_heads
    numbers = sizes.n_layers * sizes.n_kv_heads * sizes.head_dim  # of the keys of one token
    right = left // (4 * numbers)
    small = Params(96, 3, 4, 2, 300, 96, 1e-5, 500000.0)
    if given == right:
        second, _ = _call(answer, small, 2 * small.n_parameters + 100 * 2 * 2 * 3 * 2 * 24)
        if second == 100:
            print("Right. 74,075 tokens for the 8B, nine texts of full length. Without shared keys and values: 15,446.")
        else:
            found = f"For a smaller model and the memory of exactly 100 tokens it says {second}."
            hint = "Are the last bytes used?" if second == 99 else "What in your code holds for the 8B alone?"
            print(f"Not yet. Right for the 8B in 24 GiB. {found} {hint}")
        return
    seen = [
        (0, "Nothing fits yet. What does one token leave behind in one layer, and how many layers are there?"),
        (memory // (4 * numbers), "The keys and values were given all the memory. Where do the weights lie?"),
        (
            left // (2 * numbers),
            "Twice too many. A token leaves a key and a value, in every key/value head, and a number in bf16 takes two "
            "bytes: is each of these factors there, and the right one?",
        ),
        (
            left // (4 * numbers * group),
            f"{group} times too few. Keys were counted for every query head. How many heads have keys?",
        ),
        (
            left // (4 * numbers // sizes.n_layers),
            "Far too many: that is the room one layer's keys and values take. Who else keeps some?",
        ),
        (left // (8 * numbers), "Half of what fits. How many bytes does a number take in bf16?"),
        (
            left // numbers,
            "Four times too many. A token leaves a key and a value, of head_dim numbers in every key/value head, and a "
            "number takes two bytes: is each of these factors there, and the right one?",
        ),
        (
            left // (4 * numbers // sizes.n_kv_heads),
            f"{sizes.n_kv_heads} times too many: that is the room of one key/value head. How many does a layer have?",
        ),
        ((left + sizes.n_parameters) // (4 * numbers), "Too many. How many bytes does a weight take in bf16?"),
        (right + 1, "One too many: it was rounded up, and a part of a token cannot be kept."),
    ]
    for value, hint in seen:
        if int(given) == value:
            print(f"Not yet. {hint}")
            return
    if int(given) == right:
        print(f"Not yet. {given!r} is not a whole number: a part of a token cannot be kept.")
    else:
        print(
            f"Not yet. For the 8B in 24 GiB your function says {given!r}. Count again: the bytes left after the "
            "weights, divided by the bytes of one token."
        )


def pooled_heads(answer):
    """Exercise 5: average the key heads of each group of neighbours."""
    n_heads, n_kv_heads, head_dim, D = 6, 2, 2, 3
    wk = np.random.default_rng(0).standard_normal((n_heads * head_dim, D))
    pooled, message = _qkv_array(answer, wk.copy(), n_kv_heads, head_dim)
    if message is not None:
        print(message or "Not yet. Nothing is returned so far. How many heads are averaged into one?")
        return
    heads = wk.reshape(n_kv_heads, n_heads // n_kv_heads, head_dim, D)
    strided = wk.reshape(n_heads // n_kv_heads, n_kv_heads, head_dim, D)
    if _qkv_same(pooled, heads.mean(1).reshape(-1, D)):
        other = np.random.default_rng(0).standard_normal((3, 4, 5, 7))  # [n_kv_heads, group, head_dim, D]
        problem = _elsewhere(answer, [other.reshape(-1, 7), 3, 5], other.mean(1).reshape(-1, 7))
        print(problem or "Right. Each group of neighbours has one head now: the average of what its heads had.")
    elif _qkv_same(pooled, heads.mean(1)):
        print(
            f"Not yet. The averages are right, the shape is {pooled.shape}. The rows of all heads should lie under "
            "each other."
        )
    elif any(_qkv_same(pooled, heads.sum(1).reshape(-1, D) / count) for count in (1, n_kv_heads, head_dim, n_heads)):
        print("Not yet. The right rows were added up. By which number is such a sum divided to make it an average?")
    elif _qkv_same(pooled, heads[:, 0].reshape(-1, D)):
        print("Not yet. Only the first head of each group is left. What did the others have to say?")
    elif _qkv_same(pooled, strided.mean(0).reshape(-1, D)):
        print(
            "Not yet. Heads 0, 2 and 4 were averaged, and 1, 3 and 5. Query head h uses key/value head "
            "h // group: which heads share?"
        )
    elif _qkv_same(pooled, wk.reshape(n_kv_heads * head_dim, -1, D).mean(1)):
        print(
            "Not yet. Neighbouring rows were averaged, which are different numbers of the same head. "
            "The first number of a head may only be averaged with first numbers."
        )
    elif _qkv_same(pooled, heads.mean(1).swapaxes(0, 1).reshape(-1, D)):
        print(
            "Not yet. The averages are right, their rows are mixed: the first numbers of all heads come first here. "
            "How do the rows of a head lie in wk?"
        )
    elif _qkv_same(pooled, wk.reshape(-1, n_kv_heads, head_dim, D).mean(1).reshape(-1, D)):
        print("Not yet. Two heads were averaged each time, and three are left. What does n_kv_heads count?")
    elif pooled.shape != (n_kv_heads * head_dim, D):
        print(
            f"Not yet. The shape is {pooled.shape}, where [n_kv_heads * head_dim, D] is {(n_kv_heads * head_dim, D)}."
        )
    else:
        print("Not yet. The shape is right, the numbers are not. Which rows of wk ended up in the first row?")


# ---- 05 rope ----


def _rope_run(function, *arguments):
    """Call what the reader wrote. Returns an array and None, or None and what to say."""
    if not callable(function):
        return None, "Not yet. Hand the function itself to the check: its name, without brackets."
    copies = _copies(arguments)
    try:
        answer = function(*copies)
    except Exception as error:
        return None, f"Not yet. Your function stopped with {type(error).__name__}: {error}. In which line?"
    if touched := _touched(copies, arguments):
        return None, touched
    if answer is None:
        return None, "Not yet. Your function gives back None. Does it end in a return?"
    try:
        answer = np.asarray(answer)
        return answer.astype(complex if np.iscomplexobj(answer) else float), None
    except (TypeError, ValueError):
        return None, "Not yet. What your function gives back is not an array of numbers. Which line makes it?"


def _rope_same(answer, expected, atol=1e-4):
    return np.shape(answer) == np.shape(expected) and np.allclose(answer, expected, rtol=1e-4, atol=atol)


def _rope_shape(value):
    try:
        shape = tuple(int(n) for n in value)
    except (TypeError, ValueError, OverflowError):
        return None
    return shape if np.array_equal(shape, value) else None


def rope_shapes(shapes):
    """Exercise 1: the shapes of a model with dim 96, 6 query heads, 2 key/value heads and 10 tokens."""
    print(_rope_judge_shapes(shapes))


def _rope_judge_shapes(shapes):
    names = ("q", "pairs of q", "freqs_cis", "turned k")
    if not isinstance(shapes, dict) or any(name not in shapes for name in names):
        return f"Not yet. The check wants a dictionary with the names {', '.join(names)}."
    q, pairs, freqs_cis, turned = (_rope_shape(shapes[name]) for name in names)
    if q is None or not any(q):
        return "Not yet. Begin with head_dim: dim numbers are shared out among the query heads. What does each get?"
    if q == (10, 6, 16):
        return "Not yet. For q you put the tokens first. Which axis does chapter 04's split_heads put in front?"
    if q != (6, 10, 16):
        return f"Not yet. q is not {list(q)}. How many heads, tokens, and numbers in one head, in this order?"
    if pairs == q:
        return "Not yet. The complex q has fewer numbers than q. How many of q's numbers make one complex number?"
    if pairs != (6, 10, 8):
        return "Not yet. Making pairs changes only the last axis of q. What becomes of its 16 numbers?"
    if freqs_cis == (6, 10, 8):
        return "Not yet. You gave freqs_cis an axis for the heads. Does the angle depend on the head?"
    if freqs_cis == (10, 16):
        return "Not yet. freqs_cis holds one turn for each pair at each position. How many pairs has a head?"
    if freqs_cis != (10, 8):
        return "Not yet. freqs_cis has a row for each position and a column for each pair. How many of each?"
    if turned is not None and turned[:1] == (6,):
        return "Not yet. You gave k as many heads as q. How many key heads do the 6 query heads share?"
    if turned == (2, 10, 8):
        return "Not yet. Are the numbers of k still complex after turning? See what apply_rotary_emb returns."
    if turned != (2, 10, 16):
        return "Not yet. The first three are right. Turning changes no shape: which one did k have before?"
    return "Right. Turning changes no shape, and one table of turns serves every head of queries and keys."


def rope_wavelengths(wavelengths):
    """Exercise 2: how many tokens each pair needs for one whole turn."""
    problems = (_rope_judge_wavelengths(wavelengths, *case) for case in ((8, 10000.0), (12, 500.0)))
    right = "Right. A turn is 2π radians, so a pair needs 2π / frequency tokens. Try the 8B's 128 and 500,000."
    print(_first(problems) or right)


def _rope_judge_wavelengths(wavelengths, head_dim, theta):
    answer, problem = _rope_run(wavelengths, head_dim, theta)
    if problem:
        return problem
    i = np.arange(head_dim // 2)
    freqs = theta ** (-2 * i / head_dim)
    if answer.shape == (head_dim,):
        return f"Not yet. For head_dim {head_dim} you give {head_dim} numbers. How many pairs are there?"
    if answer.shape != freqs.shape:
        return f"Not yet. For head_dim {head_dim} there are {len(i)} pairs, but your shape is {list(answer.shape)}."
    if not np.any(answer):
        return "Not yet. All your numbers are 0. Pair 0 turns 1 radian a token: how many tokens make a whole turn?"
    if _rope_same(answer, freqs):
        return "Not yet. These are the frequencies, radians a token. In how many tokens is it 2π radians?"
    if _rope_same(answer, 1 / freqs):
        return "Not yet. You say pair 0 needs 1 token, but in 1 token it turns 1 radian. Is that a whole turn?"
    if np.all(np.diff(answer) < 0):
        return "Not yet. Your numbers fall from pair to pair. Does a slower pair need fewer tokens for a turn?"
    if _rope_same(answer, 360 / freqs):
        return "Not yet. You divide a turn in degrees by a frequency in radians. What is a turn in radians?"
    if np.array_equal(answer, np.round(answer)):
        return "Not yet. Your numbers are whole. Does a turn have to end just at a token?"
    if np.isclose(answer[0], 2 * np.pi) and not np.isclose(answer[1], 2 * np.pi / freqs[1]):
        off = "fast" if answer[1] < 2 * np.pi / freqs[1] else "slow"
        return f"Not yet. Pair 0 is right, pair 1 is too {off}. Is your exponent the chapter's, and your base theta?"
    if _rope_same(answer, 2 * np.pi / freqs, atol=0):
        return None
    if np.allclose(answer, 2 * np.pi / freqs, rtol=0.01, atol=0):
        return "Not yet. All are less than a hundredth off. Is your number for a whole turn exact, or do you round?"
    if not np.isclose(answer[0], 2 * np.pi):
        return f"Not yet. You say pair 0, at 1 radian a token, needs {answer[0]:.4g} tokens. Is that a whole turn?"
    return "Not yet. The shape is right, the numbers are not. How many radians has pair i turned in n tokens?"


def _rope_rotate(x, angles, sign=1):
    first, second = x[:, 0::2], x[:, 1::2]
    cos, sin = np.cos(angles), sign * np.sin(angles)
    turned = np.empty_like(x)
    turned[:, 0::2], turned[:, 1::2] = first * cos - second * sin, first * sin + second * cos
    return turned


def _rope_half_split(x, angles):
    first, second = np.split(x, 2, axis=-1)
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)


def rope_pairs(rotate):
    """Exercise 3: the published rotation, mended."""
    problems = (_rope_judge_pairs(rotate, *case) for case in ((5, 8, 0), (3, 4, 2)))
    right = "Right. Numbers 0 and 1 make the first pair, 2 and 3 the second, and each returns to its place."
    print(_first(problems) or right)


def _rope_judge_pairs(rotate, T, head_dim, start):
    x = np.random.default_rng(0).standard_normal((T, head_dim))
    angles = np.outer(np.arange(start, start + T), 0.3 ** np.arange(head_dim // 2))
    answer, problem = _rope_run(rotate, x, angles)
    if problem:
        return problem
    right = _rope_rotate(x, angles)
    if answer.shape != x.shape:
        return f"Not yet. {list(x.shape)} went in and {list(answer.shape)} came out. Does turning change a shape?"
    if _rope_same(answer, _rope_half_split(x, angles)):
        return (
            "Not yet. Of x = [1, 0, 0, 0, …] at position 1 the second number should become the sine of the first"
            " angle, and here a number further on does. Which two numbers does the first angle turn?"
        )
    if _rope_same(answer, np.concatenate([right[:, 0::2], right[:, 1::2]], axis=1)):
        return "Not yet. The right pairs are turned, but the numbers come back in another order. Look at position 0."
    if _rope_same(answer, _rope_rotate(x, angles, sign=-1)):
        return "Not yet. Every pair turns the other way. Where is (1, 0) after a quarter turn, at (0, 1) or (0, -1)?"
    if _rope_same(answer, x):
        return "Not yet. Nothing has turned. By which angles do you turn, and is what you compute what you return?"
    if _rope_same(answer, right):
        return None
    if start:
        rows = f"{list(x.shape)} from position {start} on, where angles[0] is not 0"
        return f"Not yet. Right for [5, 8] from position 0 on, not for {rows}. Does each row turn by its own angles?"
    if not np.allclose(np.linalg.norm(answer, axis=1), np.linalg.norm(x, axis=1)):
        return "Not yet. Turning keeps a row's length, yours does not. Is a sign wrong, a number overwritten too early?"
    return "Not yet. The lengths are kept, but the numbers differ. Try x = [1, 0, 0, 0, …] at position 1 by hand."


def _rope_to_halves(w, n_heads):
    return w.reshape(n_heads, -1, 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


def _rope_to_neighbours(w, n_heads):
    return w.reshape(n_heads, 2, -1, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


def rope_rows(to_neighbours):
    """Exercise 4: the rows of a Hugging Face wq or wk back in Meta's order."""
    problems = (_rope_judge_rows(to_neighbours, *case) for case in ((3, 8, 24), (2, 6, 5)))
    right = "Right. In each head the first half and the second half are laced together again, row by row."
    print(_first(problems) or right)


def _rope_judge_rows(to_neighbours, n_heads, head_dim, dim):
    meta = np.random.default_rng(0).standard_normal((n_heads * head_dim, dim), np.float32)
    stored = _rope_to_halves(meta, n_heads)
    answer, problem = _rope_run(to_neighbours, stored, n_heads)
    if problem:
        return problem
    if answer.shape != meta.shape:
        return (
            f"Not yet. {list(meta.shape)} went in and {list(answer.shape)} came out. Should more than the order change?"
        )
    if np.array_equal(answer, meta):
        return None
    if np.array_equal(answer, stored):
        return "Not yet. The rows are as they came. Stored as 0 2 4 6 1 3 5 7: where in a head of 8 is row 1?"
    if np.array_equal(answer, _rope_to_halves(stored, n_heads)):
        return "Not yet. You took the pairs apart once more. Is the way back the same as the way there?"
    if any(np.array_equal(answer, order(stored, 1)) for order in (_rope_to_neighbours, _rope_to_halves)):
        return "Not yet. Rows wander from one head into another. Where does a head begin and end?"
    if np.array_equal(np.sort(answer, axis=1), np.sort(stored, axis=1)):
        return "Not yet. You reordered the columns. Are the numbers of a query the rows of wq or its columns?"
    if np.array_equal(np.sort(answer, axis=0), np.sort(meta, axis=0)):
        return "Not yet. All rows are there, in an order of their own. Follow one head of 8 by hand: 0 2 4 6 1 3 5 7."
    return "Not yet. Some rows are lost or changed. The same rows should come out, each one once."


def rope_positions(angles_of):
    """Exercise 5: angles that hold for late positions."""
    cases = [(8192, 500000.0 ** (-np.arange(3) / 64))]  # the first three pairs of the 8B
    cases += [(1000, 10000.0 ** (-np.arange(5) / 32))]
    problems = (_rope_judge_positions(angles_of, *case) for case in cases)
    right = "Right. 8,192 positions, 8,192 different turns: the digits are kept until cosine and sine are taken."
    print(_first(problems) or right)


def _rope_judge_positions(angles_of, n_positions, freqs):
    answer, problem = _rope_run(angles_of, n_positions, freqs)
    if problem:
        return problem
    positions, bfloat16 = np.arange(n_positions), ml_dtypes.bfloat16
    right = np.outer(positions, freqs)
    if answer.shape != right.shape:
        asked = f"{n_positions:,} positions and {len(freqs)} frequencies"
        return f"Not yet. {asked} make {list(right.shape)}, not {list(answer.shape)}."
    if not np.allclose(answer[:2], right[:2], atol=0.01):
        return "Not yet. Even positions 0 and 1 are off. By how much should position 1 turn each pair?"
    off = np.abs(np.exp(1j * answer) - np.exp(1j * right))  # a whole turn more or less is the same turn
    if np.all(off < 0.001):
        return None
    if np.allclose(answer, np.outer(positions, freqs.astype(bfloat16).astype(float)), rtol=0, atol=0.02):
        error = np.abs(answer - right).max()
        return (
            f"Not yet. Positions are right now, but the last angles are {error:.0f} radians off. What else is rounded?"
        )
    if np.array_equal(answer, right.astype(bfloat16).astype(float)):
        return "Not yet. You round the finished angles. How far apart are the numbers that bf16 has near 8,000?"
    twins = np.flatnonzero((answer[1:] == answer[:-1]).all(axis=1)) + 1
    if len(twins):
        n = twins[0]
        return f"Not yet. Position {n} gets the very same turn as position {n - 1}. Which step cannot tell them apart?"
    first = np.flatnonzero(~(off < 0.001).all(axis=1))[0]
    return f"Not yet. Position {first} is the first over 0.001 radians off. Which step moves {first} or cuts digits?"


# ---- 06 attention ----

_ATTENTION_WORDS = ["mia", "saw", "tom", "she"]
_ATTENTION_KEYS = np.array([[2.0, 1, 0], [0, 0, 2], [2, -1, 0], [-1, 1, 0]])


def attention_shapes(answer):
    """Exercise 1: the shapes of one head with head_dim 64 that reads 10 tokens."""
    T, size = 10, 64
    right = {"scores": (T, T), "weights": (T, T), "output": (T, size), "minus infinities": 45, "first weight": 1}
    print(_attention_judge_shapes(answer, right, T, size))


def _attention_judge_shapes(answer, right, T, size):
    if not isinstance(answer, dict) or set(answer) != set(right):
        return f"Not yet. The answer is a dict with these five names: {', '.join(right)}."
    given = {name: _attention_plain(value) for name, value in answer.items()}
    missing = [name for name, value in given.items() if value is None]
    if missing:
        hints = {
            "scores": "How many queries meet how many keys?",
            "weights": "Does the softmax change the shape of the scores?",
            "output": "How many rows does a head give back, and how long is a value?",
            "minus infinities": "How many tokens does each row hide?",
            "first weight": "Whom does the first token see?",
        }
        return f"Not yet. {missing[0]!r} is still None. {hints[missing[0]]}"
    if given["scores"] == (size, size):
        return "Not yet. Scores of 64 by 64 would compare the numbers of a vector with each other. Who asks whom here?"
    if (T, size) in (given["scores"], given["weights"]):
        return "Not yet. A dot product of two vectors is one number. So how many numbers does one query get back?"
    if given["output"] == (T, T):
        return "Not yet. The weights are 10 by 10, but then they mix the values: how long is one value?"
    if given["minus infinities"] == 55:
        return "Not yet. 55 would hide each token from itself too, and the first would have nothing to take from."
    if given["minus infinities"] in (90, 100, 50):
        return "Not yet. Count row by row: the first token hides nine, the second hides eight, and the last?"
    if given["first weight"] in (0.1, 1 / T):
        return "Not yet. 0.1 would be fair if the first token saw all ten. How many does it see?"
    for name, value in right.items():
        if given[name] != value:
            return f"Not yet. {name!r} is not {given[name]!r}. Go through the steps with 10 rows of 64 numbers in hand."
    return "Right. Scores and weights are tokens by tokens, whatever the head's size; the output has it again."


def _attention_plain(value):
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return tuple(value) if isinstance(value, list) else value


def query_for_tom(answer):
    """Exercise 2: a query that gives tom's key nine tenths of the weight."""
    print(_attention_judge_query(answer))


def _attention_judge_query(answer):
    try:
        query = np.asarray(answer, np.float64)
    except (TypeError, ValueError):
        return "Not yet. The query is a list of three numbers."
    if query.shape != (3,) or not np.isfinite(query).all():
        return f"Not yet. The query is three finite numbers, one for each of a key; this has shape {query.shape}."
    if not query.any():
        return "Not yet. Three zeros score 0 with every key, and every token gets a quarter. What sets tom's key apart?"
    scores = _ATTENTION_KEYS @ query / np.sqrt(3)
    weights = _attention_softmax(scores)
    tom, rival = float(weights[2]), max((0, 1, 3), key=lambda word: weights[word])
    if tom >= 0.9:
        return f"Right. tom gets {tom:.2f}. A query's direction chooses the key, and its size how sharply."
    if query[1] == 0:
        return "Not yet. mia and tom get the same. Their keys differ in one number: what does your query say to it?"
    if weights[rival] > tom - 1e-9:
        leader = _ATTENTION_WORDS[rival]
        leads = f"{leader} gets {weights[rival]:.2f} and tom {tom:.2f}"
        return f"Not yet. {leads}. Which of your three numbers, by its size or sign, helps {leader} more than tom?"
    return f"Not yet. tom already leads, with {tom:.2f}. What would twice or four times the same query do?"


def sliding_window(function):
    """Exercise 3: a mask under which a token sees itself and a few tokens before it."""
    print(_attention_judge_window(function))


def _attention_judge_window(function):
    for n_positions, window in [(6, 3), (5, 1), (4, 9)]:
        mask, problem = _attention_try(function, n_positions, window)
        if problem:
            return problem
        called = f"window_mask({n_positions}, {window})"
        if mask.shape != (n_positions, n_positions):
            return f"Not yet. {called} should have shape {(n_positions, n_positions)}, and has {mask.shape}."
        behind = np.subtract.outer(np.arange(n_positions), np.arange(n_positions))  # query position less key position
        seen = (behind >= 0) & (behind < window)
        if np.array_equal(mask, _attention_mask(seen)):
            continue
        if np.isnan(mask).any():
            return "Not yet. There are NaNs in it. 0 times infinity is one of the ways to get them."
        if not mask.any():
            return f"Not yet. {called} is 0 everywhere, so it hides nothing. Which places should be −inf?"
        if set(np.unique(mask)) <= {0.0, 1.0}:
            return "Not yet. A mask of 0 and 1 shifts scores by 1 at most. What must be added so that e to it is 0?"
        if np.array_equal(mask, _attention_mask(~seen)):
            return "Not yet. It is the wrong way round: the tokens in the window get −inf, the others 0."
        if np.array_equal(mask, _attention_mask(behind < window)):
            return f"Not yet. In {called} a token sees its window, and everything that comes after it as well."
        if np.array_equal(mask, _attention_mask((behind >= 0) & (behind <= window))):
            return f"Not yet. In {called} the last token sees {window + 1} tokens. The window counts the token itself."
        if np.array_equal(mask, _attention_mask(behind >= 0)):
            return f"Not yet. {called} is the plain causal mask: the first token is still seen by the last."
        if np.array_equal(np.where(mask < -1, -np.inf, mask), _attention_mask(seen)):
            least = mask[mask > -np.inf].min()
            return f"Not yet. {least:g} hides only while no score is as large. Which number hides always?"
        if np.array_equal(mask, _attention_mask(seen.T)):
            return f"Not yet. In {called} a token sees those that come after it. Is the query the row or the column?"
        i, j = (int(number) for number in np.argwhere(mask != _attention_mask(seen))[0])
        pair = f"the query at {i} and the key at {j} have {mask[i, j]:g}"
        return f"Not yet. In {called} {pair}. May {i} look at {j}, and which number says so?"
    return "Right. The scores in sight then grow with T, not T². Mistral 7B has such a window (Jiang et al., 2023)."


def newest_token(function):
    """Exercise 4: attention for the newest token alone."""
    problems = (_attention_judge_newest(function, *case) for case in ((5, 4, 1), (3, 9, 1), (5, 4, 200)))
    right = "Right. The newest query needs no mask and no other query: with old keys and values kept, one row will do."
    print(_first(problems) or right)


def _attention_judge_newest(function, T, size, times):
    query, keys, values = _attention_example(T, size)
    query = times * query[-1]
    answer, problem = _attention_try(function, query, keys, values)
    if "ValueError" in problem:
        return f"{problem}. One query has one score for each key. Which shape has each thing you multiply or add to it?"
    if problem:
        return problem
    if answer.shape == keys.shape:
        return "Not yet. Here is a row for every token. One query comes in, so one row goes out."
    if answer.shape != values[0].shape:
        return f"Not yet. One query gives one mixed value, of shape {values[0].shape}; this has {answer.shape}."
    scores = keys @ query
    if np.allclose(answer, _attention_softmax(scores / np.sqrt(size)) @ values, atol=1e-5):
        return None
    if times > 1 and np.isnan(answer).any():
        far = f"with a score of {scores.max() / np.sqrt(size):.0f} it gives NaN"
        return f"Not yet. Right for small scores, but {far}. What does softmax do before it takes e to a score?"
    mistakes = [
        (scores, "It is right but for the scale: by what are the scores divided first?"),
        (scores / size, "The scores are divided by head_dim itself. By what should it be?"),
        (scores * np.sqrt(size), "The scores are multiplied by √head_dim. Should their spread grow or shrink?"),
        (scores / np.sqrt(T), "The scale is that of the number of keys. Which number is meant?"),
        (keys @ keys[-1] / np.sqrt(size), "It asks with the newest token's key. Who should ask?"),
    ]
    mistakes = [(_attention_softmax(wrong) @ values, message) for wrong, message in mistakes]
    mistakes += [
        (scores / np.sqrt(size) @ values, "The values are mixed by raw scores. What makes shares of them?"),
        (values[0], "It is the first token's value and nothing else. Does the newest token have a future to hide?"),
        (values.mean(axis=0), "It is the plain mean of all values. Where does the query come in?"),
        (_attention_softmax(scores / np.sqrt(size)) @ keys, "The shares are right. Of what does a query take shares?"),
    ]
    for wrong, message in mistakes:
        if np.allclose(answer, wrong):
            return f"Not yet. {message}"
    return "Not yet. The numbers are others than the last row of attention(q, k, v, mask). Compare step by step."


def masked_weights(function):
    """Exercise 5: the mask in its place."""
    cases = ((5, 4, 5), (7, 3, 2))  # a window over all tokens is the causal mask
    problems = (_attention_judge_weights(function, *case) for case in cases)
    problem = _first(problems) or _attention_judge_far(function)
    right = "Right. What is hidden is hidden before the shares are dealt out, so it takes none and leaves no trace."
    print(problem or right)


def _attention_judge_weights(function, T, size, window):
    q, k, _ = _attention_example(T, size)
    mask = _attention_mask(np.tri(T) - np.tri(T, k=-window) == 1)
    weights, problem = _attention_try(function, q, k, mask)
    if problem:
        return problem
    if weights.shape != mask.shape:
        return f"Not yet. The weights should have the mask's shape, {mask.shape}; these have {weights.shape}."
    scores = q @ k.T / np.sqrt(q.shape[-1])
    zeroed = _attention_softmax(np.where(mask == 0, scores, 0))
    if np.allclose(weights, zeroed):
        return "Not yet. A later key now gets the score 0, and e to the 0 is 1, not 0. Which score gives a weight of 0?"
    if np.isnan(weights).any():
        return "Not yet. There are NaNs in the weights. Was −inf multiplied by something, or taken from itself?"
    if np.isneginf(weights).any():
        return "Not yet. There is −∞ among the weights. e to the −∞ is 0, but who still takes e to it at that point?"
    leaks = np.abs(weights * (mask < 0)).sum(axis=-1)
    if leaks.max() > 1e-6:
        row = int(np.argmax(leaks))
        given = f"row {row} gives {leaks[row]:.2f} of its weight to tokens that the mask hides"
        return f"Not yet. With a mask that shows each token at most {window}, {given}. Where is your mask used?"
    sums = weights.sum(axis=-1)
    if not np.allclose(sums, 1, atol=1e-5):
        row = int(np.argmax(np.abs(sums - 1)))
        asks = "By which sum is each of its numbers divided?"
        if np.isclose(sums[-1], 1) and sums.max() < 1.001:
            asks = "Who took the rest before the mask came?"
        elif np.ptp(sums) < 1e-5:
            asks = "So do all the others. What is done to the shares after the softmax?"
        return f"Not yet. Row {row} adds up to {sums[row]:.2f}. {asks}"
    if np.allclose(weights, _attention_softmax(q @ k.T + mask)):
        return "Not yet. The mask is in its place now, but the scores are no longer divided by √head_dim."
    if not np.allclose(weights, _attention_softmax(scores + mask), atol=1e-5):
        return "Not yet. The rows add up to 1 and hide the future, but their numbers differ from attention_weights'."
    return None


def _attention_judge_far(function):
    mask = _attention_mask(np.tri(2) == 1)
    q = np.array([[1, 0], [1, 0]], np.float32)
    rows = []
    for first, second in [(0, 2000), (-1e12, 0)]:  # a hidden key far above the one in sight, and one in sight far below
        weights, problem = _attention_try(function, q, np.array([[first, 0], [second, 0]], np.float32), mask)
        if problem:
            return problem
        rows += weights.tolist()
    if not np.allclose(rows[0], [1, 0]):
        return (
            "Not yet. This is right while scores are moderate. But let the hidden key score 1414 more than the one in "
            f"sight: the first row is then {rows[0]}. What is left of the small one to divide by?"
        )
    if not np.allclose(rows[1], [0, 1]):
        return (
            "Not yet. This is right while scores are moderate. But with both keys in sight and scores of 0 and 1414 "
            f"the row is {rows[1]}. What does this chapter's softmax do before it takes e to a score?"
        )
    if not np.allclose(rows[2], [1, 0]):
        return (
            "Not yet. This is right while scores are moderate. But let the only key in sight score −7 · 10¹¹: the "
            f"first row is then {rows[2]}. Which score is below every other?"
        )
    return None


def _attention_mask(seen):
    return np.where(seen, 0, -np.inf).astype(np.float32)


def _attention_softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _attention_example(T, size):
    return np.random.default_rng(6).standard_normal((3, T, size)).astype(np.float32)  # q, k, v: [T, size] each


def _attention_try(function, *arguments):
    """Call the reader's function. Returns (array, ""), or (None, a message that says what went wrong)."""
    if not callable(function):
        return None, "Not yet. What is checked should be a function, given by its name without brackets."
    copies = _copies(arguments)
    try:
        with np.errstate(all="ignore"):
            answer = function(*copies)
    except Exception as error:
        return None, f"Not yet. Your function stopped with {type(error).__name__}: {error}"
    if touched := _touched(copies, arguments):
        return None, touched
    if answer is None:
        return None, "Not yet. Your function returns nothing so far. Which of its results should go out?"
    try:
        return np.asarray(answer, np.float64), ""
    except (TypeError, ValueError):
        return None, f"Not yet. Your function should return an array of numbers; this is {type(answer).__name__}."


# ---- 07 multihead ----


def _multihead_try(function, *arguments):
    """Call what the reader wrote. Returns (array, None), or (None, a message that says what happened)."""
    if not callable(function):
        return None, "Not yet. The check needs the function itself, without brackets after its name."
    copies = _copies(arguments)
    try:
        answer = function(*copies)
    except Exception as error:
        said = " ".join(str(error).split())
        return None, f"Not yet. Your function stopped with {type(error).__name__}: {said}"
    if touched := _touched(copies, arguments):
        return None, touched
    if answer is None:
        return None, ""
    try:
        return np.asarray(answer, dtype=np.float64), None
    except (TypeError, ValueError):
        return None, f"Not yet. An array of numbers is wanted; your function returned a {type(answer).__name__}."


def _multihead_same(answer, wanted):
    return answer.shape == wanted.shape and np.allclose(answer, wanted)


def _multihead_shape(value):
    try:
        shape = tuple(int(n) for n in value)
    except (TypeError, ValueError, OverflowError):
        return None
    return shape if np.array_equal(shape, value) else None


def _multihead_random(*sizes):
    return np.random.default_rng(7).standard_normal(sizes)


def multihead_shapes(answer):
    """Exercise 1: four shapes in a layer of the 8B, for 6 tokens."""
    right = {
        "grouped queries": (8, 4, 6, 128),
        "attention weights": (8, 4, 6, 6),
        "concatenated": (6, 4096),
        "one head's band of wo": (4096, 128),
    }
    if not isinstance(answer, dict):
        print("Not yet. The answer is a dict with the four names.")
        return
    given = {name: _multihead_shape(answer.get(name)) for name in right}
    missing = [name for name, shape in given.items() if shape is None]
    queries, weights, joined, band = given.values()
    if missing:
        print(
            f"Not yet. Still to fill in as a tuple of whole numbers: {', '.join(missing)}. "
            "What do the axes count: groups, heads in a group, tokens, numbers?"
        )
    elif given == right:
        print("Right. Four axes while the heads work, two when they have come together.")
    elif queries == (4, 8, 6, 128) or weights == (4, 8, 6, 6):
        print(
            "Not yet. Four groups of eight heads, you say. Which number counts the groups: that of the key/value "
            "heads, or that of the query heads which share one?"
        )
    elif queries == (32, 6, 128) or weights == (32, 6, 6):
        name = "grouped queries" if queries == (32, 6, 128) else "attention weights"
        print(f"Not yet. The {name} have one axis for all 32 heads. What does group_queries make of this axis?")
    elif weights == (8, 4, 6, 128):
        print("Not yet. The weights are not vectors of a head: there is one weight for each query and each what?")
    elif band == (128, 4096):
        print("Not yet. The band of wo lies on its side. wo is [out, in], and a head's numbers go in: rows or columns?")
    elif joined == (6, 32, 128):
        print("Not yet. Concatenated, a token's heads lie in one row. Which two of these axes have become one?")
    elif joined in ((6, 128), (6, 1024)):
        print("Not yet. More heads than that lie end to end. How many outputs does a token have, of 128 numbers each?")
    else:
        wrong = next(name for name in right if given[name] != right[name])
        print(f"Not yet. The shape of {wrong} is not {given[wrong]}. What does each of its axes count?")


def repeated_heads(answer):
    """Exercise 2: repeat each key head for its group of neighbours."""
    n_kv_heads, T, head_dim, group = 3, 4, 2, 2
    k, other = _multihead_random(n_kv_heads, T, head_dim), _multihead_random(5, 2, 3)
    repeated, message = _multihead_try(answer, k, group)
    if message is not None:
        print(message or "Not yet. Nothing is returned so far.")
    elif _multihead_same(repeated, np.repeat(k, group, axis=0)):
        second, _ = _multihead_try(answer, other, 3)
        if second is not None and _multihead_same(second, np.repeat(other, 3, axis=0)):
            print("Right. Neighbours share: the order is 0, 0, 1, 1, 2, 2, which is h // group.")
        else:
            print(
                "Not yet. Right for 3 key heads and groups of 2, not for 5 key heads and groups of 3. Which number "
                "does your function take for granted?"
            )
    elif _multihead_same(repeated, np.tile(k, (group, 1, 1))):
        print(
            "Not yet. With 3 key heads and groups of 2, query heads 0 to 5 get key heads 0, 1, 2, 0, 1, 2. "
            "What is h // 2 for these h?"
        )
    elif _multihead_same(repeated, np.repeat(k, group, axis=1)):
        print(
            "Not yet. Tokens were repeated, not heads: every token's key stands there twice. Which axis counts heads?"
        )
    elif _multihead_same(repeated, np.repeat(k, group, axis=2)):
        print("Not yet. The numbers inside each key were repeated, not the heads. Which axis counts heads?")
    elif _multihead_same(repeated, np.repeat(k[:, None], group, axis=1)):
        print("Not yet. Repeated rightly, but in an axis of its own: the two first axes have to become one.")
    elif repeated.shape != (n_kv_heads * group, T, head_dim):
        print(f"Not yet. The shape is {repeated.shape}; one key head for each query head would be (6, 4, 2) here.")
    else:
        print("Not yet. The shape is right, but keys stand in wrong places. Print it for a k whose numbers you know.")


def joined_heads(answer):
    """Exercise 3: lay the heads of each token end to end."""
    n_heads, T, head_dim = 2, 4, 3
    heads, other = _multihead_random(n_heads, T, head_dim), _multihead_random(3, 2, 5)
    joined, message = _multihead_try(answer, heads)
    if message is not None:
        print(message or "Not yet. Nothing is returned so far.")
    elif _multihead_same(joined, heads.swapaxes(0, 1).reshape(T, -1)):
        second, _ = _multihead_try(answer, other)
        if second is not None and _multihead_same(second, other.swapaxes(0, 1).reshape(2, -1)):
            print("Right. Every row is one token, its heads one after the other: what split_heads took apart.")
        else:
            print(
                "Not yet. Right for 2 heads and 4 tokens, not for 3 heads and 2 tokens. Which number does your "
                "function take for granted?"
            )
    elif _multihead_same(joined, heads.reshape(T, -1)):
        print(
            "Not yet. The first row should hold what heads 0 and 1 found for token 0; it holds what head 0 found for "
            "tokens 0 and 1. In what order does reshape read the numbers?"
        )
    elif _multihead_same(joined, heads.transpose(1, 2, 0).reshape(T, -1)):
        print(
            "Not yet. Each row is one token, as it should be, but its heads are shuffled together: a number of head 0, "
            "one of head 1, and again. What would wo's bands meet?"
        )
    elif joined.shape == (n_heads * T, head_dim):
        print("Not yet. The heads lie under each other, not side by side. Along which axis should they be joined?")
    elif _multihead_same(joined, heads.swapaxes(0, 1)):
        print("Not yet. The tokens come first now. Which two axes are still to be made one?")
    elif joined.shape != (T, n_heads * head_dim):
        print(f"Not yet. The shape is {joined.shape}, where [T, n_heads * head_dim] is {(T, n_heads * head_dim)}.")
    else:
        print("Not yet. The shape is right, but numbers are not where they belong. Whose are those of the first row?")


def attention_residual(answer):
    """Exercise 4: the attention half of a layer, which adds to the raw stream."""
    random = np.random.default_rng(0)
    x, weight, eps = 10 * random.standard_normal((3, 4)), random.uniform(0.5, 2, 4), 1e-5
    mix = np.tri(3) / np.arange(1, 4)[:, None]

    def attend(x):
        return mix @ x + 1

    result, message = _multihead_try(answer, x, lambda x: rms_norm(x, weight, eps), attend)
    if message is not None:
        print(message or "Not yet. Nothing is returned so far.")
        return
    normalised = rms_norm(x, weight, eps)
    size = np.sqrt(np.mean(x * x))
    if _multihead_same(result, x + attend(normalised)):
        print("Right. Attention reads the normalised copy; the sum goes to the stream as it came in.")
    elif _multihead_same(result, normalised + attend(normalised)):
        print(
            f"Not yet. The stream came in with numbers around {size:.0f}; what goes on is around "
            f"{np.sqrt(np.mean(result * result)):.0f}. Where did what the earlier layers wrote get lost?"
        )
    elif _multihead_same(result, attend(normalised)):
        print("Not yet. What attention wrote is there, what was in the stream before is gone. What is missing?")
    elif _multihead_same(result, x + attend(x)):
        print(
            "Not yet. The sum goes to the raw x, as it should. But attention was given the raw x too: what should it "
            "read?"
        )
    elif _multihead_same(result, x + rms_norm(attend(x), weight, eps)):
        print("Not yet. What attention wrote is normalised here, and it read the raw x. What is the norm there for?")
    elif _multihead_same(result, rms_norm(x + attend(x), weight, eps)):
        print(
            "Not yet. Here the norm comes after the sum, so all of the stream is rescaled. Who needs the normalised x?"
        )
    elif _multihead_same(result, rms_norm(x + attend(normalised), weight, eps)):
        print("Not yet. The sum was right before it was normalised. Does the stream itself need the norm?")
    elif result.shape != x.shape:
        print(f"Not yet. The shape is {result.shape}; the stream keeps its shape, which is {x.shape} here.")
    else:
        print("Not yet. What comes out is something else. Which x does attention read, and which is the sum added to?")


def one_head_writes(answer):
    """Exercise 5: what one head adds to the residual stream."""
    random = np.random.default_rng(0)
    n_heads, T, head_dim, h = 4, 5, 2, 2  # a middle head: columns fixed for head 1, or without an end, must not do
    D = n_heads * head_dim
    heads, wo = random.standard_normal((n_heads, T, head_dim)), random.standard_normal((D, D))
    written, message = _multihead_try(answer, heads, wo, h)
    if message is not None:
        if "matmul" in message:
            message = (
                "Not yet. The two arrays you multiply do not fit: the last axis of the left one must be as long as the "
                f"first of the right one. Here a head has {head_dim} numbers, heads[h] is {heads[h].shape} and wo is "
                f"{wo.shape}. What are your two?"
            )
        print(message or "Not yet. Nothing is returned so far. Which columns of wo meet the numbers of this head?")
        return
    mine = slice(h * head_dim, (h + 1) * head_dim)
    every = heads.swapaxes(0, 1).reshape(T, -1) @ wo.T
    if _multihead_same(written, heads[h] @ wo[:, mine].T):
        print(_multihead_other_heads(answer))
    elif _multihead_same(written, heads[h] @ wo[mine]):
        print(
            "Not yet. The shape is right, but rows of wo were used. wo is stored [out, in]: a head's numbers go in. "
            "Are they met by rows or by columns?"
        )
    elif _multihead_same(written, every):
        print("Not yet. That is what all heads write together. How much of it comes from this one?")
    elif _multihead_same(written, every[:, mine]):
        print(
            f"Not yet. You kept {head_dim} numbers of the sum of all heads. A head writes all D numbers: "
            "it is the input of wo that belongs to heads, not its output."
        )
    elif _multihead_same(written, heads[h] @ wo[:, h::n_heads].T):
        print("Not yet. The columns taken lie apart, every fourth. A head's numbers lie together in the concatenation.")
    elif _multihead_same(written, heads[h] @ wo[:, h : h + head_dim].T):
        print(f"Not yet. The columns begin at {h}. Where does head {h} begin, if each head before it has {head_dim}?")
    elif _multihead_same(written, heads[h] @ wo[:, :head_dim].T):
        print("Not yet. These are the columns of head 0. Where do those of head h begin?")
    elif _multihead_same(written, (heads[h] @ wo[:, mine].T).T):
        print("Not yet. The numbers are right, but tokens go across. They should go down: [T, D].")
    elif written.shape != (T, D):
        print(f"Not yet. The shape is {written.shape}, where [T, D] is {(T, D)} in this test.")
    else:
        print("Not yet. The shape is right, the numbers are not. Which part of wo did the head's numbers meet?")


def _multihead_other_heads(answer):
    """What to say about a function that is right for head 2 of 4, with 2 numbers each and as many rows of wo."""
    heads, wo = _multihead_random(3, 4, 5), _multihead_random(19, 15)
    for h in range(3):
        written, message = _multihead_try(answer, heads, wo, h)
        if message is not None or not _multihead_same(written, heads[h] @ wo[:, 5 * h : 5 * (h + 1)].T):
            return (
                f"Not yet. Right for head 2 of 4, of 2 numbers each, and wo (8, 8). Not for head {h} of 3, of 5 "
                "numbers each, and wo (19, 15). Which number does your function take for granted?"
            )
    return "Right. Added up over all heads this is the whole output: every head makes a contribution of its own."


# ---- 08 swiglu ----


def _swiglu_array(function, *arguments):
    """What a reader's function returns, as an array, and None; or None and what to say about it."""
    copies = _copies(arguments)
    answer, problem = _call(function, *copies)
    if problem := problem or _touched(copies, arguments):
        return None, problem
    if answer is None:
        return None, "Not yet. Your function returns None: does its last line begin with return?"
    try:
        answer = np.asarray(answer)
    except ValueError:
        return None, "Not yet. Your function returns rows of different lengths; an array of numbers is wanted."
    if answer.dtype.kind not in "fiu":
        return None, f"Not yet. Your function returns {answer.dtype.name}; numbers are wanted."
    return answer, None


def feed_forward_shapes(answer):
    """Exercise 1: the shapes of a feed-forward part with dim 8, 20 neurons and 5 tokens."""
    T, D, F = 5, 8, 20
    wanted = {"w1": (F, D), "w2": (D, F), "gate": (T, F), "output": (T, D)}
    hints = {
        "w1": "How many rows for 20 neurons, and how many numbers does each of them read from a token?",
        "w2": "Here a neuron is a column: how many numbers does it write, and how many columns are there?",
        "gate": "How many gates does one token have, and how many tokens are there?",
        "output": "It is added to the residual stream: which shape must it have for that?",
    }
    if not isinstance(answer, dict) or not all(name in answer for name in wanted):
        return print(f"Not yet. A dict with a shape for each of {', '.join(wanted)} is wanted.")
    for name, shape in wanted.items():
        given = answer[name] if isinstance(answer[name], (tuple, list)) else (None,)
        if not all(isinstance(n, (int, np.integer)) for n in given):
            return print(f"Not yet. {name!r} is {answer[name]!r}; a shape is a tuple of whole numbers, like (3, 4).")
        if not given:
            return print(f"Not yet. {name!r} is still empty. {hints[name]}")
        if tuple(given) == shape[::-1]:
            return print(f"Not yet. {name!r} has the right two numbers in the wrong order. {hints[name]}")
        if tuple(given) != shape:
            return print(f"Not yet. {name!r} is not {given}. {hints[name]}")
    print("Right. Out of 8 numbers into 20 neurons and back into 8: only the middle is wider.")


def ffn_dim(function):
    """Exercise 2: the rule for the number of neurons."""
    cases = [(5120, 512, 1.25, 17408), (4096, 1024, 1.3, 14336), (8192, 4096, 1.3, 28672), (128, 64, 0.5, 192)]
    cases += [(4096, 256, 1.0, 11008), (96, 64, 1.0, 256), (2048, 256, 1.5, 8192), (3072, 256, 1.0, 8192)]
    cases += [(1000, 1, 1.3, 3465)]  # here the fractions count
    for dim, multiple, multiplier, wanted in cases:
        given, problem = _swiglu_array(function, dim, multiple, multiplier)
        if problem:
            return print(problem)
        if given.shape != () or not np.isfinite(given):
            return print(f"Not yet. Your function returns {given!r}; one whole number is wanted.")
        if given != wanted:
            return print(f"Not yet. {_swiglu_rule_hint(dim, multiple, multiplier, wanted, given.item())}")
    print("Right. Nine sets of sizes agree, the 70B's, with its 28672, among them.")


def _swiglu_rule_hint(dim, multiple, multiplier, wanted, given):
    where = f"For dim {dim}, multiple_of {multiple} and multiplier {multiplier} it says {given}"
    before = int(multiplier * int(8 * dim / 3))
    if given == 4 * dim:
        return f"{where}, which is 4 × dim. How many matrices would that be enough for, and how many are there?"
    if given == multiple * -(-int(multiplier * 4 * dim) // multiple):
        return f"{where}. With three matrices of that size the part costs half as much again: what pays for the third?"
    if multiplier != 1 and given == multiple * -(-int(8 * dim / 3) // multiple):
        return f"{where}, which is what a multiplier of 1 gives. Does yours have its full say?"
    if given % multiple:
        return f"{where}, which is not a multiple of {multiple}: {given} / {multiple} = {given / multiple:.2f}."
    if given == multiple * (before // multiple):
        return f"{where}, a multiple, but one with fewer neurons than the {before} asked for. Which way to round?"
    if given == wanted + multiple and multiple > 1 and before < wanted - 1:
        return f"{where}, one multiple too many. How far is it from {before} up to the next one?"
    if given == wanted + multiple and before == wanted and multiple > 1:
        return f"{where}, one multiple too many. What should happen to {before} when it needs no rounding?"
    if wanted < given <= wanted + max(multiple, 2):
        return f"{where}, a little too many. What does Meta's code do with a fraction, before the last step?"
    return f"{where}. Go through the four steps one by one with these numbers: where does it leave the path?"


def feed_forward(function):
    """Exercise 3: a port of swiglu with two mistakes."""
    random = np.random.default_rng(0)
    x, w1, w3 = random.standard_normal((4, 6)), random.standard_normal((5, 6)), random.standard_normal((5, 6))
    w2 = random.standard_normal((6, 5))
    given, problem = _swiglu_array(function, x, w1, w2, w3)
    if problem and "matmul" in problem:
        sizes = f"x is {x.shape}, w1 and w3 are {w1.shape}, w2 is {w2.shape}"
        return print(f"Not yet. Two arrays multiplied with @ do not fit: here {sizes}. What does linear turn over?")
    if problem:
        return print(problem)
    if given.shape != x.shape:
        return print(f"Not yet. For x of shape {x.shape} it returns {given.shape}: what shape can be added to x?")
    if np.allclose(given, _swiglu_swiglu(x, w1, w2, w3), atol=1e-5):
        return print("Right. The curve is silu, and it bends the product with w1, the gate.")
    for result, hint in _swiglu_known_ports(x, w1, w2, w3):
        if np.allclose(given, result, atol=1e-5):
            return print(f"Not yet. {hint}")
    print("Not yet. The shape is right, the numbers are those of no version I know. Compare with the naive loop above.")


def _swiglu_known_ports(x, w1, w2, w3):
    """Yield the result of every wrong port we know, and what to say about it."""
    sigmoid, silu = _swiglu_sigmoid, _swiglu_silu
    gate, up = x @ w1.T, x @ w3.T
    yield (
        (sigmoid(up) * gate) @ w2.T,
        "Two things are wrong. Make every number of x a hundred times as large, and one of the two factors never grows "
        "past 1: should it? And which matrix made that factor?",
    )
    yield (
        (sigmoid(gate) * up) @ w2.T,
        "The gate now comes from the right matrix, but it never exceeds 1, however large x is. What does silu do with "
        "a gate of 6?",
    )
    yield (
        (silu(up) * gate) @ w2.T,
        "The curve is the right one, but a token with a very negative product with w3 is shut out, and one with a very "
        "negative product with w1 is not. Which of the two is the gate?",
    )
    yield (gate * up) @ w2.T, "X and -x give the same result: nothing bends the gate any more."
    yield silu(gate * up) @ w2.T, "The curve bends the whole product. Which of its two factors decides what passes?"
    yield (silu(gate) * silu(up)) @ w2.T, "Both factors are bent, so a negative up is lost. Which must keep its sign?"
    yield x + _swiglu_swiglu(x, w1, w2, w3), "It is x too large. Is the addition to the stream part of this function?"
    yield up @ w2.T, "The gate, from w1, has no part in the result: one matrix could do this."
    yield silu(gate) @ w2.T, "The up, from w3, has no part in the result: where is the product?"
    yield (np.maximum(gate, 0) * up) @ w2.T, "That is relu on the gate: at a gate of -1 silu is not 0."
    yield (silu(gate) + up) @ w2.T, "Gate and up are added; a sum cannot say 'both'."


def stable_sigmoid(function):
    """Exercise 4: a sigmoid with exp that never overflows."""
    ordinary = np.linspace(-15, 15, 61)
    given, problem = _swiglu_array(function, ordinary)
    if problem:
        if "stopped with" in problem and _swiglu_array(function, ordinary[0])[1] is None:
            problem = "Not yet. It works for one number, but x is an array. Which of your steps takes only one number?"
        return print(problem)
    true = 1 / (1 + np.exp(-ordinary))
    if given.shape != true.shape:
        return print(f"Not yet. For an array of shape {true.shape} it returns one of shape {given.shape}.")
    if np.allclose(given, true, rtol=1e-6):
        return print(_swiglu_extremes(function))
    if np.allclose(given, true[::-1], rtol=1e-6):
        return print("Not yet. The sigmoid rises, this falls. Which formula, with which sign, does a positive x get?")
    worst = int(np.abs(given - true).argmax())
    at = f"At x = {ordinary[worst]:.1f} it says {given[worst]:.3f}, the formula {true[worst]:.3f}"
    print(f"Not yet. {at}. Before asking about overflow, which of the two formulas holds there?")


def _swiglu_extremes(function):
    """What to say about a sigmoid that is right for ordinary numbers."""
    extreme = np.array([-20000, -100, -90, 0, 90, 100, 20000], np.float32)
    result, problem = _swiglu_array(function, extreme)
    if problem:
        return problem
    if np.isnan(result).any():
        at = extreme[np.isnan(result)][0]
        return f"Not yet. At x = {at:.0f} it gives nan, as infinity over infinity or 0 over 0. Which power went so far?"
    if not np.allclose(result, [0, 0, 0, 0.5, 1, 1, 1], atol=1e-6):
        worst = int(np.abs(result - np.heaviside(extreme, 0.5)).argmax())
        return f"Not yet. At x = {extreme[worst]:.0f} it says {result[worst]:.3f}. How large is the share there?"
    try:
        # The reader's own np.errstate or np.seterr would only hide an overflow.
        hides = {"errstate": lambda **_: nullcontext(), "seterr": lambda **_: {}}
        with np.errstate(over="raise"), mock.patch.multiple(np, **hides):
            function(extreme.copy())
    except FloatingPointError:
        text = "The results are right, but on the way exp overflows. (If you use it: np.where works out both sides.)"
        return f"Not yet. {text} What may exp be given, so that it never exceeds 1?"
    if result.dtype != np.float32:
        return f"Not yet. It gives {result.dtype} for float32 numbers. What in your line is float64?"
    for far in (-700.0, -2000.0):  # in float64 e to the -700 can be written, e to the -2000 is 0
        tail, _ = _swiglu_array(function, np.array([far]))
        if not math.isclose(tail.item(), math.exp(far), rel_tol=1e-3):
            text = f"sigmoid({far:g}) is {math.exp(far):.3g} in float64, and it says {tail.item():.3g}"
            return f"Not yet. No overflow, but {text}. Is something cut off or rounded away, as tanh rounds to -1?"
    table = np.array([[2.0, -1.0, 0.5], [-3.0, 0.0, 4.0]])
    given, problem = _swiglu_array(function, table)
    if problem or given.shape != table.shape or not np.allclose(given, 1 / (1 + np.exp(-table))):
        return "Not yet. It is right for a row of numbers in order, not for an array of two rows. x may have any shape."
    return "Right. Nothing overflows, and even sigmoid(-700), with 304 zeros after the point, keeps its digits."


def exact_product(w1, w2, w3):
    """Exercise 5: two neurons that multiply."""
    try:
        w1, w2, w3 = (np.asarray(w, float) for w in (w1, w2, w3))
    except (TypeError, ValueError):
        return print("Not yet. Three arrays of numbers are wanted.")
    if w1.shape != (2, 2) or w3.shape != (2, 2) or w2.shape != (1, 2):
        shapes = f"w1 {list(w1.shape)}, w2 {list(w2.shape)}, w3 {list(w3.shape)}"
        return print(f"Not yet. The shapes are {shapes}; [2, 2], [1, 2] and [2, 2] are wanted.")
    ab = np.array([[a, b] for a in (-3.0, -1.0, 0.5, 2.0, 40.0) for b in (-2.0, 0.0, 1.0, 5.0)])
    with np.errstate(all="ignore"):
        given = _swiglu_swiglu(ab, w1, w2, w3)[:, 0]
    a, b = ab.T
    if np.allclose(given, a * b, rtol=1e-12, atol=1e-9):
        with np.errstate(all="ignore"):
            far = _swiglu_swiglu(np.array([[1e30, 5.0]]), w1, w2, w3).item()
        if np.isclose(far, 5e30):
            return print("Right. Two neurons multiply any two numbers, exactly: no weighted sum can.")
        text = f"Not yet. Right for small numbers, but for the token (1e+30, 5) it gives {far:.4g} in place of 5e+30"
        return print(f"{text}. silu is nearly straight only close to 0: what makes two neurons exact anywhere?")
    worst = np.abs(given - a * b).argmax()
    token, right = f"({a[worst]:g}, {b[worst]:g})", a[worst] * b[worst]
    off = float(f"{abs(given[worst] - right):.2g}")
    seen = f"For the token {token} it gives {given[worst]:.4g} in place of {right:g}, {off:g} off"
    if np.allclose(given, -a * b, atol=1e-9):
        return print(f"Not yet. {seen}: the size is right, the sign is not. Which of the two neurons is taken off?")
    working = np.count_nonzero(w2[0] * w1.any(axis=1) * w3.any(axis=1))
    if working == 0:
        return print(f"Not yet. {seen}: no neuron has a gate, an up and a down that are not all 0. A neuron is a row.")
    if working == 1:
        return print(f"Not yet. {seen}, with one neuron at work. What is lost, and what gate would a second one need?")
    if np.allclose(given, b * a * np.tanh(a / 2), atol=1e-9):
        text = "the gates are right, but the result does not change its sign with a"
        return print(f"Not yet. {seen}: {text}. How do the two products go together?")
    if np.array_equal(w1[0], w1[1]):
        return print(f"Not yet. {seen}. Both neurons have the same gate, so what one holds back, the other does too.")
    if w1[:, 0].any() and w1[:, 1].any():
        return print(f"Not yet. {seen}. Both a and b go into a gate. What is lost if the gates hold only one of them?")
    factor = given @ (a * b) / np.sum((a * b) ** 2)
    if np.allclose(given, factor * a * b, atol=1e-9):
        return print(f"Not yet. {seen}: {factor:.6g} times the product, everywhere. Where does the factor come from?")
    print(f"Not yet. {seen}. Write silu(gate) × up for both neurons with letters, and add them with w2.")


# ---- 09 layers ----


def _layers_model():
    """A small fixed model with norm weights far from 1 and a norm_eps that matters. Returns weights, params and ids."""
    sizes = dict(dim=16, n_layers=4, n_heads=4, n_kv_heads=2, vocab_size=13, ffn_dim=12)
    scaling = RopeScaling(8.0, 1.0, 4.0, original_max_position_embeddings=16)
    params = _layers_Params(**sizes, norm_eps=0.1, rope_theta=100.0, max_seq_len=32, rope_scaling=scaling)
    random = np.random.default_rng(9)
    weights = {}
    for name, shape in _layers_weight_shapes(params).items():
        numbers = (
            random.uniform(0.3, 1.7, shape) if len(shape) == 1 else random.normal(0, 1.2 * shape[-1] ** -0.5, shape)
        )
        weights[name] = numbers.astype(np.float32)
    return weights, params, [3, 1, 4, 1, 5, 9]


def _layers_call(function, *arguments):
    """What a reader's function returns as an array and None, or None and what to say about it."""
    before = [part.copy() for part in _layers_parts(arguments)]
    result, problem = _call(function, *arguments)
    if problem:
        return None, problem
    if not all(map(np.array_equal, before, _layers_parts(arguments))):
        return None, "Not yet. Your function changes an array or a list that it is given. Should it not work on a copy?"
    if result is None:
        return None, "Not yet. Your function returns None: does its last line begin with return?"
    try:
        return np.asarray(result, float), None
    except (TypeError, ValueError):
        return None, f"Not yet. Your function returns {type(result).__name__}; an array of numbers is wanted."


def _layers_parts(arguments):
    """The arrays and lists among the arguments and in their dicts."""
    parts = [part for each in arguments for part in (each.values() if isinstance(each, dict) else [each])]
    return [part for part in parts if isinstance(part, (np.ndarray, list))]


def _layers_same(a, b):
    return a.shape == np.shape(b) and np.allclose(a, b, atol=1e-4)


def shapes_of_layers(answer):
    """Exercise 1: dim 6, 5 layers, vocabulary 50, 4 tokens."""
    if not isinstance(answer, dict) or not {"stream", "logits", "additions"} <= set(answer):
        return print("Not yet. A dict with 'stream', 'logits' and 'additions' is wanted.")
    given = {}
    for name in ("stream", "logits"):
        given[name] = tuple(answer[name]) if isinstance(answer[name], (tuple, list, np.ndarray)) else (None,)
        if not all(isinstance(n, (int, np.integer)) for n in given[name]):
            return print(f"Not yet. {name!r} is {answer[name]!r}; a shape is a tuple of whole numbers, like (3, 2).")
    if not given["stream"]:
        return print("Not yet. 'stream' is still empty. What shape do 4 tokens have right after the embedding?")
    if given["stream"] != (4, 6):
        hint = "What is added to the stream must have its shape: can a layer change it?"
        if given["stream"] == (6, 4):
            hint = "The two numbers are right: is a token a row or a column?"
        return print(f"Not yet. After layer 2 the stream is not {given['stream']}. {hint}")
    if not given["logits"]:
        return print("Not yet. 'logits' is still empty. What gets a score, and at how many positions?")
    if given["logits"] in ((50,), (1, 50)):
        return print(f"Not yet. {given['logits']} would be the logits of one position. How many positions have any?")
    if given["logits"] == (50, 4):
        return print("Not yet. The two numbers of 'logits' are right, in the wrong order: a position is a row.")
    if given["logits"] != (4, 50):
        return print(f"Not yet. 'logits' is not {given['logits']}. The rows are positions; what is a column?")
    if not isinstance(answer["additions"], (int, float, np.number)):
        return print(f"Not yet. 'additions' is {answer['additions']!r}; a number is wanted.")
    if answer["additions"] == 5:
        return print("Not yet. 5 would be one addition a layer. How often does `x +` stand in the block?")
    if answer["additions"] == 11:
        return print("Not yet. 11 vectors make up the sum; one of them is the embedding itself.")
    if answer["additions"] != 10:
        return print(f"Not yet. It is not {answer['additions']!r} additions. Count `x +` in one block first.")
    print("Right. The stream keeps its shape from end to end, and ten vectors have been added to each row.")


def parameters(function):
    """Exercise 2: the number of parameters."""
    sizes = [
        (24, 5, 6, 2, 101, 50),  # first, for here no two mistakes that we name give the same number
        (4096, 32, 32, 8, 128256, 14336),
        (128, 32, 8, 2, 1024, 192),
        (2048, 5, 16, 16, 77, 900),
        (6, 3, 3, 1, 9, 4),
    ]
    for dim, n_layers, n_heads, n_kv_heads, vocab_size, ffn in sizes:
        p = _layers_Params(dim, n_layers, n_heads, n_kv_heads, vocab_size, ffn, norm_eps=1e-5, rope_theta=1e4)
        count, banned = p.n_parameters, ValueError("a formula is wanted, without weight_shapes")
        with mock.patch("llama_np.params.each_weight_shape", side_effect=banned):
            given, problem = _layers_call(function, p)
        if problem:
            return print(problem)
        if given.shape != () or not np.isfinite(given) or given % 1:
            return print("Not yet. One whole number is wanted.")
        if int(given) != count:
            return print(f"Not yet. {_layers_parameters_hint(p, int(given))}")
    print("Right. 8,030,261,248 for the 8B, and four other models agree.")


def _layers_parameters_hint(p, given):
    """What to say about a wrong count: the difference from the right one tells what was forgotten."""
    table, norms, square = p.vocab_size * p.dim, p.n_layers * p.dim, p.n_layers * p.dim * p.dim
    full_kv = p.n_layers * 2 * (p.dim - p.n_kv_heads * p.head_dim) * p.dim  # what 4 dim² counts too much
    vectors = 2 * norms + p.dim
    outside = "The layers are right. What stands before the first one, and what after the last?"
    known = {
        full_kv - 2 * table - vectors: "wk and wv are counted as large as wq; and not all is a layer's matrix.",
        -2 * table - p.dim: outside,
        -table - p.dim: outside,
        -2 * table - vectors: "The layers' matrices are right. What stands before the first layer, and after the last?",
        -table: "Of two matrices with a row for each token of the vocabulary only one is counted.",
        -2 * table: "The layers are right. What looks up the ids, and what makes the logits?",
        -table - vectors: f"A matrix with a row for each token is missing, and so are some vectors of {p.dim}.",
        -vectors: "All matrices are right; what else does a layer have that is no matrix?",
        -2 * norms: "All matrices are right; what else does a layer have that is no matrix?",
        -norms: f"{p.dim} too few in each layer. How often does a layer normalise?",
        -p.dim: f"{p.dim} too few. Which vector comes after the last layer?",
        full_kv: "How many heads do keys and values have?",
        -square: "Each layer lacks a matrix of dim × dim. Which two of attention's four are as large as that?",
        -p.n_layers * p.ffn_dim * p.dim: "Each layer lacks a matrix. What does feed-forward need besides up and down?",
    }
    wrong = given - p.n_parameters
    unknown = f"That is {abs(wrong):,} too {'many' if wrong > 0 else 'few'}. Which tensors make up as many?"
    if wrong - full_kv in known:
        unknown = "wk and wv are counted as large as wq; and something is not counted at all."
    return f"For dim {p.dim} and {p.n_layers} layers it says {given:,}. {known.get(wrong, unknown)}"


def whole_model(function):
    """Exercise 3: a forward without its final norm."""
    weights, params, ids = _layers_model()
    given, problem = _layers_call(function, weights, params, ids)
    if problem:
        return print(problem)
    logits = _layers_forward(weights, params, ids)
    if _layers_same(given, logits):
        return print("Right. The stream is brought to size once more, and only then meets the output matrix.")
    if given.shape != logits.shape:
        each = "a row for each position, a column for each token of the vocabulary"
        return print(f"Not yet. The shape should be {logits.shape}, {each}; it is {given.shape}.")
    x = list(_layers_layer_outputs(weights, params, ids))[-1]
    output, eps, last = weights["output.weight"], params.norm_eps, f"layers.{params.n_layers - 1}"
    ones = np.ones_like(weights["norm.weight"])
    if _layers_same(given, _layers_linear(x, output)):
        text = (
            "Make the stream after the last layer ten times as large, and your logits grow tenfold; the model's do not"
        )
        return print(f"Not yet. {text}. What keeps size out of it inside every layer?")
    if _layers_same(given, _layers_linear(_layers_rms_norm(x, ones, eps), output)):
        return print(
            "Not yet. The size is right now, but one tensor of the file is still not used. Which has no layer?"
        )
    if _layers_same(given, _layers_linear(_layers_rms_norm(x, weights["norm.weight"], 1e-6), output)):
        return print("Not yet. Nearly right. What does the norm add under its root, and is yours params.norm_eps?")
    for name in (f"{last}.ffn_norm", f"{last}.attention_norm", "layers.0.attention_norm", "layers.0.ffn_norm"):
        if _layers_same(given, _layers_linear(_layers_rms_norm(x, weights[f"{name}.weight"], eps), output)):
            return print(f"Not yet. There is a norm, with the weight of {name}. Has the last norm one of its own?")
    if _layers_same(given, _layers_softmax(logits)):
        return print("Not yet. These are probabilities, and logits are wanted: softmax comes after this function.")
    print("Not yet. The shape is right, the numbers are not. What stands between the last layer and the output matrix?")


def loop(function):
    """Exercise 4: a loop that uses one layer's weights and hides nothing. Found out by changing its input."""
    weights, params, ids = _layers_model()
    given, problem = _layers_call(function, weights, params, ids)
    if problem:
        return print(problem)
    if not np.isfinite(given).all():
        return print("Not yet. Some numbers are nan or inf. Is there nan in your mask, or a row that hides all?")
    x = list(_layers_layer_outputs(weights, params, ids))[-1]
    if given.shape == (params.n_layers + 1, *x.shape):
        return print(f"Not yet. These are all {len(given)} states of the stream; only the last of them is wanted.")
    if given.shape != x.shape:
        return print(f"Not yet. The stream should keep its shape {x.shape}; it has {given.shape}.")
    if _layers_same(given, x):
        return print("Right. Every layer has its turn, in order, and no position sees what comes after it.")
    unused = [layer for layer in range(params.n_layers) if _layers_unused(function, weights, params, ids, layer, given)]
    changed = _layers_call(function, weights, params, [*ids[:-1], ids[-1] + 1])[0]
    peeks = changed is None or not np.allclose(changed[:-1], given[:-1], atol=1e-5)
    if unused:
        layers = f"in layer {' and '.join(map(str, unused))}"
        text = f"On a model of {params.n_layers} layers, with other weights {layers} the result stays as it is"
        also = " And with another last token, rows before it change." if peeks else ""
        return print(f"Not yet. {text}.{also} Which weights, and which x, does each round use?")
    if peeks:
        text = "With another last token, rows before it change"
        return print(f"Not yet. {text}. What should keep a row from knowing the tokens after it?")
    mask, ones = _layers_causal_mask(len(ids)), np.ones((len(ids), params.head_dim // 2), np.complex64)
    freqs_cis = _layers_freqs_cis(params.head_dim, len(ids), params.rope_theta, params.rope_scaling)
    if _layers_same(given, _layers_run(weights, params, ids, range(params.n_layers), ones, mask)):
        return print("Not yet. Where a token stands makes no difference any more: nothing is turned by its position.")
    backwards = range(params.n_layers - 1, -1, -1)
    if _layers_same(given, _layers_run(weights, params, ids, backwards, freqs_cis, mask)):
        return print("Not yet. All layers have their turn, but the last one is the first. Which way does the loop go?")
    print(
        "Not yet. Every layer is used and nothing is seen too early, and yet the numbers differ. Is a step done twice, "
        "or one of params' numbers not used?"
    )


def _layers_unused(function, weights, params, ids, layer, before):
    name = f"layers.{layer}.feed_forward.w2.weight"
    result = _layers_call(function, {**weights, name: 2 * weights[name]}, params, ids)[0]
    return result is not None and np.array_equal(result, before)


def _layers_run(weights, params, ids, layers, freqs_cis, mask):
    x = _layers_embed(ids, weights["tok_embeddings.weight"])
    for layer in layers:
        x = _layers_block(x, weights, params, layer, freqs_cis, mask)
    return x


def logit_lens(function):
    """Exercise 5: the probability of one token at the last position, after every layer."""
    weights, params, ids = _layers_model()
    xs, token = np.stack(list(_layers_layer_outputs(weights, params, ids))), 7
    given, problem = _layers_call(function, xs, weights, params, token)
    if problem:
        return print(problem)
    logits = _layers_output_logits(xs, weights, params)  # [n_layers + 1, T, V]
    probabilities = _layers_softmax(logits)
    wanted = probabilities[:, -1, token]
    if _layers_same(given, wanted):
        return print("Right. One curve, from the embedding to the last layer.")
    if given.shape != wanted.shape:
        what = f"one number for each of the {len(wanted)} states of the stream is wanted, shape {wanted.shape}"
        if given.shape == (len(wanted), len(ids)):
            return print(f"Not yet. These are all positions, shape {given.shape}; {what}. Which position counts?")
        if given.shape == (len(wanted), params.vocab_size):
            return print(f"Not yet. These are all tokens of the vocabulary, shape {given.shape}; {what}.")
        return print(f"Not yet. The shape is {given.shape}; {what}.")
    if not given.any():
        return print("Not yet. All zeros so far. Which two functions lead from a stream to probabilities?")
    raw = _layers_softmax(_layers_linear(xs[:, -1], weights["output.weight"]))[:, token]
    tiny_eps = _layers_linear(_layers_rms_norm(xs[:, -1], weights["norm.weight"], 1e-6), weights["output.weight"])
    over_layers = np.exp(logits[:, -1]) / np.exp(logits[:, -1]).sum(axis=0)
    known = [
        (logits[:, -1, token], "these are logits: some are below 0, and probabilities cannot be."),
        (probabilities[:, 0, token], "this is the first position, which has seen one token only."),
        (raw, "the stream meets the output matrix unnormalised: what does the model do before that?"),
        (_layers_softmax(tiny_eps)[:, token], "does the norm add params.norm_eps under its root?"),
        (over_layers[:, token], "the numbers add up to 1 over the layers. Over what should probabilities add up to 1?"),
    ]
    for numbers, hint in known:
        if _layers_same(given, numbers):
            return print(f"Not yet. The shape is right; {hint}")
    print(
        "Not yet. The shape is right, the numbers are not. Compare its last number with softmax of forward's last row."
    )


# ---- 10 decode ----

_DECODE_ENOUGH = 30


def _decode_say(judge, answer, right):
    """Print what judge finds wrong with the answer, or that it is right. judge returns None for a right answer."""
    try:
        wrong = judge(answer)
    except Exception as error:
        what = "Your code stopped" if callable(answer) else "The check cannot read your answer. It stopped"
        wrong = f"{what} with {type(error).__name__}: {' '.join(str(error).split())}"
    print(f"Not yet. {wrong}" if wrong else f"Right. {right}")


# ---- exercise 1: how much does the loop compute? ----


def decode_shapes(answer):
    """Shapes and rows for a prompt of 6 ids, a vocabulary of 10 and 4 new tokens: four answers in a list."""
    right = "Thirty rows are computed, four of them choose. Only nine of the thirty differ: chapter 11 computes those."
    _decode_say(_decode_shapes, answer, right)


def _decode_shapes(answer):
    if not isinstance(answer, (list, tuple)) or len(answer) != 4:
        return "Give a list of four answers: two shapes, then two whole numbers."
    first, last, rows, used = (tuple(part) if isinstance(part, (list, np.ndarray)) else part for part in answer)
    return _decode_first(first) or _decode_last(last) or _decode_rows(rows) or _decode_used(used)


def _decode_first(shape):
    if shape is None:
        return "Begin with the first pass: how many ids go in, and how many scores come out for each of them?"
    if shape == (10, 6):
        return "For the first pass you have 10 rows of 6. What is a row for: an id, or a token of the vocabulary?"
    if shape in ((10,), (1, 10)):
        return "For the first pass you gave the one row that is used. What is the shape of all that comes out?"
    if shape != (6, 10):
        return f"The first pass: {shape}. One row for each id that goes in: how many are they, and how long is each?"
    return None


def _decode_last(shape):
    if shape is None:
        return "The first is right. Before the last pass, how many of the new tokens stand behind the prompt?"
    if shape == (10, 10):
        return "The last pass: ten ids is the finished text. Was the fourth new token ever given to the model?"
    if shape == (6, 10):
        return "The last pass: the same as the first. But each new token went behind the ids; what did that change?"
    if shape != (9, 10):
        return f"The last pass: {shape}. Count the ids that go into pass 1, 2, 3 and 4."
    return None


def _decode_rows(rows):
    if rows == 24:
        return "All rows: 24 is four passes of six rows. Did the list of ids stay six long?"
    if rows == 34:
        return "All rows: 34 is 7 + 8 + 9 + 10. With how many ids did the first pass begin?"
    if rows in (9, 10):
        return f"All rows: {rows} would be each id counted once. Does this loop remember a row of the pass before?"
    if rows != 30:
        return "All rows: write the number of ids of each of the four passes side by side and add them up."
    return None


def _decode_used(used):
    if used == 30:
        return "Rows that choose: 30 are computed. How many rows of one pass does next_token look at?"
    if used != 4:
        return "Rows that choose: how many does next_token look at in one pass, and how many passes are there?"
    return None


# ---- exercise 2: what never changes the choice? ----

_DECODE_CHANGES = [
    ("softmax(row)", True, "can exp put a smaller number over a larger one? Can dividing all by one positive sum?"),
    ("np.round(row)", False, "try it by hand on the row (0.6, 0.9, 0.2)."),
    ("row + 100", True, "every score moves up by the same amount; which one could overtake another?"),
    ("row ** 2", False, "try it by hand on the row (-3, 1, 2)."),
    ("row * 3", True, "every gap gets three times as wide; could one of them turn round?"),
    ("row / row.sum()", False, "try it by hand on the row (-3, 1, -1), and mind the sign of the sum."),
]


def keeps_the_choice(answer):
    """Which of six changes to a row of logits can never change its argmax: a list of six True or False."""
    right = "So greedy decoding needs no softmax; we take it to know how sure the model is."
    _decode_say(_decode_choice, answer, right)


def _decode_choice(answer):
    if not isinstance(answer, (list, tuple, np.ndarray)) or len(answer) != len(_DECODE_CHANGES):
        return "Give a list of six answers, each True or False."
    if any(part not in (True, False) for part in answer):
        return "Each of the six is True or False: the choice is kept if the largest of any row stays the largest."
    for part, (name, keeps, hint) in zip(answer, _DECODE_CHANGES):
        if bool(part) != keeps:
            return f"Look at {name} again: {hint}"
    return None


# ---- exercise 3: the best n after every position ----

_DECODE_LOGITS = np.array(
    [[0.5, 2.0, -1.0, 4.0, 3.0, 1.0], [7.0, -2.0, 5.0, 0.0, 1.0, 6.0], [1.0, 2.5, 0.0, -3.0, 8.0, 2.0]]
)
_DECODE_MORE_LOGITS = np.random.default_rng(0).permuted(np.tile(np.arange(-9.0, 391.0), (4, 1)), axis=1)  # [4, 400]


def best_at_every_position(function):
    """A function of logits [T, V] and n that returns the ids of each row's n largest scores, best first."""
    right = "Each row is sorted by itself, the largest first, and n columns are kept."
    _decode_say(_decode_best, function, right)


def _decode_best(function):
    cases = [(_DECODE_LOGITS, 2), (_DECODE_MORE_LOGITS, 200), (_DECODE_LOGITS, 6)]
    return _first(_decode_best_of(function, logits, n) for logits, n in cases)


def _decode_best_of(function, logits, n):
    T, V = logits.shape
    order = np.argsort(-logits, axis=-1)
    before, logits = logits, logits.copy()
    given = function(logits, n)
    if given is None:
        return "Your function returned nothing: is there a return in it?"
    try:
        given = np.asarray(given)
    except ValueError:  # rows of several lengths
        given = np.array(None)
    if given.dtype.kind not in "iuf":
        return f"For logits of shape {(T, V)} and n = {n} {T} rows of {n} whole numbers are wanted, each an id."
    if np.array_equal(given, order[:, :n]):
        unchanged = np.array_equal(logits, before)
        return None if unchanged else "The right ids come out, but the caller's logits have changed. Take a copy first."
    logits = before
    return f"For logits of shape {(T, V)} and n = {n} " + (
        _decode_wrong_shape(given, T, V, n)
        or _decode_wrong_ids(given, logits, order, n)
        or _decode_wrong_place(given, order[:, :n])
    )


def _decode_wrong_shape(given, T, V, n):
    if given.shape in ((n, V), (T, n)) and set(given.flat) <= set(range(T)):
        return f"no id above {T - 1} comes out. What was sorted: the scores of a row, or those of a column?"
    if given.shape == (n, V):
        return f"you return {given.shape}: n rows, with all their columns. Which of the two should n cut?"
    if given.shape == (n,):
        return f"you return one row of {n}. That is for one position; where are the others?"
    if given.shape != (T, n):
        return f"the shape should be {(T, n)}; you return {given.shape}."
    return None


def _decode_wrong_ids(given, logits, order, n):
    if np.array_equal(given, order[:, :n][:, ::-1]):
        return "the right ids come out, but the best of each row stands last. Which way does argsort sort?"
    if np.array_equal(given, order[:, ::-1][:, :n]):
        return "the ids of the smallest scores come out. Which way does argsort sort?"
    if np.array_equal(given[::-1], order[:, ::-1][:, :n]):
        return "the rows have changed places: which axis should be turned round, positions or ids?"
    if np.array_equal(given, np.take_along_axis(logits, order, axis=-1)[:, :n]):
        return "the scores themselves come out. Where in its row does each of them stand?"
    if given.max() <= 0:
        return "there are numbers below 0 among your ids. What is the minus sign for: the scores, or their places?"
    if np.array_equal(np.sort(given), np.sort(order[:, :n])):
        return "each row has the right ids, but not in the order of their scores, the best first."
    return None


def _decode_wrong_place(given, expected):
    t, place = np.argwhere(given != expected)[0]
    return f"row {t} should have id {expected[t, place]} in place {place}; yours has {given[t, place]:g}."


# ---- exercise 4: the loop ----

_DECODE_V = 10


def _decode_counting(last_is_largest=True):
    """A model that counts on (after 3 comes 4, after 9 comes 0), and a list of the ids it has been given."""
    seen = []

    def forward(ids):
        _decode_remember(seen, ids)
        sizes = np.arange(1, len(ids) + 1)[:: 1 if last_is_largest else -1, None]  # how large a row's scores are
        return sizes * np.eye(_DECODE_V)[[(i + 1) % _DECODE_V for i in seen[-1]]]

    return forward, seen


def _decode_remember(seen, ids):
    seen.append([int(i) for i in ids])
    if len(seen) > _DECODE_ENOUGH:
        raise RuntimeError(f"the model was asked more than {_DECODE_ENOUGH} times")


def greedy_loop(function):
    """A function of forward, ids, max_new_tokens and stop_ids that gives the new ids one by one."""
    right = "The last row chooses, a stop id ends the text unseen, and the caller's list is as it was."
    _decode_say(_decode_loop, function, right)


def _decode_run(function, prompt, count, stop_ids, last_is_largest=True):
    """Returns the new ids (None if nothing came back) and what the model was given."""
    forward, seen = _decode_counting(last_is_largest)
    given = function(forward, prompt, count, stop_ids)
    if given is None or not np.iterable(given):
        return None, seen
    return [int(i) if isinstance(i, (int, float, np.number)) else i for i in islice(given, _DECODE_ENOUGH)], seen


def _decode_loop(function):
    prompt = [3, 7]
    new, seen = _decode_run(function, prompt, 4, ())
    if new is None:
        return "Your function gives back no row of ids: yield each new id, or return a list of them."
    if seen and seen[0] != [3, 7]:
        return f"The prompt is [3, 7], and the first pass was given {seen[0]}."
    return (
        _decode_new_ids(new)
        or _decode_passes(new, seen)
        or _decode_stops(function)
        or _decode_edges(function)
        or _decode_more_ids(function)
        or _decode_same_prompt(function, prompt)
    )


def _decode_new_ids(new):
    asked = "The model counts on (after 7 comes 8), the prompt is [3, 7], "
    if any(np.ndim(i) for i in new):
        return "One of the things that came out is a whole list. Each new id should come by itself."
    if odd := [i for i in new if not isinstance(i, int)]:
        return f"One of the things that came out is {odd[0]!r}. An id is a whole number."
    if new[:2] == [3, 7]:
        return f"{asked}and {new} came out. Only what is new should; the caller has the prompt."
    if new[:1] == [4]:
        return f"{asked}and the first new id is 4, which comes after 3. Which row of the logits was used?"
    if new and new[0] >= _DECODE_V:
        return f"The first new id is {new[0]}, in a vocabulary of {_DECODE_V}. Over which numbers did argmax run?"
    if len(new) != 4:
        return f"{asked}and four new ids are asked for; {len(new)} came out."
    return None


def _decode_passes(new, seen):
    if len(seen) > 1 and seen[1] == seen[0]:
        return f"Two passes were given {seen[0]}. What should the second be given that the first was not?"
    if len(seen) > 1 and len(seen[1]) < 3:
        return f"The second pass was given {seen[1]} alone. A real model also needs to see what came before."
    if len(seen) > 1 and seen[1] != [3, 7, new[0]]:
        return f"The first new id was {new[0]}, and the second pass was given {seen[1]}. Where should the new id stand?"
    if new[:2] == [8, 8]:
        return f"The second pass was given {seen[1]}, and 8 was chosen again. Which row of the logits was used?"
    if new != [8, 9, 0, 1]:
        return f"After the prompt [3, 7] a model that counts on should give 8, 9, 0, 1; {new} came out."
    if len(seen) > 4:
        return f"Four new ids came out, but the model was asked {len(seen)} times. What was the last pass for?"
    if len(seen) < 4:
        return f"Four new ids came out, but the model was asked {len(seen)} times. Where do the others come from?"
    return None


def _decode_stops(function):
    asked = "With 2, 0 and 5 as stop ids"
    new, seen = _decode_run(function, [3, 7], 9, (2, 0, 5))
    if new is None:
        return f"{asked} nothing came back. What becomes of the ids from before the stop?"
    if new == [8, 9, 0]:
        return f"{asked} 8, 9, 0 came out. A stop id says that the text is over; is it a part of the text?"
    if new[:3] == [8, 9, 0]:
        return f"{asked} the loop went on past 0. Where is stop_ids looked at, and are all of them?"
    if new[:3] == [8, 9, 1]:
        return f"{asked} {new} came out: the 0 is left out, and the loop goes on. What should a stop id end?"
    if new != [8, 9]:
        return f"{asked} 8 and 9 should come out; {new} did."
    if len(seen) > 3:
        return f"A stop id came in pass 3, yet the model was asked {len(seen)} times. What should a stop id end?"
    return None


def _decode_edges(function):
    cases = [
        ([3], 2, [4, 5], "Neither 4 nor 5 is a stop id"),
        ([0], 3, [1, 2, 3], "A stop id that stands in the prompt stops nothing"),
        ([9], 3, [], "The first id that the model chooses is a stop id, and no other should come"),
        ([5], 0, [], "max_new_tokens is 0"),
    ]
    for prompt, count, wanted, why in cases:
        new, _ = _decode_run(function, prompt, count, (0, 9))
        if new != wanted:
            return f"{why}; for the prompt {prompt} {'nothing' if new is None else new} came out, not {wanted}."
    return None


def _decode_more_ids(function):
    """A model whose earlier rows have the larger scores; then twelve ids, so that some come again."""
    new, _ = _decode_run(function, [3, 7], 4, (), last_is_largest=False)
    if new != [8, 9, 0, 1]:
        return f"With larger scores in earlier rows {new} comes after [3, 7], not 8, 9, 0, 1. Which row should choose?"
    new, _ = _decode_run(function, [3, 7], 12, ())
    if new != [8, 9, *range(10)]:
        return f"After [3, 7] the next twelve ids should be 8, 9 and 0 to 9; {new} came out. May an id not come again?"
    return None


def _decode_same_prompt(function, prompt):
    if prompt == [3, 7]:
        list(islice(function(_decode_counting()[0], prompt, 4, ()), 2))  # a caller who takes two ids and stops
    if prompt != [3, 7]:
        return f"The right ids come out, but the caller's list, [3, 7] before, is now {prompt}. Whose list should grow?"
    return None


# ---- exercise 5: text or ids? ----

_DECODE_RANKS = {bytes([value]): value for value in range(256)} | {b"ha": 256, b"haha": 257}


def _decode_model(choose, earlier=0):
    """forward, encode, decode for a model whose next id is choose(ids), and a list of the ids it was given.

    earlier: the largest score of the rows before the last, whose own is 1.
    """
    seen = []

    def forward(ids):
        _decode_remember(seen, ids)
        _decode_in_vocabulary(ids)
        logits = np.zeros((len(ids), len(_DECODE_RANKS)))
        logits[:-1, 63] = earlier
        logits[-1, choose(seen[-1])] = 1
        return logits

    def encode(text):
        return bpe.encode(text, _DECODE_RANKS)

    def decode(ids):
        _decode_in_vocabulary(ids)
        return bpe.decode(ids, _DECODE_RANKS)

    return forward, encode, decode, seen


def _decode_in_vocabulary(ids):
    if max(ids, default=0) >= len(_DECODE_RANKS):
        raise ValueError(f"{max(ids)} is no id of the {len(_DECODE_RANKS)}. Over which numbers did argmax run?")


def _decode_laugh(ids):
    """Says ha until three of them stand at the end, and then an exclamation mark."""
    return 33 if ids[-3:] == [256] * 3 else 256


def _decode_accent(ids):
    """Writes é, which is two bytes of UTF-8 and here two tokens."""
    return 0xA9 if ids[-1] == 0xC3 else 0xC3


def text_or_ids(function):
    """A function of prompt, n, encode, decode and forward that returns the prompt continued by n tokens."""
    right = "The ids are kept, the model is given what it chose, and they become text once they are whole."
    _decode_say(_decode_text, function, right)


def _decode_text(function):
    forward, encode, decode, seen = _decode_model(_decode_laugh)
    text = function("a ha", 3, encode, decode, forward)
    if not isinstance(text, str):
        kind = type(text).__name__
        return f"Your function should return a text, the prompt and what comes after it; it returned a {kind}."
    return (
        _decode_given(seen, _decode_laugh, 3)
        or _decode_laughter(text)
        or _decode_half_characters(function)
        or _decode_no_tokens(function)
    )


def _decode_given(seen, choose, n):
    for before, after in pairwise(seen):
        chosen = choose(before)
        if after == before:
            return f"Two passes were given the same ids, {after}. Where does the new id go?"
        if after[:-1] == before and after != [*before, chosen]:
            asked = f"Given {before} the model chose {chosen}, and {after[-1]} was put behind them."
            return f"{asked} Which row of the logits was used?"
        if after == [chosen]:
            return f"A pass was given the newest id alone, {after}. What about the ids before it?"
        if after != [*before, chosen]:
            asked = f"Given {before} the model chose {chosen}, but the next pass was given {after}."
            return f"{asked} Where did the model's own ids go?"
    if len(seen) != n:
        return f"New tokens wanted: {n}. The number of times the model was asked: {len(seen)}."
    return None


def _decode_laughter(text):
    if text == "haha!":  # two tokens "ha" and the mark
        return "The ids are right, but the text has only what is new; the prompt should stand before it."
    if text != "a hahaha!":
        return f"After 'a ha' the model chose ha, ha and !, and your text is {text!r}."
    return None


def _decode_half_characters(function):
    forward, encode, decode, seen = _decode_model(_decode_accent, earlier=2)
    text = function("caf", 2, encode, decode, forward)
    if wrong := _decode_given(seen, _decode_accent, 2):
        return wrong
    if "\ufffd" in text:
        asked = f"The model is given its own ids, but two tokens that make one é became {text!r}."
        return f"{asked} What is half a character, decoded by itself?"
    if text != "café":
        return f"After 'caf' the model chose the two bytes of é, and your text is {text!r}."
    return None


def _decode_no_tokens(function):
    forward, encode, decode, _ = _decode_model(_decode_laugh)
    text = function("a ha", 0, encode, decode, forward)
    return None if text == "a ha" else f"With n = 0 the text should stay 'a ha'; it became {text!r}."


# ---- 13 checkpoints ----


def _checkpoints_array(result, what):
    """The result as an array of numbers, or None and what to say about it."""
    try:
        given = np.asarray(result)
    except (TypeError, ValueError):
        return None, f"Not yet. Your function returns {type(result).__name__}; {what} is wanted."
    if given.dtype.kind not in "iufV" or (given.dtype.kind == "V" and given.dtype != ml_dtypes.bfloat16):
        return None, f"Not yet. Your function returns {type(result).__name__}; {what} is wanted."
    return given, None


def _checkpoints_is_whole(value):
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and value % 1 == 0


def size_of_file(answer):
    """Exercise 1: a safetensors file of BF16 [300, 40] and F32 [40], with a header of 168 bytes."""
    names = ["file", "offsets of norm", "norm begins"]
    if not isinstance(answer, dict) or not set(names) <= set(answer):
        return print(f"Not yet. A dict with {', '.join(map(repr, names))} is wanted.")
    size, offsets, begins = (answer[name] for name in names)
    if not _checkpoints_is_whole(size):
        return print(f"Not yet. 'file' is {size!r}; a whole number of bytes is wanted. How many bytes has w?")
    hints = {
        24160: "Those are the numbers alone. What stands before them?",
        24168: "The 8 bytes are there, and the numbers. What do the 8 bytes announce?",
        24328: "Header and numbers. How does a reader know where the header ends?",
        24256: "Both tensors with 2 bytes a number? Look at their types.",
        48336: "Both tensors with 4 bytes a number? Look at their types.",
        12216: "That counts w with one byte a number, or numbers in place of bytes.",
    }
    if size != 24336:
        return print(f"Not yet. {size} bytes? {hints.get(size, 'Add up: length, header, w, norm.')}")
    offsets = tuple(offsets) if isinstance(offsets, np.ndarray) else offsets
    if not isinstance(offsets, (tuple, list)) or len(offsets) != 2 or not all(map(_checkpoints_is_whole, offsets)):
        return print(
            f"Not yet. The size is right. 'offsets of norm' is {offsets!r}; a pair of whole numbers is wanted."
        )
    if tuple(offsets) == (24176, 24336):
        return print("Not yet. Those are places in the file. From which byte on does the header count?")
    if tuple(offsets) == (24000, 160):
        return print("Not yet. The second number is not how many bytes there are, but where they end.")
    if offsets[0] == 24000 and offsets[1] != 24160:
        return print(f"Not yet. norm begins where it should. It ends before {offsets[1]}? How many bytes has it?")
    if tuple(offsets) != (24000, 24160):
        return print(f"Not yet. norm from {offsets[0]} to {offsets[1]}? It follows w without a gap: where does w end?")
    if begins == 24000:
        return print("Not yet. 24000 is where norm begins after the header. And in the file?")
    if not _checkpoints_is_whole(begins) or begins != 24176:
        return print(f"Not yet. norm begins at {begins!r}? Count what stands before it: length, header, w.")
    print("Right. 24,336 bytes: the 8, the 168 that they announce, and the numbers, w's first.")


def _checkpoints_file(tensors):
    """A safetensors file as bytes, the length of its header, and its entries, which stand in another order there."""
    entries, numbers = {}, b""
    types = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
    for name, array in tensors.items():
        start, numbers = len(numbers), numbers + array.tobytes()
        entries[name] = {"dtype": types[array.dtype.name], "shape": list(array.shape)}
        entries[name]["data_offsets"] = [start, len(numbers)]
    header = {**dict(sorted(entries.items(), reverse=True)), "__metadata__": {"format": "numpy"}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + numbers, len(text), entries


def read_tensor(function):
    """Exercise 2: read(data, name) -> the tensor of a safetensors file."""
    random = np.random.default_rng(0)
    tensors = {
        "first": random.standard_normal((3, 4)).astype(ml_dtypes.bfloat16),
        "second": random.standard_normal((2, 3)).astype(ml_dtypes.bfloat16),
        "half": random.standard_normal(6).astype(np.float16),
        "single": random.standard_normal((2, 2, 3)).astype(np.float32),
    }
    data, length, entries = _checkpoints_file(tensors)
    for name in ("second", "first", "single", "half"):
        wanted = tensors[name]
        result, problem = _call(function, data, name)
        if problem:
            return print(f"{problem} That was for a tensor {entries[name]}.")
        given, problem = _checkpoints_array(result, "an array")
        if problem:
            return print(problem)
        if given.shape == wanted.shape and given.dtype == wanted.dtype and given.tobytes() == wanted.tobytes():
            continue
        hint = _checkpoints_reader_hint(data, length, entries[name], given, wanted)
        return print(f"Not yet. For {entries[name]}: {hint}")
    print("Right. Four tensors of three types, each in its place.")


def _checkpoints_reader_hint(data, length, entry, given, wanted):
    start, end = entry["data_offsets"]
    found = given.tobytes()
    skips = {
        0: "the offsets are counted from the file's own first byte. What stands before the numbers?",
        8: "the 8 bytes are skipped, and then? What do the 8 bytes say?",
        length: "8 bytes too early: the header's length is skipped. What stands before the header?",
    }
    if found == data[8 + length + start : 8 + length + end]:
        if given.dtype != wanted.dtype:
            return f"the right bytes, read as {given.dtype}. What does the header say of the type?"
        return f"the right bytes, in the shape {list(given.shape)}. What does the header say of the shape?"
    if given.shape == wanted.shape and np.array_equal(given, wanted):
        return f"the right numbers, but as {given.dtype}. What does the header say of the type?"
    for skip, hint in skips.items():
        if found == data[skip + start : skip + end]:
            return hint
    if found == data[8 + length :][: end - start]:
        return "that is the first tensor's place. Where does this one begin?"
    if found == data[8 + length + start :]:
        return "it begins where it should, and goes on to the end of the file."
    if given.size != math.prod(entry["shape"]):
        return f"{given.size} numbers come back. How many has the shape?"
    if np.array_equal(np.sort(given, None), np.sort(wanted, None)):
        return "the right numbers, but not in their order. In the file a row is finished before the next one begins."
    return f"the numbers begin with {given.ravel()[:3]}. At which byte of the file did you start?"


def row_places(function):
    """Exercise 3: places(n_heads, head_dim) -> for each of Meta's rows, the row in Hugging Face's file."""
    for n_heads, head_dim in [(1, 4), (1, 6), (2, 6), (3, 8), (2, 2)]:
        result, problem = _call(function, n_heads, head_dim)
        if problem:
            return print(problem)
        given, problem = _checkpoints_array(result, "a list of row numbers")
        if problem:
            return print(problem)
        row = np.arange(n_heads * head_dim)
        case = f"{n_heads} head{'s' if n_heads > 1 else ''} of {head_dim}"
        if given.shape != row.shape:
            found = f"{given.size} places" if given.ndim == 1 else f"places in the shape {list(given.shape)}"
            return print(f"Not yet. For {case} it gives {found}; one list of {row.size} is wanted, a place a row.")
        if given.dtype.kind not in "iu":
            found = f"For {case} it gives {given.tolist()}: can a row have such a number?"
            return print(f"Not yet. {found} A whole number (int) is wanted; // gives one, / does not.")
        head, r = np.divmod(row, head_dim)
        half = head_dim // 2
        wanted = head * head_dim + r // 2 + r % 2 * half
        if np.array_equal(given, wanted):
            continue
        known = [
            (
                head * head_dim + 2 * (r % half) + r // half,
                "the other direction, Meta's row for each of the file's. And the file's for each of Meta's",
            ),
            (
                row // 2 + row % 2 * (row.size // 2),
                "one order for the whole matrix. How far do the pairs of a head reach",
            ),
            (r // 2 + r % 2 * half, "every head gets the rows of the first. Where does the next head begin"),
            (row, "the rows as they stand. Which row of the file is the second one of the first pair"),
            (
                head * head_dim + r // 2 + r % 2,
                "the second ones follow at once. How far from the first ones do they stand",
            ),
        ]
        for value, hint in known:
            if np.array_equal(given, value):
                return print(f"Not yet. For {case} it gives {given.tolist()}: {hint}?")
        wrong = int(np.argmax(given != wanted))
        return print(
            f"Not yet. For {case}: Meta's row {wrong} is in pair {r[wrong] // 2} of head "
            f"{head[wrong]}, and your list looks for it at {given[wrong]}."
        )
    print("Right. Also where the two directions differ, and head by head.")


def converter(function):
    """Exercise 4: convert(name, rows, n_heads, n_kv_heads) -> rows in Meta's order."""
    head_dim = 16
    for layer, (n_heads, n_kv_heads) in enumerate([(8, 2), (64, 8), (32, 4), (4, 4), (6, 1)]):
        sizes = {"q_proj": n_heads, "k_proj": n_kv_heads, "v_proj": n_kv_heads, "o_proj": n_heads}
        for kind, heads in sizes.items():
            rows = np.arange(heads * head_dim * n_heads * head_dim).reshape(heads * head_dim, -1)
            rows.flags.writeable = False  # as in a mapped file
            name = f"model.layers.{layer}.self_attn.{kind}.weight"
            result, problem = _call(function, name, rows, n_heads, n_kv_heads)
            case = f"{kind} with {n_heads} heads and {n_kv_heads} key/value heads"
            if problem:
                return print(f"{problem} That was for {case}.")
            given, problem = _checkpoints_array(result, "an array of rows")
            if problem:
                return print(problem)
            if given.shape != rows.shape:
                return print(f"Not yet. For {case} the shape {list(rows.shape)} becomes {list(given.shape)}.")
            wanted = _checkpoints_meta(rows, heads) if kind in ("q_proj", "k_proj") else rows
            if not np.array_equal(given, wanted):
                return print(f"Not yet. {_checkpoints_converter_hint(case, kind, rows, given, n_heads, n_kv_heads)}")
    for name, rows in {
        "model.embed_tokens.weight": np.arange(77 * 64).reshape(77, 64),
        "model.layers.12.mlp.gate_proj.weight": np.arange(96 * 64).reshape(96, 64),
        "model.norm.weight": np.arange(64),
    }.items():
        result, problem = _call(function, name, rows.copy(), 4, 2)
        if problem or not np.array_equal(result, rows):
            found = problem or "Not yet. It does not stay as it is: whose rows are turned in pairs?"
            return print(f"{found} That was for {name}, {list(rows.shape)}.")
    print("Right. For five sizes of models, and what is not turned stays as it is.")


def _checkpoints_meta(rows, heads):
    return rows.reshape(heads, 2, -1, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def _checkpoints_converter_hint(case, kind, rows, given, n_heads, n_kv_heads):
    if kind in ("v_proj", "o_proj"):
        return f"{case}: it is not as it stands in the file. Is what {kind} makes turned by position?"
    heads = n_heads if kind == "q_proj" else n_kv_heads
    if np.array_equal(given, rows):
        return f"{case}: its rows are as they stand in the file. Whose rows are turned in pairs?"
    if np.array_equal(given, rows.reshape(heads, -1, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)):
        return f"{case}: that goes from Meta's order to the file's. Which axis counts the two of a pair, in the file?"
    cuts = {n_heads // n_kv_heads: ", heads / key/value heads", n_heads: "", n_kv_heads: ""}
    for cut, meaning in cuts.items():
        if len(rows) % (2 * cut) == 0 and np.array_equal(given, _checkpoints_meta(rows, cut)):
            heads_of = "How many heads has wk, and how many has wq?"
            return f"{case}: the matrix is cut into {cut} part{'s' if cut > 1 else ''}{meaning}. {heads_of}"
    wrong = int(np.argmax((given != _checkpoints_meta(rows, heads)).any(axis=1)))
    place = int(_checkpoints_meta(np.arange(len(rows))[:, None], heads)[wrong, 0])
    return f"{case}: row {wrong} of the result should be the file's row {place}, and is another one."


def what_is_called(calls, refused):
    """Exercise 5: what four pickles would call, and which of them the machine refuses."""
    wanted = {"one": None, "two": "os.getcwd", "three": None, "four": "math.sqrt"}
    if not isinstance(calls, dict) or set(wanted) - set(calls):
        return print('Not yet. A dict is wanted, with "module.name" or None for each of one, two, three, four.')
    odd = [name for name in wanted if not isinstance(calls[name], (str, type(None))) or calls[name] in ("", "None")]
    if odd:
        return print(f'Not yet. For {odd[0]!r} write a text, such as "os.getcwd", or None (without quotes).')
    hints = {
        "one": "Which instruction calls? Is it there? (A text that looks like a name is a text.)",
        "two": "GLOBAL imports a name, and R follows. What does R do?",
        "three": "The name is imported. Is there an instruction that calls it?",
        "four": "There is no GLOBAL. But what does STACK_GLOBAL (\\x93) make of the two texts, and what does R do?",
    }
    for name, call in wanted.items():
        given = calls[name].partition("(")[0].replace(" ", ".") if isinstance(calls[name], str) else None
        if call and given == call.partition(".")[2]:
            return print(f'Not yet. {name!r}: that is the function. Of which module? Write "module.name".')
        if given != call:
            return print(f"Not yet. {name!r}: {calls[name]!r}? {hints[name]}")
    if not isinstance(refused, (list, tuple, set)) or not all(isinstance(name, str) for name in refused):
        return print('Not yet. The calls are right. my_refused should be a list of names, such as ["one"].')
    given = set(refused)
    if "one" in given:
        return print('Not yet. The calls are right. "one" is a dict with a text as key: what is there to refuse?')
    if missing := {"two", "four"} - given:
        return print(f"Not yet. The calls are right. What about {min(missing)!r}: is its name among _STAND_INS?")
    if "three" not in given:
        return print(
            'Not yet. "three" calls nothing. But what happens when a module is imported? And has it a stand-in?'
        )
    if unknown := given - set(wanted):
        return print(f"Not yet. {min(unknown)!r} is none of the four names.")
    print("Right. Here only REDUCE calls, but an import runs a module too, so names without a stand-in are refused.")


# ---- 14 bandwidth ----


def _bandwidth_array(result, shape, what):
    """The result as an array of a shape, or None and what to say."""
    if result is None:
        return None, f"Not yet. Your function returns nothing; {what} is wanted."
    try:
        given = np.asarray(result)
        if given.dtype.kind in "US":
            raise TypeError("texts are no numbers")
        if given.dtype.kind not in "fiuV":
            given = given.astype(float)
    except (TypeError, ValueError):
        return None, f"Not yet. Your function returns {type(result).__name__}; {what} is wanted."
    if given.shape != shape:
        wanted = f"is {list(shape)} here" if shape else "is wanted"
        return None, f"Not yet. Your function returns shape {list(given.shape)}; {what} {wanted}."
    return given, None


def bytes_of_1b(answer):
    """Exercise 1: what Llama 3.2 1B reads for a token, and the least time for it."""
    layer, table = 2 * 2048 * 2048 + 2 * 512 * 2048 + 3 * 8192 * 2048, 128256 * 2048
    wanted = 2 * (16 * layer + table) / 1e9
    if not isinstance(answer, dict) or not {"gigabytes", "seconds"} <= set(answer):
        return print('Not yet. A dict with "gigabytes" and "seconds" is wanted.')
    for name in ("gigabytes", "seconds"):
        value = answer[name]
        if not isinstance(value, (int, float, np.number)) or not np.isfinite(value) or value <= 0:
            return print(f"Not yet. {name!r} is {value!r}; a number above 0 is wanted.")
    given = float(answer["gigabytes"])
    known = [
        (
            32 * layer / 1e9,
            "That is the sixteen layers. What turns the last vector into scores, and which matrix is it?",
        ),
        (2 * (16 * layer + 2 * table) / 1e9, "The table is counted twice. How many rows of it does the look-up need?"),
        (2 * (layer + table) / 1e9, "That is one layer and the output matrix. How many layers are there?"),
        (wanted / 2, "That is the number of weights, in billions. How many bytes has each?"),
        (2 * wanted, "That is four bytes a weight. How many does bf16 have?"),
        (8 * wanted, "That is in bits. A byte is eight of them."),
        (wanted * 1e9 / 2**30, "That is in GiB, of 2**30 bytes. Here a gigabyte is a billion."),
        (1e9 * wanted, "The bytes are right. A gigabyte is a billion of them."),
        (2 * (16 * (layer + 2 * 1536 * 2048) + table) / 1e9, "wk and wv have 512 rows each: 8 heads, not 32."),
        (2 * (16 * (layer - 8192 * 2048) + table) / 1e9, "How many matrices has the feed-forward part?"),
        (2 * (16 * (layer - 512 * 2048) + table) / 1e9, "There are keys and values: wk and wv."),
    ]
    if not math.isclose(given, wanted, rel_tol=0.01):
        for value, hint in known:
            if math.isclose(given, value, rel_tol=0.003):
                return print(f"Not yet. {given:.4g} gigabytes? {hint}")
        if math.isclose(given, wanted, rel_tol=0.02):
            return print(f"Not yet. {given:.4g} gigabytes is near, but not within one per cent. Is it rounded?")
        return print(
            f"Not yet. {given:.3g} gigabytes is not it. Write down all matrices of one layer with their shapes."
        )
    seconds = float(answer["seconds"])
    if not math.isclose(seconds, wanted / 50, rel_tol=0.02):
        if math.isclose(seconds, 50 / wanted, rel_tol=0.02):
            return print("Not yet. The gigabytes are right. Yours are tokens a second; how many seconds has one token?")
        return print("Not yet. The gigabytes are right. How long do so many take, at 50 of them a second?")
    print("Right. 2.47 GB, so 0.049 s at least: not more than 20 tokens a second at 50 GB/s.")


def odd_plane(function):
    """Exercise 2: the odd columns of a bf16 matrix, in float32."""
    weight = np.random.default_rng(0).standard_normal((5, 8)).astype(ml_dtypes.bfloat16)
    weight[0, :4] = [1, -2, 0.5, 4]
    handed = weight.copy()
    result, problem = _call(function, handed)
    if problem:
        return print(problem)
    given, problem = _bandwidth_array(result, (5, 4), "the plane")
    if problem:
        return print(problem)
    given = np.asarray(given)
    pairs = weight.view(np.uint32)
    upper = pairs & 0xFFFF0000
    odd = upper.view(np.float32)
    known = [
        (pairs << 16, np.float32, "These are columns 0, 2, 4 …: the first of each pair. Which half holds the second?"),
        (
            pairs,
            np.float32,
            "For the pair (1, -2) it gives a little more than -2. What still stands in the lower half?",
        ),
        (pairs >> 16, np.float32, "All numbers are nearly 0. The bits are the right ones; which half wants them?"),
        (pairs & 0xFFFF, np.float32, "All numbers are nearly 0. Which half does your mask keep, and whose is it?"),
        (
            upper,
            np.uint32,
            "The bits are right, but they are still whole numbers. How are the same bits read as float32?",
        ),
    ]
    if np.array_equal(given, odd):
        if handed.tobytes() != weight.tobytes():
            return print("Not yet. The numbers are right, but weight has changed. Whose bits does a view show?")
        if given.dtype != np.float32:
            return print(f"Not yet. The numbers are right, but they are {given.dtype}, not float32.")
        # The same bits as whole numbers: a conversion of values now gives other ones.
        again, problem = _call(function, weight.view(np.uint16))
        if problem or not np.array_equal(again, odd):
            return print("Not yet. The numbers are right, but NumPy widened them. Which bits would you keep yourself?")
        other = np.arange(-30, 30).reshape(3, 20).astype(ml_dtypes.bfloat16)
        if problem := _elsewhere(function, [other], other[:, 1::2].astype(np.float64)):
            return print(problem)
        return print("Right. Its own bits above, zeros below: the second of each pair is a float32.")
    for bits, dtype, hint in known:
        if given.dtype == dtype and np.array_equal(given.view(np.uint32), bits):
            return print(f"Not yet. {hint}")
    for bits in (upper, pairs >> 16, pairs << 16, pairs):
        if given.dtype.kind == "f" and np.allclose(given, bits.astype(np.float64)):
            return print("Not yet. That is the value of the bits as a whole number. view reads bits; astype converts.")
    row, pair = np.argwhere(given != odd)[0]
    first, second = weight[row, 2 * pair : 2 * pair + 2].astype(float)
    print(f"Not yet. For the pair ({first:g}, {second:g}) it gives {float(given[row, pair]):g}, not {second:g}.")


class _BandwidthWeight(np.ndarray):
    """A weight matrix that notes how many rows are sliced out, how many widened at once, and how much by astype."""

    def __array_finalize__(self, other):
        for name in ("sliced", "widened", "converted"):
            setattr(self, name, getattr(other, name, None))
        if self.dtype.kind == "f":
            self._note(self.widened, self)

    def _note(self, notes, array):
        if notes is not None and np.ndim(array) > 0:
            notes.append(len(array) if np.ndim(array) == 2 else 1)

    def __getitem__(self, key):
        part = super().__getitem__(key)
        self._note(self.sliced, part)
        return part

    def astype(self, *arguments, **options):
        self._note(self.widened, self)
        if self.converted is not None:
            self.converted.append(self.size)
        return np.asarray(self).astype(*arguments, **options)


def _bandwidth_rows_held(function, tile, n_out=40, n_in=8192):
    """How many rows in float32 would fill the memory that the reader's function takes at its peak."""
    weight, x = np.ones((n_out, n_in), ml_dtypes.bfloat16), np.ones(n_in, np.float32)
    tracemalloc.start()
    _call(function, weight, x, tile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak // (4 * n_in)


def tiled(function):
    """Exercise 3: a product with a vector, a tile of rows at a time."""
    random = np.random.default_rng()  # new numbers each time: np.empty may hold the results of the last time
    for n_out, tile in [(6, 2), (7, 3), (2, 5), (5, 5), (19, 4)]:
        numbers = random.standard_normal((n_out, 8)).astype(ml_dtypes.bfloat16)
        x = random.standard_normal(8).astype(np.float32)
        exact = numbers.astype(np.float64) @ x
        weight, handed = numbers.copy().view(_BandwidthWeight), x.copy()
        weight.sliced, weight.widened, weight.converted = [], [], []
        result, problem = _call(function, weight, handed, tile)
        if problem:
            return print(f"{problem} That was with {n_out} rows and tiles of {tile}.")
        given, problem = _bandwidth_array(result, (n_out,), "the product")
        if problem:
            return print(f"{problem} There are {n_out} rows, in tiles of {tile}.")
        given = np.asarray(given)
        whole = n_out // tile * tile
        right = np.isclose(given, exact, atol=1e-4)
        case = f"With {n_out} rows and tiles of {tile}"
        if not right.all():
            if whole < n_out and right[:whole].all() and not right[whole:].any():
                return print(
                    f"Not yet. {case} the results from row {whole} on are wrong. Which rows are in no full tile?"
                )
            start = (n_out - 1) // tile * tile
            if right[:start].all() and not right[start:].any() and start:
                return print(f"Not yet. {case} the last tile's results are wrong. Does the loop come to it?")
            if right[:tile].all() and not right[tile:].any():
                return print(f"Not yet. {case} only the first tile's results are right. Where does the second one go?")
            last = exact[start:]
            if np.allclose(given[: len(last)], last, atol=1e-4):
                return print(f"Not yet. {case} the last tile's results stand first. Where does each tile's result go?")
            return print(f"Not yet. {case} result {int(np.argmin(right))} is the first wrong one.")
        if problem := _touched([weight, handed], [numbers, x]):
            return print(problem)
        if not weight.sliced + weight.widened:
            return print(f"Not yet. {case} the numbers are right, but weight itself is not sliced. Take tiles of it.")
        widest, largest = max(weight.widened, default=0), max(weight.sliced + weight.widened)
        if widest > tile:
            return print(f"Not yet. {case} the numbers are right, but {widest} rows are converted at once.")
        if largest < min(tile, n_out):
            return print(f"Not yet. {case} the numbers are right, but the largest piece has {largest}. Is tile used?")
        if sum(weight.converted) > weight.size:
            return print(f"Not yet. {case} the numbers are right, but rows come again and again. How far is a step?")
        if given.dtype != np.float32:
            return print(f"Not yet. {case} the numbers are right, but they are {given.dtype}, not float32.")
    held = _bandwidth_rows_held(function, tile=4)
    if held > 20:  # of 40; with a tile's copies and those of the tile before it is less
        text = f"the numbers are right, but there is memory for {held} rows in float32 at one time"
        return print(f"Not yet. With 40 rows and tiles of 4 {text}. What becomes of a tile that has been multiplied?")
    print("Right. Also where the last tile is short, and where the whole matrix is smaller than a tile.")


def pairs_product(function):
    """Exercise 4: a product in two planes, with two mistakes."""
    random = np.random.default_rng(0)
    weight = random.standard_normal((6, 8)).astype(ml_dtypes.bfloat16)
    x = random.standard_normal(8).astype(np.float32)
    handed = weight.copy(), x.copy()
    result, problem = _call(function, *handed)
    if problem:
        return print(problem)
    given, problem = _bandwidth_array(result, (6,), "the product")
    if problem:
        return print(problem)
    numbers = weight.astype(np.float64)
    even, odd = numbers[:, 0::2], numbers[:, 1::2]
    unmasked = weight.view(np.float32).astype(np.float64)
    halves = even @ x[:4], odd @ x[4:]
    if np.allclose(given, numbers @ x, atol=1e-5):
        if handed[0].tobytes() != weight.tobytes() or handed[1].tobytes() != x.tobytes():
            return print("Not yet. The product is right, but weight or x has changed. Whose bits does a view show?")
        other = weight[:4, :6].copy(), x[:6].copy()
        if problem := _elsewhere(function, other, numbers[:4, :6] @ x[:6]):
            return print(problem)
        return print("Right. Each weight is in its place as a float32, and meets its own number of x.")
    known = [
        (
            halves[0],
            "two things are wrong. The odd plane adds nothing: print it. And which x belongs to columns 0, 2, 4 …?",
        ),
        (even @ x[0::2], "now x is split rightly. But the odd plane adds nothing: where in a float32 is the exponent?"),
        (
            sum(halves),
            "both planes are right now. But which two weights make a pair, and which numbers of x do they meet?",
        ),
        ((even + odd) @ x[0::2], "both planes meet the same numbers of x. Which columns does the odd plane hold?"),
        (even @ x[1::2] + odd @ x[0::2], "each weight meets its neighbour's number of x."),
        (
            even @ x[0::2] + unmasked @ x[1::2],
            "nearly right, off by half a per cent or so. What is left in the lower half?",
        ),
        (
            halves[0] + unmasked @ x[4:],
            "two things are wrong: the odd plane keeps its neighbours' bits, and x is split in halves.",
        ),
        (even @ x[1::2], "only columns 0, 2, 4 … add anything, and they meet x[1::2]. Print both planes."),
    ]
    pairs = weight.view(np.uint32)
    for first in (even @ x[0::2], halves[0]):
        for bits in (pairs >> 16, pairs & 0xFFFF0000):
            for second in (bits.astype(np.float64) @ x[1::2], bits.astype(np.float64) @ x[4:]):
                known.append((first + second, "the odd plane is still whole numbers. How is the even one float32?"))
    for value, hint in known:
        if np.allclose(given, value, atol=1e-5):
            return print(f"Not yet. {hint[0].upper()}{hint[1:]}")
    print("Not yet. The shape is right, the numbers are not. Try it on `small` and 1, 10, 100, 1000: 4031 and 7903.")


def _bandwidth_tokens(flop_a_byte, n_out, n_in, of_weight=2, of_x=4, of_result=4, of_one_token=0, flop=2):
    """The T, not rounded, at which flop * T * n_out * n_in is flop_a_byte times the bytes counted so."""
    a_token = flop * n_out * n_in - flop_a_byte * (of_x * n_in + of_result * n_out)
    return flop_a_byte * (of_weight * n_out * n_in + of_one_token * (n_in + n_out)) / a_token


def flat_roof(function):
    """Exercise 5: from how many tokens on a product has so many FLOP a byte."""
    for case in [(200, 14336, 4096), (4, 64, 64), (8, 64, 64), (0.5, 60, 40)]:
        result, problem = _call(function, *case)
        if problem:
            return print(problem)
        given, problem = _bandwidth_array(result, (), "one whole number")
        if problem:
            return print(problem)
        if not np.isfinite(given):
            return print(f"Not yet. It gives {given}; a number is wanted.")
        wanted = _bandwidth_tokens(*case)
        if given == math.ceil(wanted):
            continue
        seen = f"For {case[0]} FLOP a byte and [{case[1]}, {case[2]}] it gives {float(given):.6g}"
        if math.isclose(given, wanted):
            return print(f"Not yet. {seen}. A pass has a whole number of tokens: which is the first that has enough?")
        if given == math.floor(wanted):
            return print(f"Not yet. {seen}, a little less than so many FLOP a byte. The next whole number reaches it.")
        if wanted == math.floor(wanted) == given - 1:
            return print(f"Not yet. {seen}. One token less has exactly so many.")
        known = [
            (_bandwidth_tokens(*case, of_x=0, of_result=0), "That counts the matrix alone. What else is moved?"),
            (_bandwidth_tokens(*case, flop=1), "A weight and a number of x are multiplied, and then?"),
            (_bandwidth_tokens(*case, of_weight=4), "How many bytes has a weight in bf16?"),
            (_bandwidth_tokens(*case, of_x=2, of_result=2), "How many bytes has a number of x in float32?"),
            (_bandwidth_tokens(*case, of_result=0), "x is counted. What is written?"),
            (_bandwidth_tokens(*case, of_x=0), "The result is counted. What is read besides the matrix?"),
            (_bandwidth_tokens(*case, of_x=0, of_result=0, of_one_token=4), "Do the bytes of x and of results grow?"),
        ]
        for value, hint in known if case[0] == 200 else []:  # where no two of them give the same number
            if math.isclose(given, value) or given == math.ceil(value):
                return print(f"Not yet. {seen}. {hint}")
        return print(f"Not yet. {seen}, not {math.ceil(wanted)}. Write FLOP = {case[0]} * bytes, and solve for T.")
    print("Right. At 200 FLOP a byte w1 takes 229 tokens, not 200; 1593 and more it never reaches.")
