"""Reading notebooks: what the tests of the chapters share, and samples to try the tests themselves on."""

import os
import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent
CHAPTERS = ROOT / "chapters"


def chapter_paths():
    return sorted(CHAPTERS.glob("[0-9]*.ipynb"))


def read(path):
    return nbformat.read(path, as_version=4)


def cells(notebook, kind, tag=None):
    """The cells of one kind, "code" or "markdown", with their place in the notebook: a list of (number, cell)."""
    numbered = [(n, cell) for n, cell in enumerate(notebook.cells) if cell.cell_type == kind]
    return [(n, cell) for n, cell in numbered if tag is None or tag in tags(cell)]


def tags(cell):
    return cell.metadata.get("tags", [])


def output_text(cell):
    """All that a code cell's outputs say in letters, pictures left out."""
    texts = []
    for output in cell.outputs:
        texts.append(output.get("text", ""))
        texts.extend(output.get("traceback", []))
        data = output.get("data", {})
        texts.extend(text for mime, text in data.items() if mime.startswith("text/"))
    return "\n".join("".join(text) for text in texts)


def project_files(suffix, folder=ROOT):
    """The project's files of one kind, without hidden folders and virtual environments."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [
            name for name in folders if not name.startswith(".") and not Path(place, name, "pyvenv.cfg").exists()
        ]
        found.extend(Path(place, name) for name in names if name.endswith(suffix))
    return sorted(found)


def without_code(text):
    """Markdown with its fenced blocks and code spans emptied, each line where it was."""
    lines, fence = [], None
    for line in text.split("\n"):
        mark = re.match(r" *(`{3,}|~{3,})", line)
        if fence is None and mark:
            fence = mark[1]
        elif fence is not None:
            if mark and mark[1].startswith(fence):
                fence = None
        else:
            lines.append(line)
            continue
        lines.append("")
    span = r"(?<![`\\])(`+)(?!`)((?:[^\n]|\n(?!\n))+?)(?<!`)\1(?!`)"
    return re.sub(span, lambda match: "``" + "\n" * match[2].count("\n"), "\n".join(lines))


def code(source, output="", tags=(), count=None):
    """A code cell for a sample notebook. output: what it printed."""
    outputs = [nbformat.v4.new_output("stream", text=output)] if output else []
    cell = nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=count)
    if tags:
        cell.metadata["tags"] = list(tags)
    return cell


def sample(*parts):
    """A notebook of the given cells; a bare text is a markdown cell. Code cells without a count are counted up."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    count = 0
    for part in parts:
        cell = nbformat.v4.new_markdown_cell(part) if isinstance(part, str) else part
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = cell.execution_count or count
        notebook.cells.append(cell)
    return notebook
