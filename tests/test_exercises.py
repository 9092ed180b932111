"""Every solution of the chapters passes its check, every mistake we know of is named, and odd answers do no harm."""

import os
import subprocess
import sys

import pytest

from tests.exercises import exercise_problems, exercises_of
from tests.notebooks import ROOT, chapter_paths, code, sample


@pytest.mark.parametrize("name", [path.stem for path in chapter_paths()])
def test_exercises(name):
    environment = {key: value for key, value in os.environ.items() if key != "LLAMA_NP_MODEL"}
    command = [sys.executable, "-m", "tests.exercises", name]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=600
    )
    assert result.returncode == 0, result.stdout + result.stderr


# ---- the rules tried on samples

CHECKS = """class check:
    def double(answer):
        try:
            got = repr([answer(1), answer(5)])
        except Exception as error:
            print(f"Not yet. It stopped with {error!r}.")
            return
        if got == '[1, 25]':
            print("Not yet. 5 became 25: what does ** do?")
        elif got == '[3, 7]':
            print("Not yet. 5 became 7: is something added?")
        elif got == '[2, 10]':
            print("Right. Twice as much.")
        else:
            print("Not yet. What should become of 5?")
"""
STUB = "def my_double(x):\n    return None  # yours\n\ncheck.double(my_double)"
SOLVED = "def my_double(x):\n    return 2 * x\n\ncheck.double(my_double)"
SQUARED = SOLVED.replace("2 * x", "x ** 2")
ADDED = SOLVED.replace("2 * x", "2 + x")
MISTAKES = [(str(n), source, words) for n in (1, 2, 3) for source, words in ((SQUARED, "**"), (ADDED, "added"))]


def solution(source=SOLVED, why="Two times x."):
    return f"<details>\n<summary>Solution</summary>\n\n{why}\n\n```python\n{source}\n```\n\n</details>"


SOLVED_CELLS = [code(STUB, tags=["exercise"]), solution()]


def chapter(numbers=(1, 2, 3), stub=STUB, solved=SOLVED, checks=CHECKS):
    parts = [code(checks)]
    for number in numbers:
        parts += [f"### Exercise {number}: double", code(stub, tags=["exercise"]), solution(solved)]
    return sample(*parts)


def test_a_chapter_in_order_passes():
    assert exercise_problems(chapter(), MISTAKES) == []


def test_an_answer_does_not_reach_the_next_cells():
    spill = chapter()
    spill.cells.append(code("assert my_double(1) is None"))
    assert exercise_problems(spill, MISTAKES) == []
    assert "raises AssertionError" in exercise_problems(sample(*chapter().cells, code("assert False")), MISTAKES)[0]


def in_stub(old, new):
    return chapter(stub=STUB.replace(old, new))


@pytest.mark.parametrize(
    ("notebook", "problem"),
    [
        (chapter(numbers=(1, 2)), "2 exercises"),
        (chapter(numbers=(1, 2, 2)), "numbered"),
        (chapter(solved=SQUARED), "the solution prints 'Not yet."),
        (chapter(solved="print(1)"), "the solution's last line"),
        (chapter(stub=SOLVED), "the stub prints 'Right."),
        (in_stub("check.double(my_double)", "my_double"), "the stub's last line"),
        (in_stub("return None  # yours\n", "return None\n\n1 / 0\n"), "raises ZeroDivisionError"),
        (in_stub("check.double(my_double)", "check.double(abs)"), "nothing that the reader makes"),
        (chapter(checks=CHECKS.replace("except Exception", "except KeyError")), "raises TypeError"),
        (chapter(checks=CHECKS.replace('print("Not yet. What', 'print("Right. What')), "prints 'Right. What"),
        (chapter(checks=CHECKS.replace('print("Not yet. What', 'print("Wrong. What')), "0 messages"),
        (chapter(checks=CHECKS.replace("Right. Twice", "Right. T\\nNot yet. T")), "2 messages"),
    ],
)
def test_what_is_wrong_is_found(notebook, problem):
    mistakes = [mistake for mistake in MISTAKES if int(mistake[0]) <= 3]
    found = exercise_problems(notebook, mistakes)
    assert any(problem in text for text in found), found


@pytest.mark.parametrize(
    ("mistakes", "problem"),
    [
        (MISTAKES[1:], "exercise 1: 1 mistakes with a message"),
        ([], "exercise 3: 0 mistakes with a message"),
        ([*MISTAKES, ("4", SQUARED, "**")], "exercise 4, which there is not"),
        ([*MISTAKES, ("1", SOLVED, "**")], "exercise 1: a mistake prints 'Right."),
        ([*MISTAKES, ("1", SQUARED, "added")], "exercise 1: a mistake is not told 'added'"),
        ([*MISTAKES, ("1", "x = 1", "added")], "exercise 1: the mistake's last line"),
    ],
)
def test_wrong_lists_of_mistakes_are_found(mistakes, problem):
    found = exercise_problems(chapter(), mistakes)
    assert any(problem in text for text in found), found


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        (["### Exercise 1: a", "no code"], "no code cell tagged"),
        (["### Exercise 1: a", code(STUB)], "no code cell tagged"),
        (["### Exercise 1: a", code(STUB), "### Exercise 2: b", *SOLVED_CELLS], "exercise 1: no code cell tagged"),
        (["### Exercise 1: a", *SOLVED_CELLS, *SOLVED_CELLS], "belongs to none"),
        (["### Exercise 1: a", code(STUB, tags=["exercise"])], "no folded solution"),
        (["### Exercise 1: a", code(STUB, tags=["exercise"]), solution().replace("python", "")], "no folded solution"),
        (["### Exercise 1: a", code(STUB, tags=["exercise"]), solution(why="")], "does not say why"),
        ([code(STUB, tags=["exercise"])], "belongs to none"),
    ],
)
def test_exercises_out_of_shape_are_found(parts, problem):
    found = exercises_of(sample(*parts))[1]
    assert any(problem in text for text in found), found
