"""What a chapter builds is what llama_np holds: tagged cells and the module, compared as syntax trees both ways."""

import ast

import pytest

from tests.notebooks import ROOT, cells, chapter_paths, code, read, sample


def module_of(path):
    """The syntax tree of the module that a chapter builds: 05_rope.ipynb builds rope.py."""
    return ast.parse((ROOT / "llama_np" / f"{path.stem[3:]}.py").read_text(encoding="utf-8"))


def definitions(body):
    """What statements define: a dict of name to its statements, dumped. A constant may take several (X = …; X += …).

    Returns it with a list of the statements that define nothing, imports left out.
    """
    found, others = {}, []
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            name = statement.name
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            name = getattr(statement.targets[0], "id", "")
        elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
            name = getattr(statement.target, "id", "")
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        else:
            name = ""
        if not name or not (name.isupper() or isinstance(statement, ast.FunctionDef | ast.ClassDef)):
            others.append(ast.unparse(statement))
        else:
            found.setdefault(name, []).append(ast.dump(statement))
    return found, others


def imports(body):
    """What statements import: a set of (module, name, as)."""
    found = set()
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            module = getattr(statement, "module", None)
            found |= {(module, alias.name, alias.asname) for alias in statement.names}
    return found


def consolidation_problems(notebook, module):
    """Where the tagged cells and the module (a syntax tree) differ."""
    in_module, _ = definitions(module.body)
    places, problems = {}, []
    for n, cell in cells(notebook, "code", tag="consolidate"):
        body = ast.parse(cell.source).body
        in_cell, others = definitions(body)
        problems += [f"cell {n} does more than define: {other.splitlines()[0]}" for other in others]
        for module_name, name, _ in sorted(imports(body) - imports(module.body), key=str):
            problems.append(f"cell {n} imports what the module does not: {module_name or ''} {name}")
        for name, statements in in_cell.items():
            places.setdefault(name, []).append(n)
            if name not in in_module:
                problems.append(f"cell {n} defines {name}, which the module does not")
            elif statements != in_module[name]:
                problems.append(f"cell {n} defines {name} unlike the module")
    asserted = asserted_constants(notebook)
    for name in in_module:
        times = len(places.get(name, []))
        if times > 1 or (times == 0 and not name.startswith("_") and name not in asserted):
            problems.append(f"{name} stands in {times} tagged cells")
    return problems


def asserted_constants(notebook):
    """Constants that a chapter makes in its own way and then holds against the module: assert X == module.X."""
    found = set()
    for _, cell in cells(notebook, "code"):
        for statement in ast.parse(cell.source).body:
            test = getattr(statement, "test", None) if isinstance(statement, ast.Assert) else None
            if isinstance(test, ast.Compare) and [type(op) for op in test.ops] == [ast.Eq]:
                left, right = getattr(test.left, "id", ""), getattr(test.comparators[0], "attr", None)
                found |= {left} if left == right and left.isupper() else set()
    return found


@pytest.mark.parametrize("path", chapter_paths(), ids=lambda path: path.stem)
def test_consolidation(path):
    assert not consolidation_problems(read(path), module_of(path))


def pasted_problems(notebook, earlier):
    """Functions that an earlier chapter built and this one defines again. earlier: name to its statements, dumped."""
    problems = []
    for n, cell in cells(notebook, "code"):
        again = {
            name for name, dumped in definitions(ast.parse(cell.source).body)[0].items() if earlier.get(name) == dumped
        }
        problems += [f"cell {n} pastes {name}; import it" for name in sorted(again)]
    return problems


@pytest.mark.parametrize("path", chapter_paths(), ids=lambda path: path.stem)
def test_nothing_is_pasted_again(path):
    before = [other for other in chapter_paths() if other < path]
    earlier = {name: dumped for other in before for name, dumped in definitions(module_of(other).body)[0].items()}
    assert not pasted_problems(read(path), earlier)


# ---- the rules tried on samples

MODULE = '''"""Header."""
import numpy as np
PATTERN = r"a"
PATTERN += r"b"  # a comment
_HIDDEN = 3

def double(x):
    """Twice x."""
    return 2 * _same(x)  # as in the chapter

def _same(x):
    return x
'''
CONSTANT = 'PATTERN = r"a"\nPATTERN += "b"'
DOUBLE = 'import numpy as np\n\ndef double(x):\n    """Twice x."""\n    return 2 * _same(x)'
SAME = "def _same(x):\n    return x"


def problems(*sources, untagged="x = double(1)"):
    tagged = [code(source, tags=["consolidate"]) for source in sources]
    return consolidation_problems(sample(*tagged, code(untagged)), ast.parse(MODULE))


def test_what_agrees_passes():
    assert problems(CONSTANT, DOUBLE, SAME) == []
    assert problems(f"{SAME}\n\n{DOUBLE}\n\n{CONSTANT}") == []


def test_a_constant_may_be_asserted_instead():
    assert problems(DOUBLE, untagged="assert PATTERN == module.PATTERN") == []
    assert problems(CONSTANT, untagged="assert double == module.double") == ["double stands in 0 tagged cells"]
    for other in ("PATTERN == module.OTHER", "PATTERN != module.PATTERN", "PATTERN"):
        assert problems(DOUBLE, untagged=f"assert {other}") == ["PATTERN stands in 0 tagged cells"]


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        ([CONSTANT], "double stands in 0 tagged cells"),
        ([DOUBLE], "PATTERN stands in 0 tagged cells"),
        ([CONSTANT, DOUBLE, DOUBLE], "double stands in 2 tagged cells"),
        ([CONSTANT, DOUBLE, SAME, SAME], "_same stands in 2 tagged cells"),
        ([CONSTANT, DOUBLE.replace("2 *", "3 *")], "defines double unlike"),
        ([CONSTANT, DOUBLE.replace("Twice", "Two times")], "defines double unlike"),
        ([CONSTANT.splitlines()[0], DOUBLE], "defines PATTERN unlike"),
        ([CONSTANT, DOUBLE, "def triple(x):\n    return 3 * x"], "defines triple, which"),
        ([CONSTANT, DOUBLE + "\n\nassert double(1)"], "does more than define: assert"),
        ([CONSTANT, DOUBLE + "\n\nx = double(1)"], "does more than define: x ="),
        ([CONSTANT, DOUBLE + "\n\nimport math"], "imports what the module does not:  math"),
        ([CONSTANT, DOUBLE, "from llama_np.rope import apply_rotary_emb"], "llama_np.rope apply_rotary_emb"),
    ],
)
def test_what_differs_is_found(sources, problem):
    assert [problem in found for found in problems(*sources)] == [True]


def test_a_function_pasted_again_is_found():
    earlier = definitions(ast.parse(MODULE).body)[0]
    assert pasted_problems(sample(code(SAME)), earlier) == ["cell 0 pastes _same; import it"]
    assert not pasted_problems(sample(code("def double(x):\n    return x + x")), earlier)
