import os
import sys

import pytest
from hypothesis import settings

import dlcourse  # noqa: F401 - before PyTorch, whose threads it asks to wait without spinning
from dlcourse.__main__ import main
from tests.lab import NO_CHROMIUM, Server, chromium, find_chromium

settings.register_profile("no clock", deadline=None)  # a busy machine is no failure
settings.load_profile("no clock")


@pytest.fixture
def command(monkeypatch, capsys):
    """``python -m dlcourse``, run in this process: exit status, output, errors."""

    def run(*arguments, folder):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["dlcourse", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def browser():
    program = find_chromium()
    if program is None and os.environ.get("CI") == "true":
        pytest.fail(NO_CHROMIUM)
    if program is None:
        pytest.skip(NO_CHROMIUM)
    with chromium(program) as browser:
        yield browser


@pytest.fixture(scope="session")
def server(tmp_path_factory, browser):
    # kernels with one thread: a lesson must print there what nbval finds with as many as there are
    server = Server(tmp_path_factory.mktemp("jupyter"), OMP_NUM_THREADS="1")
    yield server
    server.stop()
