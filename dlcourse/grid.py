"""Many networks of one shape, trained at once as one program of batched matrix products.

Every network has its own first weights, order of images and masks, which depend on its own seed
and p alone: a network comes out the same, to within rounding, whatever else is trained beside it.
`dlcourse.training.train` is the readable specification.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from dlcourse import _validate as check
from dlcourse.training import (
    Curves,
    Plan,
    Progress,
    batch_orders,
    check_labels,
    checked_device,
    limit_norm,
    mlp,
    run_epochs,
    tensors,
)

if TYPE_CHECKING:
    from dlcourse.data import Dataset

NETWORKS_AT_ONCE = 64  # more in one program are no faster, and need more memory
STEPS_AT_ONCE = 5  # whose random words are drawn together
ROWS_AT_ONCE = 128  # when networks are scored: what stays in the cache is quicker
Ps = tuple[float, ...]


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

    Examples
    --------
    >>> stack = Stack([mlp(64, (32,), 10, seed=seed) for seed in range(3)])
    >>> stack.logits(torch.ones(5, 64)).shape
    torch.Size([3, 5, 10])
    """

    def __init__(self, networks: Sequence[nn.Sequential], device: Any = "cpu") -> None:
        layers = [[part for part in net if isinstance(part, nn.Linear)] for net in networks]
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
            sums += _losses_and_right(self.logits(part, factors), labels.expand(len(self), -1))
        loss, accuracy = sums / len(y)
        return loss, accuracy

    def network(self, i: int, p: Any = 0.0) -> nn.Sequential:
        """Return one of the networks as an ordinary PyTorch model in eval mode.

        Parameters
        ----------
        i : int, which
        p : as for `dlcourse.training.mlp`, of its dropout layers
        """
        sizes = [self.shapes[0][1], *self.widths, self.shapes[-1][2]]
        model = mlp(sizes[0], sizes[1:-1], sizes[-1], p=p)
        layers = [part for part in model if isinstance(part, nn.Linear)]
        with torch.no_grad():
            for layer, W, b in zip(layers, self.weights, self.biases, strict=True):
                layer.weight.copy_(W[i].T)
                layer.bias.copy_(b[i, 0])
        return model.eval()


@dataclass(frozen=True)
class Grid:
    """Trained networks, p × seeds of them, and their curves.

    Attributes
    ----------
    hidden : the widths of the hidden layers
    ps : the p of the inputs and of each hidden layer, for every setting
    seeds : those that are finished
    curves : Curves, arrays (ps, seeds, epochs)
    stack : Stack of ps × seeds networks, all seeds of the first p first

    Examples
    --------
    >>> from dlcourse import data
    >>> grid = train_grid(data.digits(), (32,), ps=[0, 0.5], seeds=3, epochs=2, progress=None)
    >>> grid.curves.test_accuracy.shape
    (2, 3, 2)
    """

    hidden: tuple[int, ...]
    ps: tuple[Ps, ...]
    seeds: tuple[int, ...]
    curves: Curves
    stack: Stack

    def network(self, p: int, seed: int) -> nn.Sequential:
        """Return the network of the p and of the seed at these places in `ps` and `seeds`."""
        return self.stack.network(p * len(self.seeds) + seed, self.ps[p])


def train_grid(
    data: Dataset,
    hidden: Sequence[int] = (64, 64),
    ps: Sequence[Any] = (0.0, 0.2, 0.5, 0.8),
    seeds: int | Sequence[int] = 8,
    *,
    epochs: int = 20,
    batch_size: int = 50,
    lr: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    max_norm: float | None = None,
    paired: bool = True,
    classes: int = 10,
    device: str = "cpu",
    progress: Progress | None = tqdm,
) -> Grid:
    """Train a network for each p and each seed, many of them at once.

    What does not fit into one program is cut into tasks of some seeds each, which joblib runs:
    one after the other, or on what ``joblib.parallel_config`` names, with the same results.

    Parameters
    ----------
    data : Dataset
    hidden : ints >= 1, the widths of the hidden layers
    ps : for each setting the p of its dropout layers, as for `dlcourse.training.mlp`
    seeds : int >= 1, how many, or the seeds themselves
    epochs, batch_size, lr, momentum, weight_decay, max_norm : as for `dlcourse.training.train`
    device, progress : as for `dlcourse.training.train`
    paired : bool, whether networks of one seed share first weights and batches whatever their p
    classes : int >= 1

    Returns
    -------
    Grid; after an interrupt, what is finished: of several tasks those done, of one its epochs

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, or a label is none of the classes.
    KeyboardInterrupt
        If it is interrupted before anything is finished.

    Notes
    -----
    Stochastic gradient descent with momentum, and max-norm regularisation: Srivastava et al. 2014,
    JMLR 15, section 5.1.

    Examples
    --------
    >>> from dlcourse import data
    >>> grid = train_grid(data.digits(), (64, 64), ps=[0, (0.2, 0.5, 0.5)], seeds=2, epochs=5,
    ...                   progress=None)
    >>> bool((grid.curves.test_accuracy[..., -1] > 0.8).all())
    True
    """
    plan = Plan(epochs, batch_size, lr, momentum, weight_decay, max_norm)
    hidden, chosen = check.widths(hidden), _seeds(seeds)
    settings = _settings(ps, len(hidden))
    check_labels(data, check.integer(classes, "classes", 1))
    checked_device(device)
    task = (data, hidden, settings, plan, check.flag(paired, "paired"), classes, device)
    many = max(1, NETWORKS_AT_ONCE // len(settings))
    blocks = [chosen[i : i + many] for i in range(0, len(chosen), many)]
    if len(blocks) == 1:
        return _train_task(*task, blocks[0], progress)
    return _joined(_run_tasks(task, blocks, progress))


def _seeds(seeds: Any) -> tuple[int, ...]:
    """Return the seeds that a number of them, or a sequence, stands for."""
    if not isinstance(seeds, Sequence | np.ndarray) or isinstance(seeds, str):
        return tuple(range(check.integer(seeds, "seeds", 1)))
    if len(seeds) == 0:
        raise ValueError(f"seeds must hold at least one seed, got {check.quoted(seeds)}")
    return tuple(check.seed(seed) for seed in seeds)


def _settings(ps: Any, hidden: int) -> tuple[Ps, ...]:
    """Return the p of the inputs and of each hidden layer, for every setting."""
    rule = f"ps must hold at least one p to train with, got {check.quoted(ps)}"
    if not isinstance(ps, Sequence | np.ndarray) or isinstance(ps, str):
        raise TypeError(f"{rule} ([{check.quoted(ps)}]?)")
    if len(ps) == 0:
        raise ValueError(rule)
    return tuple(check.layer_ps(p, hidden) for p in ps)


def _run_tasks(
    task: tuple[Any, ...], blocks: list[tuple[int, ...]], progress: Progress | None
) -> list[Grid]:
    """Return the grids of the blocks of seeds that are finished, in their order."""
    backend, _ = joblib.parallel.get_active_backend()
    lazy = getattr(backend, "supports_return_generator", False)
    parallel = joblib.Parallel(return_as="generator" if lazy else "list")
    grids: list[Grid] = []
    try:
        results = parallel(joblib.delayed(_train_task)(*task, block, None) for block in blocks)
        waiting = iter(results)
        for _ in range(len(blocks)) if progress is None else progress(range(len(blocks))):
            grids.append(next(waiting))
            if grids[-1].curves.epochs < task[3].epochs:  # it was interrupted
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        grids = [grid for grid in grids if grid.curves.epochs == task[3].epochs]
        if not grids:
            raise
    return grids


def _joined(grids: list[Grid]) -> Grid:
    """Put grids of the same ps and other seeds beside each other."""
    first = grids[0]
    curves = Curves(
        *(
            np.concatenate([getattr(grid.curves, field.name) for grid in grids], axis=1)
            for field in fields(Curves)
        )
    )
    nets = [
        grid.stack.network(p * len(grid.seeds) + i)
        for p in range(len(first.ps))
        for grid in grids
        for i in range(len(grid.seeds))
    ]
    seeds = tuple(seed for grid in grids for seed in grid.seeds)
    return Grid(first.hidden, first.ps, seeds, curves, Stack(nets))


def _train_task(
    data: Dataset,
    hidden: tuple[int, ...],
    ps: tuple[Ps, ...],
    plan: Plan,
    paired: bool,
    classes: int,
    device: str,
    seeds: tuple[int, ...],
    progress: Progress | None,
) -> Grid:
    """Train all p of some seeds as one program."""
    where = torch.device(device)
    X, y, X_test, y_test = tensors(data, where)
    each = [(p, seed) for p in ps for seed in seeds]
    draws = [_draw(p, seed, paired) for p, seed in each]
    first = {draw: mlp(X.shape[1], hidden, classes, seed=_number(draw)) for draw in draws}
    stack = Stack([first[draw] for draw in draws], where)
    masks = _Masks(each, [X.shape[1], *hidden], where)
    descent = _Descent(stack, plan, masks)
    orders = _Orders(len(y), draws)

    def one_epoch() -> list[Any]:
        running = descent.epoch(X, y, next(orders).to(where))
        return [*(running / len(y)), *stack.score(X, y), *stack.score(X_test, y_test)]

    with torch.no_grad():
        rows = run_epochs(plan.epochs, progress, one_epoch, lambda: stack.flat, stack.flat.copy_)
    curves = Curves.from_epochs(rows, (len(ps), len(seeds)))
    return Grid(hidden, ps, seeds, curves, stack)


# --- what is random, for every network on its own


def _draw(p: Ps, seed: int, paired: bool) -> tuple[int, ...]:
    """Return what the first weights and the order of the images are drawn from."""
    return (seed,) if paired else (seed, *_bits(p))


def _bits(p: Ps) -> list[int]:
    return [round(one * 2**32) for one in p]


def _number(draw: tuple[int, ...]) -> int:
    """Return a seed for PyTorch: that of the network itself where it is one number."""
    return draw[0] if len(draw) == 1 else int(np.random.SeedSequence(draw).generate_state(1)[0])


class _Orders:
    """The orders of the images of an epoch, (networks, images), drawn once for those that share."""

    def __init__(self, rows: int, draws: list[tuple[int, ...]]) -> None:
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


class _Masks:
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
        """Return mask / (1 - p), a factor for each unit, (networks, steps, rows, units)."""
        units = rows * self._widths[layer]
        shape = (self._networks, steps, 1 + -(-units // 4))
        words = torch.empty(shape, dtype=torch.int64, device=self._device)
        for i, generator in self._generators[layer]:
            words[i].random_(-(2**63), None, generator=generator)
        # 16 bits a unit. The bound that they are compared with is rounded up or down by a word
        # of its own, so that each unit is dropped with probability p and no other.
        uniform = words[..., 0].double() * 2.0**-64 + 0.5
        bounds = torch.floor(self._bounds[layer] + uniform) - 2**15
        parts = words[..., 1:].view(torch.int16)[..., :units].unflatten(-1, (rows, -1))
        factors = torch.empty(parts.shape, device=self._device)
        torch.ge(parts, bounds.clamp(max=2**15 - 1).short()[..., None, None], out=factors)
        return factors.mul_(self.scales[layer][..., None])


# --- how they are trained: the gradient is written by hand, as in `dlcourse.network`


class _Descent:
    """Stochastic gradient descent with momentum for all networks of a stack."""

    def __init__(self, stack: Stack, plan: Plan, masks: _Masks) -> None:
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
        return _losses_and_right(torch.cat(logits, dim=1), labels.flatten(1))

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


def _losses_and_right(logits: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """Return the sum of the losses and the number of right rows of each network, (2, networks)."""
    of_label = logits.gather(2, y[..., None])
    losses = logits.logsumexp(dim=-1, keepdim=True) - of_label
    right = of_label == logits.amax(dim=-1, keepdim=True)
    return torch.stack([losses.double().sum((1, 2)), right.double().sum((1, 2))]).cpu().numpy()
