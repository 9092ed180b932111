"""Chapter 04: queries, keys and values.

Left out: where a token stands (chapter 05 turns queries and keys by their position).
"""

from llama_np.linear import linear


def split_heads(x, head_dim):
    """Cut each row into heads. x: [T, n * head_dim]. Returns a view of it, [n, T, head_dim]."""
    return x.reshape(len(x), -1, head_dim).swapaxes(0, 1)


def project_qkv(x, wq, wk, wv, head_dim):
    """Make each token's queries, keys and values, all heads at once.

    x: [T, D], normalised; wq: [n_heads * head_dim, D]; wk, wv: [n_kv_heads * head_dim, D].
    Returns q: [n_heads, T, head_dim], k and v: [n_kv_heads, T, head_dim].
    """
    q = split_heads(linear(x, wq), head_dim)  # [n_heads, T, head_dim]
    k = split_heads(linear(x, wk), head_dim)  # [n_kv_heads, T, head_dim]
    v = split_heads(linear(x, wv), head_dim)  # [n_kv_heads, T, head_dim]
    return q, k, v
