"""Many networks of one shape, trained at once as one program of batched matrix products.

Every network has its own first weights, order of images and masks, which depend on its own seed
and p alone: a network comes out the same, to within rounding, whatever else is trained beside it.
`dlcourse.training.train` is the readable specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from dlcourse import _validate as check
from dlcourse import memory
from dlcourse.descent import Descent, Masks, Orders, Ps, draw_of, number_of
from dlcourse.stack import Stack
from dlcourse.training import (
    Curves,
    Plan,
    Progress,
    check_labels,
    check_progress,
    checked_device,
    counted,
    mlp,
    run_epochs,
    tensors,
)

if TYPE_CHECKING:
    from dlcourse.data import Dataset

NETWORKS_AT_ONCE = 64  # more in one program are no faster, and need more memory
PS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)  # that the panels over trained networks show


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

    def network(self, setting: int, seed: int) -> nn.Sequential:
        """Return the network of the p and of the seed at these places in `ps` and `seeds`.

        Raises
        ------
        TypeError, ValueError
            If a place is no int, or there is nothing at it.
        """
        setting = check.integer(setting, "setting, a place in ps,", 0, len(self.ps) - 1)
        place = check.integer(seed, "seed, a place in seeds,", 0, len(self.seeds) - 1)
        return self.stack.network(setting * len(self.seeds) + place, self.ps[setting])


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
    check_progress(progress)
    where = checked_device(device)
    paired = check.flag(paired, "paired")
    train = partial(_train_task, data, hidden, settings, plan, paired, classes, where)
    many = max(1, NETWORKS_AT_ONCE // len(settings))
    blocks = [chosen[i : i + many] for i in range(0, len(chosen), many)]
    if len(blocks) == 1:
        return train(blocks[0], progress)
    return _joined(_run_tasks(train, plan.epochs, blocks, progress), where)


def nearest(p: float) -> int:
    """Return the place in `PS` of the p nearest to this one; of two the smaller.

    Raises
    ------
    TypeError, ValueError
        If p is no probability; the message quotes it.

    Examples
    --------
    >>> PS[nearest(0.55)], PS[nearest(1)]
    (0.5, 0.9)
    """
    p = check.probability(p)
    return min(range(len(PS)), key=lambda i: round(abs(PS[i] - p), 9))


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
    train: Callable[[tuple[int, ...], None], Grid],
    epochs: int,
    blocks: list[tuple[int, ...]],
    progress: Progress | None,
) -> list[Grid]:
    """Return the grids of the blocks of seeds that are finished, in their order."""
    backend, _ = joblib.parallel.get_active_backend()
    lazy = getattr(backend, "supports_return_generator", False)
    parallel = joblib.Parallel(return_as="generator" if lazy else "list")
    grids: list[Grid] = []
    try:
        waiting = iter(parallel(joblib.delayed(train)(block, None) for block in blocks))
        for _ in counted(len(blocks), progress):
            grids.append(next(waiting))
            if grids[-1].curves.epochs < epochs:  # it was interrupted
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        grids = [grid for grid in grids if grid.curves.epochs == epochs]
        if not grids:
            raise
    return grids


def _joined(grids: list[Grid], where: torch.device) -> Grid:
    """Put grids of the same ps and other seeds beside each other, on this device."""
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
    return Grid(first.hidden, first.ps, seeds, curves, Stack(nets, where))


def _train_task(
    data: Dataset,
    hidden: tuple[int, ...],
    ps: tuple[Ps, ...],
    plan: Plan,
    paired: bool,
    classes: int,
    where: torch.device,
    seeds: tuple[int, ...],
    progress: Progress | None,
) -> Grid:
    """Train all p of some seeds as one program."""
    X, y, X_test, y_test = tensors(data, where)
    each = [(p, seed) for p in ps for seed in seeds]
    draws = [draw_of(p, seed, paired) for p, seed in each]
    first = {draw: mlp(X.shape[1], hidden, classes, seed=number_of(draw)) for draw in draws}
    stack = Stack([first[draw] for draw in draws], where)
    masks = Masks(each, [X.shape[1], *hidden], where)
    descent = Descent(stack, plan, masks)
    orders = Orders(len(y), draws)

    def one_epoch() -> list[Any]:
        running = descent.epoch(X, y, next(orders).to(where))
        memory.give_back()
        return [*(running / len(y)), *stack.score(X, y), *stack.score(X_test, y_test)]

    with torch.inference_mode():
        rows = run_epochs(plan.epochs, progress, one_epoch, lambda: stack.flat, stack.flat.copy_)
    curves = Curves.from_epochs(rows, (len(ps), len(seeds)))
    return Grid(hidden, ps, seeds, curves, stack)
