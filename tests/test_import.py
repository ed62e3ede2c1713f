"""`import dlcourse` stays light: what is heavy is imported by what needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dlcourse

HEAVY = ["torch", "matplotlib", "ipywidgets", "IPython", "scipy", "sklearn", "PIL"]


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_import_brings_in_nothing_heavy():
    code = "import sys, dlcourse; dlcourse.ThreeLayerNet().predict([[0] * 64]); print(*sys.modules)"
    loaded = run(code)
    assert "dlcourse.functional" in loaded and "numpy" in loaded
    assert not set(HEAVY) & set(loaded)


def test_dropout_module_imports_torch_when_asked_for():
    loaded = run("import sys; from dlcourse import Dropout; Dropout(0.5); print(*sys.modules)")
    assert "torch" in loaded
    assert not {"matplotlib", "ipywidgets", "sklearn"} & set(loaded)


def test_every_public_name_is_there():
    for name in dlcourse.__all__:
        assert getattr(dlcourse, name).__doc__
        assert name in dir(dlcourse)
    with pytest.raises(AttributeError, match="'dlcourse' has no attribute 'Dropuot'"):
        _ = dlcourse.Dropuot
