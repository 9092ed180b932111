"""Answers to the exercises of chapter 06 that are wrong in a way the checks know: (exercise, code, words)."""

_SHAPES = """
my_prediction = {{
    "scores": {scores},
    "weights": {weights},
    "output": {output},
    "minus infinities": {hidden},
    "first weight": {first},
}}
check.attention_shapes(my_prediction)
"""
_RIGHT = dict(scores=(10, 10), weights=(10, 10), output=(10, 64), hidden=45, first=1)


def _shapes(**wrong):
    return _SHAPES.format(**_RIGHT | wrong)


def _window(body):
    return f"""
def window_mask(n_positions, window):
{body}


check.sliding_window(window_mask)
"""


def _newest(body):
    return f"""
def newest_output(query, keys, values):
{body}


check.newest_token(newest_output)
"""


def _weights(body):
    return f"""
def my_weights(q, k, mask):
{body}


check.masked_weights(my_weights)
"""


MISTAKES = [
    ("1", _shapes(scores=(64, 64)), "compare the numbers of a vector with each other"),
    ("1", _shapes(weights=(10, 64)), "A dot product of two vectors is one number"),
    ("1", _shapes(output=(10, 10)), "how long is one value?"),
    ("1", _shapes(hidden=55), "hide each token from itself too"),
    ("1", _shapes(hidden=90), "Count row by row"),
    ("1", _shapes(first=0.1), "fair if the first token saw all ten"),
    ("1", _shapes(output=None), "'output' is still None. How many rows does a head give back"),
    ("2", "my_query = [5, 0, 0]\ncheck.query_for_tom(my_query)", "mia and tom get the same"),
    ("2", "my_query = [2, 4, 0]\ncheck.query_for_tom(my_query)", "by its size or sign, helps mia more than tom?"),
    ("2", "my_query = [0, -1, 2]\ncheck.query_for_tom(my_query)", "by its size or sign, helps saw more than tom?"),
    ("2", "my_query = [2, -1, 0]\ncheck.query_for_tom(my_query)", "What would twice or four times the same query do?"),
    ("2", "my_query = [-2, -3, -3]\ncheck.query_for_tom(my_query)", "by its size or sign, helps she more than tom?"),
    ("2", "my_query = [-100, -3, 0]\ncheck.query_for_tom(my_query)", "helps she more than tom?"),
    ("2", "my_query = [100000, -1, 0]\ncheck.query_for_tom(my_query)", "tom already leads, with 0.76"),
    ("2", "my_query = [2, -1]\ncheck.query_for_tom(my_query)", "this has shape (2,)"),
    (
        "3",
        _window("""    position = np.arange(n_positions)
    behind = position[:, None] - position[None, :]
    return np.where((behind >= 0) & (behind <= window), 0, -np.inf)"""),
        "The window counts the token itself",
    ),
    (
        "3",
        _window("""    position = np.arange(n_positions)
    behind = position[:, None] - position[None, :]
    return np.where(behind < window, 0, -np.inf)"""),
        "everything that comes after it as well",
    ),
    (
        "3",
        _window("""    position = np.arange(n_positions)
    behind = position[:, None] - position[None, :]
    return ((behind >= 0) & (behind < window)).astype(np.float32)"""),
        "A mask of 0 and 1 shifts scores by 1 at most",
    ),
    (
        "3",
        _window("""    position = np.arange(n_positions)
    behind = position[:, None] - position[None, :]
    return ((behind < 0) | (behind >= window)) * -np.inf"""),
        "0 times infinity",
    ),
    (
        "3",
        _window("""    position = np.arange(n_positions)
    behind = position[:, None] - position[None, :]
    return np.where((behind >= 0) & (behind < window), -np.inf, 0)"""),
        "the wrong way round",
    ),
    (
        "3",
        _window("""    position = np.arange(n_positions)
    behind = position[:, None] - position[None, :]
    return np.where((behind >= 0) & (behind < window), 0, -1e9)"""),
        "hides only while no score is as large",
    ),
    (
        "3",
        _window("""    position = np.arange(n_positions)
    mask = causal_mask(n_positions)
    mask[position[:, None] - position[None, :] >= window] = -1e9
    return mask"""),
        "-1e+09 hides only while no score is as large",
    ),
    (
        "3",
        _window("""    position = np.arange(n_positions)
    behind = position[None, :] - position[:, None]
    return np.where((behind >= 0) & (behind < window), 0, -np.inf)"""),
        "Is the query the row or the column?",
    ),
    ("4", _newest("    return softmax(keys @ query) @ values"), "by what are the scores divided first?"),
    ("4", _newest("    return softmax(keys @ query / len(query)) @ values"), "divided by head_dim itself"),
    (
        "4",
        _newest("""    mask = causal_mask(len(keys))
    return softmax(keys @ query / np.sqrt(len(query)) + mask[0]) @ values"""),
        "Does the newest token have a future to hide?",
    ),
    ("4", _newest("    return keys @ query / np.sqrt(len(query)) @ values"), "mixed by raw scores"),
    ("4", _newest("    return attention(keys, keys, values, causal_mask(len(keys)))"), "Here is a row for every token"),
    (
        "4",
        _newest("    return attention(keys, keys, values, causal_mask(len(keys)))[-1]"),
        "It asks with the newest token's key",
    ),
    ("4", _newest("    return softmax(query[None] @ keys.T / np.sqrt(len(query))) @ values"), "this has (1, 4)"),
    (
        "5",
        _weights("""    scores = q @ k.T / np.sqrt(q.shape[-1])
    shares = np.where(mask == 0, softmax(scores), 0)
    return shares / shares.sum(axis=-1, keepdims=True)"""),
        "What is left of the small one to divide by?",
    ),
    (
        "5",
        _weights("""    scores = q @ k.T / np.sqrt(q.shape[-1])
    return softmax(np.where(mask == 0, scores, 0))"""),
        "e to the 0 is 1, not 0",
    ),
    ("5", _weights("    return softmax(q @ k.T + mask)"), "no longer divided by √head_dim"),
    (
        "5",
        _weights("    return softmax(q @ k.T / np.sqrt(q.shape[-1]))"),
        "at most 5, row 1 gives 0.91 of its weight to tokens that the mask hides",
    ),
    ("5", _weights("    return softmax(q @ k.T / np.sqrt(q.shape[-1]) + causal_mask(len(q)))"), "at most 2, row"),
    ("5", _weights("    return softmax(q @ k.T / 2 + mask)"), "differ from attention_weights'"),
    ("5", _weights("    return softmax(q @ k.T + mask) / np.sqrt(q.shape[-1])"), "to the shares after the softmax?"),
    (
        "5",
        _weights("    q *= q.shape[-1] ** -0.5\n    return softmax(q @ k.T + mask)"),
        "changed an array it was given",
    ),
    (
        "5",
        _weights("    return softmax(q @ k.T / np.sqrt(q.shape[-1])) + mask"),
        "who still takes e to it at that point?",
    ),
    ("3", _window("    return np.tril(causal_mask(n_positions), -window)"), "so it hides nothing"),
    (
        "3",
        _window("""    position = np.arange(n_positions)
    return np.where(np.abs(position[:, None] - position[None, :]) < window, 0, -np.inf)"""),
        "the query at 0 and the key at 1 have 0. May 0 look at 1",
    ),
    (
        "4",
        _newest("    return attention(query, keys, values, causal_mask(len(keys)))"),
        "One query has one score for each key",
    ),
    (
        "5",
        _weights("""    shares = np.where(mask == 0, softmax(q @ k.T / np.sqrt(q.shape[-1])), 0)
    return shares / shares.sum()"""),
        "By which sum is each of its numbers divided?",
    ),
    (
        "5",
        _weights("""    shares = np.where(mask == 0, softmax(q @ k.T / np.sqrt(q.shape[-1])), 0)
    return shares / shares.sum(axis=-1)"""),
        "By which sum is each of its numbers divided?",
    ),
    (
        "5",
        _weights("""    powers = np.exp(q @ k.T / np.sqrt(q.shape[-1]) + mask)
    return powers / powers.sum(axis=-1, keepdims=True)"""),
        "do before it takes e to a score?",
    ),
    ("5", _weights("    return np.where(mask == 0, softmax(q @ k.T), 0)"), "Who took the rest before the mask came?"),
    (
        "5",
        _weights("    return softmax(np.where(mask == 0, q @ k.T / np.sqrt(q.shape[-1]), -1e9))"),
        "Which score is below every other?",
    ),
    (
        "4",
        _newest("    return softmax(keys @ query / np.sqrt(len(query))) @ keys"),
        "Of what does a query take shares?",
    ),
    ("4", _newest("    return softmax(keys @ query / 2) @ values"), "others than the last row"),
    ("4", _newest("    return softmax(keys @ query / (len(query) / 2)) @ values"), "others than the last row"),
    (
        "4",
        _newest("    query /= np.sqrt(len(query))\n    return softmax(keys @ query) @ values"),
        "changed an array it was given",
    ),
    ("4", _newest("    return softmax(keys @ query * np.sqrt(len(query))) @ values"), "multiplied by √head_dim"),
    (
        "4",
        _newest("""    powers = np.exp(keys @ query * len(query) ** -0.5)
    return powers / powers.sum() @ values"""),
        "with a score of 255 it gives NaN",
    ),
    (
        "5",  # +∞, not −∞
        _weights("    return softmax(q @ k.T / np.sqrt(q.shape[-1])) - mask"),
        "row 0 gives inf of its weight",
    ),
]
