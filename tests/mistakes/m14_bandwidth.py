"""Mistakes that the checks of chapter 14 recognise: (exercise, code in place of the stub, words of the message)."""


def _of_1b(gigabytes, seconds="gigabytes / 50"):
    """An answer to exercise 1. gigabytes, seconds: expressions."""
    return f"""
layer = 2 * 2048 * 2048 + 2 * 512 * 2048 + 3 * 8192 * 2048
table = 128256 * 2048
gigabytes = {gigabytes}
my_answer = {{"gigabytes": gigabytes, "seconds": {seconds}}}
check.bytes_of_1b(my_answer)
"""


def _plane(expression):
    """An answer to exercise 2."""
    return f"""
def my_odd_plane(weight):
    pairs = weight.view(np.uint32)
    return {expression}


check.odd_plane(my_odd_plane)
"""


def _tiled(loop):
    """An answer to exercise 3. loop: what stands between the making of out and its return."""
    return f"""
def my_tiled(weight, x, tile):
    out = np.zeros(len(weight), np.float32)
    {loop}
    return out


check.tiled(my_tiled)
"""


def _product(even, odd):
    """An answer to exercise 4. even, odd: the two halves of the product."""
    return f"""
def my_product(weight, x):
    pairs = weight.view(np.uint32)
    half = len(x) // 2
    first, second = (pairs << 16).view(np.float32), (pairs & 0xFFFF0000).view(np.float32)
    return {even} + {odd}


check.pairs_product(my_product)
"""


def _tokens(of_weight=2, of_x=4, of_result=4, of_one_token=0, flop=2, rounded="math.ceil"):
    """An answer to exercise 5. of_...: the bytes of a number, as they are counted; rounded: a function's name."""
    return f"""
def my_tokens(flop_a_byte, n_out, n_in):
    once = {of_weight} * n_out * n_in + {of_one_token} * (n_in + n_out)
    a_token = {flop} * n_out * n_in - flop_a_byte * ({of_x} * n_in + {of_result} * n_out)
    return {rounded}(flop_a_byte * once / a_token)


check.flat_roof(my_tokens)
"""


_PARTS = "parts = [weight[start : start + tile].astype(np.float32) for start in range(0, len(weight), tile)]"

_TOKENS_ABOVE = """
def my_tokens(flop_a_byte, n_out, n_in):
    return int(flop_a_byte) + 1


check.flat_roof(my_tokens)
"""

MISTAKES = [
    ("1", _of_1b("2 * 16 * layer / 1e9"), "What turns the last vector into scores"),
    ("1", _of_1b("2 * (16 * layer + 2 * table) / 1e9"), "The table is counted twice"),
    ("1", _of_1b("2 * (layer + table) / 1e9"), "How many layers are there?"),
    ("1", _of_1b("(16 * layer + table) / 1e9"), "How many bytes has each?"),
    ("1", _of_1b("4 * (16 * layer + table) / 1e9"), "How many does bf16 have?"),
    ("1", _of_1b("2 * (16 * (layer + 2 * 1536 * 2048) + table) / 1e9"), "8 heads, not 32"),
    ("1", _of_1b("2 * (16 * (layer - 8192 * 2048) + table) / 1e9"), "How many matrices has the feed-forward part?"),
    ("1", _of_1b("2 * (16 * (layer - 512 * 2048) + table) / 1e9"), "There are keys and values"),
    ("1", _of_1b("2 * (16 * layer + table) / 2**30"), "That is in GiB"),
    ("1", _of_1b("2 * (16 * layer + table)"), "A gigabyte is a billion of them"),
    ("1", _of_1b("2.5"), "not within one per cent"),
    ("1", _of_1b("2 * (16 * layer + table) / 1e9", "50 / gigabytes"), "Yours are tokens a second"),
    ("1", _of_1b("2 * (16 * layer + table) / 1e9", "gigabytes"), "How long do so many take"),
    ("2", _plane("pairs.view(np.float32)"), "What still stands in the lower half?"),
    ("2", _plane("(pairs >> 16).view(np.float32)"), "which half wants them?"),
    ("2", _plane("(pairs & 0xFFFF).view(np.float32)"), "Which half does your mask keep"),
    ("2", _plane("pairs & 0xFFFF0000"), "still whole numbers"),
    ("2", _plane("(pairs & 0xFFFF0000).astype(np.float32)"), "view reads bits; astype converts"),
    ("2", _plane("(pairs & 0xFFFF0000).view(np.float32).astype(np.float64)"), "but they are float64"),
    ("2", _plane("weight[:, 1::2]"), "but they are bfloat16"),
    ("2", _plane("weight[:, 1::2].astype(np.float32)"), "NumPy widened them"),
    ("2", _plane("np.array(weight[:, 1::2], np.float32)"), "NumPy widened them"),
    ("2", _plane("print()"), "returns nothing"),
    ("2", _plane("np.bitwise_and(pairs, 0xFFFF0000, out=pairs).view(np.float32)"), "weight has changed"),
    ("2", _plane("(pairs & 0xFFFE0000).view(np.float32)"), "For the pair"),
    (
        "3",
        _tiled(
            "for i in range(len(weight) // tile):\n"
            "        out[i * tile : (i + 1) * tile] = weight[i * tile : (i + 1) * tile].astype(np.float32) @ x"
        ),
        "Which rows are in no full tile?",
    ),
    (
        "3",
        _tiled(
            "for start in range(0, len(weight), tile):\n"
            "        out[:tile] = weight[start : start + tile].astype(np.float32) @ x"
        ),
        "Where does each tile's result go?",
    ),
    (
        "3",
        _tiled(
            "for start in range(0, len(weight) - tile, tile):\n"
            "        out[start : start + tile] = weight[start : start + tile].astype(np.float32) @ x"
        ),
        "Does the loop come to it?",
    ),
    (
        "3",
        _tiled("out[:tile] = weight[:tile].astype(np.float32) @ x"),
        "only the first tile's results are right",
    ),
    (
        "3",
        _tiled("for i, row in enumerate(range(len(weight))):\n        out[i] = weight[i].astype(np.float32) @ x"),
        "Is tile used?",
    ),
    (
        "3",
        _tiled(
            "for start in range(0, len(weight), tile + 1):\n"
            "        out[start : start + tile] = weight[start : start + tile].astype(np.float32) @ x"
        ),
        "result 2 is the first wrong one",
    ),
    (
        "3",
        _tiled(
            "wide = weight * np.float32(1)\n"
            "    for start in range(0, len(weight), tile):\n"
            "        out[start : start + tile] = wide[start : start + tile] @ x"
        ),
        "6 rows are converted at once",
    ),
    (
        "3",
        _tiled(
            "wide = np.array(weight, np.float32)\n"
            "    for start in range(0, len(weight), tile):\n"
            "        out[start : start + tile] = wide[start : start + tile] @ x"
        ),
        "weight itself is not sliced",
    ),
    (
        "3",
        _tiled(
            "for start in range(len(weight)):\n"
            "        out[start : start + tile] = weight[start : start + tile].astype(np.float32) @ x"
        ),
        "rows come again and again",
    ),
    (
        "3",
        _tiled(
            "out = np.empty(len(weight))\n"
            "    for start in range(0, len(weight), tile):\n"
            "        out[start : start + tile] = weight[start : start + tile].astype(np.float32) @ x"
        ),
        "but they are float64",
    ),
    ("4", _product("first @ x[0::2]", "second @ x[0::2]"), "Which columns does the odd plane hold?"),
    (
        "4",
        _product("first @ x[0::2]", "(pairs >> 16).view(np.float32) @ x[1::2]"),
        "where in a float32 is the exponent?",
    ),
    ("4", _product("first @ x[:half]", "second @ x[half:]"), "which two weights make a pair"),
    (
        "4",
        _product("first @ x[0::2]", "np.bitwise_and(pairs, 0xFFFF0000, out=pairs).view(np.float32) @ x[1::2]"),
        "weight or x has changed",
    ),
    ("4", _product("first @ x[0::2]", "(pairs >> 16) @ x[1::2]"), "still whole numbers"),
    ("4", _product("first @ x[:half]", "(pairs & 0xFFFF0000) @ x[half:]"), "still whole numbers"),
    ("4", _product("first @ x[1::2]", "(pairs >> 16).view(np.float32) @ x[0::2]"), "Print both planes"),
    ("4", _product("first @ x[1::2]", "second @ x[0::2]"), "meets its neighbour's number of x"),
    ("4", _product("first @ x[0::2]", "pairs.view(np.float32) @ x[1::2]"), "What is left in the lower half?"),
    ("4", _product("first @ x[:half]", "pairs.view(np.float32) @ x[half:]"), "keeps its neighbours' bits"),
    ("5", _tokens(of_x=0, of_result=0), "What else is moved?"),
    ("5", _tokens(flop=1), "are multiplied, and then?"),
    ("5", _tokens(of_weight=4), "a weight in bf16?"),
    ("5", _tokens(of_x=2, of_result=2), "number of x in float32?"),
    ("5", _tokens(of_result=0), "What is written?"),
    ("5", _tokens(of_x=0), "What is read besides the matrix?"),
    ("5", _tokens(of_x=0, of_result=0, of_one_token=4), "Do the bytes of x and of results grow?"),
    ("5", _tokens(rounded="math.floor"), "The next whole number reaches it"),
    ("5", _tokens(rounded="round"), "The next whole number reaches it"),
    ("5", _tokens(rounded="1 + math.floor"), "One token less has exactly so many"),
    ("5", _tokens(rounded="str"), "returns str; one whole number is wanted"),
    ("5", _tokens(rounded="max(2, math.ceil").replace("a_token)", "a_token))"), "gives 2, not 1"),
    ("5", _tokens(rounded="float"), "which is the first that has enough?"),
    ("2", _plane("(pairs & 0xFFFF0000).view(np.float32).reshape(5, 4)"), "Right at first, but not"),
    ("3", _tiled(_PARTS + "\n    return np.concatenate([part @ x for part in parts])"), "in float32 at one time"),
    ("3", _tiled(_PARTS + "\n    return np.vstack(parts) @ x"), "in float32 at one time"),
    (
        "3",
        _tiled(
            "wide = np.empty(weight.shape, np.float32)\n"
            "    for start in range(0, len(weight), tile):\n"
            "        wide[start : start + tile] = weight[start : start + tile]\n"
            "        out[start : start + tile] = wide[start : start + tile] @ x"
        ),
        "in float32 at one time",
    ),
    (
        "3",
        _tiled(
            "start, end = 0, tile\n"
            "    while start < len(weight):\n"
            "        out[start:end] = weight[start:end].astype(np.float32) @ x\n"
            "        start, end = end, end + end"
        ),
        "8 rows are converted at once",
    ),
    (
        "3",
        _tiled(
            "x *= 2\n"
            "    for start in range(0, len(weight), tile):\n"
            "        out[start : start + tile] = weight[start : start + tile].astype(np.float32) @ x / 2"
        ),
        "changed an array it was given",
    ),
    ("4", _product("first @ x[[0, 2, 4, 6]]", "second @ x[[1, 3, 5, 7]]"), "Right at first, but not"),
    ("5", _TOKENS_ABOVE, "Do the bytes of x and of results grow?"),
]
