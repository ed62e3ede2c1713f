"""What lesson 06 trains: the experiment with two hidden layers, and the panel's networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlcourse import data
from dlcourse.grid import PS, train_grid
from dlcourse.keep import Keep
from dlcourse.training import Curves, Progress, whole

SEEDS = 8
EPOCHS = 40
# Of about a dozen schedules tried on validation images (rates 0.02 to 0.1, batches of 25 to 100,
# up to 60 epochs) one in which p = 0 overfits soon; not the one that is best for p = 0.
# At width 256 the lesson takes 30 epochs: cut from 40 to save time, after both had been scored.
LR = 0.05

# --- the experiment of Dive into Deep Learning


def d2l(
    dataset: data.Dataset,
    ps: Sequence[Any] = (0, (0.2, 0.5)),
    *,
    hidden: Sequence[int] = (256, 256),
    seeds: int = SEEDS,
    epochs: int = EPOCHS,
    progress: Progress | None = None,
) -> Curves:
    """Train two hidden layers on a data set with and without dropout, and return their curves.

    Every setting starts, for each seed, from the same weights and sees the same batches of 50, at
    a learning rate of 0.05 with momentum 0.9.

    Parameters
    ----------
    dataset : Dataset
    ps : for each setting a p of both hidden layers, or one for each of them
    hidden : ints >= 1, the widths of the hidden layers
    seeds, epochs : ints >= 1
    progress : callable, such as tqdm; None for silence

    Returns
    -------
    Curves, arrays (settings, seeds, epochs)

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.
    KeyboardInterrupt
        If it is interrupted; half-trained networks are not compared.

    Notes
    -----
    A. Zhang, Z. Lipton, M. Li and A. Smola, Dive into Deep Learning, section on dropout: layers of
    256 units with p = 0.2 behind the first and 0.5 behind the second, one run.

    Examples
    --------
    >>> d2l(data.digits(100), hidden=(16, 16), seeds=2, epochs=3).gap.shape
    (2, 2, 3)
    """
    grid = train_grid(
        dataset, hidden, ps, seeds, epochs=epochs, lr=LR, momentum=0.9, progress=progress
    )
    return whole(grid.curves, epochs, seeds)


# --- the panel's networks

WRONG = (0.0, 0.2, 0.4)
IMAGES = (300, 1000)

_kept: Keep[Curves] = Keep(6)  # settings: all that the controls allow under one seed


def trained(
    seed: int = 0, wrong: float = 0.2, images: int = 1000, progress: Progress | None = None
) -> Curves:
    """Return the curves of 64 networks of width 64, a p of `PS` in both layers and 8 seeds each.

    Scores called "test" are those on 287 validation images, because here a p may be chosen. The
    last few results are kept, so that asking once more costs nothing.

    Parameters
    ----------
    seed : int >= 0, of the choice of images and wrong labels, and of the networks
    wrong : float in [0, 1], the share of wrong labels
    images : int, training images, up to 1,150
    progress : callable, such as tqdm; None for silence

    Returns
    -------
    Curves, arrays (8 of p, 8 seeds, 40 epochs)

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.
    KeyboardInterrupt
        If it is interrupted; nothing is kept then, and the next call starts again.
    """
    # before the results are looked up: it says what is wrong with an argument
    dataset = data.digits(images, wrong_labels=wrong, seed=seed, validation=True)

    def made() -> Curves:
        seeds = range(SEEDS * seed, SEEDS * (seed + 1))
        grid = train_grid(dataset, (64, 64), PS, seeds, epochs=EPOCHS, lr=LR, progress=progress)
        return whole(grid.curves, EPOCHS, SEEDS)

    return _kept.get((seed, wrong, images), made)
