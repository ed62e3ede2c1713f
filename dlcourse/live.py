"""The live panel: controls above one picture in which p moves at once.

A panel is a *film*: one picture for each of the 101 values of p, all of them in the
browser, where the slider is linked to the picture shown. So p moves as fast as the browser
can show pictures, and goes on moving while the kernel is busy or gone. Every other control
makes the film stale; it is shot anew in the background, the visible picture first.
"""

from __future__ import annotations

import base64
import textwrap
import threading
import traceback
import weakref
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
from IPython import get_ipython

from dlcourse._validate import integer, probability
from dlcourse.film import Camera, Scene, shoot_text

POSITIONS = 101
P_LABEL = "p, probability of dropping"
SIZE = (840, 400)

_LABEL_AS_WIDE_AS_IT_IS = {"description_width": "initial"}
# The number beside a SelectionSlider takes clicks and keys, and makes nothing of them.
_READ_ONLY = """<style>.dlcourse-p .widget-readout {
  pointer-events: none; user-select: none; -webkit-user-modify: read-only; }</style>"""


def slider_index(p: float) -> int:
    """Return the slider's position for ``p``: its number of hundredths.

    Raises
    ------
    TypeError, ValueError
        If ``p`` is no probability, or between two positions of the slider.

    Examples
    --------
    >>> slider_index(0.35)
    35
    """
    index = round(100 * probability(p))
    if abs(index / 100 - p) > 1e-9:
        raise ValueError(f"p moves in steps of 0.01 in a panel, got {p!r}")
    return index


class Panel(widgets.VBox):
    """Controls above one picture, drawn by matplotlib, that follows p at once.

    Parameters
    ----------
    scene : callable
        ``scene(figure, seed=…, **values)`` draws what stands still and returns ``show(p)``,
        which moves the rest and returns the moving artists; see `dlcourse.film.Camera`.
        Both are called from other threads: no pyplot, no global state, no mathtext.
    controls : mapping of str to widget
        Core widgets with a ``value``, by the name under which the scene gets that value;
        at most three. "New draw" stands beside them and adds 1 to ``seed``.
    p : float
        Where the slider stands first, in hundredths.
    seed : int
        Where the draws begin.
    name : str
        The call that makes this panel; ``repr(panel)`` is that call in the present state.
    size : (int, int)
        Width and height of the picture in pixels.

    Raises
    ------
    TypeError, ValueError
        If ``p`` is no probability in hundredths, ``seed`` is no integer ≥ 0, or a control has
        a name that the scene gets anyway.

    Examples
    --------
    >>> def scene(figure, seed):
    ...     text = figure.text(0.5, 0.5, "")
    ...     def show(p):
    ...         text.set_text(f"p = {p:.2f}, seed {seed}")
    ...         return [text]
    ...     return show
    >>> panel = Panel(scene, p=0.3, name="demo")
    >>> panel
    demo(p=0.3, seed=0)
    >>> panel.close()
    """

    _closed = True  # until it is open

    def __init__(
        self,
        scene: Scene,
        controls: Mapping[str, widgets.ValueWidget] | None = None,
        *,
        p: float = 0.5,
        seed: int = 0,
        name: str = "Panel",
        size: tuple[int, int] = SIZE,
    ) -> None:
        index = slider_index(p)
        self._seed = integer(seed, "seed", 0)
        self._controls = dict(controls or {})
        if taken := {"figure", "p", "seed"} & set(self._controls):
            raise ValueError(f"a control must not be named {' or '.join(sorted(taken))}")
        self.error: str | None = None
        self._name = name
        self._changed = threading.Condition(threading.RLock())
        self._worker = threading.Thread(target=self._shoot_stale_frames, name="film", daemon=True)
        self._camera = Camera(scene, size)
        self._size = size
        self._take = 0  # counts the changes that made the film stale
        self._shot_in = [-1] * POSITIONS  # the take that each frame was last shot in
        self._failed: set[int] = set()
        self._slider = self._make_slider(index)
        self._frames = self._make_frames(index, size)
        row = widgets.HBox(
            [*self._controls.values(), *self._make_buttons()],
            layout={"flex_flow": "row wrap", "align_items": "center"},
        )
        stack = widgets.Stack(
            self._frames,
            selected_index=index,
            # as high as the picture from the start: the page never jumps
            layout={"min_height": f"{size[1]}px", "width": f"{size[0]}px", "max_width": "100%"},
        )
        look = widgets.HTML(_READ_ONLY, layout={"display": "none"})
        super().__init__([self._slider, row, stack, look])
        self._slider.add_class("dlcourse-p")
        link = widgets.jsdlink((self._slider, "index"), (stack, "selected_index"))
        self._parts = [self._slider, *row.children, row, *self._frames, stack, look, link]
        self._slider.observe(self._on_slider, "index")
        for control in self._controls.values():
            control.observe(self._on_setting, "value")
        _close_earlier_run(self)
        self._closed = False
        self._worker.start()

    # --- state

    @property
    def p(self) -> float:
        """The probability of dropping at which the slider stands."""
        return self._slider.index / 100

    @property
    def settings(self) -> dict[str, Any]:
        """The seed and the values of the controls, by name."""
        values = {name: control.value for name, control in self._controls.items()}
        return {"seed": self._seed, **values}

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self._name}(p={self.p:g}, {values})"

    def picture(self) -> bytes:
        """Return the picture of the present state as a PNG, also where it shows an error."""
        return self._shoot(self._slider.index, self.settings)[0]

    def new_draw(self) -> None:
        """Do what the button "New draw" does: go on to the next seed."""
        with self._changed:
            self._seed += 1
            self._on_setting(None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the whole film is fresh; return whether it is.

        Parameters
        ----------
        timeout : float or None
            Seconds to wait at the most.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._stale_frames(), timeout)
            return not self._stale_frames()

    def close(self) -> None:
        """Give back all that the panel holds: its thread, its pictures and its widgets."""
        if self._closed:
            return
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._worker is not threading.current_thread():
            self._worker.join()
        self._camera.release()
        for widget in (*self._parts, self):
            for model in (getattr(widget, "layout", None), getattr(widget, "style", None)):
                if model is not None:
                    model.close()
            widgets.Widget.close(widget)
        # IPython's history of outputs holds the panel for good, so the panel holds nothing.
        self.children, self._parts, self._frames = (), [], []

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Leave the picture beside the widget, for readers without a kernel."""
        return {
            **super()._repr_mimebundle_(**kwargs),
            "text/plain": repr(self),
            "image/png": base64.b64encode(self.picture()).decode(),
        }

    # --- events, which may come in any thread

    def _on_slider(self, _change: Any) -> None:
        with self._changed:
            if self._slider.index in self._failed:  # what was the reason may have passed
                self._shot_in[self._slider.index] = -1
                self._changed.notify_all()

    def _on_setting(self, _change: Any) -> None:
        with self._changed:
            self._take += 1
            self._failed.clear()
            self.error = None
            self._changed.notify_all()

    # --- the thread that shoots what is stale

    def _shoot_stale_frames(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._stale_frames())
                if self._closed:
                    return
                index = min(self._stale_frames(), key=lambda i: abs(i - self._slider.index))
                take, settings = self._take, self.settings
            picture, failed = self._shoot(index, settings)
            if take != self._take:
                continue
            try:
                self._frames[index].value = picture
            except Exception:  # nobody hears it in this thread, and the film must go on
                self.error = traceback.format_exc()
            with self._changed:
                if take == self._take:
                    self._shot_in[index] = take
                    self._note(index, failed)
                    self._changed.notify_all()

    def _note(self, index: int, failed: bool) -> None:
        """Remember what could not be drawn; once one of it can, all of it is shot again."""
        if failed:
            self._failed.add(index)
        elif index in self._failed:
            for other in self._failed - {index}:
                self._shot_in[other] = -1
            self._failed.clear()
            self.error = None

    def _stale_frames(self) -> list[int]:
        return [i for i in range(POSITIONS) if self._shot_in[i] != self._take]

    def _shoot(self, index: int, settings: dict[str, Any]) -> tuple[bytes, bool]:
        """Return the picture, and whether it is one of an error."""
        try:
            return self._camera.shoot(index / 100, **settings), False
        except BaseException as error:
            in_a_cell = threading.current_thread() is not self._worker
            if in_a_cell and not isinstance(error, Exception):
                raise  # a person's interrupt
            self.error = "".join(traceback.format_exception(error))
            return _error_picture(error, self._size), True

    # --- parts

    def _make_slider(self, index: int) -> widgets.SelectionSlider:
        return widgets.SelectionSlider(
            options=[(f"{i / 100:.2f}", i / 100) for i in range(POSITIONS)],
            index=index,
            description=P_LABEL,
            style=_LABEL_AS_WIDE_AS_IT_IS,
            layout={"width": f"{SIZE[0]}px", "max_width": "98%"},
        )

    def _make_buttons(self) -> list[widgets.Widget]:
        new_draw = widgets.Button(
            description="New draw",
            tooltip="new random numbers; p and the other controls stay",
            layout={"width": "110px"},
        )
        new_draw.on_click(lambda _button: self.new_draw())
        return [new_draw]

    def _make_frames(self, index: int, size: tuple[int, int]) -> list[widgets.Image]:
        layout = widgets.Layout(max_width="100%")
        pictures = [shoot_text("drawing …", size)] * POSITIONS
        pictures[index] = self.picture()  # seen before the rest of the film is shot
        return [
            widgets.Image(value=png, format="png", width=size[0], height=size[1], layout=layout)
            for png in pictures
        ]


def _error_picture(error: BaseException, size: tuple[int, int]) -> bytes:
    reason = "".join(traceback.format_exception_only(error))
    message = textwrap.fill(textwrap.shorten(reason, 500), 80)
    told = f"This picture could not be drawn.\n\n{message}\n\nMove p or another control."
    try:
        return shoot_text(told, size)
    except Exception:  # for what no font can show
        return shoot_text(told.encode("ascii", "backslashreplace").decode(), size)


_panels_of_cell: dict[str, tuple[str, list[weakref.ref[Panel]]]] = {}


def _close_earlier_run(panel: Panel) -> None:
    """Close the panels that an earlier run of the present notebook cell made.

    A panel that is shown no more would hold its film for as long as the kernel lives.
    """
    shell = get_ipython()
    request = (shell.get_parent() if hasattr(shell, "get_parent") else None) or {}
    cell = request.get("metadata", {}).get("cellId")
    run = request.get("header", {}).get("msg_id")
    if cell is None or run is None:
        return
    earlier_run, panels = _panels_of_cell.get(cell, (run, []))
    if earlier_run != run:
        for reference in panels:
            if (earlier := reference()) is not None:
                earlier.close()
        panels = []
    _panels_of_cell[cell] = (run, [*panels, weakref.ref(panel)])


# --- the controls that lessons put beside p


def choice(label: str, options: Mapping[str, Any], value: Any) -> widgets.Dropdown:
    """Return a menu.

    Parameters
    ----------
    label : str
    options : mapping of str to value
    value
        The option's value that is chosen first.

    Raises
    ------
    ValueError
        If ``value`` is none of the options' values.

    Examples
    --------
    >>> choice("scaling", {"inverted": 1, "none": 0}, 1).label
    'inverted'
    """
    if value not in options.values():
        raise ValueError(f"{label} must be one of {list(options.values())}, got {value!r}")
    return widgets.Dropdown(
        options=list(options.items()),
        value=value,
        description=label,
        style=_LABEL_AS_WIDE_AS_IT_IS,
        layout={"width": "max-content"},
    )


def whole_number(label: str, low: int, high: int, value: int) -> widgets.IntSlider:
    """Return a slider over the integers from ``low`` to ``high``.

    Raises
    ------
    ValueError
        If ``value`` is no integer in that range (TypeError where it is no integer at all).

    Examples
    --------
    >>> whole_number("digit", 0, 9, 12)
    Traceback (most recent call last):
    ValueError: digit must be an int from 0 to 9, got 12
    """
    return widgets.IntSlider(
        value=integer(value, label, low, high),
        min=low,
        max=high,
        description=f"{label} ({low}–{high})",
        style=_LABEL_AS_WIDE_AS_IT_IS,
        layout={"width": "320px"},
    )
