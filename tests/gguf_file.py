"""The model in llama.cpp's own file format, and a pass by llama.cpp: for tests.bench alone.

No tokenizer goes into the file: llama.cpp is given token ids.
"""

import ctypes

import gguf
import llama_cpp
import numpy as np
from tqdm import tqdm

_NAMES = {
    "tok_embeddings": "token_embd",
    "norm": "output_norm",
    "output": "output",
    "attention_norm": "attn_norm",
    "attention.wq": "attn_q",
    "attention.wk": "attn_k",
    "attention.wv": "attn_v",
    "attention.wo": "attn_output",
    "ffn_norm": "ffn_norm",
    "feed_forward.w1": "ffn_gate",
    "feed_forward.w2": "ffn_down",
    "feed_forward.w3": "ffn_up",
}


def _gguf_name(name):
    stem = name.removesuffix(".weight")
    if not stem.startswith("layers."):
        return _NAMES[stem] + ".weight"
    _, layer, part = stem.split(".", 2)
    return f"blk.{layer}.{_NAMES[part]}.weight"


def write_gguf(model, path, kind):
    """Write the model's weights as kind, "BF16" or "Q8_0", its norms in float32, and wq's and wk's rows as they lie."""
    params, kinds = model.params, gguf.GGMLQuantizationType
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(params.max_seq_len)
    writer.add_embedding_length(params.dim)
    writer.add_block_count(params.n_layers)
    writer.add_feed_forward_length(params.ffn_dim)
    writer.add_head_count(params.n_heads)
    writer.add_head_count_kv(params.n_kv_heads)
    writer.add_layer_norm_rms_eps(params.norm_eps)
    writer.add_rope_freq_base(params.rope_theta)
    writer.add_rope_dimension_count(params.head_dim)
    writer.add_vocab_size(params.vocab_size)
    writer.add_tokenizer_model("no_vocab")
    names = {name: array for name, array in model.weights.items() if not _is_tied(name, model.weights)}
    for name, array in names.items():
        shape, stored = array.shape, _stored_as(array, kind)
        n_bytes = int(np.prod(gguf.quant_shape_to_byte_shape(shape, stored))) if stored != kinds.F32 else 4 * array.size
        writer.add_tensor_info(_gguf_name(name), shape, np.dtype(np.float32), n_bytes, raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for array in tqdm(names.values(), desc=path.name, leave=False):
        writer.write_tensor_data(_bytes_as(array, _stored_as(array, kind)))
    writer.close()


def _is_tied(name, weights):
    return name == "output.weight" and weights[name] is weights["tok_embeddings.weight"]


def _stored_as(array, kind):
    return gguf.GGMLQuantizationType.F32 if array.ndim == 1 else gguf.GGMLQuantizationType[kind]


def _bytes_as(array, stored):
    if stored == gguf.GGMLQuantizationType.BF16:
        return np.ascontiguousarray(array[:]).view(np.uint8)
    if stored == gguf.GGMLQuantizationType.F32:
        return array[:].astype(np.float32)
    return gguf.quantize(array[:].astype(np.float32), stored)


def llama_cpp_pass(path, n_threads):
    """A function that takes T token ids and runs a pass over them, after forgetting those before."""
    llama_cpp.llama_log_set(_quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    model_params, context_params = llama_cpp.llama_model_default_params(), llama_cpp.llama_context_default_params()
    context_params.n_ctx = context_params.n_batch = context_params.n_ubatch = 1024
    context_params.n_threads = context_params.n_threads_batch = n_threads
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_params)
    context = llama_cpp.llama_init_from_model(model, context_params) if model else None
    if not context:
        raise ValueError(f"{path}: llama.cpp cannot read it; delete it, and it is written again")

    def run(ids):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        tokens = (llama_cpp.llama_token * len(ids))(*ids)
        if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, len(ids))):
            raise ValueError(f"{path}: llama.cpp did not run over {len(ids)} tokens")
        llama_cpp.llama_get_logits(context)

    return run


@llama_cpp.llama_log_callback
def _quiet(level, text, data):
    pass
