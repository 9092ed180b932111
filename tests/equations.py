"""Which equations are shown as written, both in JupyterLab and on GitHub: a formula may use what is listed here.

GitHub refuses some macros (\\operatorname, \\newcommand), takes a dollar beside a letter or a digit for money, and
reads a formula as Markdown before it reads it as mathematics, so that \\{ loses its backslash inside a line.
"""

import re

from tests.notebooks import without_code

_GREEK = """alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
    upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"""
_MACROS = """frac sqrt sum prod max min exp log ln sin cos tan tanh arg lim infty partial nabla
    text textbf mathbf mathrm mathit mathsf mathtt mathbb mathcal hat bar tilde vec overline underline
    overbrace underbrace cdot times div pm circ odot oplus star ast top mid
    le leq ge geq ne neq lt gt approx equiv sim propto in notin subset to rightarrow leftarrow Rightarrow mapsto
    forall exists ldots cdots vdots ddots dots left right big Big bigl bigr Bigl Bigr langle rangle lfloor rfloor
    lceil rceil lVert rVert lvert rvert Vert vert quad qquad begin end mathop limits
    thinspace displaystyle"""
MACROS = set(_GREEK.split()) | set(_MACROS.split())
ENVIRONMENTS = {"aligned", "cases", "matrix", "bmatrix", "pmatrix", "vmatrix", "array"}
SIGNS_IN_BLOCKS = set(",;:!\\{}| \n")  # what may follow a backslash between lines of $$


def equation_problems(text):
    """What is wrong with the formulas of a Markdown text: a list of messages."""
    blocks, rest, problems = _take_blocks(without_code(text))
    for block in blocks:
        problems += _formula_problems(block, in_line=False)
    for paragraph in re.split(r"\n\s*\n", rest):
        problems += _line_problems(paragraph)
    return problems


def _take_blocks(text):
    """Cut out what stands between lines of $$. Returns the blocks, the text without them, and problems."""
    blocks, rest, problems, block = [], [], [], None
    for line in text.split("\n"):
        if line.strip() == "$$":
            if block is None:
                block = []
            else:
                blocks.append("\n".join(block))
                block = None
                rest.append("")
        elif "$$" in line:
            problems.append(f"$$ must have its line to itself: {line}")
        elif block is not None:
            block.append(line)
        else:
            rest.append(line)
    if block is not None:
        problems.append("a $$ is never closed")
    return blocks, "\n".join(rest), problems


def _line_problems(paragraph):
    paragraph = paragraph.replace(r"\$", "  ")
    parts = paragraph.split("$")
    if len(parts) % 2 == 0:
        return [f"a lone $ (money is written \\$): {paragraph.strip()[:80]}"]
    problems = []
    for before, formula, after in zip(parts[:-2:2], parts[1::2], parts[2::2], strict=True):
        if not formula or formula != formula.strip():
            problems.append(f"a formula begins and ends without a blank: ${formula}$")
        if before[-1:].isalnum() or after[:1].isalnum():
            problems.append(f"no letter or digit may touch the dollars: {before[-5:]}${formula}${after[:5]}")
        problems += _formula_problems(formula, in_line=True)
    return problems


def _formula_problems(formula, in_line):
    problems = []
    for name in re.findall(r"\\([A-Za-z]+|.|\n)", formula):
        if len(name) > 1 or name.isalpha():
            if name not in MACROS:
                problems.append(f"\\{name} is not among the macros known to work")
        elif in_line or name not in SIGNS_IN_BLOCKS:
            problems.append(f"\\{name} loses its backslash")
    plain = re.sub(r"\\[^A-Za-z]", "", formula)
    depth = 0
    for sign in plain:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            break
    if depth:
        problems.append("the braces do not match")
    if len(re.findall(r"\\left(?![a-z])", plain)) != len(re.findall(r"\\right(?![a-z])", plain)):
        problems.append("every \\left needs its \\right")
    begun = re.findall(r"\\begin\{(\w+\*?)\}", plain)
    if sorted(begun) != sorted(re.findall(r"\\end\{(\w+\*?)\}", plain)):
        problems.append("every \\begin needs its \\end")
    problems += [f"the environment {name} is not among those known to work" for name in set(begun) - ENVIRONMENTS]
    if re.search(r"<\S", plain):
        problems.append("< with something right after it may be read as HTML: put blanks around it, or \\lt")
    if "](" in plain:
        problems.append("]( is read as a link")
    if re.search(r"[%#]", plain):
        problems.append("% and # mean something else in a formula")
    if "&" in plain and not begun:
        problems.append("& outside an environment")
    for line in plain.split("\n"):
        if not in_line and (not line.strip() or re.match(r"\s*([#>]|[-+*] |=+\s*$|-+\s*$)", line)):
            problems.append(f"Markdown takes this line for something else: {line!r}")
    return [f"{problem}: {formula.strip()}" for problem in problems]
