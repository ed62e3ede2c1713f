"""The operation beside its peers, in NumPy and PyTorch, and the price of `import dlcourse`.

Ours and the peer take turns, so that whatever else the machine does hits both. The ratio is the
median of the ratios of neighbouring turns.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.rows import Row

SHAPE, P = (1024, 1024), 0.5
WORDS = SHAPE[0] * SHAPE[1] // 8 + 2  # 8 random bits a unit, and a seed: see dropout_mask


def seconds(call: Callable[[], object], calls: int = 1) -> float:
    """Return how long one call takes, on average over some calls in a row."""
    start = perf_counter()
    for _ in range(calls):
        call()
    return (perf_counter() - start) / calls


def side_by_side(
    what: str,
    ours: Callable[[], object],
    peer: Callable[[], object],
    target: str,
    repeats: int = 40,
    calls: int = 1,
) -> Row:
    """Measure two functions in turn, after one turn that does not count."""
    pairs = [(seconds(ours, calls), seconds(peer, calls)) for _ in range(repeats + 1)][1:]
    faster = target.startswith(">=")
    ratio = median(theirs / own if faster else own / theirs for own, theirs in pairs)
    own, theirs = (1000 * median(times) for times in zip(*pairs, strict=True))
    return Row(what, own, theirs, ratio, target)


def numpy_rows() -> list[Row]:
    """Measure `dropout` against the usual one-liner, and against its random numbers alone."""
    from dlcourse import dropout

    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    rng, keep = np.random.default_rng(1), 1 - P

    def ours() -> np.ndarray:
        return dropout(x, P, rng=rng)

    def one_liner() -> np.ndarray:
        return x * (np.random.rand(*x.shape) < keep) / keep  # noqa: NPY002

    def words(count: int) -> np.ndarray:
        return rng.integers(2**64 - 1, size=count, dtype=np.uint64, endpoint=True)

    size = f"float32 {SHAPE[0]}×{SHAPE[1]}, p = {P}"
    return [
        side_by_side(f"NumPy dropout, one-liner with rand; {size}", ours, one_liner, ">= 3"),
        side_by_side(
            f"NumPy dropout, the words it draws alone; {size}", ours, lambda: words(WORDS), "<= 5"
        ),
        side_by_side(
            f"NumPy dropout, words of 32 bits a unit alone; {size}",
            ours,
            lambda: words(x.size // 2),
            "<= 2.5",
        ),
    ]


def torch_rows() -> list[Row]:
    """Measure `Dropout` against `torch.nn.Dropout`, forward and backward, on one thread."""
    import torch

    from dlcourse import Dropout

    def row(shape: tuple[int, int], calls: int, target: str) -> Row:
        x, grad = torch.randn(shape, requires_grad=True), torch.ones(shape)

        def forward_backward(layer: torch.nn.Module) -> None:
            x.grad = None
            layer(x).backward(grad)

        layers = Dropout(P), torch.nn.Dropout(P)
        ours, peer = (lambda layer=layer: forward_backward(layer) for layer in layers)
        what = f"PyTorch Dropout, nn.Dropout; forward + backward, {shape[0]}×{shape[1]}"
        return side_by_side(what, ours, peer, target, calls=calls)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row(SHAPE, 1, ">= 1.5"), row((64, 256), 20, ">= 1")]
    finally:
        torch.set_num_threads(threads)


def import_rows() -> list[Row]:
    """Measure a whole process that imports the package against one that imports NumPy."""

    def process(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True)

    return [
        side_by_side(
            "import dlcourse, import numpy; whole process",
            lambda: process("import dlcourse"),
            lambda: process("import numpy"),
            "<= 1.5",
            repeats=15,
        )
    ]


def rows() -> list[Row]:
    """Measure everything in this file."""
    return [*numpy_rows(), *torch_rows(), *import_rows()]
