"""What has to be known before notebooks are collected."""

from nbval.plugin import IPyNbFile


def pytest_collectstart(collector):
    """Let nbval pass over HTML, as it passes over pictures and widgets; it has no option for it.

    A figure brings HTML beside its picture, and a saved notebook keeps only the picture. HTML of
    anything else would go unseen: `tests/test_figures.py` allows none.
    """
    if isinstance(collector, IPyNbFile):
        collector.skip_compare += ("text/html",)
