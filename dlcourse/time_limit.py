"""Run a function for a limited time, so that an endless loop does not hang the notebook.

The function runs in a thread of its own while the caller waits. That is one way for Linux, macOS
and Windows, in the main thread of a kernel and in any other; a timer that interrupts the caller
instead (`signal.setitimer`) is missing on Windows, works in the main thread only, and could fire
late, into what the learner runs next. Here an exception is thrown into the thread that runs the
function, and nowhere else. And an interrupt by the learner reaches the caller, so it cannot be
mistaken for a `KeyboardInterrupt` that the function raises.
"""

from __future__ import annotations

import contextvars
import ctypes
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from dlcourse._validate import function as checked
from dlcourse._validate import positive

Result = TypeVar("Result")

TIME_LIMIT = 20.0
"""Seconds for one answer: right ones need less than one, on a slow machine a few."""

_POLL = 0.1  # seconds; on Windows an interrupt is seen only between two waits
PATIENCE = 1.0  # seconds for a function that has been stopped to end


class TimeIsUp(Exception):
    """The function was still running when its time was up; `stopped` tells if it has ended now."""

    def __init__(self, seconds: float, stopped: bool) -> None:
        super().__init__(f"still running after {seconds:g} seconds")
        self.stopped = stopped


class _Stop(SystemExit):
    """Thrown into the thread of a function that is to end: no ``except Exception`` holds it.

    A second one may come while the first is on its way; of a SystemExit that leaves a thread
    Python says nothing.
    """


class _Runner(threading.Thread):
    """A thread that keeps what a function returned or raised."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(daemon=True)  # what cannot be stopped must not keep the kernel alive
        # What belongs to a thread goes along: NumPy's errstate, the cell that prints are sent to.
        self._function = contextvars.copy_context().run, function
        self._ending = threading.Lock()
        self._ended = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.given_up = False

    def run(self) -> None:
        run, function = self._function
        try:
            self.result = run(function)
        except BaseException as error:
            self.error = error
        finally:
            with self._ending:
                self._ended.set()

    def wait(self, seconds: float) -> bool:
        """Return whether the function has ended; `join` forgets a thread when interrupted."""
        return self._ended.wait(seconds) or not self.is_alive()

    def stop(self) -> bool:
        """End the function if that is possible, and return whether it has ended.

        Python code ends at its next step. What cannot be stopped: compiled code until it returns
        (a `time.sleep`, a lock, a product of huge matrices), and a loop that catches everything and
        is never hit outside of its `try`. The notebook goes on without them, unless the compiled
        code keeps Python's global lock, as `10**10**10` does: then nothing runs until it ends.
        """
        self.given_up = True
        self._throw_stop()
        self.wait(0.1)
        interval, end = sys.getswitchinterval(), time.monotonic() + PATIENCE
        # Threads take turns at every step now. So a bare `except:` in a loop, which swallows one
        # _Stop, is hit by the next before it is back in its `try`.
        sys.setswitchinterval(1e-6)
        try:
            while not self.wait(0) and time.monotonic() < end:
                self._throw_stop()
                time.sleep(0)
        finally:
            sys.setswitchinterval(interval)
        return self.wait(0)

    def _throw_stop(self) -> None:
        """Raise _Stop at the next step of the function."""
        with self._ending:  # until it is released, no other thread can have this ident
            if not self._ended.is_set():
                thread, stop = ctypes.c_ulong(self.ident or 0), ctypes.py_object(_Stop)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, stop)


def run_limited(
    function: Callable[[], Result], seconds: float | None = None
) -> tuple[Result | None, BaseException | None]:
    """Return what the function returned and what it raised, one of which is None.

    Parameters
    ----------
    function : callable without arguments
    seconds : float, `TIME_LIMIT` if not given

    Raises
    ------
    TypeError, ValueError
        If the function cannot be called, or the seconds are no number > 0.
    TimeIsUp
        If the function was still running after so many seconds. It has been stopped then, if
        that is possible; where it was stopped is the cause.
    KeyboardInterrupt
        If the learner interrupts, never because the function raised it; the function is stopped.

    Examples
    --------
    >>> run_limited(lambda: 6 * 7)
    (42, None)
    >>> run_limited(lambda: 1 / 0)
    (None, ZeroDivisionError('division by zero'))
    >>> def endless():
    ...     while True:
    ...         pass
    >>> run_limited(endless, seconds=0.1)
    Traceback (most recent call last):
    ...
    dlcourse.time_limit.TimeIsUp: still running after 0.1 seconds
    """
    seconds = TIME_LIMIT if seconds is None else positive(seconds, "seconds")
    end = time.monotonic() + seconds
    runner = _Runner(checked(function, "function"))
    try:
        runner.start()
        while not runner.wait(0) and (left := end - time.monotonic()) > 0:
            runner.wait(min(left, _POLL))
    finally:  # also when the learner interrupts
        in_time = runner.wait(0)
        stopped = in_time or runner.stop()
        if stopped:
            runner.join(1)  # it has nothing left to do
    if not in_time:
        raise TimeIsUp(seconds, stopped) from _first(runner.error)
    return runner.result, runner.error


def _first(error: BaseException | None) -> BaseException | None:
    """Return the _Stop that came first, which tells where the function was."""
    while error is not None and isinstance(error.__context__, _Stop):
        error = error.__context__
    return error


def given_up() -> bool:
    """Return whether this is run by a function whose time is up, long after its caller went on."""
    return getattr(threading.current_thread(), "given_up", False)
