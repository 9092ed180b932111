"""The chapters as they lie in the folder: run in order, linked, spelt, and true in every number of their tables.

Each rule is a function from a notebook to a list of problems, tried here on notebooks that break it.
"""

import ast
import base64
import platform
import re
import subprocess
import sys
from itertools import pairwise
from urllib.parse import unquote

import ml_dtypes
import nbformat
import numpy as np
import pytest

from llama_np import load
from llama_np.__main__ import QUESTION
from llama_np.checkpoint import TINY
from llama_np.params import read_params
from tests.equations import equation_problems
from tests.notebooks import (
    CHAPTERS,
    ROOT,
    cells,
    chapter_paths,
    code,
    output_text,
    project_files,
    read,
    sample,
    tags,
    without_code,
)
from tests.synthetic import shape_like

NAMES = ["01_bpe", "02_embeddings", "03_rmsnorm", "04_qkv", "05_rope"]
NAMES += ["06_attention", "07_multihead", "08_swiglu", "09_layers", "10_decode"]
NAMES += ["13_checkpoints", "14_bandwidth"]

every_chapter = pytest.mark.parametrize("path", chapter_paths(), ids=lambda path: path.stem)


def test_there_are_exactly_these_chapters():
    assert [path.stem for path in sorted(CHAPTERS.glob("*.ipynb"))] == NAMES


# ---- what is stored


def form_problems(notebook):
    """Run once, from top to bottom, with a kernel everyone has."""
    problems = []
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        problems.append(f"not a valid notebook: {str(error).splitlines()[0]}")
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    if kernel != "python3":
        problems.append(f"the kernel is {kernel}, not python3")
    code_cells = cells(notebook, "code")
    counts = [cell.execution_count for _, cell in code_cells]
    if counts != list(range(1, len(counts) + 1)):
        problems.append(f"the cells did not run in order: {counts}")
    for n, cell in cells(notebook, "code"):
        if not cell.source.strip():
            problems.append(f"cell {n} is empty")
        if set(cell.metadata) - {"tags"}:
            problems.append(f"cell {n} has metadata besides tags: {sorted(cell.metadata)}")
        if unknown := set(tags(cell)) - {"consolidate", "exercise", "nbval-ignore-output"}:
            problems.append(f"cell {n} has unknown tags: {sorted(unknown)}")
    return problems


@every_chapter
def test_form(path):
    assert not form_problems(read(path))


def test_form_finds():
    assert not form_problems(sample("text", code("1"), code("2", tags=["exercise"])))
    assert "[1, 3]" in form_problems(sample(code("1"), code("2", count=3)))[0]
    never_run = sample(code("1"))
    never_run.cells[0].execution_count = None
    assert "[None]" in form_problems(never_run)[0]
    assert "empty" in form_problems(sample(code(" ")))[0]
    assert "['consolidated']" in form_problems(sample(code("1", tags=["consolidated"])))[0]
    other = sample(code("1"))
    other.metadata["kernelspec"]["name"] = "mine"
    assert "mine" in form_problems(other)[0]
    timed = sample(code("1"))
    timed.cells[0].metadata["execution"] = {"iopub.execute_input": "2026-01-01"}
    assert "metadata" in form_problems(timed)[0]


ABSOLUTE = r"(?<![\w.~/:-])/(?:home|root|work|tmp|usr|opt|var|mnt|media|private|Users|Volumes|content)/|\b[A-Za-z]:\\\w"


def output_problems(notebook, machine):
    """Nothing of one machine or one moment. machine: its name."""
    prose = "\n".join(cell.source for cell in notebook.cells)
    problems = []
    for n, cell in enumerate(notebook.cells):
        if re.search(ABSOLUTE, cell.source):
            problems.append(f"cell {n}: an absolute path in the source")
        if cell.cell_type != "code":
            continue
        text = output_text(cell)
        if re.search(ABSOLUTE, text) or str(ROOT) in text:
            problems.append(f"cell {n}: an absolute path in the output")
        if any(output.output_type == "error" for output in cell.outputs):
            problems.append(f"cell {n}: an error is stored")
        if any(output.get("name") == "stderr" for output in cell.outputs):
            problems.append(f"cell {n}: something on stderr is stored")
        if found := re.search(r"Traceback|\w*Warning\b", text):
            problems.append(f"cell {n}: {found[0]} in the output")
        if found := re.search(r"\bat 0x[0-9a-fA-F]{6,}", text):
            problems.append(f"cell {n}: an address in the output: {found[0]}")
        if "nbval-ignore-output" not in tags(cell):
            problems += [f"cell {n}: so many decimals are noise: {number}" for number in noisy_numbers(text)]
        named = rf"\b{re.escape(machine)}\b"
        if re.search(named, text) and not re.search(named, prose):  # some machines are called "head"
            problems.append(f"cell {n}: this machine's name in the output")
    return problems


def noisy_numbers(text):
    """Numbers with 7 decimals or more, which differ from one processor to the next, unless bf16 holds them exactly."""
    for number in re.findall(r"\d+\.\d{7,}", text):
        exact = float(np.float32(number).astype(ml_dtypes.bfloat16))
        if abs(float(number) - exact) > 0.5 * 10.0 ** -len(number.partition(".")[2]):
            yield number


@every_chapter
def test_outputs(path):
    assert not output_problems(read(path), platform.node())


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("/home/ada/data", "absolute path"),
        ("see C:\\Users", "absolute path"),
        (str(CHAPTERS), "absolute path"),
        ("DeprecationWarning: soon", "Warning"),
        ("Traceback (most recent call last)", "Traceback"),
        ("made on box-7", "machine's name"),
        ("<function f at 0x7f12345678>", "address"),
        ("0.0883883", "decimals"),
    ],
)
def test_outputs_finds(output, problem):
    assert problem in output_problems(sample(code("1", output)), "box-7")[0]


def test_outputs_finds_errors_and_stderr():
    fine = sample(
        "Folders such as data/tiny/ or ../data and https://x.org/home/", code("1", "0.1234, 1/2, 0.10009765625, a/tmp")
    )
    assert not output_problems(fine, "box-7")
    assert "source" in output_problems(sample(code("open('/tmp/x')")), "box-7")[0]
    stderr = sample(code("1", "hm"))
    stderr.cells[0].outputs[0].name = "stderr"
    assert "stderr" in output_problems(stderr, "box-7")[0]
    failed = sample(code("1"))
    failed.cells[0].outputs = [nbformat.v4.new_output("error", ename="E", evalue="e", traceback=["E"])]
    assert "error" in output_problems(failed, "box-7")[0]


# ---- what is written in the code cells


# A number of one model or one prompt that a chapter may write all the same, and why.
ALLOWED_NUMBERS = {
    "01_bpe": {17: "one of the merges whose token is printed"},
    "02_embeddings": {128: "bf16 has 7 bits of fraction"},
}
N_TOKENS = 17
NUMBERS_OF_ONE_MODEL = {N_TOKENS, 32, 128, 4096, 14336, 128256}
LONGEST_CELL = 25


def code_problems(notebook, allowed=()):
    """Short cells, no numbers of one model, nothing imported but what the course runs on, the prompt as it is."""
    problems = []
    for n, cell in cells(notebook, "code"):
        if len(cell.source.splitlines()) > LONGEST_CELL:
            problems.append(f"cell {n} has {len(cell.source.splitlines())} lines")
        try:
            tree = ast.parse(cell.source)
        except SyntaxError as error:
            problems.append(f"cell {n} is not plain Python: {error}")
            continue
        constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        numbers = {value for value in constants if type(value) is int} & NUMBERS_OF_ONE_MODEL - set(allowed)
        if "8b" in cell.source.lower():
            numbers &= {N_TOKENS}  # the 8B's sizes, said to be that
        if numbers and not {"exercise", "consolidate"} & set(tags(cell)):
            problems.append(f"cell {n} has {sorted(numbers)}: take it from params or the data")
        for value in constants:
            if isinstance(value, str) and value.startswith(QUESTION[:28]) and value != QUESTION:
                problems.append(f"cell {n}: not the one prompt: {value}")
        problems += [f"cell {n} imports {name}" for name in sorted(imported(tree) - COURSE_MODULES)]
    return problems


COURSE_MODULES = set(sys.stdlib_module_names) | {"numpy", "matplotlib", "ml_dtypes", "safetensors", "tiktoken"}
COURSE_MODULES |= {"regex", "tqdm", "psutil", "IPython", "PIL", "llama_np", "checks", "figures"}


def imported(tree):
    """The top-level names of the modules a tree imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@every_chapter
def test_code(path):
    assert not code_problems(read(path), ALLOWED_NUMBERS.get(path.stem, ()))


def test_code_finds():
    assert not code_problems(
        sample(code("x = 16 + 1\n" * 25), code("import numpy as np"), code("17", tags=["exercise"]))
    )
    assert "26 lines" in code_problems(sample(code("x = 1\n" * 26)))[0]
    assert "[17]" in code_problems(sample(code("x = y[:17]")))[0]
    assert not code_problems(sample(code("x = y[:17]")), allowed=[17])
    assert "[32, 4096]" in code_problems(sample(code("x.reshape(32, 4096)")))[0]
    assert not code_problems(sample(code("llama_3_8b = Params(dim=4096, n_layers=32)")))
    assert "[17]" in code_problems(sample(code("dim = 4096  # the 8B's\nx = y[:17]")))[0]
    assert "imports torch" in code_problems(sample(code("import torch.nn as nn")))[0]
    assert "imports transformers" in code_problems(sample(code("def f():\n    from transformers import x")))[0]
    assert "plain Python" in code_problems(sample(code("%timeit x")))[0]
    assert "prompt" in code_problems(sample(code(f"prompt = {QUESTION.strip()!r}")))[0]
    assert not code_problems(sample(code(f"prompt = {QUESTION!r}")))


def legend_problems(source):
    """matplotlib looks for the best place of a legend, and warns in the notebook where that takes it a second."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    calls = [call for call in calls if getattr(call.func, "attr", "") == "legend"]
    return [ast.unparse(call) for call in calls if "loc" not in {keyword.arg for keyword in call.keywords}]


def test_legends_have_their_place():
    assert legend_problems("axes.legend(fontsize=8)") == ["axes.legend(fontsize=8)"]
    assert not legend_problems("axes.legend(loc='upper right')")
    sources = [path.read_text(encoding="utf-8") for path in CHAPTERS.glob("*.py")]
    sources += [cell.source for path in chapter_paths() for _, cell in cells(read(path), "code")]
    assert not [problem for source in sources for problem in legend_problems(source)]


def test_checks_and_figures_import_nothing_else():
    for path in CHAPTERS.glob("*.py"):
        assert not imported(ast.parse(path.read_text(encoding="utf-8"))) - COURSE_MODULES, path.name


# ---- the shape of a chapter


HEADINGS = ["The question", "By hand", "On the checkpoint", "A picture", "Break it", "Check"]
HEADINGS += ["What goes into llama_np", "Exercises", "What you now know"]


def heading_problems(notebook, name):
    """The parts that every chapter has, by which chapters/README.md plans a lesson."""
    texts = [without_code(cell.source) for _, cell in cells(notebook, "markdown")]
    headings = [line for text in texts for line in text.splitlines() if re.match(r"#+ ", line)]
    problems = []
    if not headings or not headings[0].startswith(f"# {name[:2]} "):
        problems.append(f'the first heading is not "# {name[:2]} …"')
    if sum(line.startswith("# ") for line in headings) != 1:
        problems.append("there is more than one title")
    parts = [line.removeprefix("## ").partition(":")[0] for line in headings if line.startswith("## ")]
    parts = [part for part in parts if part in HEADINGS]
    if parts != HEADINGS:
        problems.append(f"the parts are {parts}, not {HEADINGS}")
    if len(set(headings)) != len(headings):
        problems.append("two headings are the same, so a link finds only the first")
    levels = [heading.index(" ") for heading in headings]
    problems += [
        f"{heading}: a level is left out above" for (a, b), heading in zip(pairwise(levels), headings[1:]) if b > a + 1
    ]
    if not any("image/png" in output.get("data", {}) for _, cell in cells(notebook, "code") for output in cell.outputs):
        problems.append("there is no picture")
    return problems


@every_chapter
def test_headings(path):
    assert not heading_problems(read(path), path.stem)


def pictured(*parts):
    notebook = sample(*parts, code("draw()"))
    notebook.cells[-1].outputs = [nbformat.v4.new_output("display_data", {"image/png": "", "text/plain": "<Figure>"})]
    return notebook


def test_headings_finds():
    parts = [f"## {heading}" for heading in HEADINGS]
    assert not heading_problems(pictured("# 05 Rope", *parts), "05_rope")
    assert "picture" in heading_problems(sample("# 05 Rope", *parts), "05_rope")[0]
    assert "first heading" in heading_problems(pictured("# Rope", *parts), "05_rope")[0]
    assert "more than one" in heading_problems(pictured("# 05 Rope", *parts, "# 06 X"), "05_rope")[0]
    assert "the parts are" in heading_problems(pictured("# 05 Rope", *parts[1:]), "05_rope")[0]
    assert "the parts are" in heading_problems(pictured("# 05 Rope", *reversed(parts)), "05_rope")[0]
    assert "same" in heading_problems(pictured("# 05 Rope", *parts, "### A", "### A"), "05_rope")[0]
    assert "left out" in heading_problems(pictured("# 05 Rope", "### A", *parts), "05_rope")[0]


# ---- links


def link_targets(text):
    """What the links and pictures of a Markdown text point to."""
    text = without_code(text)
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)", text)
    targets += re.findall(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)", text, flags=re.MULTILINE)
    return targets + re.findall(r"<(?:img|a)\b[^>]*?\b(?:src|href)=[\"']([^\"']+)", text)


def anchors(path):
    """The places in a notebook or a Markdown file that a link can name after #."""
    if path.suffix == ".ipynb":
        texts = [cell.source for _, cell in cells(read(path), "markdown")]
        return {title.replace(" ", "-") for text in texts for title in titles(text)}
    slugs = (re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles(path.read_text("utf-8")))
    return set(slugs)


def titles(text):
    return [
        re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line.lstrip("#")).replace("`", "").replace("*", "").strip()
        for line, bare in zip(text.splitlines(), without_code(text).splitlines())
        if re.match(r"#+ ", bare)
    ]


def link_problems(text, path):
    """Links that lead nowhere. path: the file that the text stands in."""
    problems = []
    for target in link_targets(text):
        if re.match(r"https?://|mailto:", target):
            continue
        place, _, anchor = unquote(target).partition("#")
        goal = (path.parent / place).resolve() if place else path
        if place.startswith("/") or not goal.is_relative_to(ROOT.resolve()):
            problems.append(f"{target} leaves the project")
        elif not exists_exactly(goal):
            problems.append(f"{target} does not exist")
        elif anchor and anchor not in anchors(goal):
            problems.append(f"{target}: no such heading there")
    return problems


def exists_exactly(path):
    """Whether a file exists, with capitals as they are written, also where the file system does not care."""
    return path.exists() and path.name in [entry.name for entry in path.parent.iterdir()]


@every_chapter
def test_links(path):
    problems = [problem for _, cell in cells(read(path), "markdown") for problem in link_problems(cell.source, path)]
    assert not problems


@every_chapter
def test_neighbours_are_linked(path):
    targets = {t for _, cell in cells(read(path), "markdown") for t in link_targets(cell.source)}
    place = NAMES.index(path.stem)
    assert {f"{name}.ipynb" for name in NAMES[max(0, place - 1) : place + 2]} - {path.name} <= targets


@pytest.mark.parametrize("path", project_files(".md"), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_markdown_files(path):
    text = path.read_text(encoding="utf-8")
    assert not link_problems(text, path)
    assert not equation_problems(text)
    assert not table_problems(text)


@pytest.mark.parametrize("path", sorted((CHAPTERS / "pictures").glob("*.png")), ids=lambda path: path.name)
def test_pictures_outside_are_those_in_the_chapters(path):
    """The README shows pictures from chapters: each must be, byte for byte, what a chapter stores now."""
    outputs = [o for name in NAMES for _, cell in cells(read(CHAPTERS / f"{name}.ipynb"), "code") for o in cell.outputs]
    stored = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert path.read_bytes() in map(base64.b64decode, stored)


def test_links_finds(tmp_path):
    here = CHAPTERS / "01_x.ipynb"
    good = "[a](../llama_np/rope.py) ![b](../README.md#the-map) <a href='../LICENSE'>c</a> [d](https://x.org/y)"
    assert not link_problems(good + " `[e](nowhere)`\n```\n[f](nowhere)\n```", here)
    assert link_problems("[a](../llama_np/rope.txt)", here) == ["../llama_np/rope.txt does not exist"]
    assert "does not exist" in link_problems("![a](../readme.md)", here)[0]
    assert "does not exist" in link_problems('<img src="x.png">', here)[0]
    assert "does not exist" in link_problems("[a][b]\n\n[b]: x.png", here)[0]
    assert "no such heading" in link_problems("[a](../README.md#the-mop)", here)[0]
    assert "leaves" in link_problems("[a](../../shared/DESIGN.md)", here)[0]
    assert "leaves" in link_problems("[a](/etc/passwd)", here)[0]
    nbformat.write(sample("## By hand: `x`"), tmp_path / "02_y.ipynb")
    assert anchors(tmp_path / "02_y.ipynb") == {"By-hand:-x"}


# ---- spelling


def spelling_problems(files):
    command = [sys.executable, "-m", "codespell_lib", *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8").stdout.splitlines()


def test_spelling(tmp_path):
    """Notebooks give their text and code; a line of the message is the cell's number times 1000 and its line."""
    for path in chapter_paths():
        lines = []
        for n, cell in enumerate(read(path).cells):
            lines += [""] * (1000 * n - len(lines)) + cell.source.splitlines()
        (tmp_path / f"{path.stem}.md").write_text("\n".join(lines), encoding="utf-8")
    files = [*tmp_path.iterdir(), *project_files(".md"), *CHAPTERS.glob("*.py")]
    assert not spelling_problems(files)


def test_spelling_finds(tmp_path):
    (tmp_path / "a.md").write_text("This is teh text.\nColours and labels are honoured.", encoding="utf-8")
    assert ["teh ==> the" in line for line in spelling_problems([tmp_path / "a.md"])] == [True]


# ---- equations


@every_chapter
def test_equations(path):
    for n, cell in cells(read(path), "markdown"):
        assert not equation_problems(cell.source), f"cell {n}"


@pytest.mark.parametrize(
    "text",
    [
        "Let $x_i$ be, with $\\frac{a}{\\sqrt{d}}$, $[T, D]$ and `$x` or \\$5.",
        "so\n\n$$\n\\text{rms}(x) = \\sqrt{\\frac{1}{D}\\sum_{i=1}^{D} x_i^2} \\;,\\\\ x\n$$\n\nthen",
        "$$\n\\begin{bmatrix} a & b \\\\ c & d \\end{bmatrix}\n$$",
        "$\\left(a + b\\right)$-like, ($n$) and | $m - n$ |",
        "```\n$ pip install x\n$$\n```",
    ],
)
def test_equations_pass(text):
    assert not equation_problems(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("$\\operatorname{softmax}(x)$", "operatorname"),
        ("$$\n\\newcommand{\\x}{y}\n$$", "newcommand"),
        ("$$ x $$", "line to itself"),
        ("so $$\nx\n$$", "line to itself"),
        ("$$\nx\n", "never closed"),
        ("$$\nx\n\ny\n$$", "something else"),
        ("$$\nx\n= \n$$", "something else"),
        ("it costs $5", "lone $"),
        ("from $5 to $7", "blank"),
        ("a$x$ is", "letter or digit"),
        ("$x$s are", "letter or digit"),
        ("$ x $", "blank"),
        ("$\\{a\\}$", "backslash"),
        ("$\\frac{a}{b$", "braces"),
        ("$}a{$", "braces"),
        ("$\\left( a$", "\\right"),
        ("$$\n\\begin{cases} a\n$$", "\\end"),
        ("$$\n\\begin{align} a \\end{align}\n$$", "environment align"),
        ("$a <b$", "HTML"),
        ("$[a](b)$", "link"),
        ("$a & b$", "outside"),
        ("$50 % x$", "something else"),
    ],
)
def test_equations_finds(text, problem):
    assert any(problem in found for found in equation_problems(text)), equation_problems(text)


# ---- tables


def tables(text):
    """The tables of a Markdown text: each a list of rows, each a list of its cells."""
    found, rows = [], []
    fenced = False
    for line in [*text.splitlines(), ""]:
        fenced ^= line.lstrip().startswith("```")
        if line.strip().startswith("|") and not fenced:
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
            if line.strip().startswith("||"):
                rows[-1].insert(0, "")
        elif rows:
            found.append(rows)
            rows = []
    return found


def table_problems(text):
    """Rows with more or fewer cells than their heading are not shown as written."""
    problems = []
    for header, *rows in tables(text):
        if not rows or not all(re.fullmatch(":?-+:?", cell) for cell in rows[0]):
            problems.append(f"no line of dashes below | {' | '.join(header)} |")
        problems += [f"{len(row)} cells, not {len(header)}: {row}" for row in rows if len(row) != len(header)]
    return problems


SHAPES = ["as a formula", "data/tiny", "Llama 3 8B"]  # the heading, after one for what the rows are


def sizes(params):
    """The names a formula may use. T is the number of tokens of the question."""
    n_tokens = len(load(TINY).tokenizer.encode(QUESTION, bos=True))
    names = ("dim", "n_layers", "n_heads", "n_kv_heads", "head_dim", "ffn_dim", "vocab_size")
    return {"T": n_tokens, **{name: getattr(params, name) for name in names}}


@pytest.fixture(scope="module")
def both_sizes():
    return sizes(read_params(TINY / "params.json")), sizes(shape_like("8b"))


def written(value, cell):
    """A value as a table writes it: [17, 128], 8,030,261,248, or a fraction with as many decimals as the cell."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(str(v) for v in value)}]"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.{len(cell.partition('.')[2])}f}"


def shape_table_problems(text, both):
    """Tables of shapes whose cells are not what their formula gives."""
    problems = []
    for header, _, *rows in (table for table in tables(text) if len(table) > 1):
        header = [cell.replace("`", "").replace("*", "") for cell in header]
        if header[1:] != SHAPES:
            if "as a formula" in header or ("data/tiny" in header and any("8B" in cell for cell in header)):
                problems.append(f"a table of shapes has the heading | | {' | '.join(SHAPES)} |, not {header}")
            continue
        for name, formula, *values in rows:
            for names, value in zip(both, values, strict=True):
                value = value.replace("`", "")
                try:
                    right = written(eval(formula.strip("`"), {"__builtins__": {}}, dict(names)), value)
                except Exception as error:
                    right = f"no value: {error!r}"
                if value != right or not re.fullmatch("`[^`]+`", formula):
                    problems.append(f"{name}: {formula} is {right}, not {value}")
    return problems


def n_shape_tables(text):
    return sum(header[1:] == SHAPES for header, *_ in tables(text.replace("`", "")))


@every_chapter
def test_tables(path, both_sizes):
    texts = [cell.source for _, cell in cells(read(path), "markdown")]
    assert not [problem for text in texts for problem in table_problems(text)]
    assert not [problem for text in texts for problem in shape_table_problems(text, both_sizes)]
    assert any(n_shape_tables(text) for text in texts), "no table of shapes"


def test_the_sizes_of_the_tables(both_sizes):
    tiny, large = both_sizes
    assert tiny == dict(T=17, dim=128, n_layers=32, n_heads=8, n_kv_heads=2, head_dim=16, ffn_dim=192, vocab_size=1024)
    eight = dict(T=17, dim=4096, n_layers=32, n_heads=32, n_kv_heads=8, head_dim=128, ffn_dim=14336, vocab_size=128256)
    assert large == eight


def test_tables_finds(both_sizes):
    def problems(row):
        head = "| | as a formula | data/tiny | Llama 3 8B |\n| --- | --- | --- | --- |\n"
        assert n_shape_tables(head + row) == 1
        return table_problems(head + row) + shape_table_problems(head + row, both_sizes)

    assert not problems("| `q` | `[T, n_heads * head_dim]` | [17, 128] | [17, 4096] |")
    assert not problems("| all of `wq` | `n_layers * dim * dim` | 524,288 | 536,870,912 |")
    assert not problems("| scale | `head_dim ** -0.5` | 0.25 | 0.088 |")
    assert "[17, 128]" in problems("| `q` | `[T, n_heads * head_dim]` | [16, 128] | [17, 4096] |")[0]
    assert "4,096" in problems("| `q` | `dim` | 128 | 4096 |")[0]
    assert "0.088" in problems("| scale | `head_dim ** -0.5` | 0.25 | 0.089 |")[0]
    assert "NameError" in problems("| `q` | `width` | 128 | 4,096 |")[0]
    assert "not 128" in problems("| `q` | dim | 128 | 4,096 |")[0]
    assert "3 cells" in table_problems("| a | b | c | d |\n| - | - | - | - |\n| 1 | 2 | 3 |")[0]
    assert "dashes" in table_problems("| a | b |\n| 1 | 2 |")[0]
    assert "heading" in shape_table_problems("| | as a formula | here | 8B |\n| - | - | - | - |", both_sizes)[0]


# ---- the way through the course


def question_of(notebook):
    """The question that a chapter answers, in bold under its heading. Raises ValueError unless there is one."""
    text = "\n\n".join(re.sub("^> ?", "", cell.source, flags=re.M) for _, cell in cells(notebook, "markdown"))
    section = re.search(r"^## The question\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    bold = re.findall(r"\*\*([^*]+\?)\*\*", section[1] if section else "")
    if len(bold) != 1:
        raise ValueError(f"{len(bold)} questions in bold under The question")
    return " ".join(bold[0].split())


def test_the_readme_lists_every_chapter_with_its_question():
    rows = {row[0]: row for table in tables((CHAPTERS / "README.md").read_text(encoding="utf-8")) for row in table}
    for path in chapter_paths():
        link = f"[{path.stem}]({path.name})"
        assert link in rows, link
        assert question_of(read(path)) in rows[link], path.stem


def test_question_of_finds():
    asked = "# 01 A\n\n## The question\n\nIt is **odd**.\n\n**How\nso?**"
    assert question_of(sample(asked, "## B\n\n**Why?**")) == "How so?"
    with pytest.raises(ValueError, match="0 questions"):
        question_of(sample(asked.replace("so?", "so."), "## B\n\n**Why?**"))
