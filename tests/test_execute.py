"""``python -m dlcourse execute``."""

import subprocess
import sys

import nbformat
import pytest

from dlcourse.notebooks import WIDGET_VIEW, tidy


def write(path, *sources):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    nbformat.write(notebook, path)


PANEL = """
from dlcourse import start_here
start_here.panel()"""
FIGURE = """
from dlcourse import figures
import matplotlib.pyplot as plt
figures.show(plt.figure(), "An empty figure, for a test.")"""
SLOWLY = """
import time
for i in range(3):
    print(i, flush=True)
    time.sleep(0.3)"""


@pytest.mark.soak
def test_two_runs_give_the_same_file_with_the_picture_and_no_widget(command, tmp_path):
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "a.ipynb"
    write(path, PANEL, SLOWLY, FIGURE)
    files = []
    for _ in range(2):
        status, _, errors = command("execute", folder=tmp_path)
        assert status == 0, errors
        files.append(path.read_text(encoding="utf-8"))
    assert files[0] == files[1]
    assert WIDGET_VIEW not in files[0]
    panel, slow, figure = nbformat.reads(files[0], as_version=4).cells
    assert "image/png" in panel.outputs[0].data
    alt = "An empty figure, for a test."
    (output,) = figure.outputs
    assert set(output.data) == {"image/png", "text/plain"} and output.data["text/plain"] == alt
    assert output.metadata == {"image/png": {"alt": alt}}
    assert [output.text for output in slow.outputs] == ["0\n1\n2\n"]


def test_what_jupyterlab_saves_beside_the_cells_goes():
    state = {"application/vnd.jupyter.widget-state+json": {"state": {"a": {}}}}
    cell = nbformat.v4.new_code_cell(
        "1", metadata={"tags": ["a"], "execution": {"iopub.status.idle": "12:00"}}
    )
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": state})
    tidy(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert cell.metadata == {"tags": ["a"]}


def test_a_cell_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.ipynb"
    write(path, "print(1)", "1 / 0")
    before = path.read_bytes()
    program = [sys.executable, "-m", "dlcourse", "execute", "a.ipynb"]
    answer = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode != 0
    assert "ZeroDivisionError" in answer.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["no.ipynb"], "no such notebook: no.ipynb"), ([], "no notebook named, and none in")],
)
def test_what_is_not_there_is_said(command, tmp_path, arguments, words):
    status, _, errors = command("execute", *arguments, folder=tmp_path)
    assert status == 2 and words in errors
