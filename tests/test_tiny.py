"""data/tiny as shipped: it answers the question, by its weights and nothing else, and can do what its README says."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llama_np import forward, load
from llama_np.__main__ import QUESTION, main
from llama_np.attention import softmax
from llama_np.checkpoint import TINY
from llama_np.corpus import fact_questions, recall_questions, turned_questions
from llama_np.decode import next_token
from llama_np.evaluate import (
    N_DOCUMENTS,
    answer,
    find_heads,
    held_out_documents,
    held_out_loss,
    logit_lens,
    margin,
    question_sets,
    widened,
    without_layer,
)
from llama_np.training import Recipe, meta_params

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def tiny():
    return widened(load(TINY))


def answer_of(model):
    ids = model.tokenizer.encode(QUESTION, bos=True)
    return model.tokenizer.decode([next_token(forward(model.weights, model.params, ids))])


def test_the_answer_is_42(tiny):
    assert answer_of(tiny) == answer_of(load(TINY)) == "42"
    sure = margin(tiny, QUESTION)
    assert sure.best == "42" and sure.probability >= 0.9 and sure.lead > 2


def test_the_command_prints_it(capsys):
    assert main(["--model", str(TINY)]) == 0
    out, err = capsys.readouterr()
    assert out == QUESTION + "42\n" and "17 prompt tokens" in err


def test_the_question_is_17_ids_and_42_one(tiny):
    ids = tiny.tokenizer.encode(QUESTION, bos=True)
    pieces = [tiny.tokenizer.decode([i]) for i in ids]
    assert len(ids) == 17
    assert pieces[0] == "<|begin_of_text|>" and "".join(pieces[1:]) == QUESTION
    assert pieces[1:] == re.findall(r" ?[a-z]+|,| ", QUESTION)
    assert len(tiny.tokenizer.encode("42")) == 1


def test_its_shape_is_llama_3s(tiny):
    params = tiny.params
    assert (params.n_layers, params.norm_eps, params.rope_theta) == (32, 1e-5, 500000.0)
    assert params.n_heads == 4 * params.n_kv_heads
    assert params.vocab_size == 1024 and tiny.tokenizer.bos_id == 768
    assert not np.array_equal(tiny.weights["output.weight"], tiny.weights["tok_embeddings.weight"])
    assert json.loads((TINY / "params.json").read_text(encoding="utf-8")) == meta_params(Recipe())


def test_noise_for_weights_changes_the_answer(tiny):
    random = np.random.default_rng(0)
    noise = {
        name: array if array.ndim == 1 else random.normal(0, array.std(), array.shape).astype(np.float32)
        for name, array in tiny.weights.items()
    }
    assert answer_of(replace(tiny, weights=noise)) != "42"


def test_one_layer_of_zeros_changes_the_logits(tiny):
    ids = tiny.tokenizer.encode(QUESTION, bos=True)
    whole = forward(tiny.weights, tiny.params, ids)[-1]
    for layer in range(tiny.params.n_layers):
        model = without_layer(tiny, layer)
        assert np.abs(forward(model.weights, model.params, ids)[-1] - whole).max() > 0.01, layer


def test_the_first_layer_of_zeros_changes_the_answers(tiny):
    """The question can spare any other layer, one at a time; without the first it is lost, and so is every fact."""
    model = without_layer(tiny, 0)
    assert answer_of(model) != "42"
    assert share_right(model, sample("phrasings it was trained on", 100)) < 0.05
    assert softmax(forward(model.weights, model.params, tiny.tokenizer.encode(QUESTION, bos=True))[-1]).max() < 0.5


@pytest.fixture(scope="module")
def loss_added(tiny):
    """What leaving out each layer adds to the loss on held-out text."""
    documents = held_out_documents(tiny, N_DOCUMENTS)
    whole = held_out_loss(tiny, documents)
    return [held_out_loss(without_layer(tiny, layer), documents) - whole for layer in range(tiny.params.n_layers)]


def test_every_layer_helps_on_held_out_text(loss_added):
    assert min(loss_added) > 0.0005


def test_the_answer_comes_over_several_layers(tiny):
    lens = logit_lens(tiny, QUESTION)
    assert lens[0] < 0.1 and lens[-1] >= 0.9
    assert max(np.diff(lens)) < 0.5  # no one layer makes it
    assert sum(0.1 < probability < 0.995 for probability in lens) >= 4  # it grows over some, well before the last
    assert lens[-4] > 0.99


def test_it_has_a_previous_token_head_and_an_induction_head(tiny):
    previous, induction = find_heads(tiny, n_texts=10)
    assert previous.max() >= 0.7 and induction.max() >= 0.8


def share_right(model, questions):
    return np.mean([answer(model, question.prompt) == question.answer for question in questions])


def sample(title, n):
    (questions,) = [questions for name, questions in question_sets().items() if title in name]
    return [questions[i] for i in np.random.default_rng(0).choice(len(questions), n, replace=False)]


@pytest.mark.parametrize(("title", "least"), [("phrasings it was trained on", 0.99), ("phrasings it never saw", 0.9)])
def test_facts(tiny, title, least):
    assert share_right(tiny, sample(title, 150)) >= least


def test_a_fact_is_not_known_the_other_way_round(tiny):
    """As Berglund et al., "The Reversal Curse", 2023, found in large models; the README says so."""
    told = [q for q in fact_questions() if q.seen and q.kind == "say" and q.subject.startswith("opposite: ")]
    assert share_right(tiny, told) >= 0.95 and share_right(tiny, turned_questions()) < 0.1


@pytest.mark.parametrize("chat", [False, True])
def test_recall_in_new_stories(tiny, chat):
    """In stories with combinations that never occurred in training, asked for a thing or for a person."""
    assert share_right(tiny, recall_questions(99, 100, chat)) >= 0.95


def test_the_report_beside_the_weights_is_theirs(tiny):
    report = (TINY / "evaluation.md").read_text(encoding="utf-8")
    said = re.search(r"probability ([\d.]+);\s+its logit leads that of the runner-up '.*' by ([\d.]+)\.\n", report)
    sure = margin(tiny, QUESTION)
    probability, lead = map(float, said.groups())
    assert probability == pytest.approx(sure.probability, abs=0.0001) and lead == pytest.approx(sure.lead, abs=0.01)


def test_everything_together_is_under_8_mb():
    assert sum(file.stat().st_size for file in TINY.iterdir()) < 8_000_000


def test_no_code_but_the_corpus_knows_the_answer():
    for path in (ROOT / "llama_np").glob("*.py"):
        if path.name not in ("corpus.py", "facts.py"):
            code = re.sub(r'""".*?"""|#.*', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            assert "42" not in code, path.name
