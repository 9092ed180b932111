"""Mistakes that the checks of chapter 03 must recognise."""


def _function(name, arguments, lines, check):
    """The source of a function with these lines, and the call that checks it."""
    body = "".join(f"    {line}\n" for line in lines)
    return f"def {name}({arguments}):\n{body}\n\ncheck.{check}({name})\n"


def _layer_norm(*lines):
    return _function("my_layer_norm", "x, weight, bias, eps", lines, "layer_norm")


def _norm(*lines):
    return _function("my_norm", "x, weight, eps", lines, "token_by_token")


def _half(*lines):
    return _function("rms_norm_in_half", "x, weight, eps", lines, "half_precision")


CENTRED = "centred = x - x.mean(axis=-1, keepdims=True)"
SPREAD = "spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)"
SIZE = "size = np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps)"

MISTAKES = [
    ("1", "check.norm_by_hand(6, None)", "the row's length"),
    ("1", "check.norm_by_hand(9, None)", "Which of the three steps is left"),
    ("1", "check.norm_by_hand(36, None)", "Two steps are left"),
    ("1", "check.norm_by_hand(2, None)", "before the mean"),
    ("1", "check.norm_by_hand(2.5, None)", "the mean of the sizes"),
    ("1", "check.norm_by_hand(5**0.5, None)", "what LayerNorm divides by"),
    ("1", "check.norm_by_hand(3, None)", "a list of four numbers"),
    ("1", "check.norm_by_hand(3, [9, -3, 3, 15])", "makes large rows larger"),
    ("1", "check.norm_by_hand(3, [1, 1 / 3, 1 / 3, 5 / 3])", "The signs are not the norm's to change"),
    ("1", "check.norm_by_hand(3, [1 / 3, -1, -1 / 3, 1])", "the mean was taken off the row"),
    ("2", _layer_norm(SIZE, "return x / size * weight + bias"), "RMSNorm with a bias"),
    ("2", _layer_norm(SIZE, "return x / size * weight"), "adds something last"),
    ("2", _layer_norm(CENTRED, SPREAD, "return centred / spread * weight"), "not used yet"),
    ("2", _layer_norm(CENTRED, SIZE, "return centred / size * weight + bias"), "its size was taken before"),
    ("2", _layer_norm(CENTRED, SPREAD, "return x / spread * weight + bias"), "still has its mean"),
    ("2", _layer_norm(CENTRED, SPREAD, "return centred / spread**2 * weight + bias"), "Which step is missing"),
    ("2", _layer_norm(CENTRED, SPREAD, "return (centred / spread + bias) * weight"), "Which of the two comes last"),
    (
        "2",
        _layer_norm(CENTRED, "return centred / x.std(axis=-1, keepdims=True, ddof=1) * weight + bias"),
        "Divided by D - 1",
    ),
    ("2", _layer_norm("return (x - x.mean(-1)) / x.std(-1) * weight + bias"), "Does each mean keep its axis"),
    ("2", _layer_norm("return (x - x.mean(0)) / x.std(0) * weight + bias"), "down the columns"),
    ("2", _layer_norm("return (x - x.mean()) / x.std() * weight + bias"), "over all tokens at once"),
    (
        "2",
        _layer_norm(CENTRED, "return centred / (x.std(axis=-1, keepdims=True) + eps) * weight + bias"),
        "Where is eps added",
    ),
    (
        "2",
        _layer_norm(CENTRED, "x -= x.mean(-1, keepdims=True)", SPREAD, "return x / spread * weight + bias"),
        "changed",
    ),
    ("2", _layer_norm("eps = 1e-5", CENTRED, SPREAD, "return centred / spread * weight + bias"), "number written in"),
    (
        "2",
        _layer_norm(CENTRED, "return centred / np.sqrt((centred**2).sum(-1, keepdims=True) / len(x)) * weight + bias"),
        "or by T",
    ),
    ("3", _norm("return x / np.sqrt(np.mean(x * x, axis=0) + eps) * weight"), "Whose mean is it"),
    ("3", _norm("return x / np.sqrt(np.mean(x * x) + eps) * weight"), "One size for all tokens"),
    (
        "3",
        _norm(
            "so_far = np.cumsum(np.mean(x * x, axis=-1, keepdims=True), axis=0)",
            "return x / np.sqrt(so_far / np.arange(1, len(x) + 1)[:, None] + eps) * weight",
        ),
        "Whose mean is it",
    ),
    ("3", _norm("return x / np.sqrt(np.mean(x * x, axis=-1) + eps) * weight"), "Does the mean keep its axis"),
    ("3", _norm("return x / np.sqrt(np.sum(x * x, -1, keepdims=True) + eps) * weight"), "Sum or mean"),
    ("3", _norm("return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + eps)"), "What became of the weight"),
    (
        "3",
        _norm("return x / np.sqrt(np.mean(x * x, -1, keepdims=True)) * weight"),
        "small beside it. Where is eps added",
    ),
    (
        "3",
        _norm(CENTRED, "return rms_norm(centred, weight, eps)"),
        "it is not row / rms * weight",
    ),
    ("3", _norm("return x / (np.mean(x * x, axis=-1, keepdims=True) + eps) * weight"), "Is a root there"),
    ("3", _norm("x /= np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps)", "return x * weight"), "changed an array"),
    ("3", _norm("return x / np.sqrt((x * x).sum(axis=-1, keepdims=True) / 3 + eps) * weight"), "number written in"),
    ("3", _norm("return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5) * weight"), "number written in"),
    ("4", "check.telling_rows([1.22, -1.22, 0], [1, 1.2, 0.8], [0.001, 0, 0])", "to multiply and to divide"),
    ("4", "check.telling_rows([10, -10, 0], [1, -5, 7], [0.001, 0, 0])", "mean is 1, its rms 5"),
    ("4", "check.telling_rows([10, -10, 0], [0.001, 0.001], [0.001, 0, 0])", "root of eps 0.0032"),
    ("4", "check.telling_rows([10, -10, 0], [1, 1.2, 0.8], [1, 1, 0])", "How much is 0.00001 beside that"),
    ("4", "check.telling_rows([10, -10, 0], [1, 1.2, 0.8], [0, 0, 0])", "all zeros"),
    ("4", "check.telling_rows([10, -10, 0], 'a row', [0.001, 0, 0])", "row_for_variance should be a list"),
    ("5", _half("return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + eps) * weight"), "came out as zeros"),
    (
        "5",
        _half("return x / np.sqrt(np.mean((x * x).astype(np.float32), -1, keepdims=True) + eps) * weight"),
        "came out as zeros",
    ),
    (
        "5",
        _half(
            "wide = x.astype(np.float32)",
            "return (wide / np.sqrt(np.mean(wide * wide, axis=-1, keepdims=True) + eps)).astype(x.dtype)",
        ),
        "What became of the weight",
    ),
    (
        "5",
        _half("x = x.astype(np.float32)", "return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight"),
        "float16 went in and float32 came out",
    ),
    (
        "5",
        _half(
            "squares = np.minimum(x * x, np.float16(65504))",
            "return x / np.sqrt(np.mean(squares, axis=-1, keepdims=True) + eps) * weight",
        ),
        "came out with rms",
    ),
    (
        "5",
        _half("wide = x.astype(np.float32)", "return rms_norm(wide, weight, 0.0).astype(x.dtype)"),
        "Where is eps added",
    ),
    (
        "5",
        _half("x = np.clip(x, -255, 255)", "return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + eps) * weight"),
        "no longer in proportion",
    ),
    ("5", _half("x[...] = rms_norm(x.astype(np.float32), weight, eps)", "return x"), "changed an array"),
    (
        "5",
        _half(
            "wide = x.astype(np.float32)",
            "return (x * weight / np.sqrt(np.mean(wide * wide, -1, keepdims=True) + eps)).astype(x.dtype)",
        ),
        "Which step fails",
    ),
    (
        "5",
        _half(
            "largest = np.abs(x).max(axis=-1, keepdims=True)",
            "scaled = x / largest",
            "return scaled / np.sqrt(np.mean(scaled**2, -1, keepdims=True) + eps / largest**2) * weight",
        ),
        "one of zeros",
    ),
    ("5", _half("return rms_norm(x.astype(np.float32), weight, 1e-5).astype(x.dtype)"), "number written in"),
]
