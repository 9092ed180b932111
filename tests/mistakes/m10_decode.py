"""Wrong answers to the exercises of chapter 10, and words of the message that each must get."""

_LOOP = """def my_generate(forward, ids, max_new_tokens, stop_ids=()):
    {before}
    for _ in range(max_new_tokens):
        token = int(forward({given}){choose})
        if token in stop_ids:
            {stop}
        yield token
        {after}


check.greedy_loop(my_generate)
"""


def _loop(before="ids = list(ids)", given="ids", choose="[-1].argmax()", stop="return", after="ids.append(token)"):
    return _LOOP.format(before=before, given=given, choose=choose, stop=stop, after=after)


_LIST_LOOP = """def my_generate(forward, ids, max_new_tokens, stop_ids=()):
    ids, new_ids = list(ids), []
    for _ in range(max_new_tokens):
        token = int(forward(ids)[-1].argmax())
        if token in stop_ids:
            return
        new_ids.append(token)
        ids.append(token)
    return new_ids


check.greedy_loop(my_generate)
"""

_TEXT = """def continue_text(prompt, n, encode, decode, forward):
    ids = list(encode(prompt))
    text = prompt
    for _ in range(n):
        {step}
    return {result}


check.text_or_ids(continue_text)
"""


def _best(line):
    return f"""def best_at_every_position(logits, n):
    return {line}


check.best_at_every_position(best_at_every_position)
"""


def _shapes(answer):
    return f"my_answer = {answer}\ncheck.decode_shapes(my_answer)"


def _choice(answer):
    return f"my_answer = {answer}\ncheck.keeps_the_choice(my_answer)"


_APPEND = "ids.append(int(forward(ids)[-1].argmax()))"
_DECODE_EACH = f"{_APPEND}; text = text + decode(ids[-1:])"
_NEWEST = "new = int(forward(ids)[-1].argmax()); ids = [new]; text = text + decode(ids)"
_ENCODE_EACH = "ids += encode(decode([int(forward(ids)[-1].argmax())]))"
_ENCODE_ALL = f"{_APPEND}; ids = encode(decode(ids))"

MISTAKES = [
    ("1", _shapes("[(10, 6), (10, 9), 30, 4]"), "10 rows of 6"),
    ("1", _shapes("[(10,), (10,), 30, 4]"), "the one row that is used"),
    ("1", _shapes("[(6, 10), (10, 10), 34, 4]"), "Was the fourth new token ever given"),
    ("1", _shapes("[(6, 10), (6, 10), 24, 4]"), "each new token went behind the ids"),
    ("1", _shapes("[(6, 10), (9, 10), 24, 4]"), "four passes of six rows"),
    ("1", _shapes("[(6, 10), (9, 10), 34, 4]"), "34 is 7 + 8 + 9 + 10"),
    ("1", _shapes("[(6, 10), (9, 10), 9, 4]"), "Does this loop remember"),
    ("1", _shapes("[(6, 10), (9, 10), 10, 4]"), "10 would be each id counted once"),
    ("1", _shapes("[(6, 10), (9, 10), 30, 30]"), "How many rows of one pass"),
    ("2", _choice("['yes', 'no', 'yes', 'no', 'yes', 'no']"), "True or False"),
    ("2", _choice("[False, False, True, False, True, False]"), "softmax(row)"),
    ("2", _choice("[True, True, True, True, True, True]"), "np.round(row)"),
    ("2", _choice("[True, False, False, False, True, False]"), "row + 100"),
    ("2", _choice("[True, False, True, True, True, True]"), "row ** 2"),
    ("2", _choice("[True, False, True, False, True, True]"), "row / row.sum()"),
    ("3", _best("np.argsort(logits, axis=-1)[:, :n]"), "ids of the smallest scores"),
    ("3", _best("np.argsort(logits, axis=-1)[:, -n:]"), "best of each row stands last"),
    ("3", _best("np.argsort(logits, axis=-1)[::-1, :n]"), "the rows have changed places"),
    ("3", _best("np.argsort(-logits, axis=0)[:n]"), "a row, or those of a column"),
    ("3", _best("np.argsort(-logits, axis=0)[:, :n]"), "a row, or those of a column"),
    ("3", _best("-np.argsort(logits, axis=-1)[:, :n]"), "What is the minus sign for"),
    ("3", _best("np.sort(np.argsort(-logits, axis=-1)[:, :n])"), "not in the order of their scores"),
    ("3", _best("np.argpartition(-logits, n)[:, :n]"), "not in the order of their scores"),
    ("3", _best("np.argsort(logits, axis=-1)[-n:]"), "you return (2, 6): n rows"),
    ("3", _best("np.argsort(-np.abs(logits), axis=-1)[:, :n]"), "row 2 should have id 1 in place 1; yours has 3"),
    ("3", _best("np.argsort(-logits, axis=-1)[:, :2]"), "the shape should be (4, 200)"),
    ("3", _best("np.argsort(-logits[-1])[:n]"), "where are the others"),
    ("3", _best("-np.sort(-logits, axis=-1)[:, :n]"), "the scores themselves"),
    ("3", _best("np.argsort(np.negative(logits, out=logits))[:, :n]"), "the caller's logits have changed"),
    ("3", _best("[list(np.argsort(-row)[: n + t]) for t, row in enumerate(logits)]"), "3 rows of 2 whole numbers"),
    ("3", _best("np.sort(np.argpartition(-logits, n)[:, :n])"), "not in the order of their scores"),
    ("4", _loop(after="ids.insert(0, token)"), "Where should the new id stand?"),
    ("4", _loop().replace("in stop_ids", "in stop_ids[:1]"), "are all of them"),
    ("4", _loop().replace("in stop_ids", "<= max(stop_ids, default=-1)"), "Neither 4 nor 5 is a stop id"),
    ("4", _loop().replace("yield token", "yield str(token)"), "An id is a whole number"),
    ("4", _loop().replace("int(forward(ids)[-1].argmax())", "(ids[-1] + 1) % 10"), "Where do the others come from?"),
    ("4", _loop().replace("range(max_new_tokens)", "range(max(1, max_new_tokens))"), "max_new_tokens is 0"),
    ("4", _loop(choose="[0].argmax()"), "Which row of the logits"),
    ("4", _loop(choose="[1].argmax()"), "8 was chosen again. Which row of the logits"),
    ("4", _loop(choose=".argmax()"), "Over which numbers did argmax run"),
    ("4", _loop().replace("yield token", "return token"), "no row of ids"),
    ("4", _loop(after="pass"), "What should the second be given"),
    ("4", _loop(after="ids = [token]"), "The second pass was given [8] alone"),
    ("4", _loop(stop="yield token; return"), "is it a part of the text"),
    ("4", _LIST_LOOP, "ids from before the stop"),
    ("4", _loop(stop="continue"), "What should a stop id end"),
    ("4", _loop(stop="pass"), "Where is stop_ids looked at"),
    ("4", _loop(before="if ids[-1] in stop_ids: return"), "stands in the prompt stops nothing"),
    ("4", _loop(before="yield ids"), "a whole list"),
    ("4", _loop(before="pass"), "Whose list should grow"),
    ("4", _loop(before="ids = list(ids); yield from ids"), "the caller has the prompt"),
    ("5", _TEXT.format(step=_ENCODE_ALL, result="decode(ids)"), "Where did the model's own ids go"),
    ("5", _TEXT.format(step="new = [int(forward(ids)[-1].argmax())]", result="decode(ids + new)"), "the same ids"),
    ("5", _TEXT.format(step=_APPEND.replace("-1", "0"), result="decode(ids)"), "Which row of the logits"),
    ("5", _TEXT.format(step=_APPEND.replace("[-1]", ""), result="decode(ids)"), "Over which numbers did argmax run"),
    ("5", _TEXT.format(step=_NEWEST, result="text"), "newest id alone"),
    ("5", _TEXT.format(step=_DECODE_EACH, result="text"), "What is half a character"),
    ("5", _TEXT.format(step=_APPEND, result="decode(ids[-3:])"), "the prompt should stand before it"),
    ("5", _TEXT.format(step=_ENCODE_EACH, result="decode(ids)"), "Where did the model's own ids go"),
    ("5", _TEXT.format(step=_APPEND, result="decode(ids)").replace("range(n)", "range(3)"), "New tokens wanted: 2"),
    ("5", _TEXT.format(step=_APPEND, result="ids"), "should return a text"),
    ("3", _best("-np.sort(-softmax(logits))[:, :n]"), "row 0 should have id 3 in place 0; yours has 0."),
    ("4", _loop(given="ids[:-1]"), "the first pass was given [3]"),
    ("4", _loop(choose=".sum(axis=0).argmax()"), "Which row should choose?"),
    ("4", _loop(choose=".max(axis=0).argmax()"), "Which row should choose?"),
    ("4", _loop().replace("in stop_ids", "in (*stop_ids, *ids)"), "May an id not come again?"),
    ("4", _loop().replace("yield token", "if token not in ids: yield token"), "May an id not come again?"),
    (
        "4",
        _loop(before="n = len(ids)").replace("\n\n\ncheck", "\n    del ids[n:]\n\n\ncheck"),
        "Whose list should grow?",
    ),
    ("5", _TEXT.format(step=_APPEND.replace("[-1]", ".sum(axis=0)"), result="decode(ids)"), "Which row of the logits"),
    ("5", _TEXT.format(step=_APPEND.replace("[-1]", ".max(axis=0)"), result="decode(ids)"), "Which row of the logits"),
    ("5", _TEXT.format(step=_APPEND, result="decode(ids)").replace("range(n)", "range(max(n, 1))"), "With n = 0"),
]
