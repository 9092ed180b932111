"""Mistakes that the checks of chapter 05 must recognise: (exercise, code for its cell, words of the message)."""

MISTAKES = [
    (
        "1",  # the number of query heads for the keys
        """
shapes = {"q": [6, 10, 16], "pairs of q": [6, 10, 8], "freqs_cis": [10, 8], "turned k": [6, 10, 16]}
check.rope_shapes(shapes)
""",
        "as many heads as q",
    ),
    (
        "1",  # pairs counted as numbers
        """
shapes = {"q": [6, 10, 16], "pairs of q": [6, 10, 16], "freqs_cis": [10, 16], "turned k": [2, 10, 16]}
check.rope_shapes(shapes)
""",
        "fewer numbers than q",
    ),
    (
        "1",  # cut to whole numbers this would be right
        """
shapes = {"q": [6, 10, 16], "pairs of q": [6, 10, 8], "freqs_cis": [10.5, 8], "turned k": [2, 10, 16]}
check.rope_shapes(shapes)
""",
        "a row for each position",
    ),
    (
        "1",
        """
shapes = {"q": [6, 10, 16], "pairs of q": [6, 10, 8], "freqs_cis": [10, 16], "turned k": [2, 10, 16]}
check.rope_shapes(shapes)
""",
        "How many pairs has a head",
    ),
    (
        "1",
        """
shapes = {"q": [6, 10, 16], "pairs of q": [6, 10, 8], "freqs_cis": [6, 10, 8], "turned k": [2, 10, 16]}
check.rope_shapes(shapes)
""",
        "an axis for the heads",
    ),
    (
        "1",
        """
shapes = {"q": [6, 10, 16], "pairs of q": [6, 10, 8], "freqs_cis": [10, 8], "turned k": [2, 10, 8]}
check.rope_shapes(shapes)
""",
        "still complex after turning",
    ),
    (
        "1",
        """
shapes = {"q": [10, 6, 16], "pairs of q": [10, 6, 8], "freqs_cis": [10, 8], "turned k": [10, 2, 16]}
check.rope_shapes(shapes)
""",
        "tokens first",
    ),
    (
        "2",  # tokens for one radian
        """
def wavelengths(head_dim, theta):
    return theta ** (np.arange(0, head_dim, 2) / head_dim)


check.rope_wavelengths(wavelengths)
""",
        "Is that a whole turn",
    ),
    (
        "2",  # turns a token
        """
def wavelengths(head_dim, theta):
    return theta ** (-np.arange(0, head_dim, 2) / head_dim) / (2 * np.pi)


check.rope_wavelengths(wavelengths)
""",
        "fall from pair to pair",
    ),
    (
        "2",
        """
def wavelengths(head_dim, theta):
    return 2 * np.pi * theta ** (np.arange(head_dim // 2) / head_dim)


check.rope_wavelengths(wavelengths)
""",
        "too fast. Is your exponent",
    ),
    (
        "2",  # the factor 2 twice
        """
def wavelengths(head_dim, theta):
    return 2 * np.pi * theta ** (2 * np.arange(0, head_dim, 2) / head_dim)


check.rope_wavelengths(wavelengths)
""",
        "too slow. Is your exponent",
    ),
    (
        "2",  # the loaded checkpoint's base in place of theta
        """
def wavelengths(head_dim, theta):
    return 2 * np.pi * base ** (np.arange(0, head_dim, 2) / head_dim)


check.rope_wavelengths(wavelengths)
""",
        "and your base theta",
    ),
    (
        "2",  # times the frequency
        """
def wavelengths(head_dim, theta):
    return 2 * np.pi * theta ** (-np.arange(0, head_dim, 2) / head_dim)


check.rope_wavelengths(wavelengths)
""",
        "fall from pair to pair",
    ),
    (
        "2",  # 2 pi with two decimals
        """
def wavelengths(head_dim, theta):
    return 6.28 * theta ** (np.arange(0, head_dim, 2) / head_dim)


check.rope_wavelengths(wavelengths)
""",
        "or do you round",
    ),
    (
        "2",  # the right lengths, rounded to two decimals
        """
def wavelengths(head_dim, theta):
    return np.round(2 * np.pi * theta ** (np.arange(0, head_dim, 2) / head_dim), 2)


check.rope_wavelengths(wavelengths)
""",
        "or do you round",
    ),
    (
        "2",  # pairs counted from 1
        """
def wavelengths(head_dim, theta):
    return 2 * np.pi * theta ** (np.arange(2, head_dim + 1, 2) / head_dim)


check.rope_wavelengths(wavelengths)
""",
        "needs 62.83 tokens",
    ),
    (
        "2",  # half a turn
        """
def wavelengths(head_dim, theta):
    return np.pi * theta ** (np.arange(0, head_dim, 2) / head_dim)


check.rope_wavelengths(wavelengths)
""",
        "needs 3.142 tokens",
    ),
    (
        "2",  # whole tokens
        """
def wavelengths(head_dim, theta):
    return np.ceil(2 * np.pi * theta ** (np.arange(0, head_dim, 2) / head_dim))


check.rope_wavelengths(wavelengths)
""",
        "Your numbers are whole",
    ),
    (
        "2",
        """
def wavelengths(head_dim, theta):
    return 360 * theta ** (np.arange(0, head_dim, 2) / head_dim)


check.rope_wavelengths(wavelengths)
""",
        "in degrees",
    ),
    (
        "2",
        """
def wavelengths(head_dim, theta):
    return 2 * np.pi * theta ** (np.arange(head_dim) / head_dim)


check.rope_wavelengths(wavelengths)
""",
        "How many pairs are there",
    ),
    (
        "2",
        """
def wavelengths(head_dim, theta):
    return theta ** (-np.arange(0, head_dim, 2) / head_dim)


check.rope_wavelengths(wavelengths)
""",
        "These are the frequencies",
    ),
    (
        "3",  # the right pairs, put back as halves
        """
def rotate(x, angles):
    first, second = x[:, 0::2], x[:, 1::2]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)


check.rope_pairs(rotate)
""",
        "in another order",
    ),
    (
        "3",  # the first numbers overwritten before they are used again, through a view
        """
def rotate(x, angles):
    x = x.copy()
    first, second = x[:, 0::2], x[:, 1::2]
    cos, sin = np.cos(angles), np.sin(angles)
    x[:, 0::2] = first * cos - second * sin
    x[:, 1::2] = first * sin + second * cos
    return x


check.rope_pairs(rotate)
""",
        "overwritten too early",
    ),
    (
        "3",
        """
def rotate(x, angles):
    turned = np.empty_like(x)
    cos, sin = np.cos(angles), np.sin(angles)
    turned[:, 0::2] = x[:, 0::2] * cos + x[:, 1::2] * sin
    turned[:, 1::2] = x[:, 1::2] * cos - x[:, 0::2] * sin
    return turned


check.rope_pairs(rotate)
""",
        "the other way",
    ),
    (
        "3",  # one sign
        """
def rotate(x, angles):
    turned = np.empty_like(x)
    cos, sin = np.cos(angles), np.sin(angles)
    turned[:, 0::2] = x[:, 0::2] * cos + x[:, 1::2] * sin
    turned[:, 1::2] = x[:, 0::2] * sin + x[:, 1::2] * cos
    return turned


check.rope_pairs(rotate)
""",
        "Is a sign wrong",
    ),
    (
        "3",
        """
def rotate(x, angles):
    first, second = x[:, 0::2].copy(), x[:, 1::2].copy()
    cos, sin = np.cos(angles), np.sin(angles)
    x[:, 0::2], x[:, 1::2] = first * cos - second * sin, first * sin + second * cos
    return x


check.rope_pairs(rotate)
""",
        "changed an array it was given",
    ),
    (
        "3",  # right for 5 tokens of 8 numbers
        """
def rotate(x, angles):
    turned = np.empty((5, 8))
    for t in range(5):
        for i in range(4):
            first, second = x[t, 2 * i], x[t, 2 * i + 1]
            cos, sin = np.cos(angles[t, i]), np.sin(angles[t, i])
            turned[t, 2 * i], turned[t, 2 * i + 1] = first * cos - second * sin, first * sin + second * cos
    return turned


check.rope_pairs(rotate)
""",
        "stopped with IndexError",
    ),
    (
        "3",  # the right turn by other angles, written over the angles given
        """
def rotate(x, angles):
    angles *= 1.5
    first, second = x[:, 0::2], x[:, 1::2]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.stack([first * cos - second * sin, first * sin + second * cos], axis=-1).reshape(x.shape)


check.rope_pairs(rotate)
""",
        "changed an array it was given",
    ),
    (
        "3",  # the angles taken for degrees
        """
def rotate(x, angles):
    first, second = x[:, 0::2], x[:, 1::2]
    cos, sin = np.cos(np.deg2rad(angles)), np.sin(np.deg2rad(angles))
    return np.stack([first * cos - second * sin, first * sin + second * cos], axis=-1).reshape(x.shape)


check.rope_pairs(rotate)
""",
        "The lengths are kept",
    ),
    (
        "3",  # view makes complex64 of float64
        """
def rotate(x, angles):
    return (x.view(np.complex64) * np.exp(1j * angles)).view(x.dtype)


check.rope_pairs(rotate)
""",
        "stopped with ValueError",
    ),
    (
        "3",  # the first row left as it is: right only if the rows begin at position 0
        """
def rotate(x, angles):
    turned = x.copy()
    first, second = x[1:, 0::2], x[1:, 1::2]
    cos, sin = np.cos(angles[1:]), np.sin(angles[1:])
    turned[1:, 0::2] = first * cos - second * sin
    turned[1:, 1::2] = first * sin + second * cos
    return turned


check.rope_pairs(rotate)
""",
        "Does each row turn by its own angles?",
    ),
    (
        "3",  # the first row's angles for every row
        """
def rotate(x, angles):
    first, second = x[:, 0::2], x[:, 1::2]
    cos, sin = np.cos(angles[0]), np.sin(angles[0])
    return np.stack([first * cos - second * sin, first * sin + second * cos], axis=-1).reshape(x.shape)


check.rope_pairs(rotate)
""",
        "By which angles do you turn",
    ),
    (
        "4",  # the way there once more
        """
def to_neighbours(w, n_heads):
    return w.reshape(n_heads, -1, 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


check.rope_rows(to_neighbours)
""",
        "Is the way back the same",
    ),
    (
        "4",  # the whole matrix taken for one head
        """
def to_neighbours(w, n_heads):
    return w.reshape(2, -1, w.shape[1]).swapaxes(0, 1).reshape(w.shape)


check.rope_rows(to_neighbours)
""",
        "from one head into another",
    ),
    (
        "4",  # columns
        """
def to_neighbours(w, n_heads):
    return w.reshape(len(w), n_heads, 2, -1).swapaxes(2, 3).reshape(w.shape)


check.rope_rows(to_neighbours)
""",
        "reordered the columns",
    ),
    (
        "4",
        """
def to_neighbours(w, n_heads):
    return w.reshape(n_heads, 2, -1, w.shape[1]).swapaxes(1, 2)


check.rope_rows(to_neighbours)
""",
        "Should more than the order change",
    ),
    (
        "4",  # the order found by the numbers in it
        """
def to_neighbours(w, n_heads):
    return w[np.argsort(w[:, 0])]


check.rope_rows(to_neighbours)
""",
        "in an order of their own",
    ),
    (
        "4",  # the caller's matrix reordered
        """
def to_neighbours(w, n_heads):
    w[:] = w.reshape(n_heads, 2, -1, w.shape[1]).swapaxes(1, 2).reshape(w.shape)
    return w


check.rope_rows(to_neighbours)
""",
        "changed an array it was given",
    ),
    (
        "5",  # only the positions mended
        """
import ml_dtypes


def angles_of(n_positions, freqs):
    return np.outer(np.arange(n_positions), freqs.astype(ml_dtypes.bfloat16))


check.rope_positions(angles_of)
""",
        "What else is rounded",
    ),
    (
        "5",  # only the frequencies mended
        """
import ml_dtypes


def angles_of(n_positions, freqs):
    return np.outer(np.arange(n_positions).astype(ml_dtypes.bfloat16), freqs)


check.rope_positions(angles_of)
""",
        "Position 257",
    ),
    (
        "5",  # float16 lasts longer, but not long enough
        """
def angles_of(n_positions, freqs):
    return np.outer(np.arange(n_positions).astype(np.float16), freqs)


check.rope_positions(angles_of)
""",
        "Position 2049",
    ),
    (
        "5",
        """
import ml_dtypes


def angles_of(n_positions, freqs):
    return np.outer(np.arange(n_positions), freqs).astype(ml_dtypes.bfloat16)


check.rope_positions(angles_of)
""",
        "round the finished angles",
    ),
    (
        "5",  # whole turns taken off first, and then rounded
        """
import ml_dtypes


def angles_of(n_positions, freqs):
    return (np.outer(np.arange(n_positions), freqs) % (2 * np.pi)).astype(ml_dtypes.bfloat16)


check.rope_positions(angles_of)
""",
        "or cuts digits",
    ),
    (
        "5",  # the caller's frequencies rounded
        """
import ml_dtypes


def angles_of(n_positions, freqs):
    freqs[:] = freqs.astype(ml_dtypes.bfloat16)
    return np.outer(np.arange(n_positions), freqs)


check.rope_positions(angles_of)
""",
        "changed an array it was given",
    ),
    (
        "5",  # the 8B's context whatever is asked
        """
def angles_of(n_positions, freqs):
    return np.outer(np.arange(8192), freqs)


check.rope_positions(angles_of)
""",
        "1,000 positions",
    ),
    (
        "5",  # no digit is lost, but n_positions stands at the last place
        """
def angles_of(n_positions, freqs):
    return np.outer(np.linspace(0, n_positions, n_positions), freqs)


check.rope_positions(angles_of)
""",
        "Which step moves 9",
    ),
]
