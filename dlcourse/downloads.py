"""Fetching MNIST and Fashion-MNIST from OpenML, once, and keeping them."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import HTTPError, URLError

import numpy as np
from sklearn.datasets import fetch_openml
from tqdm.auto import tqdm

from dlcourse import _validate as check


class DataError(RuntimeError):
    """Data that could not be fetched, kept or read: one sentence on what to do, and the cause."""


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
    return path_of(name, folder).is_file()


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
    path = path_of(name, folder)
    try:
        with suppress(FileNotFoundError, NotADirectoryError, ValueError):  # not there, or broken
            read(path)
            return
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


def path_of(name: Any, folder: Any) -> Path:
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


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the images and the labels that a file keeps, if they are what was put there.

    Raises
    ------
    OSError, MemoryError
        If the file is not there, cannot be opened, or does not fit into memory.
    ValueError
        If it is broken.
    """
    with path.open("rb") as file:
        try:
            with np.load(file) as kept:
                X, y, sha256 = kept["X"], kept["y"], str(kept["sha256"])
        except MemoryError:
            raise
        except Exception as error:  # a broken file fails in many ways
            raise ValueError(f"{path} is broken") from error
    if sha256 != _sha256(X, y):
        raise ValueError("the checksum is wrong")
    return X, y.astype(np.int64)


def _sha256(X: np.ndarray, y: np.ndarray) -> str:
    both = hashlib.sha256(np.ascontiguousarray(X).data)
    both.update(np.ascontiguousarray(y).data)
    return both.hexdigest()


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
