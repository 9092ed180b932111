"""The exercises of a chapter, worked: its solutions, the mistakes we know of, and odd answers, put to its checks.

`python -m tests.exercises NAME` runs the code of one chapter in order, without drawing, and at each exercise tries
every answer there. It prints what is wrong, a line each. It is a program of its own so that what a chapter changes for
show, in NumPy or in llama_np, does not reach another test.
"""

import ast
import contextlib
import importlib
import io
import os
import re
import sys
from dataclasses import dataclass

import numpy as np

from tests.notebooks import CHAPTERS, cells, read, tags

_SOLUTION = re.compile(
    r"<details>\n<summary>Solution</summary>\n\n(?P<why>.*?)```python\n(?P<code>.*?)\n```\s*</details>", re.DOTALL
)


@dataclass
class Exercise:
    number: str
    cell: int  # where its code cell stands
    stub: str
    solution: str


def exercises_of(notebook):
    """Find the exercises: a heading and the task, a tagged code cell, a folded solution. Returns them and problems."""
    exercises, problems, open_number = [], [], None
    for n, cell in enumerate(notebook.cells):
        heading = cell.cell_type == "markdown" and re.search(r"^### Exercise (\d+): \S", cell.source, re.MULTILINE)
        if heading:
            if open_number:
                problems.append(f"exercise {open_number}: no code cell tagged exercise follows the task")
            open_number = heading[1]
        elif cell.cell_type == "code" and "exercise" in tags(cell):
            after = notebook.cells[n + 1] if n + 1 < len(notebook.cells) else None
            found = after is not None and after.cell_type == "markdown" and _SOLUTION.search(after.source)
            if not open_number:
                problems.append(f"cell {n} is tagged exercise and belongs to none")
            elif not found:
                problems.append(
                    f"exercise {open_number}: no folded solution with a ```python block follows the code cell"
                )
            else:
                exercises.append(Exercise(open_number, n, cell.source, found["code"]))
                if not found["why"].strip():
                    problems.append(f"exercise {open_number}: the solution does not say why")
            open_number = None
    if open_number:
        problems.append(f"exercise {open_number}: no code cell tagged exercise follows the task")
    if [exercise.number for exercise in exercises] != [str(n) for n in range(1, len(exercises) + 1)]:
        problems.append(f"exercises are numbered {[exercise.number for exercise in exercises]}")
    if not 3 <= len(exercises) <= 5:
        problems.append(f"{len(exercises)} exercises, not 3 to 5")
    return exercises, problems


def exercise_problems(notebook, mistakes):
    """Run a notebook's code and try its exercises. mistakes: (number, code, words of the message). A list of problems.

    As in Jupyter all code shares one set of names; after each answer the names are put back as they were.
    """
    exercises, problems = exercises_of(notebook)
    by_cell = {exercise.cell: exercise for exercise in exercises}
    for number in sorted({mistake[0] for mistake in mistakes} - {exercise.number for exercise in exercises}):
        problems.append(f"a mistake is for exercise {number}, which there is not")
    names = {"__name__": "__main__"}
    for n, cell in cells(notebook, "code"):
        if n in by_cell:
            known = [mistake[1:] for mistake in mistakes if mistake[0] == by_cell[n].number]
            problems += [f"exercise {by_cell[n].number}: {p}" for p in _try(by_cell[n], known, names)]
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(cell.source, names)
        except Exception as error:
            return [*problems, f"cell {n} raises {error!r}"]
    return problems


def _try(exercise, mistakes, names):
    """Put every answer to the check of one exercise. Returns a list of problems."""
    call = check_call(exercise.stub)
    if call is None:
        return ["the stub's last line is not a call check.…(…)"]
    problems = []
    for what, source in [("solution", exercise.solution), *(("mistake", source) for source, _ in mistakes)]:
        other = check_call(source)
        if other is None or ast.dump(other.func) != ast.dump(call.func):
            problems.append(f"the {what}'s last line is not a call of {ast.unparse(call.func)}: {_last(source)}")
    stub = message_of(exercise.stub, names)
    if not stub.startswith("Not yet."):
        problems.append(f"the stub prints {stub!r}")
    solved = message_of(exercise.solution, names)
    if not solved.startswith("Right."):
        problems.append(f"the solution prints {solved!r}")
    seen = []
    for source, words in mistakes:
        seen.append(message_of(source, names))
        if not seen[-1].startswith("Not yet."):
            problems.append(f"a mistake prints {seen[-1]!r}: {source}")
        elif words not in seen[-1]:
            problems.append(f"a mistake is not told {words!r} but {seen[-1]!r}: {source}")
    if len(set(seen)) < 2:
        problems.append(f"{len(set(seen))} mistakes with a message of their own; at least 2 are needed")
    if not problems:
        problems += _try_odd_answers(exercise, call, names)
    return problems


def _raise(*_):
    raise RuntimeError("an odd answer")


ODD = {
    "None": None,
    "a text": "an odd answer",
    "a number": -12345.678,
    "an empty list": [],
    "an array [3]": np.full(3, -7.5),
    "an array [2, 3, 4]": np.full((2, 3, 4), -7.5),
    "not-a-numbers": np.full((2, 2), np.nan),
    "something else": object(),
    "a function that raises": _raise,
    "a function without arguments": lambda: -7.5,
    "a function that returns None": lambda *_: None,
    "a function that returns an array [3]": lambda *_: np.full(3, -7.5),
    "a function that returns a text": lambda *_: "an odd answer",
}


def _try_odd_answers(exercise, call, names):
    """With the rest of the solution in place, give the check something odd for each thing the reader makes."""
    theirs = made_by(exercise.stub)
    places = [i for i, argument in enumerate(call.args) if theirs & _names_in(argument)]
    problems = [] if places else ["the check is given nothing that the reader makes"]
    for i in places:
        for what, odd in ODD.items():
            changed = check_call(exercise.solution)
            if i >= len(changed.args):
                return ["the solution gives the check fewer answers than the stub"]
            changed.args[i] = ast.Name("_odd_answer", ast.Load())
            source = "\n".join([*ast.unparse(ast.parse(exercise.solution)).splitlines()[:-1], ast.unparse(changed)])
            message = message_of(source, names | {"_odd_answer": odd})
            may_be_right = isinstance(odd, np.ndarray) and np.isfinite(odd).all()  # an exercise may ask for any such
            if not message.startswith(("Not yet.", "Right.") if may_be_right else "Not yet."):
                problems.append(f"{what} as answer {i + 1} prints {message!r}")
    return problems


def message_of(source, names):
    """Run an answer and return the one message of its check, or what went wrong instead. names stay as they are."""
    before = dict(names)
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), np.errstate(all="ignore"):
            exec(source, names)
    except Exception as error:
        return f"raises {error!r}"
    finally:
        names.clear()
        names.update(before)
    messages = re.findall(r"^(?:Right\.|Not yet\.)(?: .*)?$", output.getvalue(), flags=re.MULTILINE)
    return messages[0] if len(messages) == 1 else f"{len(messages)} messages: {output.getvalue()}"


def check_call(source):
    """The call check.…(…) that ends an answer, as a syntax tree, or None."""
    statement = ast.parse(source).body[-1]
    call = getattr(statement, "value", None)
    is_check = isinstance(statement, ast.Expr) and isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    return call if is_check and getattr(call.func.value, "id", "") == "check" else None


def made_by(source):
    """The names that an answer assigns or defines at its top level."""
    made = set()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            made.add(statement.name)
        else:
            made |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return made


def _names_in(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _last(source):
    return source.strip().splitlines()[-1]


def main(name):
    """Try the exercises of one chapter, from its folder as Jupyter does. Returns the exit status."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.show = lambda: plt.close("all")  # nothing is drawn
    mistakes = importlib.import_module(f"tests.mistakes.m{name}").MISTAKES
    os.chdir(CHAPTERS)
    sys.path.insert(0, str(CHAPTERS))
    problems = exercise_problems(read(CHAPTERS / f"{name}.ipynb"), mistakes)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
