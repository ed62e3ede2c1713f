"""Memory that is free again goes back to the system."""

import ctypes
import sys

import psutil
import pytest

from dlcourse import memory

glibc = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim")


@pytest.mark.skipif(not glibc, reason="another C library keeps its heap in its own way")
def test_holes_between_what_stays_are_given_back():
    megabyte, process = 2**20, psutil.Process()
    blocks = [bytearray(megabyte // 10) for _ in range(2000)]  # too small for mappings of their own
    full = process.memory_info().rss
    staying = blocks[::2]
    del blocks
    memory.give_back()
    assert full - process.memory_info().rss > 80 * megabyte  # of 100
    assert len(staying) == 1000
