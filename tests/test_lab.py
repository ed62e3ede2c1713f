"""Where there is no Chromium the browser tests must say so, and in CI they must fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import NO_CHROMIUM

ROOT = Path(__file__).parent.parent


@pytest.mark.soak
@pytest.mark.parametrize(("ci", "code", "word"), [("true", 1, "ERROR"), ("", 0, "SKIPPED")])
def test_without_a_chromium(ci, code, word):
    environment = {**os.environ, "PATH": "", "CHROMIUM": "", "CI": ci}
    command = [sys.executable, "-m", "pytest", "tests/test_browser.py", "-k", "busy", "-rsE"]
    answer = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--color=no"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == code
    assert word in answer.stdout
    assert NO_CHROMIUM in answer.stdout
