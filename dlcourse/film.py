"""A camera for pictures in which p moves: what stands still is drawn once, what moves is
drawn over it (blitting), and every picture becomes a small palette PNG.

Nothing here knows of widgets, and nothing uses pyplot.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from dlcourse import projector
from dlcourse._validate import function
from dlcourse.lettering import draw_text
from dlcourse.style import DPI, palette, text_style

Show = Callable[[float], Iterable[Artist]]
Scene = Callable[..., Show]


class Picture(NamedTuple):
    """A picture as a PNG, and in words: what stands over its parts and under the whole."""

    png: bytes
    words: str


def pixels(size: tuple[int, int], large: bool) -> tuple[int, int]:
    """Return the size in pixels of a picture, which is larger for a projector.

    Examples
    --------
    >>> pixels((840, 400), large=True)
    (1092, 520)
    """
    scale = projector.SCALE if large else 1
    return round(scale * size[0]), round(scale * size[1])


def _new_figure(size: tuple[int, int], large: bool) -> Figure:
    """Return an empty figure of ``size`` pixels, unknown to pyplot."""
    dpi = DPI * projector.SCALE if large else DPI
    return Figure((size[0] / DPI, size[1] / DPI), dpi=dpi, facecolor="white", layout="none")  # type: ignore[arg-type]


@lru_cache
def _palette() -> Image.Image:
    image = Image.new("P", (1, 1))
    image.putpalette(palette().tobytes())
    return image


def _png(canvas: FigureCanvasAgg) -> bytes:
    image = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba())
    image = image.convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE)
    file = io.BytesIO()
    image.save(file, "png", compress_level=6)
    return file.getvalue()


def shoot_text(text: str, size: tuple[int, int], large: bool = False) -> bytes:
    """Return a picture of ``size`` pixels (more if ``large``) that shows only ``text``, as a PNG.

    Examples
    --------
    >>> shoot_text("drawing …", (300, 200))[:4]
    b'\\x89PNG'
    """
    figure = _new_figure(size, large)
    figure.text(0.03, 0.92, text, **text_style(12, ha="left", va="top"))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return _png(canvas)


class Camera:
    """Shoot the pictures of one scene.

    Parameters
    ----------
    scene : callable
        ``scene(figure, **settings)`` draws what stands still and returns ``show``;
        ``show(p)`` brings what moves to its place for that p and returns the moving
        artists in drawing order, the same ones for every p. Each ``show(p)`` must set all
        that depends on p.
    size : (int, int)
        Width and height of the pictures in pixels.

    Raises
    ------
    TypeError
        If the scene cannot be called.

    Examples
    --------
    >>> def scene(figure, height):
    ...     (bar,) = figure.subplots().bar([0], [height])
    ...     def show(p):
    ...         bar.set_height(p * height)
    ...         return [bar]
    ...     return show
    >>> Camera(scene, (300, 200)).shoot(0.5, height=2)[:4]
    b'\\x89PNG'
    """

    def __init__(self, scene: Scene, size: tuple[int, int]) -> None:
        self._scene = function(scene, "scene")
        self._size = size
        self._lock = threading.RLock()
        self.release()

    def release(self) -> None:
        """Give back the figure and its pixels; `shoot` makes new ones when it is called."""
        with self._lock:
            self._strike()
            self._canvas: Any = None
            self._show: Any = None

    def shoot(self, p: float, **settings: Any) -> bytes:
        """Return the picture for ``p`` and the scene's ``settings`` as a PNG; see `take`."""
        return self.take(p, **settings).png

    def take(self, p: float, large: bool = False, **settings: Any) -> Picture:
        """Return the picture for ``p`` and the scene's ``settings``, and what it says in words.

        A pure function of its arguments. Safe from any thread. Raises what the scene
        raises, and ValueError if ``show`` returns other artists than before; the next
        picture then builds the scene anew. ``large`` makes it one for a projector.
        """
        with self._lock:
            try:
                if (large, settings) != self._set:
                    self._build(large, settings)
                self._draw(p)
            except BaseException:  # an interrupt too leaves things half done
                self._strike()
                raise
            return Picture(_png(self._canvas), _words(self._canvas.figure))

    def _strike(self) -> None:
        """Take the set down: the next picture builds the scene anew."""
        self._set: tuple[bool, dict[str, Any]] | None = None
        self._moving: list[Artist] = []
        self._background: Any = None

    def _build(self, large: bool, settings: dict[str, Any]) -> None:
        self._strike()
        figure = _new_figure(self._size, large)
        # One canvas for all figures: its pixels would otherwise stay with each old figure
        # until the garbage collector comes by.
        self._canvas = self._canvas or FigureCanvasAgg(figure)
        self._canvas.figure = figure
        figure.set_canvas(self._canvas)
        self._show = self._scene(figure, **settings)
        self._set = large, settings

    def _draw(self, p: float) -> None:
        moving = list(self._show(p))
        if self._background is None:
            if self._set and self._set[0]:
                projector.enlarge(self._canvas.figure)
            for artist in moving:
                artist.set_animated(True)  # left out of the background
            self._canvas.draw()
            self._background = self._canvas.copy_from_bbox(self._canvas.figure.bbox)
            self._moving = moving
        if moving != self._moving:
            raise ValueError("show(p) must return the same artists for every p, in the same order")
        self._canvas.restore_region(self._background)
        renderer = self._canvas.get_renderer()
        for artist in moving:
            draw_text(artist, renderer) if isinstance(artist, Text) else artist.draw(renderer)


def _words(figure: Figure) -> str:
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    words = [*titles, *(text.get_text() for text in figure.texts)]
    return ". ".join(" ".join(one.split()) for one in words if one.strip())
