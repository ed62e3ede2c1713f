"""Dropout, from a coin toss to the network: the package behind an interactive course.

`p` is the probability of dropping everywhere, and True in a mask means kept.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dlcourse.functional import (
    dropout,
    dropout_backward,
    dropout_mask,
    plain_dropout_mask,
    vanilla_dropout,
)
from dlcourse.network import ThreeLayerNet

if TYPE_CHECKING:
    from dlcourse.modules import Dropout

# PyTorch's threads would otherwise wait by spinning: where another program wants the same
# cores, training many small networks then takes ten times as long. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = [
    "Dropout",
    "ThreeLayerNet",
    "dropout",
    "dropout_backward",
    "dropout_mask",
    "plain_dropout_mask",
    "vanilla_dropout",
]


def __getattr__(name: str) -> Any:
    """Import `Dropout` when it is asked for: importing torch takes far longer than NumPy."""
    if name == "Dropout":
        from dlcourse.modules import Dropout

        return Dropout
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, the lazy one too."""
    return sorted({*globals(), *__all__})
