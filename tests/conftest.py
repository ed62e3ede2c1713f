import os

import pytest

import dlcourse  # noqa: F401 - before PyTorch, whose threads it asks to wait without spinning
from tests.lab import NO_CHROMIUM, Server, chromium, find_chromium


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
    server = Server(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.stop()
