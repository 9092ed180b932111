"""What a chapter builds is what llama_np holds: tagged cells and the module, compared as syntax trees both ways."""

import ast
import sys
from pathlib import Path

import pytest

from tests.notebooks import ROOT, cells, chapter_paths, code, read, sample

WHOLE = None

# What chapters build that is not the module they are named after, as 05_rope builds rope.py: of each module the whole,
# or what is named here, private or not. What is named belongs to that chapter alone, and not to the module's own.
MACHINE = "_Storage _Tensor _STAND_INS _stand_in _fill _LITERALS _PUSHES _MAKES _TO_MARK _pop _run"
BUILDS = {
    "13_checkpoints": {
        "checkpoint": ["_DTYPES", "_map_tensor", "map_safetensors"],
        "hugging_face": ["_NAMES", "name_in_file"],
        "pth": MACHINE.split(),
        "rope": ["scale_freqs"],
    },
    "14_bandwidth": {"linear": WHOLE},
}


def module_of(path):
    """The syntax tree of what a chapter builds: its module, or what BUILDS says, with the imports of these modules."""
    body = []
    for module, names in BUILDS.get(path.stem, {path.stem[3:]: WHOLE}).items():
        statements = syntax_tree(module).body
        if names is WHOLE:
            elsewhere = {name for chapter, built in BUILDS.items() for name in built.get(module) or []}
            body += [node for node in statements if name_of(node) not in elsewhere]
        else:
            missing = set(names) - {name_of(node) for node in statements}
            assert not missing, f"{module}.py does not define {sorted(missing)}"
            body += [node for node in statements if name_of(node) in names or is_import(node)]
    return ast.Module(body, [])


def named(path):
    """What BUILDS names for a chapter: each must stand in a tagged cell, also if it is private."""
    return [name for names in BUILDS.get(path.stem, {}).values() for name in names or []]


def syntax_tree(module):
    return ast.parse((ROOT / "llama_np" / f"{module}.py").read_text(encoding="utf-8"))


def name_of(statement):
    """What a statement defines: a function, a class, a constant or a named tuple. "" for anything else."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return statement.name
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        target = statement.target
    else:
        return ""
    name, value = getattr(target, "id", ""), statement.value
    is_class = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "namedtuple"
    return name if name.isupper() or is_class else ""


def is_import(statement):
    return isinstance(statement, ast.Import | ast.ImportFrom)


def definitions(body):
    """What statements define: a dict of name to its statements, dumped. A constant may take several (X = …; X += …).

    Returns it with a list of the statements that define nothing, imports left out.
    """
    found, others = {}, []
    for statement in body:
        if name := name_of(statement):
            found.setdefault(name, []).append(ast.dump(statement))
        elif not is_import(statement):
            others.append(ast.unparse(statement))
    return found, others


def imports(body):
    """What statements import: a set of (module, name, as)."""
    found = set()
    for statement in body:
        if is_import(statement):
            module = getattr(statement, "module", None)
            found |= {(module, alias.name, alias.asname) for alias in statement.names}
    return found


def consolidation_problems(notebook, module, named=()):
    """Where the tagged cells and the module (a syntax tree) differ. named: what must be there though it is private."""
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
        is_needed = name in named or (not name.startswith("_") and name not in asserted)
        if times > 1 or (times == 0 and is_needed):
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
    assert not consolidation_problems(read(path), module_of(path), named(path))


def test_what_is_built_elsewhere_moves_from_one_chapter_to_the_other(monkeypatch):
    rope, other = Path("05_rope.ipynb"), Path("02_embeddings.ipynb")
    assert "scale_freqs" not in definitions(module_of(rope).body)[0]
    builds = {"02_embeddings": {"embeddings": WHOLE, "rope": ["scale_freqs"]}}
    monkeypatch.setattr(sys.modules[__name__], "BUILDS", builds)
    assert list(definitions(module_of(other).body)[0]) == ["embed", "scale_freqs"]
    assert named(other) == ["scale_freqs"] and not named(rope)
    monkeypatch.setattr(sys.modules[__name__], "BUILDS", {})
    assert "scale_freqs" in definitions(module_of(rope).body)[0]
    monkeypatch.setattr(sys.modules[__name__], "BUILDS", {"02_embeddings": {"rope": ["scale"]}})
    with pytest.raises(AssertionError, match="does not define"):
        module_of(other)


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


def problems(*sources, untagged="x = double(1)", named=()):
    tagged = [code(source, tags=["consolidate"]) for source in sources]
    return consolidation_problems(sample(*tagged, code(untagged)), ast.parse(MODULE), named)


def test_what_agrees_passes():
    assert problems(CONSTANT, DOUBLE, SAME) == []
    assert problems(f"{SAME}\n\n{DOUBLE}\n\n{CONSTANT}") == []


def test_a_constant_may_be_asserted_instead():
    assert problems(DOUBLE, untagged="assert PATTERN == module.PATTERN") == []
    assert problems(CONSTANT, untagged="assert double == module.double") == ["double stands in 0 tagged cells"]
    for other in ("PATTERN == module.OTHER", "PATTERN != module.PATTERN", "PATTERN"):
        assert problems(DOUBLE, untagged=f"assert {other}") == ["PATTERN stands in 0 tagged cells"]


def test_what_is_named_must_be_there():
    assert problems(CONSTANT, DOUBLE, named=["_same"]) == ["_same stands in 0 tagged cells"]
    assert problems(CONSTANT, DOUBLE, SAME, named=["_same"]) == []


def test_a_named_tuple_is_a_definition():
    found, others = definitions(ast.parse('Pair = namedtuple("Pair", "a b")\npair = Pair(1, 2)').body)
    assert list(found) == ["Pair"] and others == ["pair = Pair(1, 2)"]


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
