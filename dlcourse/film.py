"""A camera for pictures in which p moves: what stands still is drawn once, what moves is
drawn over it (blitting), and every picture becomes a small palette PNG.

Nothing here knows of widgets, and nothing uses pyplot.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from typing import Any

from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from dlcourse.style import DPI, palette, text_style

Show = Callable[[float], Iterable[Artist]]
Scene = Callable[..., Show]


def _new_figure(size: tuple[int, int]) -> Figure:
    """Return an empty figure of ``size`` pixels, unknown to pyplot."""
    return Figure((size[0] / DPI, size[1] / DPI), dpi=DPI, facecolor="white", layout="none")


class Camera:
    """Shoot the pictures of one scene.

    Parameters
    ----------
    scene : callable
        ``scene(figure, **settings)`` draws what stands still and returns ``show``;
        ``show(p)`` brings what moves to its place for that p and returns the moving
        artists in drawing order. Each ``show(p)`` must set all that depends on p.
    size : (int, int)
        Width and height of the pictures in pixels.

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
        self._scene = scene
        self._size = size
        self._lock = threading.RLock()
        self._palette = Image.new("P", (1, 1))
        self._palette.putpalette(palette().tobytes())
        self._canvas = FigureCanvasAgg(_new_figure(size))
        self.strike()

    def strike(self) -> None:
        """Take the set down: the next picture builds the scene anew."""
        with self._lock:
            self._settings: dict[str, Any] | None = None
            self._failure: Exception | None = None
            self._background: Any = None

    def shoot(self, p: float, **settings: Any) -> bytes:
        """Return the picture for ``p`` and the scene's ``settings`` as a PNG.

        A pure function of its arguments. Safe from any thread. Raises what the scene
        raises. A scene that cannot be built is not tried again with the same settings
        until `strike`; one that fails at some p is built anew for the next picture.
        """
        with self._lock:
            if settings != self._settings:
                self._build(settings)
            if self._failure is not None:
                raise self._failure
            try:
                self._draw(p)
            except Exception:
                self.strike()
                raise
            return self._png(self._canvas)

    def shoot_text(self, text: str) -> bytes:
        """Return a picture that shows only ``text``, for what could not be drawn."""
        figure = _new_figure(self._size)
        figure.text(0.03, 0.92, text, **text_style(12, ha="left", va="top"))
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return self._png(canvas)

    def _build(self, settings: dict[str, Any]) -> None:
        self.strike()
        self._settings = settings
        figure = _new_figure(self._size)
        # One canvas for all figures: its pixels would otherwise stay with each old figure
        # until the garbage collector comes by.
        self._canvas.figure = figure
        figure.set_canvas(self._canvas)
        try:
            self._show = self._scene(figure, **settings)
        except Exception as failure:
            self._failure = failure

    def _draw(self, p: float) -> None:
        moving = list(self._show(p))
        if self._background is None:
            for artist in moving:
                artist.set_animated(True)  # left out of the background
            self._canvas.draw()
            self._background = self._canvas.copy_from_bbox(self._canvas.figure.bbox)
        self._canvas.restore_region(self._background)
        for artist in moving:
            artist.draw(self._canvas.get_renderer())

    def _png(self, canvas: FigureCanvasAgg) -> bytes:
        image = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba())
        image = image.convert("RGB").quantize(palette=self._palette, dither=Image.Dither.NONE)
        file = io.BytesIO()
        image.save(file, "png", compress_level=6)
        return file.getvalue()
