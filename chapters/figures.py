"""The drawings of the chapters, so that a plot is one short line in a cell."""

import io
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Arc, Rectangle
from matplotlib.ticker import MaxNLocator
from PIL import Image

# Readable for colour-blind eyes and in print: dark to light for amounts, blue to red through white for signs.
AMOUNTS, SIGNS = "cividis_r", "RdBu_r"


def token_labels(tokenizer, ids):
    """One short label per id, with its spaces made visible."""
    return [tokenizer.decode([i]).replace(" ", "␣").replace("\n", "↵") for i in ids]


def heat_map(values, rows=None, columns=None, title="", x_label="", y_label="", signed=False, figsize=(7, 6)):
    """Draw a matrix as coloured squares. values: [R, C]; rows, columns: labels, or none for the numbers."""
    limit = np.nanmax(np.abs(values))
    colours = dict(cmap=SIGNS, vmin=-limit, vmax=limit) if signed else dict(cmap=AMOUNTS, vmin=0)
    figure, axes = plt.subplots(figsize=figsize, layout="constrained")
    image = axes.imshow(values, aspect="auto", interpolation="nearest", **colours)
    if rows is not None:
        axes.set_yticks(range(len(rows)), rows)
    if columns is not None:
        axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    figure.colorbar(image)
    plt.show()


def bars(labels, values, title="", x_label="", figsize=(7, 3.5)):
    """Horizontal bars, the first on top, each with its value written beside it."""
    figure, axes = plt.subplots(figsize=figsize, layout="constrained")
    drawn = axes.barh(range(len(values)), values, color="tab:blue")
    axes.bar_label(drawn, [f"{value:.3f}" for value in values], padding=3)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(title=title, xlabel=x_label)
    plt.show()


# ---- 01 bpe ----

_BPE_FILLS = ("#cfe1f2", "#fde0b6")  # neighbours in turn: light blue and light orange
_BPE_STYLES = ("-", "--", "-.", ":")


def _bpe_visible(text):
    return text.replace(" ", "␣").replace("\n", "↵")


def _bpe_name(token):
    """The text of a token's bytes, or the bytes themselves where they are part of a character."""
    try:
        return _bpe_visible(token.decode())
    except UnicodeDecodeError:
        return token.hex(" ").upper()


def _bpe_grow(piece, ranks):
    """Merge a piece, lowest rank first. Returns its nodes (token, x, height, children), leaves first, then joints."""
    row = [(bytes([value]), x, 0, ()) for x, value in enumerate(piece)]
    nodes = list(row)
    while True:
        joined = [left[0] + right[0] for left, right in pairwise(row)]
        token = min(joined, key=lambda pair: ranks.get(pair, len(ranks)), default=None)
        if token not in ranks:
            return nodes
        i = joined.index(token)
        left, right = row[i : i + 2]
        node = (token, (left[1] + right[1]) / 2, 1 + max(left[2], right[2]), (left, right))
        row[i : i + 2] = [node]
        nodes.append(node)


def merge_tree(piece, ranks, figsize=(9, 4.2)):
    """Draw how the bytes of a piece are joined: every box is a token with its id. piece: bytes."""
    nodes = _bpe_grow(piece, ranks)
    figure, axes = plt.subplots(figsize=figsize, layout="constrained")
    for token, x, height, children in nodes:
        for child in children:
            axes.plot([x, child[1]], [height, child[2]], color="0.6", linewidth=1.5, zorder=1)
        label = f"{_bpe_name(token)}\n{ranks[token]}"
        box = dict(boxstyle="round,pad=0.3", facecolor=_BPE_FILLS[bool(children)], edgecolor="0.4")
        axes.text(x, height, label, ha="center", va="center", family="monospace", fontsize=9, bbox=box, zorder=2)
    axes.set_xlim(-0.7, len(piece) - 0.3)
    axes.set_ylim(-0.5, max(node[2] for node in nodes) + 0.5)
    axes.set_title(f"{_bpe_name(piece)}: from its bytes, at the bottom, to one token")
    axes.set_axis_off()
    plt.show()


def cut_rows(rows, title=""):
    """Draw one text in several rows, each cut into tokens. rows: a dict from a row's label to its tokens' texts."""
    figure, axes = plt.subplots(figsize=(9, 0.8 + 0.48 * len(rows)), layout="constrained")
    width = max(sum(len(token) for token in tokens) for tokens in rows.values())
    for y, tokens in enumerate(rows.values()):
        x = 0
        for i, token in enumerate(tokens):
            axes.barh(y, len(token), left=x, height=0.72, color=_BPE_FILLS[i % 2], edgecolor="0.45", linewidth=0.7)
            for letter in token:
                axes.text(x + 0.5, y, _bpe_visible(letter), ha="center", va="center", family="monospace", fontsize=8)
                x += 1
        axes.text(width + 1, y, str(len(tokens)), ha="left", va="center", fontsize=9)
    axes.text(width + 1, -0.75, "tokens", ha="left", va="center", fontsize=9)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xlim(0, width + 7)
    axes.set_ylim(len(rows) - 0.5, -1.1)
    axes.set_xticks([])
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)
    axes.set(title=title, ylabel="merges used")
    plt.show()


def token_lengths(merges, curves, figsize=(8, 4)):
    """Draw bytes a token against the number of merges. curves: a dict from a text's label to its values."""
    figure, axes = plt.subplots(figsize=figsize, layout="constrained")
    for i, (label, values) in enumerate(curves.items()):
        axes.plot(merges, values, _BPE_STYLES[i % 4], color=f"C{i}", marker="o", markersize=4, label=label)
    axes.set_xscale("log", base=2)
    ticks = [4**k for k in range(20) if 4**k <= merges[-1]]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_xlim(merges[0], merges[-1])
    axes.set_ylim(bottom=0)
    axes.set(xlabel="merges used, on a scale where equal steps multiply", ylabel="bytes a token, on average")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    plt.show()


# ---- 02 embeddings ----


def bit_boxes(labels, bits, exponent_bits):
    """Draw numbers as boxes of bits: sign, exponent, fraction.

    labels: a text per number; bits: the same count of texts of 0 and 1; exponent_bits: how many, per number.
    """
    colours = {"sign": "#f0e442", "exponent": "#9ad0f5", "fraction": "#e8e8e8"}
    widest = max(map(len, bits))
    figure, axes = plt.subplots(figsize=(9, 0.5 + 0.45 * len(bits)), layout="constrained")
    for row, (text, n_exponent) in enumerate(zip(bits, exponent_bits)):
        parts = ["sign"] + ["exponent"] * n_exponent + ["fraction"] * (len(text) - 1 - n_exponent)
        for column, (bit, part) in enumerate(zip(text, parts)):
            box = plt.Rectangle((column, row), 1, 0.8, facecolor=colours[part], edgecolor="0.4", linewidth=0.6)
            axes.add_patch(box)
            axes.text(column + 0.5, row + 0.42, bit, ha="center", va="center", fontsize=10, color="black")
    axes.set(xlim=(-0.05, widest + 0.05), ylim=(len(bits), -0.05))
    axes.set_yticks(np.arange(len(bits)) + 0.4, labels)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    keys = [plt.Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="0.4") for colour in colours.values()]
    figure.legend(keys, colours, loc="outside upper center", ncols=3, frameon=False)
    plt.show()


def rounding_errors(numbers, errors, bound):
    """Draw the relative error of rounding, in percent, over the numbers that were rounded. All [N]."""
    axes = plt.figure(figsize=(8, 3.2), layout="constrained").subplots()
    axes.plot(numbers, 100 * errors, ".", markersize=1.5, color="tab:blue")
    for sign in (-1, 1):
        axes.axhline(sign * 100 * bound, color="0.4", linestyle="--", linewidth=1)
    axes.axhline(0, color="0.7", linewidth=0.8)
    axes.set_xscale("log", base=2)
    powers = np.arange(np.floor(np.log2(numbers.min())), np.ceil(np.log2(numbers.max())) + 1)
    axes.set_xticks(2**powers, [f"{2**power:g}" if power >= 0 else f"1/{2**-power:g}" for power in powers])
    axes.set(xlabel="the number, on a scale of doublings", ylabel="error of its bf16, in %")
    axes.set(title="Rounding to bf16; dashed: plus and minus one part in 256")
    plt.show()


def similarity_map(similarities, labels, sizes):
    """Draw the cosine similarities of words, groups marked off. similarities: [N, N]; sizes: words per group."""
    figure, axes = plt.subplots(figsize=(8.2, 7), layout="constrained")
    shown = np.where(np.eye(len(labels), dtype=bool), np.nan, similarities)  # a word with itself tells nothing
    limit = np.nanmax(np.abs(shown))
    axes.set_facecolor("0.85")
    image = axes.imshow(shown, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(range(len(labels)), labels)
    for edge in np.cumsum(sizes)[:-1] - 0.5:
        axes.axhline(edge, color="black", linewidth=1)
        axes.axvline(edge, color="black", linewidth=1)
    axes.set(title="Cosine similarity of two tokens' vectors, the common part taken off")
    figure.colorbar(image, label="cosine similarity", shrink=0.8)
    plt.show()


# ---- 03 rmsnorm ----


def norms_in_the_plane(points, by_rms_norm, by_layer_norm):
    """Draw rows of two numbers as arrows to where each norm puts them. All [N, 2]."""
    figure = plt.figure(figsize=(9, 4.6), layout="constrained")
    limit = 1.12 * np.abs(points).max()
    for axes, ends, title in zip(figure.subplots(1, 2), (by_rms_norm, by_layer_norm), ("RMSNorm", "LayerNorm")):
        turn = np.linspace(0, 2 * np.pi, 200)
        axes.plot(np.sqrt(2) * np.cos(turn), np.sqrt(2) * np.sin(turn), color="0.7", linewidth=1)
        axes.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        axes.axvline(0, color="0.85", linewidth=0.8, zorder=0)
        for (a, b), (c, d) in zip(points, ends):
            arrow = dict(arrowstyle="->", color="0.6", shrinkA=2, shrinkB=3)
            axes.annotate("", xy=(c, d), xytext=(a, b), arrowprops=arrow)
        axes.plot(*points.T, "o", color="tab:blue", markersize=5, label="a row before")
        axes.plot(*ends.T, "s", color="tab:orange", markersize=7, label="after")
        axes.set(title=title, xlabel="first number", ylabel="second number", aspect="equal")
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    plt.show()


def eps_curve(going_in, coming_out, eps, real_in, real_out):
    """Draw a row's rms after the norm over its rms before. going_in, coming_out: [N]; real_*: those of a text."""
    axes = plt.figure(figsize=(8, 3.6), layout="constrained").subplots()
    axes.loglog(going_in, coming_out, color="tab:blue", label="a row of that size")
    axes.loglog(real_in, real_out, "o", color="tab:orange", markersize=5, label="the prompt's tokens, as embedded")
    axes.axvline(np.sqrt(eps), color="0.4", linestyle="--", linewidth=1, label="the root of eps")
    axes.set(xlabel="rms before", ylabel="rms after", title="What eps does to small rows")
    axes.grid(color="0.9")
    axes.legend(loc="lower right")
    plt.show()


def stream_sizes(sizes, labels, chosen):
    """Draw the rms of each token's vector along the layers. sizes: [n_layers + 1, T]; chosen: positions to name."""
    axes = plt.figure(figsize=(8.5, 4.2), layout="constrained").subplots()
    rest = [t for t in range(sizes.shape[1]) if t not in chosen]
    axes.semilogy(sizes[:, rest], color="0.7", linewidth=1)
    axes.plot([], [], color="0.7", linewidth=1, label="the other tokens")
    for position, colour in zip(chosen, ("tab:orange", "tab:blue", "tab:green")):
        axes.semilogy(sizes[:, position], color=colour, linewidth=2, label=f"{labels[position]} (position {position})")
    axes.axhline(1, color="black", linestyle="--", linewidth=1, label="the copy that a layer reads, before its weight")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "25" else "")
    axes.set(xlabel="layers done", ylabel="rms of a token's vector")
    axes.set(title="The size of the residual stream on its way through the layers")
    axes.grid(color="0.92", which="both")
    axes.legend(fontsize=9, loc="lower right")
    plt.show()


def sizes_without(with_norm, without, largest):
    """Draw the largest rms after each layer, with the norm and without. Both [n_layers + 1]; largest: float32's end."""
    axes = plt.figure(figsize=(8.5, 3.8), layout="constrained").subplots()
    axes.semilogy(with_norm, "o-", color="tab:blue", markersize=4, label="with RMSNorm")
    finite = np.where(np.isfinite(without), without, np.nan)
    axes.semilogy(finite, "s-", color="tab:orange", markersize=4, label="without")
    axes.axhline(largest, color="0.4", linestyle="--", linewidth=1, label="the largest number float32 holds")
    axes.set(xlabel="layers done", ylabel="largest rms of a token's vector", xlim=(-0.5, len(with_norm) - 0.5))
    axes.set(title="The same weights and the same text, with the norm and without")
    axes.grid(color="0.92")
    axes.legend(loc="center right")
    plt.show()


# ---- 04 qkv ----


def qkv_bands(params):
    """wq, wk and wv to scale, a band of rows for each head, one colour for each group."""
    group = params.n_heads // params.n_kv_heads
    shades = plt.get_cmap("cividis_r")(np.linspace(0.12, 0.88, params.n_kv_heads))
    _, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for column, (name, n, per_shade) in enumerate(
        [("wq", params.n_heads, group), ("wk", params.n_kv_heads, 1), ("wv", params.n_kv_heads, 1)]
    ):
        left = column * 1.5
        for head in range(n):
            shade = shades[head // per_shade]
            band = plt.Rectangle(
                (left, head * params.head_dim), 1, params.head_dim, facecolor=shade, edgecolor="white", linewidth=1
            )
            axes.add_patch(band)
            if params.n_heads <= 12:  # else the bands are too narrow for a line of text
                dark = shade[:3].mean() < 0.5
                text = f"{'query' if name == 'wq' else 'key' if name == 'wk' else 'value'} head {head}"
                middle = (head + 0.5) * params.head_dim
                axes.text(left + 0.5, middle, text, ha="center", va="center", color="white" if dark else "black")
    axes.set_xlim(-0.05, 4.05)
    axes.set_ylim(params.n_heads * params.head_dim, 0)
    query, key, value = f"{params.n_heads} query", f"{params.n_kv_heads} key", f"{params.n_kv_heads} value"
    axes.set_xticks([0.5, 2, 3.5], [f"wq: {query} heads", f"wk: {key} heads", f"wv: {value} heads"])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_ylabel("rows")
    axes.set_xlabel(f"each {params.dim:,} numbers wide; one colour = one group, which shares its keys and values")
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    plt.show()


def _short(labels):
    return [label if len(label) <= 12 else label[:9] + "…" for label in labels]


def vectors_of_one_head(labels, q, k, v):
    """The queries, keys and values of one head. labels: T; q, k, v: [T, head_dim]."""
    figure, panels = plt.subplots(1, 3, figsize=(9, 4.6), sharey=True, layout="constrained")
    for axes, (name, values) in zip(panels, [("queries", q), ("keys", k), ("values", v)]):
        limit = np.abs(values).max()
        image = axes.imshow(values, aspect="auto", interpolation="nearest", cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set(title=name, xlabel="number in the head")
        figure.colorbar(image, ax=axes, location="bottom", shrink=0.9)
    panels[0].set_yticks(range(len(labels)), _short(labels))
    plt.show()


def two_score_tables(labels, with_queries, without_queries):
    """Two tables of scores side by side. labels: T; both: [T, T], row: who looks, column: at whom."""
    labels = _short(labels)
    figure, panels = plt.subplots(1, 2, figsize=(9, 5.2), sharey=True, layout="constrained")
    titles = ["query · key", "key · key"]
    for axes, title, values in zip(panels, titles, [with_queries, without_queries]):
        limit = np.abs(values).max()
        image = axes.imshow(values, aspect="equal", interpolation="nearest", cmap="RdBu_r", vmin=-limit, vmax=limit)
        best = values >= values.max(axis=1, keepdims=True) - 1e-4
        axes.plot(*np.argwhere(best).T[::-1], "o", color="black", markersize=4, markeredgecolor="white")
        axes.set(title=title, xlabel="the token looked at")
        axes.set_xticks(range(len(labels)), labels, rotation=90)
        figure.colorbar(image, ax=axes, location="bottom", shrink=0.8, label="score")
    panels[0].set_yticks(range(len(labels)), labels)
    panels[0].set_ylabel("the token that looks")
    plt.show()


# ---- 05 rope ----


def turned_together(query, key, places, angle):
    """Draw a query and a key as arrows, each turned by its position, one panel for each pair of places.

    query, key: complex numbers; places: list of (position of the query, of the key); angle: radians a position.
    """
    _figure, all_axes = plt.subplots(1, len(places), figsize=(9, 2.9), layout="constrained", sharey=True)
    reach = 1.55 * max(abs(query), abs(key))
    for axes, (m, n) in zip(all_axes, places):
        arrows = [("query", query, m, "tab:blue"), ("key", key, n, "tab:orange")]
        turned = [start * np.exp(1j * angle * position) for _, start, position, _ in arrows]
        for (name, _, _, colour), tip in zip(arrows, turned):
            axes.annotate("", (tip.real, tip.imag), (0, 0), arrowprops=dict(arrowstyle="-|>", color=colour, lw=2))
            x, y = tip.real + 0.75 * np.sign(tip.real), tip.imag + 0.65 * np.sign(tip.imag)
            axes.text(x, y, name, color=colour, ha="center", va="center")
        between = np.angle(turned[0] * turned[1].conjugate(), deg=True)
        first = np.angle(turned[1], deg=True)
        low, high = (first, first + between) if between > 0 else (first + between, first)
        axes.add_patch(Arc((0, 0), 1.8, 1.8, theta1=low, theta2=high, color="grey"))
        middle = 1.6 * np.exp(1j * np.deg2rad((low + high) / 2))
        axes.text(middle.real, middle.imag, f"{abs(between):.0f}°", color="dimgrey", ha="center", va="center")
        score = (turned[0] * turned[1].conjugate()).real
        axes.set_title(f"query at {m}, key at {n}\nscore {score:.0f}", fontsize=10)
        axes.axhline(0, color="lightgrey", lw=0.8, zorder=0)
        axes.axvline(0, color="lightgrey", lw=0.8, zorder=0)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="first number")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    all_axes[0].set_ylabel("second number")
    plt.show()


def rotation_frequencies(models):
    """Draw the frequency of every pair. models: dict of name to (freqs, longest text in tokens)."""
    _figure, all_axes = plt.subplots(1, len(models), figsize=(9, 3.8), layout="constrained", sharey=True)
    for axes, (name, (freqs, longest)) in zip(all_axes, models.items()):
        axes.semilogy(range(len(freqs)), freqs, "o", markersize=4, color="tab:blue")
        axes.axhline(2 * np.pi / longest, color="tab:orange", linestyle="--")
        axes.text(0, 2 * np.pi / longest / 1.3, f"one turn in {longest:,} tokens", color="tab:orange", va="top")
        axes.set(title=f"{name}: {len(freqs)} pairs", xlabel="pair")
        axes.grid(alpha=0.3)
    all_axes[0].set_ylabel("frequency (radians a position)")
    tokens = all_axes[-1].secondary_yaxis("right", functions=(_rope_turn, _rope_turn))
    tokens.set_ylabel("tokens for one whole turn")
    plt.show()


def _rope_turn(frequency):
    with np.errstate(divide="ignore"):
        return 2 * np.pi / frequency


def turning_pairs(places, titles):
    """Draw where a pair points at every position, one panel a pair. places: [T, n] complex; titles: n texts."""
    figure, all_axes = plt.subplots(1, len(titles), figsize=(9, 2.9), layout="constrained")
    for axes, pair, title in zip(all_axes, places.T, titles):
        radius = abs(pair[0])
        axes.add_patch(plt.Circle((0, 0), radius, fill=False, color="lightgrey"))
        axes.axhline(0, color="lightgrey", lw=0.8, zorder=0)
        axes.axvline(0, color="lightgrey", lw=0.8, zorder=0)
        axes.plot([0, pair[0].real], [0, pair[0].imag], color="black", lw=1.2)
        dots = axes.scatter(
            pair.real, pair.imag, c=range(len(pair)), cmap="cividis_r", s=36, zorder=3, edgecolors="grey"
        )
        axes.set_title(title, fontsize=10)
        axes.set(xlim=(-1.25 * radius, 1.25 * radius), ylim=(-1.25 * radius, 1.25 * radius), aspect="equal")
        axes.locator_params(nbins=3)
        axes.set_xlabel("first number")
    all_axes[0].set_ylabel("second number")
    figure.colorbar(dots, ax=all_axes, label="position", shrink=0.8)
    plt.show()


def position_curves(x, curves, title="", x_label="", y_label="score", figsize=(9, 3.4)):
    """Draw curves over positions or distances. curves: dict of label to values; later ones thinner, on top."""
    _figure, axes = plt.subplots(figsize=figsize, layout="constrained")
    styles = [("-", 4.5, "tab:orange"), ("--", 2, "tab:blue"), (":", 2, "black"), ("-.", 1.5, "tab:green")]
    for (label, values), (line, width, colour) in zip(curves.items(), styles):
        axes.plot(x, values, line, linewidth=width, color=colour, label=label)
    axes.axhline(0, color="grey", lw=0.8, zorder=0)
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    plt.show()


def shares_left(distances, shares, title=""):
    """Draw how much of a score is left over the distance: mean and band. shares: dict of label to values."""
    _figure, axes = plt.subplots(figsize=(9, 3.4), layout="constrained")
    edges = np.unique(np.geomspace(1, len(distances) + 1, 40).astype(int)) - 1  # from each to the next is one dot
    middles = [np.sqrt(distances[a] * distances[b - 1]) for a, b in pairwise(edges)]
    for (label, values), colour, line in zip(shares.items(), ("tab:orange", "tab:blue"), ("-", "--")):
        parts = [values[a:b] for a, b in pairwise(edges)]
        lowest, highest = [part.min() for part in parts], [part.max() for part in parts]
        axes.fill_between(middles, lowest, highest, color=colour, alpha=0.2, linewidth=0)
        axes.plot(middles, [part.mean() for part in parts], line, color=colour, linewidth=2, label=label)
    axes.set_xscale("log")
    axes.axhline(0, color="grey", lw=0.8, zorder=0)
    axes.set(title=title, xlabel="distance (tokens)", ylabel="share of the score left")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    plt.show()


def pair_shares(distances, shares, names):
    """Draw what some pairs add to a score, one small panel a pair. shares: [n_distances, n]; names: n texts."""
    figure, all_axes = plt.subplots(
        len(names), 1, figsize=(9, 1.15 * len(names) + 0.6), layout="constrained", sharex=True
    )
    for axes, share, name in zip(all_axes, shares.T, names):
        axes.plot(distances, share, color="tab:blue")
        axes.axhline(0, color="grey", lw=0.8, zorder=0)
        axes.text(1.01, 0.5, name, transform=axes.transAxes, va="center")
        limit = 1.25 * max(np.abs(share).max(), 1e-6)
        axes.set_ylim(-limit, limit)
        axes.grid(alpha=0.3)
    figure.supylabel("added to the score", fontsize=10)
    all_axes[-1].set_xlabel("distance (tokens)")
    plt.show()


def score_maps(maps, title=""):
    """Draw several score matrices side by side on one scale. maps: dict of title to [T, T]."""
    limit = max(np.abs(scores).max() for scores in maps.values())
    figure, all_axes = plt.subplots(1, len(maps), figsize=(9, 3.4), layout="constrained", sharey=True)
    for axes, (name, scores) in zip(all_axes, maps.items()):
        image = axes.imshow(scores, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("position of the key")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    all_axes[0].set_ylabel("position of the query")
    figure.suptitle(title, fontsize=11)
    figure.colorbar(image, ax=all_axes, label="score", shrink=0.8)
    plt.show()


# ---- 06 attention ----

# One colour a role, told apart by colour-blind eyes too (Okabe and Ito's palette).
_ATTENTION_COLOURS = {"query": "#0072B2", "key": "#D55E00", "value": "#009E73", "text": "#1a1a1a", "line": "#b8b8b8"}
_ATTENTION_STEPS = ["q", "k", "v", "scores", "scaled", "weights", "output"]


def attention_tables(words, x, wq, wk, wv):
    """Draw every step of one masked head: vectors, queries, keys, values, scores, weights, output."""
    steps = _attention_numbers(x, wq, wk, wv)
    everything = {name: steps[name].shape for name in _ATTENTION_STEPS}
    _attention_frame(words, steps, everything, "", {})
    plt.show()


def attention_film(words, x, wq, wk, wv, path=Path(__file__).parent / "pictures" / "attention.gif"):
    """Write the same tables as an animation that fills them step by step. path: a .gif file. Returns the path."""
    steps = _attention_numbers(x, wq, wk, wv)
    pictures, seconds = [], []
    for shown, caption, marks, pause in _attention_scenes(words, steps):
        figure = _attention_frame(words, steps, shown, caption, marks)
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=100)
        plt.close(figure)
        pictures.append(Image.open(data).convert("RGB"))
        seconds.append(pause)
    # One palette for all frames, so that what does not change stays the same to the last pixel.
    palette = Image.fromarray(np.concatenate([np.asarray(picture) for picture in pictures])).quantize(128)
    pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    durations = [round(1000 * pause) for pause in seconds]
    Path(path).parent.mkdir(exist_ok=True)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=True)
    return path


def _attention_numbers(x, wq, wk, wv):
    x, wq, wk, wv = (np.asarray(matrix) for matrix in (x, wq, wk, wv))
    q, k, v = x @ wq.T, x @ wk.T, x @ wv.T
    scores = q @ k.T
    scaled = np.where(np.tri(len(x)) == 1, scores / np.sqrt(q.shape[-1]), -np.inf)
    weights = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    unmasked = scores / np.sqrt(q.shape[-1])
    named = dict(x=x, q=q, k=k, v=v, scores=scores, unmasked=unmasked, scaled=scaled, weights=weights)
    return named | {"output": weights @ v}


def _attention_scenes(words, steps):
    """Yield (rows and columns shown of each table, caption, cells marked, seconds), frame by frame."""
    T, last = len(words), len(words) - 1
    shown = {}

    def scene(caption, marks=None, pause=2.2, **more):
        shown.update(more)
        return dict(shown), caption, marks or {}, pause

    whole = {name: steps[name].shape for name in _ATTENTION_STEPS}
    yield scene("Four tokens, a vector of six numbers each. One head will carry news from token to token.")
    yield scene("Queries: what each token looks for.", {"q": None}, q=whole["q"])
    yield scene("Keys: what each token offers to be found by.", {"k": None}, k=whole["k"])
    yield scene("Values: what each token hands over when it is found.", {"v": None}, v=whole["v"])
    for i in range(T):
        for j in range(T) if i == last else [None]:
            columns = T if j is None else j + 1
            marks = {"q": (i, None), "k": (j, None), "scores": (i, j)}
            caption = f"“{words[i]}” asks every key: its query times each key, number by number, added up."
            if j is not None:
                pairs = zip(steps["q"][i], steps["k"][j])
                pairs = [[_attention_text(number) for number in pair] for pair in pairs]
                terms = " + ".join(" · ".join(f"({n})" if n[0] == "-" else n for n in pair) for pair in pairs)
                score = _attention_text(steps["scores"][i, j])
                caption = f"“{words[i]}” asks, “{words[j]}” answers:   {terms}  =  {score}"
            yield scene(caption.replace("-", "−"), marks, scores=(i + 1, columns))
    yield scene("Divided by √3: scores stay moderate, however many numbers a query has.", scaled="unmasked")
    caption = "Masked: a token that comes later gets −∞. Nobody looks ahead."
    yield scene(caption, {"scaled": "future"}, 3.0, scaled=whole["scaled"])
    for i in range(T):
        powers = np.exp(steps["scaled"][i, : i + 1])
        listed = ",  ".join(f"{power:.2f}" for power in powers)
        caption = (
            f"Softmax for “{words[i]}”: e to each score is  {listed}\neach divided by their sum, {powers.sum():.2f}"
        )
        yield scene(caption, {"scaled": (i, None), "weights": (i, None)}, weights=(i + 1, T))
    for i in range(T):
        terms = " + ".join(f"{steps['weights'][i, j]:.2f} · {words[j]}" for j in range(i + 1))
        caption = f"“{words[i]}” takes from the values:   {terms}"
        marks = {"weights": (i, None), "v": None, "output": (i, None)}
        yield scene(caption, marks, output=(i + 1, steps["output"].shape[1]))
    best = int(steps["weights"][last].argmax())
    yield scene(f"“{words[last]}” has taken most from “{words[best]}”. That is attention.", pause=6.0)


def _attention_frame(words, steps, shown, caption, marks):
    """One picture. shown: name to (rows, columns) filled; marks: name to (row, column) outlined, None for all."""
    height = 14.7 if caption else 12.6  # a still needs no room for a caption
    figure = plt.figure(figsize=(9, 5.6 * height / 14.7))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 23.6), ylim=(height, 0))
    axes.axis("off")
    axes.text(11.8, 13.6, caption, ha="center", va="center", fontsize=12.5, color=_ATTENTION_COLOURS["text"])
    width = steps["x"].shape[1]
    top, bottom = 2.0, 8.6
    tables = [
        ("x", "vectors", 1.6, top, None),
        ("q", "queries", 4.0 + width, top, "query"),
        ("k", "keys", 9.0 + width, top, "key"),
        ("v", "values", 14.0 + width, top, "value"),
        ("scores", "scores q · k", 1.6, bottom, None),
        ("scaled", "÷ √3, masked", 7.7, bottom, None),
        ("weights", "attention weights", 13.8, bottom, None),
        ("output", "output", 20.0, bottom, "value"),
    ]
    for name, title, left, upper, role in tables:
        size = steps["x"].shape if name == "x" else shown.get(name, (0, 0))
        unmasked = size == "unmasked"
        numbers = steps["unmasked" if unmasked else name]
        title = "÷ √3" if unmasked else title
        size = numbers.shape if unmasked else size
        _attention_table(axes, words, name, numbers, size, title, (left, upper), role, marks)
    return figure


def _attention_table(axes, words, name, numbers, size, title, corner, role, marks):
    left, upper = corner
    height = 0.9
    rows, columns = numbers.shape
    colour = _ATTENTION_COLOURS[role or "text"]
    square = name in ("scores", "scaled", "weights")
    above = 1.25 if square or name == "output" else 0.55
    axes.text(left, upper - above, title, fontsize=12, color=colour, weight="bold", va="center")
    for j in range(columns if square else 0):
        axes.text(left + j + 0.5, upper - 0.4, words[j], ha="center", va="center", fontsize=9.5, color="#555555")
    for i in range(rows):
        axes.text(left - 0.15, upper + (i + 0.5) * height, words[i], ha="right", va="center", fontsize=9.5)
        for j in range(columns):
            # Scores fill row by row; within the last row begun, column by column.
            filled = i < size[0] - 1 or (i < size[0] and j < size[1])
            shaded = name == "weights" and j <= i
            _attention_cell(axes, numbers[i, j] if filled else None, (left + j, upper + i * height), height, shaded)
    outline = dict(fill=False, lw=2.4, zorder=3, edgecolor=_ATTENTION_COLOURS.get(role, _ATTENTION_COLOURS["text"]))
    mark = marks.get(name, ())
    if mark == "future":
        corners = [(i, j) for i in range(rows) for j in range(i + 1, columns)]
        areas = [(left + j, upper + i * height, 1, height) for i, j in corners]
    elif mark == ():
        areas = []
    else:
        i, j = mark or (None, None)
        area = (left + (j or 0), upper + (i or 0) * height)
        areas = [(*area, columns if j is None else 1, height * (rows if i is None else 1))]
    for x, y, wide, high in areas:
        axes.add_patch(Rectangle((x, y), wide, high, **outline))


def _attention_cell(axes, number, corner, height, shaded):
    """One number in its square; None leaves it empty; a shaded one is the darker the larger it is."""
    face = "#f2f2f2" if number is None else plt.get_cmap("cividis_r")(0.9 * number) if shaded else "white"
    axes.add_patch(Rectangle(corner, 1, height, facecolor=face, edgecolor=_ATTENTION_COLOURS["line"], lw=0.8))
    if number is None:
        return
    text = _attention_text(number)
    colour = "white" if shaded and number > 0.5 else _ATTENTION_COLOURS["text"]
    where = (corner[0] + 0.5, corner[1] + height / 2)
    size = 10 if len(text) < 5 else 42.5 / len(text)
    axes.text(*where, text.replace("-", "−"), ha="center", va="center", fontsize=size, color=colour, zorder=4)


def _attention_text(number):
    if np.issubdtype(type(number), np.integer):
        return f"{number:d}"
    return "−∞" if np.isinf(number) else f"{number:.{1 if abs(number) > 9.9 else 2}f}"


def largest_weights(head_dims, unscaled, scaled, n_keys):
    """Two curves over the length of the vectors: the mean largest weight without and with the scale."""
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    axes.plot(head_dims, unscaled, "o-", color="#D55E00", label="scores as they are")
    axes.plot(head_dims, scaled, "s-", color="#0072B2", label="divided by √head_dim")
    axes.axhline(1 / n_keys, color="gray", ls=":", label=f"all equal: 1/{n_keys}")
    axes.set_xscale("log", base=2)
    axes.set_xticks(head_dims, [str(size) for size in head_dims])
    axes.set(ylim=(0, 1.03), xlabel="head_dim", ylabel="largest weight, mean")
    axes.legend(loc="center right")
    plt.show()


def attention_strips(labels, rows, titles):
    """One row of weights above another, each over its own tokens, the largest with its number."""
    figure, all_axes = plt.subplots(len(rows), figsize=(9, 2.1 * len(rows)), layout="constrained")
    for axes, tokens, weights, title in zip(np.atleast_1d(all_axes), labels, rows, titles):
        image = axes.imshow(weights[None], aspect="auto", cmap="cividis_r", vmin=0, vmax=1)
        best = int(weights.argmax())
        colour = "white" if weights[best] > 0.5 else "black"
        axes.text(best, 0, f"{weights[best]:.2f}", ha="center", va="center", fontsize=9, color=colour)
        short = [token if len(token) < 12 else f"{token[:7]}…" for token in tokens]
        axes.set_xticks(range(len(tokens)), short, rotation=90)
        axes.set_yticks([])
        axes.set_title(title, loc="left", fontsize=11)
    figure.colorbar(image, ax=all_axes, label="weight")
    plt.show()


def changes(labels, curves, y_label):
    """Curves over the tokens of a text. labels: one a token; curves: name to [T]."""
    figure, axes = plt.subplots(figsize=(8, 4.4), layout="constrained")
    styles = [("#D55E00", "o-"), ("#E69F00", "^--"), ("#0072B2", "s-")]
    for (name, values), (colour, style) in zip(curves.items(), styles):
        axes.plot(values, style, color=colour, label=name)
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set(ylim=(-0.02, None), xlabel="token", ylabel=y_label)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    plt.show()


# ---- 07 multihead ----


def head_grid(pattern, labels, n_kv_heads, title):
    """The attention weights of all heads, a row of panels for each group. pattern: [n_heads, T, T]; labels: T."""
    n_heads, T, _ = pattern.shape
    labels = [label if len(label) <= 12 else label[:9] + "…" for label in labels]
    columns = n_heads // n_kv_heads
    if columns == 1 or columns > 8:  # no groups, or one for all: four in a row
        columns = 4
    rows = -(-n_heads // columns)
    side = 8 / max(columns, 4)  # inches for a panel
    size = (9, (side + 0.28) * rows + 1.85)
    figure, panels = plt.subplots(
        rows, columns, figsize=size, squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    font = min(7, 54 * side / T)  # a little less than the height of a row of squares
    for h, axes in enumerate(panels.flat):
        if h >= n_heads:
            axes.axis("off")
            continue
        seen = np.where(np.tri(T, dtype=bool), pattern[h], np.nan)
        image = axes.imshow(seen, interpolation="nearest", cmap="cividis_r", vmin=0, vmax=1)
        kv_head = h // (n_heads // n_kv_heads)
        axes.set_title(f"head {h} (key/value {kv_head})", fontsize=9)
        axes.set_xticks(range(T), labels, rotation=90, fontsize=font)
        axes.set_yticks(range(T), labels, fontsize=font)
        axes.tick_params(length=0)
    figure.suptitle(title, fontsize=11)
    for axes in panels[:, 0]:
        axes.set_ylabel("the token that looks", fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("the token looked at", fontsize=8)
    figure.colorbar(image, ax=panels, label="attention weight", location="top", shrink=0.5, aspect=35)
    plt.show()


def attention_until(probabilities, answer):
    """The answer's probability with attention in the first 0, 1, 2, … layers only."""
    _, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
    axes.plot(range(len(probabilities)), probabilities, "o-", color="tab:blue", markersize=4)
    axes.set(xlabel="layers with attention (the first k, none after them)", ylabel=f"probability of {answer!r}")
    axes.set_ylim(-0.03, 1.05 * max(0.05, probabilities.max()))
    axes.grid(alpha=0.3)
    plt.show()


def one_head_less(removed, alone, none, every, layer):
    """The answer's probability without each head, and with it alone. removed, alone: [n_heads]."""
    n_heads = len(removed)
    _, axes = plt.subplots(figsize=(8, 1.6 + 0.26 * n_heads), layout="constrained")
    axes.hlines(range(n_heads), np.minimum(removed, alone), np.maximum(removed, alone), color="lightgray", zorder=1)
    axes.plot(alone, range(n_heads), "s", color="tab:orange", label="this head alone")
    axes.plot(removed, range(n_heads), "o", color="tab:blue", label="all but this head")
    axes.axvline(none, color="black", linestyle=":", label="no head")
    axes.axvline(every, color="black", linestyle="--", label="all heads")
    axes.set_yticks(range(n_heads), [f"head {h}" for h in range(n_heads)])
    axes.invert_yaxis()
    axes.set(xlabel=f"probability of the answer (layer {layer}; no attention after it)")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, frameon=False)
    plt.show()


# ---- 08 swiglu ----


def curves(x, named, figsize=(7, 3.6)):
    """A few curves over the same x. named: a dict of name to values."""
    styles = ["-", "--", ":"]
    _, axes = plt.subplots(figsize=figsize, layout="constrained")
    axes.axhline(0, color="0.8", linewidth=1)
    axes.axvline(0, color="0.8", linewidth=1)
    for (name, values), style in zip(named.items(), styles):
        axes.plot(x, values, style, linewidth=2, label=name)
    axes.set(xlabel="x")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    plt.show()


def gate_up_product(labels, gate, up, product, title="", figsize=(8.5, 5.2)):
    """One neuron over the tokens of a text: three rows of bars under each other."""
    _, panels = plt.subplots(3, 1, figsize=figsize, sharex=True, layout="constrained")
    rows = [("gate", gate, "tab:orange"), ("up", up, "tab:blue"), ("silu(gate) × up", product, "black")]
    for axes, (name, values, colour) in zip(panels, rows):
        axes.bar(range(len(values)), values, color=colour)
        axes.axhline(0, color="0.6", linewidth=1)
        axes.set_ylabel(name)
        axes.margins(y=0.12)
    for position in np.flatnonzero(np.asarray(gate) < 0):
        for axes in panels:
            axes.axvspan(position - 0.5, position + 0.5, color="0.92", zorder=0)
    panels[0].set_title(f"{title} (grey: gate below 0)")
    panels[-1].set_xticks(range(len(labels)), labels, rotation=60, ha="right", rotation_mode="anchor")
    plt.show()


def text_strip(tokens, values, marked, title="", width=80):
    """A text whose tokens are red where a value is large and blue where it is far below 0, the marked underlined.

    Lines end before a token that begins with a space, after at most `width` letters or so.
    """
    places, column, line = [], 0, 0
    for token in tokens:
        if token.startswith(" ") and column + len(token) > width:
            column, line = -1, line + 1  # its space falls off the edge
        places.append((column, line))
        column += len(token)
    limit = np.max(np.abs(values)) or 1
    height = 0.34 * (line + 1) + 0.4
    _, axes = plt.subplots(figsize=(9, height))
    plt.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=1 - 0.36 / height)
    letter = 0.98 * 9 / (width + 2) * 72 / 0.602  # font size whose letters are one unit wide
    for token, (column, line), value, mark in zip(tokens, places, values, marked):
        start = column + len(token) - len(token.lstrip())  # a leading space stays white
        end = start + len(token.strip())
        colour = plt.get_cmap("RdBu_r")(0.5 + 0.45 * value / limit)
        axes.add_patch(plt.Rectangle((start, line - 0.42), end - start, 0.8, color=colour, linewidth=0))
        ink = "white" if abs(value) > 0.75 * limit else "black"
        font = dict(family="DejaVu Sans Mono", fontsize=letter, color=ink)
        axes.text(start, line, token.strip(), va="center", ha="left", parse_math=False, **font)
        if mark:
            axes.plot([start, end], [line + 0.44] * 2, color="black", linewidth=1.6)
    axes.set(xlim=(-1, width + 1), ylim=(line + 0.6, -0.6))
    axes.set_title(title, fontsize=10)
    axes.axis("off")
    plt.show()


def ranked(labels, values, marked, kind, title="", figsize=(7, 3.8)):
    """Horizontal bars, the first on top; those of the kind in a colour of their own."""
    marked = np.asarray(marked)
    _, axes = plt.subplots(figsize=figsize, layout="constrained")
    for group, colour, name in [(marked, "tab:orange", f"a {kind}"), (~marked, "0.6", "something else")]:
        axes.barh(np.flatnonzero(group), np.asarray(values)[group], color=colour, label=name)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set(title=title, xlabel="how strongly the neuron fires")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    plt.show()


# ---- 09 layers ----


def sizes(stream, attention, feed_forward, figsize=(8.5, 4.6)):
    """The size of the residual stream, and of what each layer adds. stream: [n_layers + 1]; the others: [n_layers]."""
    layers = np.arange(len(attention))
    figure, (top, bottom) = plt.subplots(2, 1, figsize=figsize, sharex=True, layout="constrained")
    top.plot(np.arange(len(stream)) - 0.5, stream, "o-", color="black", markersize=3)
    top.set(ylabel="the stream", title="Sizes (root mean square), last token")
    bottom.bar(layers - 0.2, attention, 0.4, color="tab:blue", label="attention")
    bottom.bar(layers + 0.2, feed_forward, 0.4, color="tab:orange", label="feed-forward")
    bottom.set(ylabel="what is added", xlabel="layer (the stream is drawn between layers)")
    for axes in (top, bottom):
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
    figure.legend(loc="outside right upper")
    plt.show()


def lens(probabilities, names, figsize=(8.5, 3.6)):
    """Curves over the layers. probabilities: [n_layers + 1, K]; names: K labels, 5 at most; the first is boldest."""
    figure, axes = plt.subplots(figsize=figsize, layout="constrained")
    looks = [("black", "-"), ("#0072B2", "--"), ("#D55E00", "-."), ("#009E73", ":"), ("#CC79A7", (0, (8, 2)))]
    for name, curve, (colour, line) in zip(names, probabilities.T, looks):
        label = name.replace("$", r"\$")  # a dollar would begin a formula
        axes.plot(curve, color=colour, linestyle=line, linewidth=2.5 if colour == "black" else 1.8, label=label)
    axes.set(xlabel="layers passed (0: as embedded)", ylabel="probability", title="Logit lens, last position")
    axes.set_ylim(-0.02, 1.02)
    axes.grid(color="0.9")
    figure.legend(loc="outside right upper")
    plt.show()


def votes(embedding, attention, feed_forward, title="", figsize=(8.5, 4)):
    """What each part gives to a token's lead, as bars, and the running count as dots."""
    layers = np.arange(len(attention))
    figure, (bars, count) = plt.subplots(2, 1, figsize=figsize, sharex=True, layout="constrained")
    bars.bar([-1], [embedding], 0.5, color="0.4", label="embedding")
    bars.bar(layers - 0.2, attention, 0.4, color="tab:blue", label="attention")
    bars.bar(layers + 0.2, feed_forward, 0.4, color="tab:orange", label="feed-forward")
    bars.axhline(0, color="0.6", linewidth=1)
    bars.set(ylabel="vote", title=title)
    figure.legend(loc="outside right upper")
    running = embedding + np.concatenate([[0], np.cumsum(attention + feed_forward)])
    count.plot(np.arange(-1, len(layers)), running, "o-", color="black", markersize=3)
    count.axhline(0, color="0.6", linewidth=1)
    count.set(ylabel="votes so far", xlabel="layer (-1: the embedding)")
    plt.show()


# ---- 10 decode ----


def _decode_label(text):
    """A token's text on one line, in quotes, with nothing in it that a font lacks or that means maths."""
    return ascii(text).replace("$", r"\$")


def likeliest_bars(tokens, logits, probabilities, figsize=(9, 3.8)):
    """The same tokens twice: their logits on the left, their probabilities on the right, best on top."""
    _, (left, right) = plt.subplots(1, 2, figsize=figsize, layout="constrained", sharey=True)
    places = np.arange(len(tokens))
    for axes, values, form, colour in ((left, logits, "{:.1f}", "tab:blue"), (right, probabilities, "{:.4f}", "C1")):
        drawn = axes.barh(places, values, color=colour)
        axes.bar_label(drawn, [form.format(value) for value in values], padding=3)
        axes.margins(x=0.2)
        axes.axvline(0, color="black", linewidth=0.8)
    left.set_yticks(places, [_decode_label(token) for token in tokens])
    left.invert_yaxis()
    left.set(title="logits: what the model gives", xlabel="logit", ylabel="next token")
    right.set(title="probabilities: after the softmax", xlabel="probability", xlim=(0, 1.25))
    right.set_xticks(np.linspace(0, 1, 6))
    plt.show()


def along_the_prompt(tokens, probabilities, guesses, figsize=(9, 4.2)):
    """One bar a token of the prompt: the probability it was given before it came. Wrong guesses stand above it."""
    _, axes = plt.subplots(figsize=figsize, layout="constrained")
    right = [guess == token for guess, token in zip(guesses, tokens)]
    colours = ["tab:blue" if is_right else "C1" for is_right in right]
    axes.bar(range(len(tokens)), probabilities, color=colours)
    for place, (guess, is_right) in enumerate(zip(guesses, right)):
        if not is_right:
            text = _decode_label(guess)
            axes.text(place, probabilities[place] + 0.02, text, rotation=90, ha="center", va="bottom", color="#a04000")
    axes.set_xticks(range(len(tokens)), [_decode_label(token) for token in tokens], rotation=90)
    axes.set(xlabel="the token that came", ylabel="probability it was given", ylim=(0, 1.15))
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_title("blue: it was the likeliest; orange (if any): the model's own guess is written above")
    plt.show()


def layer_votes(votes, marked, figsize=(9, 3.2)):
    """What the embedding and each layer give to the answer's lead, as bars; marked: layers to show in orange."""
    _, axes = plt.subplots(figsize=figsize, layout="constrained")
    n_layers = len(votes) - 1
    colours = ["grey"] + ["C1" if layer in marked else "tab:blue" for layer in range(n_layers)]
    axes.bar(range(-1, n_layers), votes, color=colours)
    axes.axhline(0, color="black", linewidth=0.8)
    shown = range(0, n_layers, max(1, n_layers // 8))
    axes.set_xticks([-1, *shown], ["e", *map(str, shown)])
    axes.set(xlabel="layer (e: the embedding)", ylabel="vote for the lead (logits)")
    plt.show()


# ---- 13 checkpoints ----


def file_strips(strips, figsize=(9, 4.6)):
    """Files as strips of bytes, each to its own scale. strips: a dict of title to a list of (label, kind, bytes)."""
    figure, all_axes = plt.subplots(len(strips), 1, figsize=figsize, layout="constrained")
    palette = iter(["black", "0.55", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"])
    colours = {}
    for axes, (title, strip) in zip(all_axes, strips.items()):
        total = sum(n_bytes for *_, n_bytes in strip)
        start = 0
        for label, kind, n_bytes in strip:
            if n_bytes > 0.002 * total:  # else it is narrower than a dot
                colour = colours[kind] = colours.get(kind) or next(palette)
                axes.barh(
                    0,
                    n_bytes,
                    left=start,
                    color=colour,
                    edgecolor="white" if len(strip) < 20 else colour,
                    linewidth=0.8,
                )
            if n_bytes > 0.02 * total:
                middle = start + n_bytes / 2
                axes.text(middle, 0, label, ha="center", va="center", color="white", fontsize=9, fontweight="bold")
            start += n_bytes
        axes.set(xlim=(0, total), ylim=(-0.4, 0.4), yticks=[])
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_title(f"{title}: {total:,} bytes", fontsize=10, loc="left")
        for side in ("top", "left", "right"):
            axes.spines[side].set_visible(False)
    all_axes[-1].set_xlabel("bytes")
    patches = [Rectangle((0, 0), 1, 1, color=colour) for colour in colours.values()]
    figure.legend(patches, list(colours), loc="outside right upper")
    plt.show()


def scaled_wavelengths(before, after, limits, figsize=(8.5, 4.2)):
    """How many tokens a whole turn of each pair takes, before and after scaling. limits: where it begins and ends."""
    _, axes = plt.subplots(figsize=figsize, layout="constrained")
    pairs = np.arange(len(before))
    axes.semilogy(pairs, before, "o", color="tab:blue", markersize=6, label="before")
    axes.semilogy(pairs, after, "x", color="tab:orange", markersize=6, markeredgewidth=1.8, label="after")
    names = zip(limits, ("up to here: kept", "from here on: slowed"), ("top", "bottom"), (1.25, 0.8))
    for limit, name, side, shift in names:
        axes.axhline(limit, color="0.4", linestyle="--", linewidth=1)
        axes.text(0, limit / shift, f"{name} ({limit:,.0f} tokens)", color="0.25", va=side, fontsize=9)
    axes.set(xlabel="pair", ylabel="tokens for one whole turn", title="Llama 3.1's scaling, for the pairs of the 8B")
    axes.grid(color="0.9")
    axes.legend(loc="lower right")
    plt.show()


# ---- 14 bandwidth ----


def _bandwidth_size(n_bytes):
    for unit, size in [("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)]:
        if n_bytes >= size:
            return f"{n_bytes / size:g} {unit}"
    return f"{n_bytes} B"


def reading_speed(sizes, speeds, figsize=(7, 3.4)):
    """How fast blocks of different sizes are read. sizes: in bytes; speeds: in GB/s."""
    _, axes = plt.subplots(figsize=figsize, layout="constrained")
    axes.plot(sizes, speeds, "o-", color="tab:blue")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [_bandwidth_size(size) for size in sizes])
    axes.minorticks_off()
    axes.set(title="One core reads a block again and again", xlabel="size of the block", ylabel="GB/s")
    axes.set_ylim(bottom=0)
    axes.grid(color="0.9")
    plt.show()


def tile_sizes(tiles, seconds, bytes_a_row, figsize=(8, 4.2)):
    """The time of a product against the rows of a tile, with the size of the scratch array on top."""
    _, axes = plt.subplots(figsize=figsize, layout="constrained")
    axes.plot(tiles, np.array(seconds) * 1000, "o-", color="tab:blue")
    axes.set_xscale("log", base=2)
    axes.set_xticks(tiles, tiles)
    axes.set(
        xlabel="rows a tile", ylabel="milliseconds", title="One token, one core: the time against the size of a tile"
    )
    axes.set_ylim(bottom=0)
    axes.grid(color="0.9")
    top = axes.secondary_xaxis("top")
    top.set_xticks(tiles[::2], [_bandwidth_size(tile * bytes_a_row) for tile in tiles[::2]])
    top.set_xlabel("scratch array")
    for each in (axes, top):
        each.minorticks_off()
    plt.show()


def roofline(bandwidth, peak, series, figsize=(8.5, 5)):
    """What can be reached against arithmetic intensity. series: name to a list of (label, FLOP a byte, FLOP/s)."""
    _, axes = plt.subplots(figsize=figsize, layout="constrained")
    intensity = np.array([0.5, peak / bandwidth, 1000])
    axes.plot(intensity, np.minimum(peak, bandwidth * intensity) / 1e9, color="black", linewidth=2)
    axes.annotate("memory sets the pace", (0.5, 3.5 * bandwidth / 1e9), fontsize=9, ha="left", va="bottom")
    axes.annotate("the cores set the pace", (1.5 * peak / bandwidth, 1.12 * peak / 1e9), fontsize=9, va="bottom")
    looks = [("o", "tab:blue", (8, -14)), ("x", "tab:orange", (-38, -14))]
    for (name, points), (marker, colour, offset) in zip(series.items(), looks):
        labels, x, y = zip(*points)
        axes.plot(x, np.array(y) / 1e9, marker, color=colour, markersize=8, markeredgewidth=2, label=name)
        for label, *place in zip(labels, x, np.array(y) / 1e9):
            axes.annotate(f"T = {label}", place, xytext=offset, textcoords="offset points", color=colour)
    axes.set(xscale="log", yscale="log", xlabel="arithmetic intensity: FLOP a byte", ylabel="GFLOP a second")
    axes.set_title("Roofline: what this machine allows, and what was measured")
    axes.margins(y=0.15)
    axes.grid(color="0.9", which="both")
    axes.legend(loc="lower right")
    plt.show()


def tokens_a_pass(lengths, ratios, figsize=(7, 4)):
    """The time of a product over T tokens, in times of one token, beside T. lengths: the values of T."""
    _, axes = plt.subplots(figsize=figsize, layout="constrained")
    axes.plot(lengths, lengths, "--", color="0.5", label="one by one")
    axes.plot(lengths, ratios, "o-", color="tab:blue", label="together, in one pass")
    axes.set(xlabel="tokens", ylabel="time (one token = 1)", title="The time of one product")
    axes.set_xticks(lengths[::2] if len(lengths) > 12 else [n for n in lengths if n not in (2, 3, 6)])
    axes.set(xlim=(0, None), ylim=(0, min(lengths[-1], 1.9 * max(ratios))))
    axes.grid(color="0.9")
    axes.legend(loc="lower right")
    plt.show()
