"""The images to learn from: scikit-learn's digits, and two larger sets that can be downloaded."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import HTTPError, URLError

import numpy as np
from sklearn.datasets import fetch_openml, load_digits
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm  # type: ignore[import-untyped,unused-ignore]

from dlcourse import _validate as check

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""X_train, X_test, y_train, y_test; images of floats, or of bytes that are still to be divided."""

VALIDATION = 5  # one in so many training images is cut out for validation


class DataError(RuntimeError):
    """Data that could not be fetched, kept or read: one sentence on what to do, and the cause."""


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
    size = most if train_size is None else _whole(train_size, "train_size", "None or ", 1, most)
    return size, fraction, _whole(seed, "seed"), held_out


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


def _whole(value: Any, name: str, other: str = "", low: int = 0, high: int | None = None) -> int:
    """Return `value` as an int if it is one in the range, `high` included."""
    limits = f">= {low}" if high is None else f"from {low} to {high}"
    rule = f"{name} must be {other}an int {limits}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{rule}, got {check.quoted(value)}")
    if value < low or (high is not None and value > high):
        raise ValueError(f"{rule}, got {check.quoted(value)}")
    return int(value)


# --- what can be downloaded


@dataclass(frozen=True)
class Source:
    """A data set at OpenML: the training images first, then the test images."""

    data_id: int
    shape: tuple[int, int]
    train: int
    test_counts: tuple[int, ...]  # test images of each class, which tells one split from another
    megabytes: int  # as a compressed file, roughly


SOURCES = {
    "mnist": Source(
        554, (28, 28), 60_000, (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009), 15
    ),
    "fashion_mnist": Source(40996, (28, 28), 60_000, 10 * (1000,), 35),
}


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

    Notes
    -----
    Takes about a second, and 220 MB for all images. Source: H. Xiao, K. Rasul and R. Vollgraf,
    Fashion-MNIST, arXiv:1708.07747.

    Examples
    --------
    >>> fashion_mnist(folder="nowhere")
    Traceback (most recent call last):
    ...
    dlcourse.data.DataError: fashion_mnist is not in nowhere: \
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
    ValueError: train_size must be None or an int from 1 to 60000, got 0
    """
    return _downloaded("mnist", folder, train_size, wrong_labels, seed, validation)


def _downloaded(name: str, folder: Any, *asked: Any) -> Dataset:
    source, path = SOURCES[name], _path(name, folder)
    wanted = _checked(source.train, *asked)
    again = f"dlcourse.data.download({name!r}{'' if folder is None else f', {str(folder)!r}'})"
    try:
        X, y = _read(path)
    except FileNotFoundError as error:
        place = f"{name} is not in {path.parent.parent}"
        raise DataError(f"{place}: {again} gets it once, about {source.megabytes} MB") from error
    except Exception as error:  # a broken file fails in many ways
        raise DataError(f"{path} is broken: {again} makes it anew") from error
    n = source.train
    return _cut(name, source.shape, (X[:n], X[n:], y[:n], y[n:]), *wanted)


def is_downloaded(name: str, folder: str | os.PathLike[str] | None = None) -> bool:
    """Return whether `download` has left "mnist" or "fashion_mnist" in the folder.

    Raises
    ------
    TypeError, ValueError
        If the name or the folder is not what it must be.

    Examples
    --------
    >>> is_downloaded("mnist", folder="nowhere")
    False
    """
    return _path(name, folder).is_file()


def download(name: str, folder: str | os.PathLike[str] | None = None) -> None:
    """Fetch "mnist" or "fashion_mnist" from OpenML and keep it, unless it is there already.

    Parameters
    ----------
    name : "mnist" or "fashion_mnist"
    folder : where to keep it; None for scikit-learn's data folder, often ~/scikit_learn_data

    Raises
    ------
    TypeError, ValueError
        If the name or the folder is not what it must be.
    DataError
        If it cannot be fetched or kept; the message says what to do, its cause what happened.

    Notes
    -----
    `sklearn.datasets.fetch_openml` fetches the file, tries again where the network fails, and
    checks the MD5 that OpenML gives. Unpacking its text takes 10 to 25 s and 0.9 GB of memory,
    once: what is kept are the bytes with a SHA-256, moved into place when they are complete. If
    it is interrupted, nothing is left behind. The bar counts what has arrived, compressed; how
    much is expected is known only roughly, and where OpenML sends it uncompressed, four to eight
    times as much travels.

    Examples
    --------
    >>> download("Fashion-MNIST")
    Traceback (most recent call last):
    ...
    ValueError: name must be 'mnist' or 'fashion_mnist', got 'Fashion-MNIST' ('fashion_mnist'?)
    """
    path = _path(name, folder)
    with suppress(Exception):  # not there yet, or broken: made anew
        _read(path)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside the file, so that the last step is a change of name on one disk.
        with TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as work:
            with _progress(name, Path(work)):
                X, y = _fetch(SOURCES[name], work)
            np.savez_compressed(Path(work, "new.npz"), X=X, y=y, sha256=_sha256(X, y))
            os.replace(Path(work, "new.npz"), path)
    except Exception as error:
        raise DataError(f"{name} is not downloaded: {_advice(error, name, path)}") from error


def _advice(error: Exception, name: str, path: Path) -> str:
    """Return what to do about an error that stopped a download."""
    match error:
        case HTTPError():
            return f"OpenML answers with error {error.code}, it may be down; try again later"
        case URLError() | SSLError() | ConnectionError() | TimeoutError() | HTTPException():
            return "OpenML cannot be reached; check the network, and try again"
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return f"the disk is full; free {3 * SOURCES[name].megabytes} MB in {path.parent}"
        case OSError(errno=int()):
            return f"{path.parent} cannot be written to; name another folder, or allow it"
        case MemoryError():
            return "unpacking takes 0.9 GB of memory, once; close other programs, and try again"
        case _:
            return "what came from OpenML is not what it must be; try again later"


def _path(name: Any, folder: Any) -> Path:
    """Return the file that keeps a data set; neither the file nor its folder need exist."""
    if not isinstance(name, str) or name not in SOURCES:
        likely = str(name).lower().replace("-", "_").replace("mnist_784", "mnist")
        hint = f" ({likely!r}?)" if likely in SOURCES else ""
        rule = f"name must be {' or '.join(map(repr, SOURCES))}, got {check.quoted(name)}{hint}"
        raise (ValueError if isinstance(name, str) else TypeError)(rule)
    if folder is None:  # as `sklearn.datasets.get_data_home`, which would make the folder
        folder = os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"folder must be None or a path, got {check.quoted(folder)}")
    return Path(folder).expanduser() / "dlcourse" / f"{name}.npz"


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as kept:
        X, y, sha256 = kept["X"], kept["y"], str(kept["sha256"])
    if sha256 != _sha256(X, y):
        raise ValueError("the checksum is wrong")
    return X, y.astype(np.int64)


def _sha256(X: np.ndarray, y: np.ndarray) -> str:
    return hashlib.sha256(X.tobytes() + y.tobytes()).hexdigest()


def _fetch(source: Source, work: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels as bytes, in OpenML's order, if they are what they must be."""
    # "liac-arff" is the parser that needs no pandas.
    found = fetch_openml(data_id=source.data_id, as_frame=False, parser="liac-arff", data_home=work)
    X, y = found.data.astype(np.uint8), found.target.astype(np.uint8)
    counts = tuple(np.bincount(y[source.train :], minlength=10).tolist())
    if X.shape[1] != np.prod(source.shape) or counts != source.test_counts:
        raise ValueError(f"pixels {X.shape}, test images of each class {counts}")
    if not np.array_equal(X, found.data):
        raise ValueError("pixels that are not whole numbers from 0 to 255")
    return X, y


@contextmanager
def _progress(name: str, work: Path) -> Iterator[None]:
    """Show how many bytes have arrived in the folder, while the body fetches them."""
    done, total = threading.Event(), SOURCES[name].megabytes * 1e6

    def look() -> None:
        with suppress(OSError):  # a file that was just moved
            bar.update(sum(file.stat().st_size for file in work.rglob("*.gz")) - bar.n)

    def watch() -> None:
        while not done.wait(0.2):
            look()

    with tqdm(
        desc=f"{name}, then 20 s of unpacking", total=total, unit="B", unit_scale=True
    ) as bar:
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
            look()
        finally:
            done.set()
            watcher.join()
