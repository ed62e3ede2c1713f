"""Show the static figures of a notebook, each with words for those who do not see it."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
from IPython.core.display_functions import display
from matplotlib.figure import Figure
from PIL import Image

from dlcourse import projector
from dlcourse._validate import quoted

SHORTEST = 20  # letters of an alternative: "a plot" says nothing


def show(fig: Figure, alt: str) -> None:
    """Show a figure with a text alternative, and close it; in the place of ``plt.show()``.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        Drawn larger where `projector` is on.
    alt : str
        One or two sentences for those who do not see the picture, a screen reader's voice among
        them: the kind of picture, its axes, and what is to be seen. They are saved with the
        notebook and compared when it is tested, so they say the same on every machine.

    Raises
    ------
    TypeError, ValueError
        If ``fig`` is no figure, or ``alt`` no text of at least `SHORTEST` letters.

    Examples
    --------
    Outside a notebook there are only the words:

    >>> fig, ax = plt.subplots()
    >>> _ = ax.plot([0, 1], [1, 0])
    >>> show(fig, "Line chart: the share of kept units falls from 1 to 0 as p grows.")
    Line chart: the share of kept units falls from 1 to 0 as p grows.
    >>> show(fig, "a plot")
    Traceback (most recent call last):
    ...
    ValueError: alt must be a sentence of at least 20 letters on what is to be seen, got 'a plot'
    """
    if not isinstance(fig, Figure):
        hint = " (its .figure?)" if hasattr(fig, "figure") else ""
        raise TypeError(f"fig must be a matplotlib Figure, got {quoted(fig)}{hint}")
    rule = f"alt must be a sentence of at least {SHORTEST} letters on what is to be seen"
    if not isinstance(alt, str):
        raise TypeError(f"{rule}, got {quoted(alt)}")
    alt = " ".join(alt.split())
    if len(alt) < SHORTEST:
        raise ValueError(f"{rule}, got {quoted(alt)}")
    display(_Picture(_png(fig), alt))
    plt.close(fig)


def _png(fig: Figure) -> bytes:
    """Return a figure as a PNG, cut to what is drawn as Jupyter does it."""
    larger = projector.is_on()
    if larger:
        projector.enlarge(fig)
    file = BytesIO()
    dpi = fig.dpi * (projector.SCALE if larger else 1)
    look: dict[str, Any] = {"bbox_inches": "tight", "facecolor": fig.get_facecolor()}
    fig.savefig(file, format="png", dpi=dpi, pil_kwargs={"optimize": True}, **look)
    return file.getvalue()


class _Picture:
    """A PNG and its alternative, in the forms that IPython asks for.

    JupyterLab gives no ``alt`` to a PNG, so a live page gets HTML. The PNG is for what reads saved
    files: nbconvert makes ``alt`` of its metadata, GitHub shows it.
    """

    def __init__(self, png: bytes, alt: str) -> None:
        self._png, self._alt = png, alt

    def __repr__(self) -> str:
        return self._alt

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        return self._png, {"alt": self._alt}

    def _repr_html_(self) -> str:
        width, height = Image.open(BytesIO(self._png)).size
        return (
            f'<img alt="{escape(self._alt)}" width="{width}" height="{height}" '
            'style="max-width: 100%; height: auto" '
            f'src="data:image/png;base64,{b64encode(self._png).decode()}">'
        )
