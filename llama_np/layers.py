"""Chapter 09: the block, the loop over the layers, and the logits.

Left out: the cache that spares the work of earlier tokens (chapter 11).
"""

from llama_np.attention import causal_mask
from llama_np.embeddings import embed
from llama_np.linear import linear
from llama_np.multihead import multihead_attention
from llama_np.rmsnorm import rms_norm
from llama_np.rope import precompute_freqs_cis
from llama_np.swiglu import swiglu


def block(x, weights, params, layer, freqs_cis, mask):
    """One layer: attention, then the feed-forward part, each added to what came in.

    x: [T, D]; weights: Meta's names to arrays; layer: 0 … n_layers-1. Returns [T, D].
    """

    def w(name):
        return weights[f"layers.{layer}.{name}.weight"]

    attention_in = rms_norm(x, w("attention_norm"), params.norm_eps)  # [T, D]
    wq, wk, wv, wo = (w(f"attention.{name}") for name in ("wq", "wk", "wv", "wo"))
    x = x + multihead_attention(attention_in, wq, wk, wv, wo, freqs_cis, mask)  # [T, D]
    ffn_in = rms_norm(x, w("ffn_norm"), params.norm_eps)  # [T, D]
    return x + swiglu(ffn_in, *(w(f"feed_forward.{name}") for name in ("w1", "w2", "w3")))  # [T, D]


def layer_outputs(weights, params, ids):
    """The residual stream on its way: yields x: [T, D] as embedded, then after each layer.

    ids: T integers. Raises ValueError for no ids, one outside the vocabulary, or over max_seq_len ids.
    """
    longest = params.max_seq_len
    if len(ids) > longest:
        raise ValueError(f"{len(ids)} tokens do not fit this model's context of {longest}: shorten the text")
    x = embed(ids, weights["tok_embeddings.weight"])  # [T, D]
    theta, scaling = params.rope_theta, params.rope_scaling
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), theta, scaling)  # [T, head_dim / 2]
    mask = causal_mask(len(ids))  # [T, T]
    yield x
    for layer in range(params.n_layers):
        x = block(x, weights, params, layer, freqs_cis, mask)  # [T, D]
        yield x


def output_logits(x, weights, params):
    """The last norm and the output matrix. x: [T, D], from any layer. Returns logits: [T, V] float32."""
    return linear(rms_norm(x, weights["norm.weight"], params.norm_eps), weights["output.weight"])


def forward(weights, params, ids):
    """The whole model: for every position, a score for each token that could come next.

    ids: T integers. Returns logits: [T, V] float32. Raises what layer_outputs raises.
    """
    for output in layer_outputs(weights, params, ids):
        x = output  # [T, D]: only the last one is kept
    return output_logits(x, weights, params)  # [T, V]
