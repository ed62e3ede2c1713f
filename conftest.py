"""What has to be known before notebooks are collected, and the order in which files are run."""

import gc
import os

import pytest
from nbval.plugin import IPyNbFile

# Several processes of pytest have one core each, and so have the kernels that they start: read by
# the libraries when they are first imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


def pytest_collection_finish():
    """Spare the garbage collector the thousands of tests, which stay to the end."""
    gc.collect()
    gc.freeze()


FIRST = ["browser", "coadaptation", "choosing_p", "site", "demo", "07_choosing_p.ipynb"]
"""The groups that take longest, so that no process is left with one in the end."""


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
    items.sort(key=lambda item: order.get(group(item.nodeid), len(FIRST)))


def group(nodeid):
    """Return what a test is run with: the examples of a module or package, and its own tests."""
    inside = nodeid.partition("::")[0].split("/")[1]
    return inside.removesuffix(".py").removeprefix("test_")


@pytest.hookimpl(optionalhook=True)  # without xdist there is no such hook
def pytest_xdist_make_scheduler(config, log):
    """Let one process run all of a group."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group(nodeid)

    return ByGroup(config, log)
