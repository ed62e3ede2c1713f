"""Gradient descent for a stack of networks, each with its own masks and order of the images.

The gradient is written by hand, as in `dlcourse.network`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dlcourse.stack import Stack, losses_and_right
from dlcourse.training import Plan, batch_orders, limit_norm

STEPS_AT_ONCE = 5  # whose random words are drawn together
Ps = tuple[float, ...]
Draw = tuple[int, ...]

# --- what is random, for every network on its own


def draw_of(p: Ps, seed: int, paired: bool) -> Draw:
    """Return what the first weights and the order of the images are drawn from."""
    return (seed,) if paired else (seed, *_bits(p))


def _bits(p: Ps) -> list[int]:
    return [round(one * 2**32) for one in p]


def number_of(draw: Draw) -> int:
    """Return a seed for PyTorch: that of the network itself where it is one number."""
    return draw[0] if len(draw) == 1 else int(np.random.SeedSequence(draw).generate_state(1)[0])


class Orders:
    """The orders of the images of an epoch, (networks, images), drawn once for those that share."""

    def __init__(self, rows: int, draws: list[Draw]) -> None:
        self._orders = {draw: batch_orders(rows, draw) for draw in draws}
        self._draws = draws

    def __next__(self) -> torch.Tensor:
        drawn = {draw: next(order) for draw, order in self._orders.items()}
        return torch.stack([drawn[draw] for draw in self._draws])


def mask_generator(p: Ps, seed: int, layer: int, device: Any = "cpu") -> torch.Generator:
    """Return the generator of the masks of one layer (0: the inputs) of one network.

    For every batch it gives words of 64 bits: one for how p is rounded, then one for four units.

    Examples
    --------
    >>> mask_generator((0.0, 0.5, 0.5), seed=0, layer=1).initial_seed() > 0
    True
    """
    state = np.random.SeedSequence([2, seed, layer, *_bits(p)]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0] >> np.uint64(1)))


class Masks:
    """Draws which units are kept, as `dlcourse.Dropout` does, for all networks at once."""

    def __init__(
        self, networks: list[tuple[Ps, int]], widths: list[int], device: torch.device
    ) -> None:
        ps = torch.tensor([p for p, _ in networks], dtype=torch.float64, device=device)
        self._bounds = (ps.T * 2**16)[..., None]
        # Where all units are dropped there is nothing to scale.
        self.scales = torch.where(ps < 1, 1 / (1 - ps), 0).float().T[..., None, None]
        self.drops = [bool((ps[:, layer] > 0).any()) for layer in range(len(widths))]
        self._widths, self._device, self._networks = widths, device, len(networks)
        self._generators = [
            [
                (i, mask_generator(p, seed, layer, device))
                for i, (p, seed) in enumerate(networks)
                if 0 < p[layer] < 1
            ]
            for layer in range(len(widths))
        ]

    def drawn(self, layer: int, rows: int, steps: int) -> torch.Tensor:
        """Return mask / (1 - p), a factor for each unit, (networks, steps, rows, units).

        Each unit is dropped with probability p up to p = 1 - 2**-16; for a p between that and 1
        with probability 1 - 2**-16.
        """
        units = rows * self._widths[layer]
        shape = (self._networks, steps, 1 + -(-units // 4))
        words = torch.empty(shape, dtype=torch.int64, device=self._device)
        # Networks of p = 0 and 1 draw no words, and need none: no unit lies below the bound of
        # p = 0, which this word makes exact, and at p = 1 the scale is 0.
        words[..., 0] = 0
        for i, generator in self._generators[layer]:
            words[i].random_(-(2**63), None, generator=generator)
        # 16 bits a unit. The bound that they are compared with is rounded up or down by a word
        # of its own, so that p need not be a multiple of 2**-16.
        uniform = words[..., 0].double() * 2.0**-64 + 0.5
        bounds = torch.floor(self._bounds[layer] + uniform) - 2**15
        parts = words[..., 1:].view(torch.int16)[..., :units].unflatten(-1, (rows, -1))
        factors = torch.empty(parts.shape, device=self._device)
        torch.ge(parts, bounds.clamp(max=2**15 - 1).short()[..., None, None], out=factors)
        return factors.mul_(self.scales[layer][..., None])


# --- how they are trained


class Descent:
    """Stochastic gradient descent with momentum for all networks of a stack."""

    def __init__(self, stack: Stack, plan: Plan, masks: Masks) -> None:
        self._stack, self._plan, self._masks = stack, plan, masks
        self._speed = torch.zeros_like(stack.flat)
        self._speed_of_weights, self._speed_of_biases = stack.views(self._speed)
        self._one_hot = torch.eye(stack.shapes[-1][2], device=stack.flat.device)
        self._ones = torch.ones(1, 1, plan.batch_size, device=stack.flat.device)

    def epoch(self, X: torch.Tensor, y: torch.Tensor, order: torch.Tensor) -> np.ndarray:
        """Use every image once; return the sums of the losses and of what was right, (2, n)."""
        size = self._plan.batch_size
        full = order.shape[1] - order.shape[1] % size
        sums = np.zeros((2, len(self._stack)))
        for block in order[:, :full].split(size * STEPS_AT_ONCE, dim=1):
            sums += self._steps(X, y, block.unflatten(1, (-1, size)))
        if full < order.shape[1]:
            sums += self._steps(X, y, order[:, None, full:])
        return sums

    def _steps(self, X: torch.Tensor, y: torch.Tensor, batches: torch.Tensor) -> np.ndarray:
        """Take a step for each of the batches (networks, steps, rows)."""
        _, steps, rows = batches.shape
        factors = [
            self._masks.drawn(layer, rows, steps) if drops else None
            for layer, drops in enumerate(self._masks.drops)
        ]
        inputs, labels = X[batches], y[batches]
        targets = self._one_hot[labels]
        logits = [
            self._step(
                inputs[:, step],
                targets[:, step],
                [None if factor is None else factor[:, step] for factor in factors],
            )
            for step in range(steps)
        ]
        return losses_and_right(torch.cat(logits, dim=1), labels.flatten(1))

    def _step(
        self, x: torch.Tensor, target: torch.Tensor, factors: list[torch.Tensor | None]
    ) -> torch.Tensor:
        """Move all networks one step down their gradients; return the logits before it."""
        stack, momentum = self._stack, self._plan.momentum
        inputs = [_times(x, factors[0])]
        for i, (W, b) in enumerate(zip(stack.weights, stack.biases, strict=True), 1):
            h = torch.baddbmm(b, inputs[-1], W)
            inputs.append(h if i == len(stack.weights) else _times(h.relu_(), factors[i]))
        logits = inputs.pop()
        rows = x.shape[1]
        d = _softmax(logits).sub_(target).div_(rows)
        ones = self._ones[..., :rows].expand(len(stack), -1, -1)
        for i in reversed(range(len(inputs))):
            # The speed becomes momentum times itself plus the gradient.
            self._speed_of_weights[i].baddbmm_(inputs[i].mT, d, beta=momentum)
            self._speed_of_biases[i].baddbmm_(ones, d, beta=momentum)
            if i:
                # A hidden unit is above 0 where ReLU let it through and it was kept.
                d = torch.ops.aten.threshold_backward(d @ stack.weights[i].mT, inputs[i], 0)
                if self._masks.drops[i]:
                    d.mul_(self._masks.scales[i])
        if self._plan.weight_decay:
            self._speed.add_(stack.flat, alpha=self._plan.weight_decay)
        stack.flat.sub_(self._speed, alpha=self._plan.lr)
        for W in stack.weights[:-1]:
            limit_norm(W, self._plan.max_norm)
        return logits


def _times(h: torch.Tensor, factor: torch.Tensor | None) -> torch.Tensor:
    return h if factor is None else h.mul_(factor)


def _softmax(logits: torch.Tensor) -> torch.Tensor:
    """Return the probabilities, three times as fast as PyTorch's for as few classes."""
    e = torch.exp(logits - logits.amax(dim=-1, keepdim=True))
    return e.div_(e.sum(dim=-1, keepdim=True))
