"""Results that take long, such as trained networks, kept for whoever asks again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

Value = TypeVar("Value")


class Keep(Generic[Value]):
    """The last few results, each under what it was made for; any thread may ask.

    Two threads that ask for the same at the same time wait for one result. An exception, an
    interrupt too, leaves nothing behind.

    Parameters
    ----------
    most : int >= 1
        The oldest of more results is forgotten.

    Examples
    --------
    >>> squares = Keep(most=2)
    >>> [squares.get(n, lambda: n**2) for n in (3, 4, 5)], squares.keys()
    ([9, 16, 25], [4, 5])
    >>> squares.get(5, lambda: print("never asked"))
    25
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[Hashable, Value] = {}
        self._lock = threading.Lock()
        # each lock lives for as long as somebody holds it or waits for it
        self._being_made: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()

    def keys(self) -> list[Hashable]:
        """Return what there is a result for, the oldest first."""
        with self._lock:
            return list(self._values)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the result of `make`, or the one that was kept under this key.

        Parameters
        ----------
        key : all that the result depends on
        make : callable without arguments
        """
        with self._lock:
            being_made = self._being_made.setdefault(key, threading.Lock())
        with being_made:  # one lock a key: who wants another result does not wait for this one
            with self._lock:
                if key in self._values:
                    return self._values[key]
            value = make()
            self._put(key, value)
            return value

    def _put(self, key: Hashable, value: Value) -> None:
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._most:
                del self._values[next(iter(self._values))]
