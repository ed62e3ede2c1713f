"""Networks of one shape whose weights are stacked, so that one product serves them all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcourse import _validate as check
from dlcourse.training import mlp

ROWS_AT_ONCE = 128  # when networks are scored: what stays in the cache is quicker


class Stack:
    """Networks of one shape, their weights stacked along the first axis.

    Parameters
    ----------
    networks : torch.nn.Sequential each, of the kind that `dlcourse.training.mlp` returns
    device : torch.device or str

    Attributes
    ----------
    weights : tensors (networks, units in, units out), one for each layer
    biases : tensors (networks, 1, units out)
    flat : tensor that holds all of these numbers; the others are views of it

    Raises
    ------
    ValueError
        If there is no network, or they are not of one shape.

    Examples
    --------
    >>> stack = Stack([mlp(64, (32,), 10, seed=seed) for seed in range(3)])
    >>> stack.logits(torch.ones(5, 64)).shape
    torch.Size([3, 5, 10])
    """

    def __init__(self, networks: Sequence[nn.Sequential], device: Any = "cpu") -> None:
        layers = [[part for part in net if isinstance(part, nn.Linear)] for net in networks]
        found = {tuple(tuple(part.weight.shape) for part in each) for each in layers}
        if len(found) != 1 or () in found:
            rule = "networks must be at least one, with linear layers, all of one shape"
            raise ValueError(f"{rule}, got {len(layers)} of the shapes {sorted(found)}")
        stacked = []
        with torch.no_grad():
            for same in zip(*layers, strict=True):
                stacked += [torch.stack([layer.weight.T for layer in same])]
                stacked += [torch.stack([layer.bias[None] for layer in same])]
            self.shapes = [tuple(part.shape) for part in stacked]
            self.flat = torch.cat([part.ravel() for part in stacked]).to(device)
        self.weights, self.biases = self.views(self.flat)

    def views(self, flat: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the weights and the biases that lie in a flat tensor."""
        parts = flat.split([math.prod(shape) for shape in self.shapes])
        shaped = [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]
        return shaped[0::2], shaped[1::2]

    def __getstate__(self) -> dict[str, Any]:
        # Pickled on their own, the views would no longer share their numbers with `flat`.
        return {"shapes": self.shapes, "flat": self.flat.cpu()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.shapes, self.flat = state["shapes"], state["flat"]
        self.weights, self.biases = self.views(self.flat)

    def __len__(self) -> int:
        return self.shapes[0][0]

    @property
    def widths(self) -> list[int]:
        """The widths of the hidden layers."""
        return [shape[2] for shape in self.shapes[0:-2:2]]

    def layers(
        self, X: torch.Tensor, factors: Sequence[torch.Tensor] | None = None
    ) -> Iterator[torch.Tensor]:
        """Yield each hidden layer after ReLU, then the logits.

        Parameters
        ----------
        X : tensor (rows, inputs), the same for all networks, or (networks, rows, inputs)
        factors : tensors that broadcast to (networks, rows, width), one for each hidden layer,
            which the units are multiplied by, such as masks / (1 - p); None drops nothing

        Yields
        ------
        tensors (networks, rows, width)
        """
        h = X.expand(len(self), *X.shape[-2:])
        last = len(self.weights) - 1
        for i, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = torch.baddbmm(b, h, W)
            if i < last:
                h = h.relu_() if factors is None else h.relu_() * factors[i]
            yield h

    def logits(
        self, X: torch.Tensor, factors: Sequence[torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Return the logits (networks, rows, classes); parameters are those of `layers`."""
        *_, logits = self.layers(X, factors)
        return logits

    def score(
        self, X: torch.Tensor, y: torch.Tensor, factors: Sequence[torch.Tensor] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean loss in nats and the accuracy of every network, arrays (networks,).

        Parameters
        ----------
        X : tensor (rows, inputs)
        y : tensor of ints (rows,)
        factors : as for `layers`, the same for all rows
        """
        sums = np.zeros((2, len(self)))
        for part, labels in zip(X.split(ROWS_AT_ONCE), y.split(ROWS_AT_ONCE), strict=True):
            sums += losses_and_right(self.logits(part, factors), labels.expand(len(self), -1))
        loss, accuracy = sums / len(y)
        return loss, accuracy

    def network(self, i: int, p: Any = 0.0) -> nn.Sequential:
        """Return one of the networks as an ordinary PyTorch model in eval mode.

        Parameters
        ----------
        i : int, which
        p : as for `dlcourse.training.mlp`, of its dropout layers

        Raises
        ------
        TypeError, ValueError
            If there is no such network, or p is not what it must be.
        """
        i = check.integer(i, "i", 0, len(self) - 1)
        sizes = [self.shapes[0][1], *self.widths, self.shapes[-1][2]]
        model = mlp(sizes[0], sizes[1:-1], sizes[-1], p=p)
        layers = [part for part in model if isinstance(part, nn.Linear)]
        with torch.no_grad():
            for layer, W, b in zip(layers, self.weights, self.biases, strict=True):
                layer.weight.copy_(W[i].T)
                layer.bias.copy_(b[i, 0])
        return model.eval()


def losses_and_right(logits: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """Return the sum of the losses and the number of right rows of each network, (2, networks)."""
    losses = logits.logsumexp(dim=-1) - logits.gather(2, y[..., None])[..., 0]
    right = logits.argmax(dim=-1) == y
    return torch.stack([losses.double().sum(1), right.double().sum(1)]).cpu().numpy()
