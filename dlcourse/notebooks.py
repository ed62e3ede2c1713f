"""Execute the course's notebooks in fresh kernels and keep their files tidy."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from dlcourse._validate import quoted

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LIVE_VIEWS = (WIDGET_VIEW, "text/html")  # beside a picture: what a live page shows in its place
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def read(path: Path) -> NotebookNode:
    """Return the notebook in a file.

    Raises
    ------
    ValueError
        If there is none that can be read.

    Examples
    --------
    >>> read(Path("no.ipynb"))
    Traceback (most recent call last):
    ...
    ValueError: no.ipynb cannot be read as a notebook: FileNotFoundError(2, \
'No such file or directory')
    """
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ValueError(f"{path} cannot be read as a notebook: {quoted(error)}") from error


def title(notebook: NotebookNode, path: Path) -> str:
    """Return the first line of a notebook without its #, or the file's name if it has none.

    Examples
    --------
    >>> notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Masks")])
    >>> title(notebook, Path("01.ipynb")), title(nbformat.v4.new_notebook(), Path("01.ipynb"))
    ('Masks', '01')
    """
    lines = notebook.cells[0].source.splitlines() if notebook.cells else []
    return (lines[0].lstrip("# ") if lines else "") or path.stem


def execute(path: Path, timeout: float = 120) -> None:
    """Run a notebook from top to bottom in a fresh kernel and save it with its outputs, tidy.

    Parameters
    ----------
    path : pathlib.Path
    timeout : float
        Seconds that one cell may take.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails; the file then stays as it was.
    ValueError
        If there is no notebook that can be read.
    """
    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        coalesce_streams=True,
        record_timing=False,
        store_widget_state=False,
    )
    client.execute()
    tidy(notebook)
    nbformat.write(notebook, path)


def tidy(notebook: NotebookNode) -> None:
    """Remove what makes a notebook's file differ from run to run, in place.

    Without a kernel a widget is a line of text that says it was not found. Where a picture stands
    beside the widget only the picture is kept: it is what a reader sees before the first run. A
    widget without a picture is a progress bar, and goes. Of a figure too only the picture is kept:
    its HTML holds the same picture once more. A new run brings all of them back.

    Examples
    --------
    >>> views = [{"text/html": "<img>", "image/png": "…"}, {WIDGET_VIEW: {}, "image/png": "…"}]
    >>> views += [{WIDGET_VIEW: {}, "text/plain": "0 %"}]
    >>> outputs = [nbformat.v4.new_output("display_data", view) for view in views]
    >>> notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=outputs)])
    >>> tidy(notebook)
    >>> [list(output.data) for output in notebook.cells[0].outputs]
    [['image/png'], ['image/png']]
    """
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in ("tags",) if key in cell.metadata}
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not _is_progress(output)]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                for view in LIVE_VIEWS:
                    data.pop(view, None)


def _is_progress(output: NotebookNode) -> bool:
    data = output.get("data", {})
    return WIDGET_VIEW in data and "image/png" not in data
