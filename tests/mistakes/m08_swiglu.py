"""Mistakes that the checks of chapter 08 recognise: (exercise, code in place of the stub, words of the message)."""

MISTAKES = [
    (
        "1",
        """
my_shapes = {"w1": (8, 20), "w2": (8, 20), "gate": (5, 20), "output": (5, 8)}
check.feed_forward_shapes(my_shapes)
""",
        "'w1' has the right two numbers in the wrong order",
    ),
    (
        "1",
        """
my_shapes = {"w1": (20, 8), "w2": (20, 8), "gate": (5, 20), "output": (5, 8)}
check.feed_forward_shapes(my_shapes)
""",
        "how many numbers does it write",
    ),
    (
        "1",
        """
my_shapes = {"w1": (20, 8), "w2": (8, 20), "gate": (5, 20), "output": (5, 20)}
check.feed_forward_shapes(my_shapes)
""",
        "It is added to the residual stream",
    ),
    (
        "2",
        """
def my_ffn_dim(dim, multiple_of, multiplier):
    hidden = int(multiplier * 4 * dim)
    return math.ceil(hidden / multiple_of) * multiple_of


check.ffn_dim(my_ffn_dim)
""",
        "what pays for the third?",
    ),
    (
        "2",
        """
def my_ffn_dim(dim, multiple_of, multiplier):
    hidden = int(multiplier * int(2 * 4 * dim / 3))
    return hidden // multiple_of * multiple_of


check.ffn_dim(my_ffn_dim)
""",
        "fewer neurons than the",
    ),
    (
        "2",
        """
def my_ffn_dim(dim, multiple_of, multiplier):
    hidden = int(2 * 4 * dim / 3)
    return math.ceil(hidden / multiple_of) * multiple_of


check.ffn_dim(my_ffn_dim)
""",
        "what a multiplier of 1 gives",
    ),
    (
        "2",
        """
def my_ffn_dim(dim, multiple_of, multiplier):
    hidden = int(multiplier * int(2 * 4 * dim / 3))
    return math.ceil(hidden / multiple_of + 1) * multiple_of


check.ffn_dim(my_ffn_dim)
""",
        "How far is it from 17066 up to the next one?",
    ),
    (
        "2",
        """
def my_ffn_dim(dim, multiple_of, multiplier):
    return int(multiplier * int(2 * 4 * dim / 3))


check.ffn_dim(my_ffn_dim)
""",
        "not a multiple of",
    ),
    (
        "2",
        """
def my_ffn_dim(dim, multiple_of, multiplier):
    hidden = int(multiplier * int(2 * 4 * dim / 3))
    return (hidden // multiple_of + 1) * multiple_of


check.ffn_dim(my_ffn_dim)
""",
        "one multiple too many",
    ),
    (
        "2",
        """
def my_ffn_dim(dim, multiple_of, multiplier):
    return math.ceil(multiplier * 2 * 4 * dim / 3 / multiple_of) * multiple_of


check.ffn_dim(my_ffn_dim)
""",
        "with a fraction, before the last step?",
    ),
    (
        "2",  # 8 // 3 is 2
        """
def my_ffn_dim(dim, multiple_of, multiplier):
    hidden = int(multiplier * (2 * 4 // 3 * dim))
    return math.ceil(hidden / multiple_of) * multiple_of


check.ffn_dim(my_ffn_dim)
""",
        "where does it leave the path?",
    ),
    (
        "3",
        """
def my_feed_forward(x, w1, w2, w3):
    return linear(silu(linear(x, w1) * linear(x, w3)), w2)


check.feed_forward(my_feed_forward)
""",
        "The curve bends the whole product",
    ),
    (
        "3",
        """
def my_feed_forward(x, w1, w2, w3):
    return linear(silu(linear(x, w1)) * silu(linear(x, w3)), w2)


check.feed_forward(my_feed_forward)
""",
        "Both factors are bent",
    ),
    (
        "3",
        """
def my_feed_forward(x, w1, w2, w3):
    return x + linear(silu(linear(x, w1)) * linear(x, w3), w2)


check.feed_forward(my_feed_forward)
""",
        "Is the addition to the stream part of this function?",
    ),
    (
        "3",
        """
def my_feed_forward(x, w1, w2, w3):
    return linear(silu(linear(x, w3)) * linear(x, w1), w2)


check.feed_forward(my_feed_forward)
""",
        "Which of the two is the gate?",
    ),
    (
        "3",
        """
def my_feed_forward(x, w1, w2, w3):
    return linear(sigmoid(linear(x, w1)) * linear(x, w3), w2)


check.feed_forward(my_feed_forward)
""",
        "What does silu do with a gate of 6?",
    ),
    (
        "3",
        """
def my_feed_forward(x, w1, w2, w3):
    return linear(linear(x, w1) * linear(x, w3), w2)


check.feed_forward(my_feed_forward)
""",
        "X and -x give the same result",
    ),
    (
        "3",
        """
def my_feed_forward(x, w1, w2, w3):
    return silu(linear(x, w1)) * linear(x, w3)


check.feed_forward(my_feed_forward)
""",
        "what shape can be added to x?",
    ),
    (
        "3",
        """
def my_feed_forward(x, w1, w2, w3):
    return (silu(linear(x, w1)) * linear(x, w3)) @ w2


check.feed_forward(my_feed_forward)
""",
        "w2 is (6, 5). What does linear turn over?",
    ),
    (
        "3",
        """
def my_feed_forward(x, w1, w2, w3):
    x += linear(silu(linear(x, w1)) * linear(x, w3), w2)
    return x


check.feed_forward(my_feed_forward)
""",
        "changed an array it was given",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    return np.exp(x) / (1 + np.exp(x))


check.stable_sigmoid(my_sigmoid)
""",
        "as infinity over infinity",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, 1, e) / (1 + e)


check.stable_sigmoid(my_sigmoid)
""",
        "Which formula, with which sign, does a positive x get?",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


check.stable_sigmoid(my_sigmoid)
""",
        "np.where works out both sides",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


check.stable_sigmoid(my_sigmoid)
""",
        "on the way exp overflows",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    np.seterr(over="ignore")
    return 1 / (1 + np.exp(-x))


check.stable_sigmoid(my_sigmoid)
""",
        "on the way exp overflows",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    return (1 / (1 + np.exp(-np.clip(x.astype(np.float64), -500, 500)))).astype(x.dtype)


check.stable_sigmoid(my_sigmoid)
""",
        "Is something cut off or rounded away",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    return (1 / (1 + np.exp(-np.clip(x.astype(np.float64), -700, 700)))).astype(x.dtype)


check.stable_sigmoid(my_sigmoid)
""",
        "sigmoid(-2000) is 0 in float64, and it says 9.86e-305",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    powers = [math.exp(-abs(v)) for v in x]
    return np.array([(1 if v >= 0 else e) / (1 + e) for v, e in zip(x, powers)], x.dtype)


check.stable_sigmoid(my_sigmoid)
""",
        "x may have any shape",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    late, early = x >= 0, x < 0
    x[late] = 1 / (1 + np.exp(-x[late]))
    x[early] = np.exp(x[early]) / (1 + np.exp(x[early]))
    return x


check.stable_sigmoid(my_sigmoid)
""",
        "changed an array it was given",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    e = np.exp(x - x.max())
    return e / (e + np.exp(-x.max()))


check.stable_sigmoid(my_sigmoid)
""",
        "as infinity over infinity or 0 over 0",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    return 1 / (1 + np.exp(-np.abs(x)))


check.stable_sigmoid(my_sigmoid)
""",
        "which of the two formulas holds there",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -20, 20)))


check.stable_sigmoid(my_sigmoid)
""",
        "Is something cut off or rounded away",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    return 0.5 * np.tanh(0.5 * x) + 0.5


check.stable_sigmoid(my_sigmoid)
""",
        "as tanh rounds to -1?",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    return np.array([1 / (1 + math.exp(-v)) if v >= 0 else 1 - 1 / (1 + math.exp(v)) for v in x])


check.stable_sigmoid(my_sigmoid)
""",
        "What in your line is float64?",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    share = 1 / (1 + np.exp(-np.abs(x)))
    return np.where(x >= 0, share, 1 - share)


check.stable_sigmoid(my_sigmoid)
""",
        "Is something cut off or rounded away",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    return np.where(np.abs(x) < 80, 1 / (1 + np.exp(-np.clip(x, -80, 80))), 0)


check.stable_sigmoid(my_sigmoid)
""",
        "How large is the share there?",
    ),
    (
        "4",
        """
def my_sigmoid(x):
    if x >= 0:
        return 1 / (1 + np.exp(-x))
    return np.exp(x) / (1 + np.exp(x))


check.stable_sigmoid(my_sigmoid)
""",
        "It works for one number, but x is an array",
    ),
    (
        "5",
        """
my_w1 = np.array([[2.0, 0.0], [-2.0, 0.0]])
my_w3 = np.array([[0.0, 1.0], [0.0, 1.0]])
my_w2 = np.array([[1.0, -1.0]])
check.exact_product(my_w1, my_w2, my_w3)
""",
        "2 times the product, everywhere",
    ),
    (
        "5",  # silu is nearly a straight line close to 0: one neuron comes near, and is not exact
        """
my_w1 = np.array([[1e-7, 0.0], [0.0, 0.0]])
my_w3 = np.array([[0.0, 1.0], [0.0, 0.0]])
my_w2 = np.array([[2e7, 0.0]])
check.exact_product(my_w1, my_w2, my_w3)
""",
        "it gives 200 in place of 200, 0.0004 off, with one neuron at work",
    ),
    (
        "5",
        """
my_w1 = np.array([[-100.0, 0.0], [0.0, 0.0]])
my_w3 = np.array([[0.0, 1.0], [0.0, 0.0]])
my_w2 = np.array([[-0.01, 0.0]])
check.exact_product(my_w1, my_w2, my_w3)
""",
        "it gives 0 in place of 200, 200 off, with one neuron at work",
    ),
    (
        "5",
        """
my_w1 = np.array([[1.0, 0.0], [0.0, 1.0]])
my_w3 = np.array([[0.0, 1.0], [1.0, 0.0]])
my_w2 = np.array([[0.5, 0.5]])
check.exact_product(my_w1, my_w2, my_w3)
""",
        "Both a and b go into a gate",
    ),
    (
        "5",
        """
my_w1 = np.array([[1.0, 0.0], [-1.0, 0.0]])
my_w3 = np.array([[0.0, 1.0], [0.0, 1.0]])
my_w2 = np.array([[1.0, 1.0]])
check.exact_product(my_w1, my_w2, my_w3)
""",
        "How do the two products go together?",
    ),
    (
        "5",
        """
my_w1 = np.array([[1.0, 0.0], [-1.0, 0.0]])
my_w3 = np.array([[0.0, 1.0], [0.0, 1.0]])
my_w2 = np.array([[-1.0, 1.0]])
check.exact_product(my_w1, my_w2, my_w3)
""",
        "Which of the two neurons is taken off?",
    ),
    (
        "5",
        """
my_w1 = np.array([[1.0, 0.0], [1.0, 0.0]])
my_w3 = np.array([[0.0, 1.0], [0.0, 1.0]])
my_w2 = np.array([[0.5, 0.5]])
check.exact_product(my_w1, my_w2, my_w3)
""",
        "Both neurons have the same gate",
    ),
    (
        "5",  # so close to 0 that the bend of silu is lost in rounding
        """
my_w1 = np.array([[1e-20, 0.0], [0.0, 0.0]])
my_w3 = np.array([[0.0, 1.0], [0.0, 0.0]])
my_w2 = np.array([[2e20, 0.0]])
check.exact_product(my_w1, my_w2, my_w3)
""",
        "for the token (1e+30, 5) it gives 1e+31",
    ),
    (
        "5",  # gates nearly equal are not the same
        """
my_w1 = np.array([[1e-9, 0.0], [-1e-9, 0.0]])
my_w3 = np.array([[0.0, 1.0], [0.0, 1.0]])
my_w2 = np.array([[1.0, -1.0]])
check.exact_product(my_w1, my_w2, my_w3)
""",
        "1e-09 times the product, everywhere",
    ),
    (
        "5",  # columns for neurons
        """
my_w1 = np.array([[1.0, -1.0], [0.0, 0.0]])
my_w3 = np.array([[0.0, 0.0], [1.0, 1.0]])
my_w2 = np.array([[1.0, -1.0]])
check.exact_product(my_w1, my_w2, my_w3)
""",
        "no neuron has a gate, an up and a down",
    ),
]
