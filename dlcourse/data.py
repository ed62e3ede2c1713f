"""The images to learn from: scikit-learn's digits, and two larger sets that can be downloaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from dlcourse import _validate as check
from dlcourse.downloads import SOURCES, DataError, download, is_downloaded, path_of, read

__all__ = [
    "DataError",
    "Dataset",
    "digits",
    "download",
    "fashion_mnist",
    "is_downloaded",
    "mnist",
]

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""X_train, X_test, y_train, y_test; images of floats, or of bytes that are still to be divided."""

VALIDATION = 5  # one in so many training images is cut out for validation


@dataclass(frozen=True)
class Dataset:
    """Images as rows of numbers in [0, 1], and their labels 0 … 9; the arrays are read-only.

    `wrong` is True at the training images whose label was made wrong on purpose.

    Examples
    --------
    >>> data = digits()
    >>> data.name, data.shape, data.X_train.shape, data.X_test.shape
    ('digits', (8, 8), (1437, 64), (360, 64))
    """

    name: str
    shape: tuple[int, int]
    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    wrong: np.ndarray


def digits(
    train_size: int | None = None,
    *,
    wrong_labels: float = 0.0,
    seed: int = 0,
    validation: bool = False,
) -> Dataset:
    """Return the 8 × 8 digits bundled with scikit-learn, always split in the same, stratified way.

    Parameters
    ----------
    train_size : None for all training images, or how many, each class keeping its share
    wrong_labels : float in [0, 1], the fraction of training labels replaced by another class
    seed : int >= 0, for the choice of images, of wrong labels and of the validation part
    validation : bool, whether `X_test` and `y_test` are a fifth of the *training* images, held
        out, so that no choice is made on the test images; their labels are never made wrong

    Returns
    -------
    Dataset
        Up to 1,437 training images (1,150 beside a validation part of 287) and 360 test images.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    With the same seed more training images are the same ones and more, and a larger fraction
    makes the same labels wrong and more. Source: E. Alpaydin and C. Kaynak, Optical Recognition
    of Handwritten Digits, UCI 1998; here the 1,797 images of its test part. Wrong labels: Zhang
    et al. 2017, Understanding deep learning requires rethinking generalization, section 2.

    Examples
    --------
    >>> data = digits(200, wrong_labels=0.1)
    >>> np.bincount(data.y_test), data.wrong.sum()
    (array([36, 36, 35, 37, 36, 37, 36, 36, 35, 36]), np.int64(20))
    """
    asked = _checked(1437, train_size, wrong_labels, seed, validation)
    return _cut("digits", (8, 8), _digits(), *asked)


@lru_cache
def _digits() -> Split:
    X, y = load_digits(return_X_y=True)
    return tuple(train_test_split(X / 16, y, test_size=360, stratify=y, random_state=0))


# --- what is cut out of it


def _checked(
    images: int, train_size: Any, wrong_labels: Any, seed: Any, validation: Any
) -> tuple[int, float, int, int]:
    """Return how many of the images to train on, the wrong fraction, seed, and how many to hold."""
    fraction = check.probability(wrong_labels, "wrong_labels")
    held_out = images // VALIDATION if check.flag(validation, "validation") else 0
    most = images - held_out
    size = most if train_size is None else check.integer(train_size, "train_size", 1, most)
    return size, fraction, check.seed(seed), held_out


def _cut(
    name: str,
    shape: tuple[int, int],
    split: Split,
    size: int,
    fraction: float,
    seed: int,
    held_out: int,
) -> Dataset:
    """Return what was asked for of a data set, its images in the order that they have there."""
    X, X_test, y, y_test = split
    # Each choice has random numbers of its own, so that none moves when another is changed.
    seeds = np.random.SeedSequence(seed).spawn(3)
    for_validation, for_size, for_labels = map(np.random.default_rng, seeds)
    order = _stratified(y, for_validation)
    held, rest = np.sort(order[:held_out]), np.sort(order[held_out:])
    rows = np.sort(rest[_stratified(y[rest], for_size)[:size]])
    labels, wrong = _with_wrong_labels(y[rows], fraction, for_labels)
    if held_out:
        X_test, y_test = X[held], y[held]
    arrays = (_in_unit_range(X[rows]), labels, _in_unit_range(X_test), y_test.copy(), wrong)
    for array in arrays:
        array.flags.writeable = False
    return Dataset(name, shape, *arrays)


def _stratified(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return all rows in a random order whose every beginning holds each class at its share.

    The i-th of the n images of a class stands at the height (i + 1/2) / n, whatever the class.
    """
    order = rng.permutation(len(y))
    height = np.empty(len(y))
    for label in np.unique(y):
        here = y[order] == label
        height[here] = (np.arange(here.sum()) + 0.5) / here.sum()
    return order[np.argsort(height, kind="stable")]


def _with_wrong_labels(
    y: np.ndarray, fraction: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels with a fraction of them moved 1 to 9 classes on, and which were moved."""
    order, steps = rng.permutation(len(y)), rng.integers(1, 10, len(y))
    wrong = np.zeros(len(y), bool)
    wrong[order[: round(fraction * len(y))]] = True
    return np.where(wrong, (y + steps) % 10, y), wrong


def _in_unit_range(X: np.ndarray) -> np.ndarray:
    """Return a copy: bytes divided by 255, as 32-bit floats; floats as they are."""
    return X / np.float32(255) if X.dtype == np.uint8 else X.copy()


# --- what can be downloaded


def fashion_mnist(
    train_size: int | None = None,
    *,
    wrong_labels: float = 0.0,
    seed: int = 0,
    validation: bool = False,
    folder: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Return the 28 × 28 pictures of clothes in their standard split, if they are downloaded.

    Parameters
    ----------
    train_size, wrong_labels, seed, validation : as in `digits`
    folder : where `download` left them; None for scikit-learn's data folder

    Returns
    -------
    Dataset
        Up to 60,000 training images (48,000 beside a validation part of 12,000) and 10,000 test
        images, of 32-bit floats.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.
    DataError
        If they are not downloaded, or their file is broken. Loading never downloads by itself.
    OSError, MemoryError
        If their file cannot be opened, or does not fit into memory.

    Notes
    -----
    Takes about a second, and 220 MB for all images. Source: H. Xiao, K. Rasul and R. Vollgraf,
    Fashion-MNIST, arXiv:1708.07747.

    Examples
    --------
    >>> fashion_mnist(folder="nowhere")
    Traceback (most recent call last):
    ...
    dlcourse.downloads.DataError: fashion_mnist is not in nowhere: \
dlcourse.data.download('fashion_mnist', 'nowhere') gets it once, about 35 MB
    """
    return _downloaded("fashion_mnist", folder, train_size, wrong_labels, seed, validation)


def mnist(
    train_size: int | None = None,
    *,
    wrong_labels: float = 0.0,
    seed: int = 0,
    validation: bool = False,
    folder: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Return the 28 × 28 handwritten digits in their standard split, if they are downloaded.

    All as in `fashion_mnist`. Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner 1998,
    Gradient-based learning applied to document recognition, Proc. IEEE 86.

    Examples
    --------
    >>> mnist(train_size=0)
    Traceback (most recent call last):
    ...
    ValueError: train_size must be an int from 1 to 60000, got 0
    """
    return _downloaded("mnist", folder, train_size, wrong_labels, seed, validation)


def _downloaded(name: str, folder: Any, *asked: Any) -> Dataset:
    source, path = SOURCES[name], path_of(name, folder)
    wanted = _checked(source.train, *asked)
    again = f"dlcourse.data.download({name!r}{'' if folder is None else f', {str(folder)!r}'})"
    try:
        X, y = read(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        place = f"{name} is not in {path.parent.parent}"
        raise DataError(f"{place}: {again} gets it once, about {source.megabytes} MB") from error
    except ValueError as error:
        raise DataError(f"{path} is broken: {again} makes it anew") from error
    n = source.train
    return _cut(name, source.shape, (X[:n], X[n:], y[:n], y[n:]), *wanted)
