"""Mistakes that the checks of chapter 04 recognise."""

MISTAKES = [
    (
        "1",
        """
my_shapes = {"wq": (8192, 8192), "wk": (8192, 8192), "q": (64, 5, 128), "k": (64, 5, 128)}
check.qkv_shapes(my_shapes)
""",
        "How many key heads are there",
    ),
    (
        "1",
        """
my_shapes = {"wq": (8192, 8192), "wk": (8192, 8192 // 8), "q": (64, 5, 128), "k": (8, 5, 128)}
check.qkv_shapes(my_shapes)
""",
        "lies on its side",
    ),
    (
        "1",
        """
my_shapes = {"wq": (8192, 8192), "wk": (1024, 8192), "q": (5, 64, 128), "k": (5, 8, 128)}
check.qkv_shapes(my_shapes)
""",
        "in another order",
    ),
    (
        "1",
        """
my_shapes = {"wq": (8192, 8192), "wk": (1024, 8192), "q": (64, 5, 128), "k": (8, 5, 1024)}
check.qkv_shapes(my_shapes)
""",
        "the same length as a query",
    ),
    (
        "1",
        """
my_shapes = {"wq": (8192, 8192), "wk": (1024, 8192), "q": (5, 8192), "k": (5, 1024)}
check.qkv_shapes(my_shapes)
""",
        "as the product leaves it",
    ),
    (
        "1",
        """
my_shapes = {"wq": (8192, 8192), "wk": (8192, 8192), "q": (64, 5, 128), "k": (8, 5, 1024)}
check.qkv_shapes(my_shapes)
""",
        "the same length as a query",
    ),
    (
        "1",
        """
my_shapes = {"wq": (8192, 8192), "wk": (128, 8192), "q": (64, 5, 128), "k": (8, 5, 128)}
check.qkv_shapes(my_shapes)
""",
        "the rows of one head",
    ),
    (
        "1",
        """
my_shapes = {"wq": (64, 128, 8192), "wk": (8, 128, 8192), "q": (64, 5, 128), "k": (8, 5, 128)}
check.qkv_shapes(my_shapes)
""",
        "two axes each",
    ),
    (
        "1",
        """
my_shapes = {"wq": (8192, 8192), "wk": (1024, 8192), "q": (64, 128), "k": (8, 128)}
check.qkv_shapes(my_shapes)
""",
        "of a single token",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    return x @ wk.T


check.keys_of_one_head(my_keys)
""",
        "keys of all heads",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    return x @ wk[head : head + head_dim].T


check.keys_of_one_head(my_keys)
""",
        "begin at row 2",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    return x @ wk[head :: len(wk) // head_dim].T


check.keys_of_one_head(my_keys)
""",
        "lie apart",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    return wk[head * head_dim : (head + 1) * head_dim] @ x.T


check.keys_of_one_head(my_keys)
""",
        "tokens should go down",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    return x @ wk[:, head * head_dim : (head + 1) * head_dim]


check.keys_of_one_head(my_keys)
""",
        "do not fit",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    return x @ wk[head * head_dim : (head + 1) * head_dim]


check.keys_of_one_head(my_keys)
""",
        "do not fit",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    return x @ wk[(head - 1) * head_dim : head * head_dim].T


check.keys_of_one_head(my_keys)
""",
        "heads counted",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    return (x @ wk.T)[:, head * head_dim : (head + 1) * head_dim]


check.keys_of_one_head(my_keys)
""",
        "rows of other heads were used",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    return split_heads(linear(x, wk), head_dim)[head]


check.keys_of_one_head(my_keys)
""",
        "rows of other heads were used",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    return (x @ wk.T).reshape(-1, len(x), head_dim)[head]


check.keys_of_one_head(my_keys)
""",
        "cut across the tokens",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    return x @ wk[head * 3 : (head + 1) * 3].T


check.keys_of_one_head(my_keys)
""",
        "Right at first",
    ),
    (
        "2",
        """
def my_keys(x, wk, head, head_dim):
    x *= 2
    return x @ wk[head * head_dim : (head + 1) * head_dim].T / 2


check.keys_of_one_head(my_keys)
""",
        "changed an array",
    ),
    (
        "3",
        """
def my_split(x, n_heads, head_dim):
    return x.reshape(n_heads, len(x), head_dim)


check.split_into_heads(my_split)
""",
        "begins with 010",
    ),
    (
        "3",
        """
def my_split(x, n_heads, head_dim):
    return x.reshape(len(x), n_heads, head_dim)


check.split_into_heads(my_split)
""",
        "Which two axes",
    ),
    (
        "3",
        """
def my_split(x, n_heads, head_dim):
    return x.reshape(len(x), head_dim, n_heads).transpose(2, 0, 1)


check.split_into_heads(my_split)
""",
        "numbers of several heads",
    ),
    (
        "3",
        """
def my_split(x, n_heads, head_dim):
    return x.T.reshape(n_heads, len(x), head_dim)


check.split_into_heads(my_split)
""",
        "Which addresses belong there",
    ),
    (
        "3",
        """
def my_split(x, n_heads, head_dim):
    return x.reshape(2, 3, 4).swapaxes(0, 1)


check.split_into_heads(my_split)
""",
        "Right at first",
    ),
    (
        "3",
        """
def my_split(x, n_heads, head_dim):
    x.shape = (len(x), n_heads, head_dim)
    return x.swapaxes(0, 1)


check.split_into_heads(my_split)
""",
        "changed an array",
    ),
    (
        "3",
        """
def my_split(x, n_heads, head_dim):
    return np.full((n_heads, len(x), head_dim), np.nan)


check.split_into_heads(my_split)
""",
        "Which addresses belong there",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    left = memory - 2 * params.n_parameters
    return left // (2 * params.n_layers * params.n_kv_heads * params.head_dim)


check.tokens_that_fit(my_tokens_that_fit)
""",
        "Twice too many",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    left = memory - 2 * params.n_parameters
    return left // (2 * params.n_layers * params.n_heads * params.head_dim * 2)


check.tokens_that_fit(my_tokens_that_fit)
""",
        "How many heads have keys",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    return memory // (2 * params.n_layers * params.n_kv_heads * params.head_dim * 2)


check.tokens_that_fit(my_tokens_that_fit)
""",
        "Where do the weights lie",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    left = memory - 2 * params.n_parameters
    return left // (2 * params.n_kv_heads * params.head_dim * 2)


check.tokens_that_fit(my_tokens_that_fit)
""",
        "one layer's keys and values",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    left = memory - 2 * params.n_parameters
    return left / (2 * params.n_layers * params.n_kv_heads * params.head_dim * 2)


check.tokens_that_fit(my_tokens_that_fit)
""",
        "a part of a token",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    left = memory - 2 * params.n_parameters
    return left // (params.n_layers * params.n_kv_heads * params.head_dim)


check.tokens_that_fit(my_tokens_that_fit)
""",
        "Four times too many",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    left = memory - 2 * params.n_parameters
    return left // (2 * params.n_layers * params.head_dim * 2)


check.tokens_that_fit(my_tokens_that_fit)
""",
        "How many does a layer have",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    left = memory - params.n_parameters
    return left // (2 * params.n_layers * params.n_kv_heads * params.head_dim * 2)


check.tokens_that_fit(my_tokens_that_fit)
""",
        "bytes does a weight take",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    left = memory - 2 * params.n_parameters
    return round(left / (2 * params.n_layers * params.n_kv_heads * params.head_dim * 2))


check.tokens_that_fit(my_tokens_that_fit)
""",
        "rounded up",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    tokens, one = 0, 2 * params.n_layers * params.n_kv_heads * params.head_dim * 2
    while (tokens + 1) * one < memory - 2 * params.n_parameters:
        tokens += 1
    return tokens


check.tokens_that_fit(my_tokens_that_fit)
""",
        "exactly 100 tokens it says 99",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    left = memory - 2 * params.n_parameters
    return left // (2 * params.n_layers * params.n_kv_heads * params.n_heads * 2)  # n_heads, not head_dim


check.tokens_that_fit(my_tokens_that_fit)
""",
        "of head_dim numbers",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    left = memory - 2 * llama_3_8b.n_parameters
    return left // (2 * llama_3_8b.n_layers * llama_3_8b.n_kv_heads * llama_3_8b.head_dim * 2)


check.tokens_that_fit(my_tokens_that_fit)
""",
        "holds for the 8B alone",
    ),
    (
        "4",
        """
def my_tokens_that_fit(params, memory):
    return memory * params.n_parameters


check.tokens_that_fit(my_tokens_that_fit)
""",
        "Count again",
    ),
    (
        "5",
        """
def my_pool(wk, n_kv_heads, head_dim):
    return wk.reshape(-1, n_kv_heads, head_dim, wk.shape[1]).mean(axis=0).reshape(-1, wk.shape[1])


check.pooled_heads(my_pool)
""",
        "which heads share",
    ),
    (
        "5",
        """
def my_pool(wk, n_kv_heads, head_dim):
    return wk.reshape(n_kv_heads, -1, head_dim, wk.shape[1]).mean(axis=1)


check.pooled_heads(my_pool)
""",
        "lie under each other",
    ),
    (
        "5",
        """
def my_pool(wk, n_kv_heads, head_dim):
    return wk.reshape(n_kv_heads * head_dim, -1, wk.shape[1]).mean(axis=1)


check.pooled_heads(my_pool)
""",
        "Neighbouring rows were averaged",
    ),
    (
        "5",
        """
def my_pool(wk, n_kv_heads, head_dim):
    return wk.reshape(n_kv_heads, -1, head_dim, wk.shape[1])[:, 0].reshape(-1, wk.shape[1])


check.pooled_heads(my_pool)
""",
        "Only the first head",
    ),
    (
        "5",
        """
def my_pool(wk, n_kv_heads, head_dim):
    grouped = wk.reshape(n_kv_heads, -1, head_dim, wk.shape[1])
    return grouped.mean(axis=1).swapaxes(0, 1).reshape(-1, wk.shape[1])


check.pooled_heads(my_pool)
""",
        "their rows are mixed",
    ),
    (
        "5",
        """
def my_pool(wk, n_kv_heads, head_dim):
    return wk.reshape(-1, n_kv_heads, head_dim, wk.shape[1]).mean(axis=1).reshape(-1, wk.shape[1])


check.pooled_heads(my_pool)
""",
        "What does n_kv_heads count",
    ),
    (
        "5",
        """
def my_pool(wk, n_kv_heads, head_dim):
    return wk.reshape(n_kv_heads, -1, head_dim, wk.shape[1]).sum(axis=1).reshape(-1, wk.shape[1])


check.pooled_heads(my_pool)
""",
        "right rows were added up",
    ),
    (
        "5",
        """
def my_pool(wk, n_kv_heads, head_dim):
    grouped = wk.reshape(n_kv_heads, -1, head_dim, wk.shape[1])
    return grouped.sum(axis=1).reshape(-1, wk.shape[1]) / n_kv_heads


check.pooled_heads(my_pool)
""",
        "right rows were added up",
    ),
    (
        "5",
        """
def my_pool(wk, n_kv_heads, head_dim):
    return wk.reshape(n_kv_heads, 3, head_dim, wk.shape[1]).mean(axis=1).reshape(-1, wk.shape[1])


check.pooled_heads(my_pool)
""",
        "Right at first",
    ),
    (
        "5",
        """
def my_pool(wk, n_kv_heads, head_dim):
    grouped = wk.reshape(n_kv_heads, -1, head_dim, wk.shape[1])
    grouped[:, 0] = grouped.mean(axis=1)
    return grouped[:, 0].reshape(-1, wk.shape[1])


check.pooled_heads(my_pool)
""",
        "changed an array",
    ),
]
