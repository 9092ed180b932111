"""`python -m llama_np ["PROMPT"]`: continue a text with the likeliest tokens, printed as they are made."""

import sys
import time

from llama_np.checkpoint import load
from llama_np.command_line import Parser, positive_int, run
from llama_np.decode import generate
from llama_np.memory import warm_up

QUESTION = "the answer to the ultimate question of life, the universe, and everything is "


def main(arguments=None):
    parser = Parser(prog="python -m llama_np", description="Continue a text with Llama 3, in NumPy.")
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="the text to continue (without it: the question)")
    parser.add_argument("--model", metavar="DIR", help="a model folder (default: $LLAMA_NP_MODEL, or else data/tiny)")
    parser.add_argument("--max-new-tokens", type=positive_int, metavar="N", help="stop after N (32; the question: 1)")
    options = parser.parse_args(arguments)
    asked = options.prompt is None
    options.prompt = QUESTION if asked else options.prompt
    options.max_new_tokens = options.max_new_tokens or (1 if asked else 32)  # the answer is one token
    return run("llama_np", _complete, options)


def _complete(options):
    """Print the prompt and its continuation to stdout, and what it took to stderr."""
    if not options.prompt:
        raise ValueError("the prompt is empty: give some text to continue")
    model = load(options.model)
    tokenizer = model.tokenizer
    ids = tokenizer.encode(options.prompt, bos=True)
    if len(ids) > model.params.max_seq_len:  # before anything is printed
        context = model.params.max_seq_len
        raise ValueError(f"the prompt has {len(ids)} tokens, the model's context {context}: shorten it")
    warm_up_time = warm_up(model.files) or 0
    times = [time.perf_counter()]
    new_ids = generate(model.weights, model.params, ids, options.max_new_tokens, tokenizer.stop_ids)
    text = tokenizer.decode_stream(_timed(new_ids, times))
    print(options.prompt, end="", flush=True)
    for part in text:
        print(part, end="", flush=True)
    print(flush=True)
    _report(warm_up_time, len(ids), times)


def _timed(ids, times):
    """Pass ids on, noting when each came."""
    for i in ids:
        times.append(time.perf_counter())
        yield i
    if len(times) == 1:  # the very first token ended the text
        times.append(time.perf_counter())


def _report(warm_up_time, n_prompt, times):
    figures = [f"warmed up in {warm_up_time:.0f} s"] if warm_up_time > 1 else []
    figures.append(f"{n_prompt} prompt tokens, first answer after {times[1] - times[0]:.2f} s")
    if len(times) > 2:
        figures.append(f"then {(len(times) - 2) / (times[-1] - times[1]):.1f} tokens/s")
    if peak := _peak_memory():
        figures.append(f"peak memory {peak / 2**30:.2f} GiB")
    print("; ".join(figures), file=sys.stderr)


def _peak_memory():
    """The most memory this process has had, in bytes, mapped files included; None where nobody can tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    sys.exit(main())
