"""Small scenes for the tests of the camera and the panel."""

from dlcourse import dropout_mask, style


def units_scene(figure, seed, units=16):
    """Units on the left, a bar on the right; everything that moves depends on p."""
    left, right = figure.subplots(1, 2)
    title = style.blank(left)
    discs = style.Units(left, range(units), [0] * units)
    style.tidy(right, "kept", "", "units")
    right.set_ylim(0, units)
    (bar,) = right.bar([0], [0], color=style.KEPT)
    caption = style.caption(figure)

    def show(p):
        kept = dropout_mask(units, p, rng=seed)
        discs.show(kept)
        bar.set_height(kept.sum())
        title.set_text(f"p = {p:.2f}")
        caption.set_text(f"{kept.sum()} of {units} kept, seed {seed}")
        return [*discs.artists, bar, title, caption]

    return show
