"""Chapter 07: all heads side by side, put together again, and projected back to the residual stream.

Source: Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models", 2023, for grouped queries.
Left out: the residual addition itself, which is the block's (chapter 09), and the cache (chapter 11).
"""

from llama_np.attention import attention
from llama_np.linear import linear
from llama_np.qkv import project_qkv
from llama_np.rope import apply_rotary_emb


def group_queries(q, n_kv_heads):
    """Lay the query heads that share a key/value head together.

    q: [n_heads, T, head_dim]. Returns [n_kv_heads, n_heads / n_kv_heads, T, head_dim], a view.
    """
    n_heads, T, head_dim = q.shape
    return q.reshape(n_kv_heads, n_heads // n_kv_heads, T, head_dim)


def concatenate_heads(heads):
    """Each token's heads, end to end. heads: [n_heads, T, head_dim]. Returns [T, n_heads * head_dim]."""
    return heads.swapaxes(0, 1).reshape(heads.shape[1], -1)


def grouped_attention(q, k, v, mask):
    """Attention for all heads; keys and values are broadcast over their group, never repeated.

    q: [n_heads, T, head_dim]; k, v: [n_kv_heads, T, head_dim]. Returns [n_heads, T, head_dim].
    """
    grouped = group_queries(q, len(k))  # [n_kv_heads, group, T, head_dim]
    return attention(grouped, k[:, None], v[:, None], mask).reshape(q.shape)


def multihead_attention(x, wq, wk, wv, wo, freqs_cis, mask):
    """Attention in one layer, whole: from normalised vectors to what is added to the residual stream.

    x: [T, D]; wq, wk, wv, wo: the layer's matrices; freqs_cis: [T, head_dim / 2]; mask: [T, T].
    Returns [T, D].
    """
    head_dim = 2 * freqs_cis.shape[-1]
    q, k, v = project_qkv(x, wq, wk, wv, head_dim)
    q, k = apply_rotary_emb(q, freqs_cis), apply_rotary_emb(k, freqs_cis)
    heads = grouped_attention(q, k, v, mask)  # [n_heads, T, head_dim]
    return linear(concatenate_heads(heads), wo)  # [T, D]
