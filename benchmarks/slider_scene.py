"""The picture that every kind of slider draws in the benchmark, with its number in a corner."""

import numpy as np

from dlcourse import dropout_mask, style


def bar_code(number: int) -> np.ndarray:
    """Return ``number`` (below 1024) as a picture of 8 × 80 pixels; black squares are ones."""
    bits = [number >> bit & 1 for bit in range(9, -1, -1)]
    return np.repeat(np.repeat([1.0 - np.array(bits)], 8, axis=0), 8, axis=1)


def number_of(p: float, seed: int) -> int:
    """Return the number that the bar code shows for a state."""
    return 128 * (seed % 8) + round(100 * p)


def scene(figure, seed):
    """A hundred units on the left, how many were dropped in 200 masks on the right."""
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(0.04, 0.2, 0.97, 0.86)
    x, y = np.meshgrid(range(10), range(10))
    title = style.blank(left, "units")
    units = style.Units(left, x, y, 130)
    style.tidy(right, "how many are dropped", "dropped units", "masks of 200")
    right.set_xlim(0, 104)
    right.set_ylim(0, 60)
    bars = right.bar(range(0, 104, 4), 0, width=3.6, color=style.KEPT, align="edge")
    caption = style.caption(figure)
    code = figure.figimage(bar_code(0), 0, 392, cmap="gray", vmin=0, vmax=1)

    def show(p):
        masks = dropout_mask((200, 100), p, rng=seed)
        units.show(masks[0])
        dropped = (~masks).sum(axis=1)
        for bar, count in zip(bars, np.histogram(dropped, range(0, 108, 4))[0], strict=True):
            bar.set_height(count)
        title.set_text(f"{dropped[0]} of 100 units dropped")
        caption.set_text(f"p = {p:.2f}: {dropped.mean():.1f} ± {dropped.std():.1f} dropped")
        code.set_data(bar_code(number_of(p, seed)))
        return [*units.artists, *bars, title, caption, code]

    return show
