"""Autoencoders of lesson 04: networks that copy digits through 64 hidden units, some dropped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from dlcourse import data
from dlcourse.training import batch_orders, tensors

TRAINED = (0.0, 0.5)
SEEDS = 8
UNITS = 64
EPOCHS, ROWS, LR, MOMENTUM = 60, 50, 0.8, 0.9
FIRST_WEIGHTS = 0.02  # their standard deviation: small, so that what is learned can be seen


@dataclass(frozen=True)
class Autoencoders:
    """What was learned by p of training and seed: (2, 8, …), the first without dropout.

    `weights` (2, 8, 64 pixels, 64 units) lead into the hidden units, `code` (2, 8, 360, 64) is
    what these say for the test images, and `error` (2, 8) the mean squared error of a copied pixel.

    Examples
    --------
    >>> autoencoders().code.shape
    (2, 8, 360, 64)
    """

    weights: np.ndarray
    code: np.ndarray
    error: np.ndarray


@cache
def autoencoders() -> Autoencoders:
    """Train autoencoders of 64-64-64 with ReLU on 1,000 digits, with p = 0 and 0.5: seconds.

    Those of one seed share first weights and batches. All 16 are one stack of matrices.

    Notes
    -----
    One hidden layer of ReLU, with dropout, as for figures 7 and 8 of Srivastava et al. 2014,
    JMLR 15; those are on MNIST with 256 units.

    Examples
    --------
    >>> error = autoencoders().error
    >>> bool((error[0] < error[1]).all())
    True
    """
    X, _, X_test, _ = tensors(data.digits(1000), torch.device("cpu"))
    generators = [torch.Generator().manual_seed(seed) for seed in range(SEEDS)]
    first = [torch.randn(2, 64, UNITS, generator=generator) for generator in generators]
    both = FIRST_WEIGHTS * torch.stack(first).repeat(len(TRAINED), 1, 1, 1)
    W, V, n = both[:, 0].clone(), both[:, 1].mT.clone(), len(both)
    params = [torch.zeros(n, 1, UNITS), W, X.mean(dim=0).repeat(n, 1, 1), V]
    optimizer = torch.optim.SGD([param.requires_grad_() for param in params], LR, MOMENTUM)
    keep = 1 - torch.tensor(TRAINED).repeat_interleave(SEEDS)[:, None, None]
    orders, masks = [batch_orders(len(X), seed) for seed in range(SEEDS)], torch.Generator()
    masks.manual_seed(0)
    for _ in range(EPOCHS):
        order = torch.stack([next(order) for order in orders]).repeat(len(TRAINED), 1)
        for rows in order.split(ROWS, dim=1):
            x = X[rows]
            code = _code(params, x)
            code = code * (torch.rand(code.shape, generator=masks) < keep) / keep
            loss = ((_copy(params, code) - x) ** 2).mean(dim=(1, 2)).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        x = X_test.expand(n, -1, -1)
        code = _code(params, x)
        error = ((_copy(params, code) - x) ** 2).mean(dim=(1, 2))
    parts = [part.detach().numpy() for part in (W, code, error)]
    return Autoencoders(*(part.reshape(len(TRAINED), SEEDS, *part.shape[1:]) for part in parts))


def _code(params: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    return torch.baddbmm(params[0], x, params[1]).relu()


def _copy(params: list[torch.Tensor], code: torch.Tensor) -> torch.Tensor:
    return torch.baddbmm(params[2], code, params[3])


def zeros(code: np.ndarray) -> float:
    """Return how often a hidden unit is 0, over the units that are above 0 for some image.

    Parameters
    ----------
    code : array (images, units); a unit that is 0 for every image is dead, and left out

    Examples
    --------
    >>> zeros(np.array([[0.0, 0.0, 2.0], [0.0, 1.0, 3.0]]))
    0.25
    """
    return float((code[:, _alive(code)] == 0).mean())


def neighbours(weights: np.ndarray, code: np.ndarray) -> float:
    """Return the correlation between the weights of neighbouring pixels: near 0 for speckle.

    Parameters
    ----------
    weights : array (64 pixels, units); pixels that are next to each other in a row or column
    code : array (images, units), to leave out dead units

    Examples
    --------
    >>> neighbours(np.outer(np.arange(64), np.ones(3)), np.ones((2, 3))) > 0.9
    True
    """
    images = weights.T[_alive(code)].reshape(-1, 8, 8)
    across = images[:, :, :-1].ravel(), images[:, :, 1:].ravel()
    down = images[:, :-1].ravel(), images[:, 1:].ravel()
    one, next_to_it = (np.concatenate(pair) for pair in zip(across, down, strict=True))
    return float(np.corrcoef(one, next_to_it)[0, 1])


def _alive(code: np.ndarray) -> np.ndarray:
    return np.asarray((code > 0).any(axis=0))
