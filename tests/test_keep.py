"""Results that are kept: what is made once, what is forgotten, and threads that ask at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dlcourse.keep import Keep


def test_the_oldest_is_forgotten_and_made_again():
    kept, made = Keep(2), []

    def ask(key):
        return kept.get(key, lambda: made.append(key) or key)

    assert [ask(key) for key in "abbca"] == list("abbca")
    assert made == list("abca")
    assert kept.keys() == ["c", "a"]


def test_what_is_broken_off_leaves_nothing():
    kept = Keep(2)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.get("a", interrupted)
    assert kept.keys() == []
    assert kept.get("a", lambda: "whole") == "whole"


def test_threads_that_ask_for_the_same_wait_for_one_result():
    kept, started, go, made = Keep(2), threading.Event(), threading.Event(), []

    def slow():
        started.set()
        assert go.wait(10)
        made.append(1)
        return object()

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(kept.get, "a", slow) for _ in range(4)]
        assert started.wait(10)
        assert kept.get("b", lambda: "another") == "another"  # which need not wait
        go.set()
        assert len({id(one.result(10)) for one in asked}) == 1
    assert made == [1]
