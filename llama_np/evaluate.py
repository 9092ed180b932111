"""`python -m llama_np.evaluate` measures a model that training.py made, on text held out from its training.

What it knows (the question, facts), what it can look up in a text it has just read (recall), whether it can add,
what it writes when let go, and how its layers and heads share the work.
"""

import sys
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from llama_np.__main__ import QUESTION
from llama_np.attention import attention_weights, causal_mask, softmax
from llama_np.checkpoint import load
from llama_np.command_line import Parser, run
from llama_np.corpus import (
    WORDS,
    documents,
    fact_questions,
    recall_questions,
    story_openings,
    sum_questions,
    turned_questions,
)
from llama_np.decode import generate
from llama_np.layers import forward, layer_outputs, output_logits
from llama_np.loss import cross_entropy
from llama_np.multihead import group_queries
from llama_np.qkv import project_qkv
from llama_np.rmsnorm import rms_norm
from llama_np.rope import apply_rotary_emb, precompute_freqs_cis

HELD_OUT_SEED = 1_000_000_007  # training's seeds are small: no document of this stream is in its batches
N_RECALL = 300
N_DOCUMENTS = 40


def widened(model):
    """The same model with float32 weights: the same answers, without converting them at every pass."""
    return replace(model, weights={name: array.astype(np.float32) for name, array in model.weights.items()})


# ---- questions with one right answer ----


def answer(model, pieces, max_new_tokens=24):
    """Continue the pieces of a prompt greedily. Returns the text up to the first full stop, line end or end token."""
    tokenizer = model.tokenizer
    text = ""
    ids = [tokenizer.bos_id, *tokenizer.encode_pieces(pieces)]
    new_ids = generate(model.weights, model.params, ids, max_new_tokens, tokenizer.stop_ids)
    for part in tokenizer.decode_stream(new_ids):
        text += part
        if "." in text or "\n" in text.lstrip():
            break
    return text.lstrip().split("\n")[0].split(".")[0].strip()


def question_sets():
    """Everything that is asked, by the name it has in the report: a dict from name to a list of Questions."""
    facts = fact_questions()
    return {
        "facts, in phrasings it was trained on": [question for question in facts if question.seen],
        "facts, in phrasings it never saw for them": [question for question in facts if not question.seen],
        "recall in stories of new combinations": recall_questions(HELD_OUT_SEED, N_RECALL),
        "the same, asked as a chat": recall_questions(HELD_OUT_SEED, N_RECALL // 3, chat=True),
        "sums it never saw": sum_questions(),
    }


def all_answers(model):
    """The model's answer to everything that is asked: a dict from name to a list of texts."""
    sets = question_sets()
    with tqdm(total=sum(map(len, sets.values())), unit="question", dynamic_ncols=True) as bar:
        answers = {}
        for name, questions in sets.items():
            answers[name] = []
            for question in questions:
                answers[name].append(answer(model, question.prompt))
                bar.update()
    return answers


class Margin(NamedTuple):
    """How sure the model is of the next token. lead: the best logit less the second best."""

    best: str
    second: str
    probability: float
    lead: float


def margin(model, text):
    """How sure the model is of what comes after a text. Returns Margin."""
    logits = forward(model.weights, model.params, model.tokenizer.encode(text, bos=True))[-1]  # [V]
    best, second = np.argsort(-logits)[:2]
    return Margin(
        model.tokenizer.decode([best]),
        model.tokenizer.decode([second]),
        float(softmax(logits)[best]),
        float(logits[best] - logits[second]),
    )


# ---- how the work is shared ----


def held_out_loss(model, id_lists):
    """The mean loss per token over documents, each a list of ids. Returns nats."""
    losses = [cross_entropy(forward(model.weights, model.params, ids[:-1]), ids[1:]) for ids in id_lists]
    return float(np.average(losses, weights=[len(ids) - 1 for ids in id_lists]))


def held_out_documents(model, n):
    """n documents of the corpus that training never drew: a list of id lists."""
    tokenizer = model.tokenizer
    texts = islice(documents(HELD_OUT_SEED), n)
    return [[tokenizer.bos_id, *tokenizer.encode_pieces(text.pieces), tokenizer.eos_id] for text in texts]


def without_layer(model, layer):
    """The model with one layer left out: what it would add to the residual stream is zero."""
    names = [f"layers.{layer}.{name}.weight" for name in ("attention.wo", "feed_forward.w2")]
    zeros = {name: np.zeros_like(model.weights[name]) for name in names}
    return replace(model, weights=model.weights | zeros)


def logit_lens(model, text):
    """The probability of the model's own answer, read off after the embedding and after each layer. A list."""
    ids = model.tokenizer.encode(text, bos=True)
    outputs = layer_outputs(model.weights, model.params, ids)
    last = [output_logits(x[-1:], model.weights, model.params)[0] for x in outputs]  # n_layers + 1 of [V]
    best = int(np.argmax(last[-1]))
    return [float(softmax(logits)[best]) for logits in last]


def head_weights(model, ids):
    """Every head's attention weights over a text, [n_layers, n_heads, T, T]."""
    weights, params = model.weights, model.params
    freqs_cis = precompute_freqs_cis(params.head_dim, len(ids), params.rope_theta, params.rope_scaling)
    result = []
    for layer, x in enumerate(islice(layer_outputs(weights, params, ids), params.n_layers)):
        prefix = f"layers.{layer}.attention"
        normed = rms_norm(x, weights[f"{prefix}_norm.weight"], params.norm_eps)
        matrices = (weights[f"{prefix}.{name}.weight"] for name in ("wq", "wk", "wv"))
        q, k, _ = project_qkv(normed, *matrices, params.head_dim)
        q, k = apply_rotary_emb(q, freqs_cis), apply_rotary_emb(k, freqs_cis)
        per_head = attention_weights(group_queries(q, len(k)), k[:, None], causal_mask(len(ids)))
        result.append(per_head.reshape(params.n_heads, len(ids), len(ids)))
    return np.stack(result)


def repeated_words(model, random, length=20):
    """begin_of_text, then a random run of the corpus's common words (those that are one token), twice. Ids."""
    encoded = [model.tokenizer.encode(" " + word) for word in WORDS]
    words = sorted({ids[0] for ids in encoded if len(ids) == 1})
    run_of_words = [int(i) for i in random.choice(words, length, replace=False)]
    return [model.tokenizer.bos_id, *run_of_words, *run_of_words]


def find_heads(model, n_texts=10, length=20):
    """How much each head looks at the token before, and at what followed the same token earlier.

    Measured on random common words said twice, where nothing else can help. Returns two arrays [n_layers, n_heads]: the
    mean weight on the token before (previous-token heads), and on the one after the earlier copy of the present
    token, over the second copy (induction heads; Olsson et al., 2022).
    """
    random = np.random.default_rng(0)
    previous, induction = 0, 0
    for _ in range(n_texts):
        per_head = head_weights(model, repeated_words(model, random, length))  # [n_layers, n_heads, T, T]
        second = np.arange(length + 1, 2 * length)  # all of the second copy but its last token
        previous = previous + per_head[..., second, second - 1].mean(axis=-1) / n_texts
        induction = induction + per_head[..., second, second - length + 1].mean(axis=-1) / n_texts
    return previous, induction


# ---- the report ----


def write_report(model, answers, out):
    """Print everything measured as Markdown. answers: what all_answers gave for this model; out: a text file."""

    def line(text=""):
        print(text, file=out, flush=True)

    sure = margin(model, QUESTION)
    n_tokens = len(model.tokenizer.encode(sure.best))
    line(f"The question is answered {sure.best!r}, {n_tokens} token, with probability {sure.probability:.4f};")
    line(f"its logit leads that of the runner-up {sure.second!r} by {sure.lead:.2f}.\n")
    _report_answers(answers, line)
    _report_turned(model, line)
    _report_layers(model, line)
    _report_heads(model, line)
    line("\nFive stories, written greedily from their first words:\n")
    for opening in story_openings(HELD_OUT_SEED, 5):
        line(f"> {_story(model, opening)}\n")


def _report_answers(answers, line):
    line("| asked | questions | right |\n| --- | --- | --- |")
    for name, questions in question_sets().items():
        right = sum(question.answer == text for question, text in zip(questions, answers[name], strict=True))
        line(f"| {name} | {len(questions)} | {100 * right / len(questions):.1f} % |")


def _report_turned(model, line):
    """Who has read that a is b need not know what b is (Berglund et al., "The Reversal Curse", 2023)."""
    questions = turned_questions()
    right = sum(answer(model, question.prompt) == question.answer for question in questions)
    asked = f"Opposites, asked the way round that training never says them ({questions[0].prompt[0]!r})"
    line(f"\n{asked}: {right} of {len(questions)} right.")


def _report_layers(model, line):
    id_lists = held_out_documents(model, N_DOCUMENTS)
    whole = held_out_loss(model, id_lists)
    line(f"\nHeld-out loss: {whole:.4f} nats per token over {N_DOCUMENTS} documents. What leaving one layer out adds")
    line("to it, and the probability of the answer to the question as read off after that layer (logit lens):\n")
    line("| layer | loss added without it | answer after it |\n| --- | --- | --- |")
    for layer, probability in enumerate(logit_lens(model, QUESTION)[1:]):
        added = held_out_loss(without_layer(model, layer), id_lists) - whole
        line(f"| {layer} | {added:+.4f} | {probability:.4f} |")


def _report_heads(model, line):
    line()
    for name, scores in zip(("previous-token", "induction"), find_heads(model), strict=True):
        best = np.argsort(-scores, axis=None)[:3]
        heads = [f"layer {i // scores.shape[1]} head {i % scores.shape[1]} ({scores.flat[i]:.2f})" for i in best]
        line(f"Clearest {name} heads, with the share of their attention that is there: {', '.join(heads)}.")


def _story(model, opening, max_new_tokens=120):
    tokenizer = model.tokenizer
    ids = tokenizer.encode(opening, bos=True)
    new_ids = generate(model.weights, model.params, ids, max_new_tokens, tokenizer.stop_ids)
    return (opening + tokenizer.decode(new_ids)).replace("\n", " ")


def _evaluate(options):
    model = load(options.model)
    _ = model.tokenizer  # a bad one is found before all the work
    model = widened(model)
    write_report(model, all_answers(model), sys.stdout)


def main(arguments=None):
    parser = Parser(prog="python -m llama_np.evaluate", description="Measure data/tiny, or a model made like it.")
    parser.add_argument("--model", metavar="DIR", help="a model folder (default: $LLAMA_NP_MODEL, or else data/tiny)")
    return run("llama_np.evaluate", _evaluate, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
