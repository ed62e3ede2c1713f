"""What has to be known before notebooks are collected, and the order in which files are run."""

import os

import pytest
from nbval.plugin import IPyNbFile

# Several processes of pytest have one core each, and so have the kernels that they start: read by
# the libraries when they are first imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

FIRST = []
"""What takes longest, so that no process is left with it in the end."""


def pytest_collectstart(collector):
    """Let nbval pass over HTML, as it passes over pictures and widgets; it has no option for it.

    A figure brings HTML beside its picture, and a saved notebook keeps only the picture. HTML of
    anything else would go unseen: `tests/test_figures.py` allows none.
    """
    if isinstance(collector, IPyNbFile):
        collector.skip_compare += ("text/html",)


@pytest.hookimpl(tryfirst=True)  # the marks are read after this
def pytest_collection_modifyitems(items):
    """Leave the page of all panels to the long run; put the slowest files first."""
    for item in items:
        if item.path.name == "demo.ipynb":
            item.add_marker(pytest.mark.soak)
    order = {name: i for i, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(FIRST)))
