"""A tile of the panel: a small image in whole pixels, its name, and three lines of numbers."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import FigureImage

from dlcourse import style

SIDE = 112  # of a tile, in pixels of an ordinary picture
KEEPS = 1e-9  # a mean or spread that moves by less is kept
WORDS = "mean", "spread"


class Tile:
    """An image of 112 × 112 pixels, its name above it and three lines beside it.

    Where a figure has more pixels to the inch, the image has more as well.
    """

    def __init__(self, figure: Figure, left: int, bottom: int, maps: int, limit: float) -> None:
        width, height = figure.get_size_inches() * style.DPI
        finer = figure.dpi / style.DPI
        self._grid = 1 if maps == 1 else 2  # maps in a row
        self._limit = limit
        self._block = int(finer * SIDE) // (8 * self._grid)
        self._crosses = np.tile(_cross(self._block), (8 * self._grid,) * 2)
        self._image: FigureImage = figure.figimage(
            np.zeros((*self._crosses.shape, 3), np.uint8),
            round(finer * left),
            round(finer * bottom),
            origin="upper",
        )
        x, top = (left + SIDE + 6) / width, bottom + SIDE
        above = style.text_style(11, ha="left", va="bottom")
        self.name = figure.text(left / width, (top + 4) / height, "", **above)
        beside = style.text_style(10, ha="left", va="top")
        self.lines = [figure.text(x, (top - 12 - 26 * i) / height, "", **beside) for i in range(3)]

    @property
    def artists(self) -> list[Artist]:
        """The artists that `show` and `tell` change."""
        return [self._image, *self.lines]

    def show(self, values: np.ndarray, dropped: np.ndarray | None = None) -> None:
        """Show values (1, maps, 8, 8), and which of them were dropped."""
        strength = np.clip(abs(values[0]) / self._limit, 0, 1)[..., None]
        ink = np.where(values[0, ..., None] > 0, to_rgb(style.KEPT), to_rgb(style.WITHOUT))
        colours = 1 - strength * (1 - ink)
        if dropped is not None:
            zero = dropped[0] & (values[0] == 0)
            colours[zero] = to_rgb(style.DROPPED)
        pixels = self._spread(np.round(255 * colours).astype(np.uint8))
        if dropped is not None:
            crossed = self._crosses & self._spread(dropped[0][..., None])[..., 0]
            dark = pixels.mean(axis=-1) < 190
            pixels[crossed & ~dark] = np.round(255 * np.array(to_rgb(style.OUTLINE)))
            pixels[crossed & dark] = 255
        _frame(pixels, self._grid)
        self._image.set_data(pixels)

    def tell(self, gone: str, before: tuple = (), after: tuple = ()) -> None:
        """Say what was dropped, and mean and spread before and after."""
        self.lines[0].set_text(gone)
        if not before:
            self.lines[1].set_text("")
            self.lines[2].set_text("")
            return
        for line, word, was, now in zip(self.lines[1:], WORDS, before, after, strict=True):
            moved = ", kept" if abs(now - was) < KEEPS else f"→{number(now)}"
            line.set_text(f"{word} {number(was)}{moved}")

    def _spread(self, values: np.ndarray) -> np.ndarray:
        """Lay maps (maps, 8, 8, channels) out in a square, each value a block of pixels."""
        grid, last = self._grid, values.shape[-1]
        square = values.reshape(grid, grid, 8, 8, last).swapaxes(1, 2)
        square = square.reshape(8 * grid, 8 * grid, last)
        return square.repeat(self._block, axis=0).repeat(self._block, axis=1)


def _cross(block: int) -> np.ndarray:
    """Return a cross in a square of pixels."""
    row, column = np.indices((block, block))
    inner = max(2, block // 4)
    inside = (np.minimum(row, column) >= inner) & (np.maximum(row, column) < block - inner)
    near = np.minimum(abs(row - column), abs(row + column - block + 1))
    return (near <= block // 16) & inside


def _frame(pixels: np.ndarray, grid: int) -> None:
    """Draw a thin frame around the tile, and white lines between its maps."""
    if grid > 1:
        middle = len(pixels) // 2
        pixels[middle - 1 : middle + 1] = 255
        pixels[:, middle - 1 : middle + 1] = 255
    grey = np.round(255 * np.array(to_rgb(style.OUTLINE))).astype(np.uint8)
    pixels[[0, -1]] = grey
    pixels[:, [0, -1]] = grey


def number(value: float) -> str:
    """Write a number with two decimals, or one from 10 on."""
    digits_shown = 2 if abs(value) < 9.995 else 1
    return f"{round(value, digits_shown) + 0.0:.{digits_shown}f}".replace("-", "−")
