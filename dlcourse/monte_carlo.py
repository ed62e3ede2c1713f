"""Monte-Carlo dropout in PyTorch: dropout layers drop at test time, and nothing else trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcourse import _validate as validate

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Reached:
    """The dropout that `mc_dropout` switched on, and the dropout it saw but cannot reach.

    Examples
    --------
    >>> Reached(on=("1",), missed=())
    dropout on: 1; seen but not reached: none
    """

    on: tuple[str, ...]  # paths of layers
    missed: tuple[str, ...]  # paths of modules that drop by themselves

    def __repr__(self) -> str:
        """One line of plain text."""
        on, missed = (", ".join(paths) or "none" for paths in (self.on, self.missed))
        return f"dropout on: {on}; seen but not reached: {missed}"


@contextmanager
def mc_dropout(model: torch.nn.Module) -> Iterator[Reached]:
    """Inside the `with`, only the dropout layers of a model drop; after it all is as before.

    Everything else, such as batch norm, is in eval mode. A dropout layer is any subclass of
    PyTorch's `_DropoutNd`: `nn.Dropout`, `Dropout2d`, `AlphaDropout`, `dlcourse.Dropout`, …

    **It cannot see** `F.dropout` in the code of a `forward`: that is no layer, and the report says
    nothing of it. Whatever follows `self.training` stays off, and whatever is written with
    `F.dropout(x)` alone is always on. What is seen but not reached is reported: the dropout inside
    `nn.MultiheadAttention`, and between the layers of `nn.RNN`, `nn.LSTM` and `nn.GRU`.

    The fast path of `nn.TransformerEncoderLayer`, which leaves its dropout layers out, is switched
    off inside the `with`, for the whole process.

    Parameters
    ----------
    model : torch.nn.Module

    Yields
    ------
    Reached
        The module paths of both kinds.

    Raises
    ------
    TypeError
        If the model is no module.

    Notes
    -----
    Gal and Ghahramani 2016, arXiv:1506.02142.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Dropout(0.5))
    >>> with mc_dropout(model) as reached:
    ...     draws = torch.stack([model(torch.ones(1, 2)) for _ in range(20)])
    >>> reached, bool(draws.std(dim=0).max() > 0)
    (dropout on: 1; seen but not reached: none, True)
    """
    import torch
    from torch.nn.modules.dropout import _DropoutNd

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {validate.quoted(model)}")
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        with same_modes(model):
            # The flags are set one by one: `train` and `eval` go down to all that is below.
            for module in model.modules():
                module.training = isinstance(module, _DropoutNd)
            named = list(model.named_modules())
            yield Reached(
                tuple(path or "the model" for path, module in named if module.training),
                tuple(path or "the model" for path, module in named if _drops_by_itself(module)),
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def same_modes(model: torch.nn.Module) -> Iterator[None]:
    """After the `with`, each module of a model is again in the mode that it was in before.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Dropout()
    >>> with same_modes(model):
    ...     model.eval().training
    False
    >>> model.training
    True
    """
    modes = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _drops_by_itself(module: torch.nn.Module) -> bool:
    import torch

    if isinstance(module, torch.nn.RNNBase):  # drops between layers only
        return module.dropout > 0 and module.num_layers > 1
    return isinstance(module, torch.nn.MultiheadAttention) and module.dropout > 0
