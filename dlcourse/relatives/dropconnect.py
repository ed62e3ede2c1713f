"""DropConnect: a linear layer that drops weights, not units."""

from __future__ import annotations

from typing import Any

import torch

from dlcourse import Dropout
from dlcourse import _validate as check


class DropConnectLinear(torch.nn.Linear):
    """A linear layer of which each weight is dropped with probability p while training.

    Every example has a mask of its own, as in the paper, and kept weights are divided by 1 - p.
    The bias is never dropped (in the paper it is).

    Parameters
    ----------
    in_features, out_features : int >= 1
    p : float in [0, 1], the probability of dropping a weight; may be set later
    bias : bool
    generator : torch.Generator on the device of the weights, or None for PyTorch's global one
        With the same seed a larger p drops the same weights and more.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it. In `forward` also if the
        input is not a tensor of the weights' dtype, or its last axis is not `in_features` long.

    Notes
    -----
    Input (…, in_features), output (…, out_features); all axes but the last count examples. In
    `eval` it is `torch.nn.Linear`. There is a mask for each example and weight, and memory grows
    with them. Wan et al. 2013, *Regularization of neural networks using DropConnect*: there p is
    the probability of keeping, and test outputs are sampled from a normal approximation.

    Examples
    --------
    >>> layer = DropConnectLinear(4, 1, p=0.5, bias=False)
    >>> _ = torch.nn.init.ones_(layer.weight)
    >>> set(layer(torch.ones(100, 4)).flatten().tolist()) == {0, 2, 4, 6, 8}
    True
    >>> layer.eval()(torch.ones(1, 4)).item()
    4.0
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        p: float = 0.5,
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        """Make the weights of `torch.nn.Linear`, and the dropout that acts on them."""
        dropout = Dropout(p, generator=generator)
        super().__init__(
            check.integer(in_features, "in_features", 1),
            check.integer(out_features, "out_features", 1),
            bias=check.flag(bias, "bias"),
        )
        self.dropout = dropout

    @property
    def p(self) -> float:
        """The probability of dropping a weight; setting it to anything else is an error."""
        return self.dropout.p

    @p.setter
    def p(self, value: float) -> None:
        self.dropout.p = value

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return input @ (weight * mask / (1 - p)).T + bias, with a mask for every example."""
        self._check(input)
        if not self.dropout.training:
            return super().forward(input)
        every = self.weight.expand(*input.shape[:-1], *self.weight.shape)
        outputs = (self.dropout(every) @ input.unsqueeze(-1)).squeeze(-1)
        return outputs if self.bias is None else outputs + self.bias

    def extra_repr(self) -> str:
        """Say the sizes and p."""
        return f"{super().extra_repr()}, p={self.p:g}"

    def _check(self, input: Any) -> None:
        if not isinstance(input, torch.Tensor):
            raise TypeError(f"input must be a torch.Tensor, got {check.quoted(input)}")
        if input.ndim == 0 or input.shape[-1] != self.in_features:
            raise ValueError(
                f"input must have a last axis of in_features = {self.in_features}, "
                f"got shape {tuple(input.shape)}"
            )
        if input.dtype != self.weight.dtype:
            raise TypeError(
                f"input must have the dtype of the weights, {self.weight.dtype}, got {input.dtype}"
            )
