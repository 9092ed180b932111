"""Model folders that transformers, tokenizers and torch have written, against what transformers makes of them.

Small models of three kinds: Llama 3; 3.1, with scaled frequencies; 3.2, whose output is tied besides.
"""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_np import __main__ as command
from llama_np import forward, load
from llama_np.bpe import SPLIT_PATTERN
from llama_np.checkpoint import TINY
from llama_np.hugging_face import PermutedRows
from llama_np.params import RopeScaling
from llama_np.tokenizer import SPECIAL_TOKENS, Tokenizer
from llama_np.tokenizer_json import read_tokenizer
from tests import hugging_face
from tests.oracle import oracle_module
from tests.synthetic import SHAPES, write_checkpoint

IDS = [768, *np.random.default_rng(0).integers(0, 1024, 63).tolist()]  # 64 positions
DTYPES = ["float32", "float16", "bfloat16"]

# Kind: factor and original context, small enough for all three bands to be met within 64 positions; tied or not.
KINDS = {"3": (None, None, False), "3.1": (8.0, 128, False), "3.2": (32.0, 200, True)}


@pytest.fixture(autouse=True)
def _oracle():
    for name in ("torch", "transformers", "tokenizers"):
        oracle_module(name)


def make_model(kind, dtype="float32", scaling=True, original=None):
    """A LlamaForCausalLM of one of KINDS in float32, with weights that dtype can hold, large enough to choose."""
    torch, transformers = oracle_module("torch"), oracle_module("transformers")
    factor, context, tied = KINDS[kind]
    rope = {"rope_type": "default", "rope_theta": 500000.0 if original else 10000.0}
    if factor and scaling:
        rope |= {"rope_type": "llama3", "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
        rope |= {"original_max_position_embeddings": original or context}
    config = transformers.LlamaConfig(
        hidden_size=96, intermediate_size=152, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2,
        vocab_size=1024, rms_norm_eps=1e-5, max_position_embeddings=64, rope_parameters=rope,
        tie_word_embeddings=tied, bos_token_id=768, eos_token_id=769, attn_implementation="eager",
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            random = torch.randn(parameter.shape, generator=generator)
            larger = 2.0 if "q_proj" in name or "k_proj" in name else 1.0
            random = random * larger * 96**-0.5 if parameter.ndim == 2 else 1 + 0.2 * random
            parameter.copy_(random.to(getattr(torch, dtype)))
    return model


def as_stored(model, dtype):
    """A copy with its weights in dtype. (The model itself would have its frequencies rounded as well.)"""
    return copy.deepcopy(model).to(getattr(oracle_module("torch"), dtype))


def reference(model):
    """What transformers makes of IDS in float32."""
    torch = oracle_module("torch")
    with torch.no_grad():
        return model(torch.tensor([IDS])).logits[0].numpy()


def write_tokenizer(folder):
    """data/tiny's tokenizer, made and written by the library tokenizers."""
    tokenizers = oracle_module("tokenizers")
    ranks = Tokenizer(TINY / "tokenizer.model").ranks
    fields = hugging_face.tokenizer_fields(ranks, {})["model"]
    merges = [tuple(pair) for pair in fields["merges"]]
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=fields["vocab"], merges=merges, ignore_merges=True))
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(SPLIT_PATTERN), "isolated")
    as_bytes = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, as_bytes])
    made.decoder = tokenizers.decoders.ByteLevel()
    made.add_special_tokens(SPECIAL_TOKENS)
    made.save(str(folder / "tokenizer.json"))
    return made


def check_agrees(folder, expected, tied):
    model = load(folder)
    logits = forward(model.weights, model.params, IDS)
    assert logits.dtype == np.float32 and expected.std() > 0.5
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)
    assert model.params.tied_output == tied
    assert (model.weights["output.weight"] is model.weights["tok_embeddings.weight"]) == tied
    return model


@pytest.mark.parametrize("sharded", [False, True], ids=["whole", "sharded"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_transformers_wrote(kind, dtype, sharded, tmp_path):
    model = make_model(kind, dtype)
    as_stored(model, dtype).save_pretrained(tmp_path, max_shard_size="150KB" if sharded else "5GB")
    write_tokenizer(tmp_path)
    assert (tmp_path / "model.safetensors").exists() != sharded
    expected = reference(model)
    ours = check_agrees(tmp_path, expected, KINDS[kind][2])
    assert len(ours.files) == len(list(tmp_path.glob("*.safetensors"))) and (len(ours.files) > 2) == sharded
    assert {array.dtype.name for array in ours.weights.values()} == {dtype}
    factor, context, _ = KINDS[kind]
    assert ours.params.rope_scaling == (RopeScaling(factor, 1.0, 4.0, context) if factor else None)
    assert ours.tokenizer.stop_ids == [769]  # from generation_config.json, which transformers writes too
    assert ours.params.n_parameters == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("kind", ["3.1", "3.2"])
def test_without_the_scaling_the_answer_would_be_another(kind, tmp_path):
    with_it, without = reference(make_model(kind)), reference(make_model(kind, scaling=False))
    difference = np.abs(with_it - without).max(axis=1)
    assert difference[0] < 1e-5 and difference[32:].min() > 0.1


def test_in_the_order_of_the_file_the_rows_would_give_another_answer(tmp_path):
    model = make_model("3")
    model.save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    ours = load(tmp_path)
    wrong = {n: array.rows if isinstance(array, PermutedRows) else array for n, array in ours.weights.items()}
    assert np.abs(forward(wrong, ours.params, IDS) - reference(model)).max() > 0.1


def test_config_as_older_transformers_wrote_it(tmp_path):
    model = make_model("3.1")
    model.save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    fields = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    rope = fields.pop("rope_parameters")
    fields |= {"rope_theta": rope.pop("rope_theta"), "rope_scaling": rope}
    hugging_face.write_json(tmp_path / "config.json", fields)
    check_agrees(tmp_path, reference(model), tied=False)


# Meta's form, from the same weights

NAMES = {
    "model.embed_tokens": "tok_embeddings", "model.norm": "norm", "lm_head": "output", "model.layers": "layers",
    "self_attn.q_proj": "attention.wq", "self_attn.k_proj": "attention.wk", "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo", "input_layernorm": "attention_norm", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "feed_forward.w1", "mlp.down_proj": "feed_forward.w2", "mlp.up_proj": "feed_forward.w3",
}  # fmt: skip


def meta_state(model):
    """The weights in Meta's names and order of rows: transformers' conversion script, backwards."""
    state = {}
    for name, tensor in model.state_dict().items():
        if "q_proj" in name or "k_proj" in name:
            tensor = tensor.view(-1, 2, 8, 96).transpose(1, 2).reshape(tensor.shape)  # a head_dim of 16
        for theirs, metas in NAMES.items():
            name = name.replace(theirs, metas)
        state[name] = tensor
    return state


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_torch_saved_for_meta(kind, dtype, tmp_path):
    torch = oracle_module("torch")
    model = make_model(kind, dtype, original=8192)
    torch.save(meta_state(as_stored(model, dtype)), tmp_path / "consolidated.00.pth")
    fields = {"dim": 96, "n_layers": 3, "n_heads": 6, "n_kv_heads": 2, "vocab_size": 1024, "norm_eps": 1e-5}
    fields |= {"multiple_of": 8, "ffn_dim_multiplier": 0.585, "rope_theta": 500000.0}
    if kind != "3":
        fields |= {"use_scaled_rope": True, "rope_scaling_factor": KINDS[kind][0]}
    hugging_face.write_json(tmp_path / "params.json", fields)
    (tmp_path / "tokenizer.model").write_bytes((TINY / "tokenizer.model").read_bytes())
    ours = check_agrees(tmp_path, reference(model), KINDS[kind][2])
    assert ours.params.max_seq_len == (8192 if kind == "3" else 131072)
    assert {array.dtype.name for array in ours.weights.values()} == {dtype}
    if kind != "3":
        unscaled = reference(make_model(kind, dtype, scaling=False, original=8192))
        assert np.abs(reference(model) - unscaled)[-1].max() > 0.001


# What the tests write themselves


@pytest.mark.parametrize("like", ["tiny", "1b"])
def test_transformers_reads_what_synthetic_writes(like, tmp_path, monkeypatch):
    torch, transformers = oracle_module("torch"), oracle_module("transformers")
    if like == "1b":  # in its proportions alone
        small = {"dim": 64, "n_heads": 8, "n_kv_heads": 2, "vocab_size": 1024, "multiple_of": 16}
        monkeypatch.setitem(SHAPES, "1b", SHAPES["1b"] | small)
    write_checkpoint(tmp_path, like, n_layers=2, tokenizer=TINY / "tokenizer.model", quiet=True, layout="hf")
    theirs = transformers.LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32, attn_implementation="eager")
    ids = IDS[:40]
    with torch.no_grad():
        expected = theirs(torch.tensor([ids])).logits[0].numpy()
    ours = load(tmp_path)
    np.testing.assert_allclose(forward(ours.weights, ours.params, ids), expected, rtol=0, atol=1e-4)
    assert ours.params.tied_output == theirs.config.tie_word_embeddings == (like == "1b")
    assert (theirs.config.rope_parameters["rope_type"] == "llama3") == (like == "1b")


# Tokenizers

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
some_text = st.text("the answer to 42 is'S \n\t!é你🫠\u200d<|eot_id|>0123456789", max_size=60)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    oracle_module("tokenizers")
    theirs = write_tokenizer(folder)
    return theirs, Tokenizer(*read_tokenizer(folder / "tokenizer.json"))


@settings(deadline=None, max_examples=300)
@given(any_text | some_text)
def test_the_same_ids(both, text):
    theirs, ours = both
    assert ours.encode(text, allow_special=True) == theirs.encode(text).ids


def test_the_same_special_tokens(both):
    theirs, ours = both
    text = "a".join(SPECIAL_TOKENS)
    assert ours.encode(text, allow_special=True) == theirs.encode(text).ids
    assert ours.special_tokens == {name: theirs.token_to_id(name) for name in SPECIAL_TOKENS}


def test_llama_3s_whole_tokenizer(llama3, tmp_path):
    tokenizers = oracle_module("tokenizers")
    fields = hugging_face.tokenizer_fields(llama3.ranks, llama3.special_tokens)
    assert len(fields["model"]["merges"]) == 280147  # as in the published file
    hugging_face.write_json(tmp_path / "tokenizer.json", fields)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ours = Tokenizer(*read_tokenizer(tmp_path / "tokenizer.json"))
    for token in list(llama3.ranks)[::7] + [" Việt".encode()]:
        text = token.decode(errors="ignore")
        assert ours.encode(text) == theirs.encode(text).ids, text


def test_the_command_answers_from_a_folder_of_transformers(tmp_path, capsys):
    make_model("3.2").save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    assert command.main(["Tom is", "--model", str(tmp_path), "--max-new-tokens", "3"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Tom is") and "prompt tokens" in err
