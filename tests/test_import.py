"""`import dlcourse` stays light: what is heavy is imported by what needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dlcourse

HEAVY = {"torch", "matplotlib", "ipywidgets", "IPython", "scipy", "sklearn", "PIL"}


CODE = """
import sys, dlcourse
dlcourse.ThreeLayerNet().predict([[0] * 64])
print(*sys.modules)
dlcourse.Dropout(0.5)
print(*sys.modules)
"""


def test_import_brings_in_nothing_heavy_and_dropout_only_torch():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    before, after = (set(line.split()) for line in done.stdout.splitlines())
    assert {"dlcourse.functional", "numpy"} <= before and not HEAVY & before
    assert HEAVY & after == {"torch"}


def test_every_public_name_is_there():
    for name in dlcourse.__all__:
        assert getattr(dlcourse, name).__doc__
        assert name in dir(dlcourse)
    with pytest.raises(AttributeError, match="'dlcourse' has no attribute 'Dropuot'"):
        _ = dlcourse.Dropuot
