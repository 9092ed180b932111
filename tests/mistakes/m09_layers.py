"""Mistakes that the checks of chapter 09 recognise: (exercise, code in place of the stub, words of the message)."""

MISTAKES = [
    (
        "1",
        """
my_prediction = {"stream": (4, 6), "logits": (4, 50), "additions": 5}
check.shapes_of_layers(my_prediction)
""",
        "How often does `x +` stand in the block?",
    ),
    (
        "1",
        """
my_prediction = {"stream": (4, 6), "logits": (50,), "additions": 10}
check.shapes_of_layers(my_prediction)
""",
        "How many positions have any?",
    ),
    (
        "1",
        """
my_prediction = {"stream": (4, 6), "logits": (1, 50), "additions": 10}
check.shapes_of_layers(my_prediction)
""",
        "How many positions have any?",
    ),
    (
        "1",
        """
my_prediction = {"stream": (6, 4), "logits": (4, 50), "additions": 10}
check.shapes_of_layers(my_prediction)
""",
        "is a token a row or a column?",
    ),
    (
        "1",
        """
my_prediction = {"stream": (4, 6), "logits": (4, 50), "additions": 11}
check.shapes_of_layers(my_prediction)
""",
        "one of them is the embedding itself",
    ),
    (
        "1",
        """
my_prediction = {"stream": (4, 6), "logits": (4, 50), "additions": "10"}
check.shapes_of_layers(my_prediction)
""",
        "'additions' is '10'; a number is wanted",
    ),
    (
        "2",
        """
def my_parameters(p):
    return p.n_parameters


check.parameters(my_parameters)
""",
        "a formula is wanted, without weight_shapes",
    ),
    (
        "2",
        """
def my_parameters(p):
    attention = 2 * (p.n_heads + p.n_kv_heads) * p.head_dim * p.dim
    return p.n_layers * (attention + 3 * p.ffn_dim * p.dim) + 2 * p.vocab_size * p.dim


check.parameters(my_parameters)
""",
        "what else does a layer have that is no matrix?",
    ),
    (
        "2",
        """
def my_parameters(p):
    return p.n_layers * (4 * p.dim * p.dim + 3 * p.ffn_dim * p.dim)


check.parameters(my_parameters)
""",
        "as large as wq; and not all is a layer's matrix",
    ),
    (
        "2",
        """
def my_parameters(p):
    layer = 4 * p.dim * p.dim + 3 * p.ffn_dim * p.dim + 2 * p.dim
    return p.n_layers * layer + 2 * p.vocab_size * p.dim + p.dim


check.parameters(my_parameters)
""",
        "How many heads do keys and values have?",
    ),
    (
        "2",
        """
def my_parameters(p):
    layer = 4 * p.dim * p.dim + 3 * p.ffn_dim * p.dim
    return p.n_layers * layer + 2 * p.vocab_size * p.dim


check.parameters(my_parameters)
""",
        "something is not counted at all",
    ),
    (
        "2",
        """
def my_parameters(p):
    attention = 2 * (p.n_heads + p.n_kv_heads) * p.head_dim * p.dim
    layer = attention + 3 * p.ffn_dim * p.dim + 2 * p.dim
    return p.n_layers * layer + p.vocab_size * p.dim + p.dim


check.parameters(my_parameters)
""",
        "only one is counted",
    ),
    (
        "2",
        """
def my_parameters(p):
    attention = 2 * (p.n_heads + p.n_kv_heads) * p.head_dim * p.dim
    layer = attention + 2 * p.ffn_dim * p.dim + 2 * p.dim
    return p.n_layers * layer + 2 * p.vocab_size * p.dim + p.dim


check.parameters(my_parameters)
""",
        "What does feed-forward need besides up and down?",
    ),
    (
        "2",
        """
def my_parameters(p):
    attention = 2 * (p.n_heads + p.n_kv_heads) * p.head_dim * p.dim
    layer = attention + 3 * p.ffn_dim * p.dim + 2 * p.dim
    return p.n_layers * layer + 2 * p.vocab_size * p.dim


check.parameters(my_parameters)
""",
        "Which vector comes after the last layer?",
    ),
    (
        "2",
        """
def my_parameters(p):
    attention = (p.n_heads + 2 * p.n_kv_heads) * p.head_dim * p.dim
    layer = attention + 3 * p.ffn_dim * p.dim + 2 * p.dim
    return p.n_layers * layer + 2 * p.vocab_size * p.dim + p.dim


check.parameters(my_parameters)
""",
        "Which two of attention's four are as large as that?",
    ),
    (
        "2",
        """
def my_parameters(p):
    attention = 2 * (p.n_heads + p.n_kv_heads) * p.head_dim * p.dim
    layer = attention + 3 * p.ffn_dim * p.dim + p.dim
    return p.n_layers * layer + 2 * p.vocab_size * p.dim + p.dim


check.parameters(my_parameters)
""",
        "How often does a layer normalise?",
    ),
    (
        "2",
        """
def my_parameters(p):
    attention = 2 * (p.n_heads + p.n_kv_heads) * p.head_dim * p.dim
    return p.n_layers * (attention + 3 * p.ffn_dim * p.dim + 2 * p.dim) + p.dim


check.parameters(my_parameters)
""",
        "What looks up the ids, and what makes the logits?",
    ),
    (
        "2",
        """
def my_parameters(p):
    attention = 2 * (p.n_heads + p.n_kv_heads) * p.head_dim * p.dim
    return p.n_layers * (attention + 3 * p.ffn_dim * p.dim + 2 * p.dim)


check.parameters(my_parameters)
""",
        "What stands before the first one",
    ),
    (
        "2",
        """
def my_parameters(p):
    attention = 2 * (p.n_heads + p.n_kv_heads) * p.head_dim * p.dim
    layer = attention + 3 * p.ffn_dim * p.dim + 2 * p.dim
    return p.n_layers * layer + 2 * p.vocab_size * p.dim + p.dim + 0.5


check.parameters(my_parameters)
""",
        "One whole number is wanted",
    ),
    (
        "3",
        """
def my_forward(weights, params, ids):
    for output in layer_outputs(weights, params, ids):
        x = output
    x = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + params.norm_eps)
    return linear(x, weights["output.weight"])


check.whole_model(my_forward)
""",
        "one tensor of the file is still not used",
    ),
    (
        "3",
        """
def my_forward(weights, params, ids):
    for output in layer_outputs(weights, params, ids):
        x = output
    last = weights[f"layers.{params.n_layers - 1}.ffn_norm.weight"]
    return linear(rms_norm(x, last, params.norm_eps), weights["output.weight"])


check.whole_model(my_forward)
""",
        "Has the last norm one of its own?",
    ),
    (
        "3",
        """
def my_forward(weights, params, ids):
    *_, x = layer_outputs(weights, params, ids)
    return linear(rms_norm(x, weights["norm.weight"], 1e-5), weights["output.weight"])


check.whole_model(my_forward)
""",
        "is yours params.norm_eps?",
    ),
    (
        "3",
        """
def my_forward(weights, params, ids):
    *_, x = layer_outputs(weights, params, ids)
    weights["norm.weight"][:] = 1
    return output_logits(x, weights, params)


check.whole_model(my_forward)
""",
        "Should it not work on a copy?",
    ),
    (
        "3",
        """
def my_forward(weights, params, ids):
    for output in layer_outputs(weights, params, ids):
        x = output
    return softmax(output_logits(x, weights, params))


check.whole_model(my_forward)
""",
        "softmax comes after this function",
    ),
    (
        "4",
        """
def my_layers(weights, params, ids):
    x = embed(ids, weights["tok_embeddings.weight"])
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), params.rope_theta)
    mask = np.zeros((len(ids), len(ids)), np.float32)
    for layer in range(params.n_layers):
        x = block(x, weights, params, layer, freqs_cis, mask)
    return x


check.loop(my_layers)
""",
        "What should keep a row from knowing the tokens after it?",
    ),
    (
        "4",
        """
def my_layers(weights, params, ids):
    x = embed(ids, weights["tok_embeddings.weight"])
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), params.rope_theta)
    mask = causal_mask(len(ids))
    for _ in range(params.n_layers):
        x = block(x, weights, params, 0, freqs_cis, mask)
    return x


check.loop(my_layers)
""",
        "in layer 1 and 2 and 3 the result stays as it is. Which",
    ),
    (
        "4",
        """
def my_layers(weights, params, ids):
    x = embed(ids, weights["tok_embeddings.weight"])
    freqs_cis = np.ones((len(ids), params.head_dim // 2), np.complex64)
    mask = causal_mask(len(ids))
    for layer in range(params.n_layers):
        x = block(x, weights, params, layer, freqs_cis, mask)
    return x


check.loop(my_layers)
""",
        "nothing is turned by its position",
    ),
    (
        "4",
        """
def my_layers(weights, params, ids):
    x = embed(ids, weights["tok_embeddings.weight"])
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), params.rope_theta, params.rope_scaling)
    mask = causal_mask(len(ids))
    for layer in reversed(range(params.n_layers)):
        x = block(x, weights, params, layer, freqs_cis, mask)
    return x


check.loop(my_layers)
""",
        "Which way does the loop go?",
    ),
    (
        "4",
        """
def my_layers(weights, params, ids):
    x = embed(ids, weights["tok_embeddings.weight"])
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), params.rope_theta)
    for layer in range(params.n_layers):
        y = block(x, weights, params, layer, freqs_cis, causal_mask(len(ids)))
    return y


check.loop(my_layers)
""",
        "and which x, does each round use?",
    ),
    (
        "4",
        """
def my_layers(weights, params, ids):
    return list(layer_outputs(weights, params, ids))


check.loop(my_layers)
""",
        "only the last of them is wanted",
    ),
    (
        "4",
        """
def my_layers(weights, params, ids):
    x = embed(ids, weights["tok_embeddings.weight"])
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), params.rope_theta)
    mask = np.triu(np.full((len(ids), len(ids)), -np.inf, np.float32))
    for layer in range(params.n_layers):
        x = block(x, weights, params, layer, freqs_cis, mask)
    return x


check.loop(my_layers)
""",
        "or a row that hides all",
    ),
    (
        "4",
        """
def my_layers(weights, params, ids):
    x = embed(ids, weights["tok_embeddings.weight"])
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), 500000.0)
    mask = causal_mask(len(ids))
    for layer in range(params.n_layers):
        x = block(x, weights, params, layer, freqs_cis, mask)
    return x


check.loop(my_layers)
""",
        "one of params' numbers not used",
    ),
    (
        "5",
        """
def my_lens(xs, weights, params, token):
    xs[:, -1] = rms_norm(xs[:, -1], weights["norm.weight"], params.norm_eps)
    return softmax(linear(xs[:, -1], weights["output.weight"]))[:, token]


check.logit_lens(my_lens)
""",
        "Should it not work on a copy?",
    ),
    (
        "5",
        """
def my_lens(xs, weights, params, token):
    x = rms_norm(xs[:, -1], weights["norm.weight"], 1e-5)
    return softmax(linear(x, weights["output.weight"]))[:, token]


check.logit_lens(my_lens)
""",
        "params.norm_eps under its root",
    ),
    (
        "5",
        """
def my_lens(xs, weights, params, token):
    return output_logits(xs[:, -1], weights, params)[:, token]


check.logit_lens(my_lens)
""",
        "these are logits",
    ),
    (
        "5",
        """
def my_lens(xs, weights, params, token):
    return softmax(linear(xs[:, -1], weights["output.weight"]))[:, token]


check.logit_lens(my_lens)
""",
        "meets the output matrix unnormalised",
    ),
    (
        "5",
        """
def my_lens(xs, weights, params, token):
    return softmax(output_logits(xs, weights, params))[:, 0, token]


check.logit_lens(my_lens)
""",
        "the first position",
    ),
    (
        "5",
        """
def my_lens(xs, weights, params, token):
    return softmax(output_logits(xs, weights, params))[..., token]


check.logit_lens(my_lens)
""",
        "Which position counts?",
    ),
    (
        "1",
        """
my_prediction = {"stream": (4.5, 6), "logits": (4, 50), "additions": 10}
check.shapes_of_layers(my_prediction)
""",
        "a shape is a tuple of whole numbers",
    ),
    (
        "1",
        """
my_prediction = {"stream": "46", "logits": (4, 50), "additions": 10}
check.shapes_of_layers(my_prediction)
""",
        "a shape is a tuple of whole numbers",
    ),
    (
        "2",
        """
def my_parameters(p):
    attention = 2 * p.n_kv_heads * p.head_dim * p.dim
    layer = attention + 3 * p.ffn_dim * p.dim + 2 * p.dim
    return p.n_layers * layer + 2 * p.vocab_size * p.dim + p.dim


check.parameters(my_parameters)
""",
        "Which tensors make up as many?",
    ),
    (
        "4",
        """
def my_layers(weights, params, ids):
    x = embed(ids, weights["tok_embeddings.weight"])
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), params.rope_theta, params.rope_scaling)
    mask = np.triu(np.ones((len(ids), len(ids))), 1) * -np.inf
    for layer in range(params.n_layers):
        x = block(x, weights, params, layer, freqs_cis, mask)
    return x


check.loop(my_layers)
""",
        "Is there nan in your mask",
    ),
    (
        "4",
        """
def my_layers(weights, params, ids):
    x = embed(ids, weights["tok_embeddings.weight"])
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), params.rope_theta)
    mask = causal_mask(len(ids))
    for layer in range(params.n_layers):
        x = block(x, weights, params, layer, freqs_cis, mask)
    return x


check.loop(my_layers)
""",
        "one of params' numbers not used",
    ),
]
