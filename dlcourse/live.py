"""The live panel: controls above one picture in which p moves at once.

A panel is a *film*: one picture for each of the 101 values of p, all of them in the
browser, where the slider is linked to the picture shown. So p moves as fast as the browser
can show pictures, and goes on moving while the kernel is busy or gone. Every other control
makes the film stale; it is shot anew in the background, the visible picture first.

Everything that follows p is one of 101 things chosen by the slider's position: the picture, its
words, the line of code under it, the button for a projector.
"""

from __future__ import annotations

import atexit
import base64
import sys
import textwrap
import threading
import traceback
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np
from IPython import get_ipython

from dlcourse import memory, projector
from dlcourse._validate import function, integer, probability
from dlcourse.film import Camera, Picture, Scene, pixels, shoot_text
from dlcourse.page import LOOK, NAMES

POSITIONS = 101
P_LABEL = "p, probability of dropping"
SIZE = (840, 400)
MOST_SEED = 999_999  # what can be called out across a room
WAITING = "drawing …"

_BUTTONS_WIDE = 480  # pixels
_LABEL_AS_WIDE_AS_IT_IS = {"description_width": "initial"}


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
        The call that makes this panel; ``repr(panel)`` is that call in the present state, which
        also stands under the picture.
    size : (int, int)
        Width and height of the picture in pixels.

    Raises
    ------
    TypeError, ValueError
        If the scene cannot be called, ``p`` is no probability in hundredths, ``seed`` is no
        integer from 0 to 999999, or a control has a name that the scene gets anyway.

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
        function(scene, "scene")
        index = slider_index(p)
        seed = integer(seed, "seed", 0, MOST_SEED)
        if taken := {"figure", "large", "p", "seed"} & set(controls or {}):
            raise ValueError(f"a control must not be named {' or '.join(sorted(taken))}")
        self._seed = widgets.BoundedIntText(
            value=seed,
            max=MOST_SEED,
            description="seed",
            style=_LABEL_AS_WIDE_AS_IT_IS,
            layout={"width": "120px"},
        )
        self._controls = {"seed": self._seed, **(controls or {})}
        self.error: str | None = None
        self._name = name
        self._changed = threading.Condition(threading.RLock())
        self._worker = threading.Thread(target=self._shoot_stale_frames, name="film", daemon=True)
        self._camera = Camera(scene, size)
        self._size = size
        self._large = projector.is_on()
        self._take = 0  # counts the changes that made the film stale
        self._shot_in = [-1] * POSITIONS  # the take that each frame was last shot in
        self._failed: set[int] = set()
        # A page that is still being built misses what it is sent: each picture goes out once
        # more when p first comes there.
        self._unheard = set(range(POSITIONS))
        self._unsent = -1  # the last take of which something could not be sent
        self._tried = threading.Event()  # whether the thread can send anything at all
        self._notice = widgets.Label(layout={"display": "none", "max_width": "100%"})
        self._notice.add_class("dlcourse-notice")
        self._slider = self._make_slider(index)
        self._buttons = self._make_p_buttons(index)
        self._code = self._make_line(index, "this picture:", "dlcourse-code", self._calls())
        self._projector = widgets.ToggleButton(
            description="Projector",
            tooltip="larger pictures in all panels, and buttons for p",
            layout={"width": "110px"},
        )
        self._frames, self._words_of = self._make_frames(index)
        self._words = self._make_line(index, "", "dlcourse-words", self._words_of)
        self._stack = widgets.Stack(
            self._frames, selected_index=index, layout={"max_width": "100%"}
        )
        self._followers: list[tuple[widgets.Widget, str]] = [
            (self._stack, "selected_index"),
            (self._code, "index"),
            (self._words, "index"),
            (self._buttons, "index"),
        ]
        super().__init__(self._arrange(list((controls or {}).values())))
        self.add_class("dlcourse-panel")
        self._set_size()
        self._parts += [
            *(widgets.jsdlink((self._slider, "index"), part) for part in self._followers[:-1]),
            widgets.jslink((self._slider, "index"), self._followers[-1]),
        ]
        self._slider.observe(self._on_slider, "index")
        for part, name in self._followers:
            part.observe(self._keep_together, name)
        for control in self._controls.values():
            control.observe(self._on_setting, "value")
        self._projector.observe(self._on_projector, "value")
        projector.watch(self._on_switch)
        _close_earlier_run(self)
        self._closed = False
        _open.add(self)
        self._on_switch()  # what was switched while the first picture was drawn
        self._worker.start()
        self._tried.wait()
        self._repeat_notice()

    def _arrange(self, controls: list[widgets.Widget]) -> list[widgets.Widget]:
        """Put the parts into rows; remember them all, to close them one day."""
        look = widgets.HTML(LOOK + NAMES, layout={"display": "none"})
        in_a_row = {"flex_flow": "row wrap", "align_items": "center", "max_width": "100%"}
        self._foot = widgets.HBox(
            [self._code, self._projector], layout={**in_a_row, "justify_content": "space-between"}
        )
        rows = [
            widgets.HBox([self._slider, self._buttons], layout=in_a_row),
            widgets.HBox([*controls, self._seed, *self._make_buttons()], layout=in_a_row),
            self._stack,
            self._words,
            self._notice,
            self._foot,
            look,
        ]
        inside = [part for row in rows if isinstance(row, widgets.HBox) for part in row.children]
        self._parts: list[widgets.Widget] = [*inside, *self._frames, *rows]
        return rows

    # --- state

    @property
    def p(self) -> float:
        """The probability of dropping at which the slider stands; moves it when it is set."""
        return self._slider.index / 100

    @p.setter
    def p(self, p: float) -> None:
        self._slider.index = slider_index(p)

    @property
    def controls(self) -> tuple[widgets.Widget, ...]:
        """What stands beside p, from left to right, its buttons too."""
        rows: tuple[widgets.Widget, ...] = self.children
        return tuple(rows[1].children)

    @property
    def settings(self) -> dict[str, Any]:
        """The seed and the values of the controls that the film shows, by name."""
        return self._values()

    def _values(self) -> dict[str, Any]:
        """Return the seed and the values of the controls as they stand now."""
        return {name: control.value for name, control in self._controls.items()}

    def __repr__(self) -> str:
        return self._call(self._slider.index)

    def _call(self, index: int) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self._name}(p={index / 100:g}, {values})"

    def picture(self) -> bytes:
        """Return the picture of the present state as a PNG, also where it shows an error."""
        return self._shoot_now().png

    def new_draw(self) -> None:
        """Do what the button "New draw" does: go on to the next seed."""
        with self._changed:
            self._seed.value = (self._seed.value + 1) % (MOST_SEED + 1)

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
        """Give back all that the panel holds: its thread, its pictures and its widgets.

        The state is left: p, settings and a picture may still be asked for.
        """
        if self._closed:
            return
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._worker is not threading.current_thread():
            self._worker.join()

    def _give_back(self) -> None:
        """Do the work of `close`, in the thread that ends: once, and whoever is interrupted."""
        self._camera.release()
        for widget in (*self._parts, self):
            for model in (getattr(widget, "layout", None), getattr(widget, "style", None)):
                if model is not None:
                    self._send_or_say(model.close)
            self._send_or_say(partial(widgets.Widget.close, widget))
        # IPython's history of outputs holds the panel for good, so the panel holds nothing.
        self._send_or_say(partial(setattr, self, "children", ()))
        self._parts, self._frames, self._followers = [], [], []
        del self._stack

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Leave the picture beside the widget, for readers without a kernel."""
        shown = self._shoot_now()
        data = {
            **super()._repr_mimebundle_(**kwargs),
            "text/plain": repr(self),
            "image/png": base64.b64encode(shown.png).decode(),
        }
        return data, {"image/png": {"alt": shown.words}}

    # --- events, which may come in any thread

    def _on_slider(self, _change: Any) -> None:
        self._repeat_notice()
        with self._changed:
            if self._slider.index in self._unheard and not self._closed:
                self._unheard.remove(self._slider.index)
                self._frames[self._slider.index].send_state("value")
            if self._slider.index in self._failed:  # what was the reason may have passed
                self._shot_in[self._slider.index] = -1
                self._changed.notify_all()
        self._keep_together(None)

    def _keep_together(self, _change: Any) -> None:
        """Let the kernel's copies of what follows p agree, and tell the browser nothing.

        In the browser the links see to that. But their messages come one by one, and where the
        line was cut between them, the browser starts again from these copies.
        """
        for part, name in self._followers:
            part._trait_values[name] = self._slider.index  # nothing is sent, no one is called

    def _on_setting(self, _change: Any) -> None:
        self._shoot_anew()

    def _on_projector(self, _change: Any) -> None:
        if self._projector.value != self._large:  # a person's press, and no answer to a switch
            projector.switch(self._projector.value)

    def _on_switch(self) -> None:
        """Follow the switch, which may have been pressed in another panel."""
        with self._changed:
            if self._closed or self._large == projector.is_on():
                return
            self._large = projector.is_on()
            self._set_size()
            self._shoot_anew()

    def _shoot_anew(self) -> None:
        """Make the film stale: it is not that of the present settings."""
        self._repeat_notice()
        with self._changed:
            self._take += 1
            self._failed.clear()
            self.error = None
            self._words_of = [WAITING] * POSITIONS
            self._changed.notify_all()
            # not `options`, which would move the index, with which the browser is ahead of us
            self._code.set_trait("_options_labels", self._calls())

    # --- the thread that shoots what is stale

    def _shoot_stale_frames(self) -> None:
        self._send_or_say(self._notice.send_state)
        self._tried.set()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._stale_frames())
                if self._closed:
                    break
                index = min(self._stale_frames(), key=lambda i: abs(i - self._slider.index))
                take, large, settings = self._take, self._large, self.settings
            picture, error = self._shoot(index, large, settings)
            if take != self._take:
                continue
            sent = self._hand_out(self._frames[index], "value", picture.png)
            with self._changed:
                if not sent:
                    self._unheard.add(index)
                if take == self._take:
                    self._shot_in[index] = take
                    self._words_of[index] = picture.words
                    self._note(index, error)
                    if index == self._slider.index or not self._stale_frames():
                        self._hand_out(self._words, "_options_labels", tuple(self._words_of))
                    if not self._stale_frames() and self._unsent != take:
                        self._say("")
                    self._changed.notify_all()
            memory.give_back()
        if not _python_ends:
            self._give_back()

    def _hand_out(self, part: widgets.Widget, name: str, value: Any) -> bool:
        """Change a part from the panel's own thread; return whether the browser was told."""
        return self._send_or_say(lambda: part.set_trait(name, value))

    def _send_or_say(self, send: Callable[[], None]) -> bool:
        """Send from the panel's own thread, in which nobody hears an exception: the panel shows it.

        The film must go on.
        """
        try:
            send()
        except Exception as error:
            self.error = traceback.format_exc()
            self._unsent = self._take
            self._say(_why_unsent(error))
            return False
        return True

    def _say(self, words: str) -> None:
        """Show a notice above the controls, or none."""
        with suppress(Exception):  # what this thread cannot send the next event's thread does
            self._notice.value = words
        with suppress(Exception):
            self._notice.layout.display = "" if words else "none"

    def _repeat_notice(self) -> None:
        """Send a notice again, from a thread that the browser is known to hear."""
        if self._notice.value and not self._closed:
            self._notice.send_state("value")
            self._notice.layout.send_state("display")

    def _note(self, index: int, error: str | None) -> None:
        """Remember what could not be drawn; once one of it can, all of it is shot again."""
        if error is not None:
            self.error = error
            self._failed.add(index)
        elif index in self._failed:
            for other in self._failed - {index}:
                self._shot_in[other] = -1
            self._failed.clear()
            self.error = None

    def _stale_frames(self) -> list[int]:
        return [i for i in range(POSITIONS) if self._shot_in[i] != self._take]

    def _shoot(
        self, index: int, large: bool, settings: dict[str, Any]
    ) -> tuple[Picture, str | None]:
        """Return the picture, or that of an error and the whole of the error."""
        try:
            return self._camera.take(index / 100, large, **settings), None
        except BaseException as error:
            in_a_cell = threading.current_thread() is not self._worker
            if in_a_cell and not isinstance(error, Exception):
                raise  # a person's interrupt
            told = "".join(traceback.format_exception(error))
            return _error_picture(error, self._size, large), told

    def _shoot_now(self) -> Picture:
        """Return the picture of the present state, shot by who asks for it."""
        picture, error = self._shoot(self._slider.index, self._large, self.settings)
        self.error = error or self.error
        return picture

    # --- parts

    def _set_size(self) -> None:
        """Give the parts the size that fits the switch."""
        width, height = pixels(self._size, self._large)
        self._projector.value = self._large
        self._buttons.layout.display = "" if self._large else "none"
        self._slider.layout.width = f"{width - _BUTTONS_WIDE * self._large}px"
        # as high as the picture from the start: the page never jumps
        self._stack.layout.min_height = f"{height}px"
        for layout in (self._stack.layout, self._foot.layout, self._frames[0].layout):
            layout.width = f"{width}px"
        (self.add_class if self._large else self.remove_class)("dlcourse-large")

    def _calls(self) -> tuple[str, ...]:
        return tuple(self._call(index) for index in range(POSITIONS))

    def _make_line(self, index: int, label: str, name: str, lines: Sequence[str]) -> _Line:
        """Return a line of text for each position."""
        line = _Line(
            options=[(words, i) for i, words in enumerate(lines)],
            index=index,
            description=label,
            style=_LABEL_AS_WIDE_AS_IT_IS,
            layout={"width": "auto", "max_width": "100%"},
        )
        line.add_class(name)
        return line

    def _make_p_buttons(self, index: int) -> widgets.ToggleButtons:
        """Return a button for each position, of which only those in `page.BUTTONS` are seen."""
        buttons = widgets.ToggleButtons(
            options=[(f"p = {i / 100:g}", i) for i in range(POSITIONS)],
            index=index,
            style={"button_width": "88px"},
        )
        buttons.add_class("dlcourse-buttons")
        return buttons

    def _make_slider(self, index: int) -> widgets.SelectionSlider:
        slider = widgets.SelectionSlider(
            options=[(f"{i / 100:.2f}", i / 100) for i in range(POSITIONS)],
            index=index,
            description=P_LABEL,
            style=_LABEL_AS_WIDE_AS_IT_IS,
            layout={"max_width": "98%"},
        )
        slider.add_class("dlcourse-p")
        return slider

    def _make_buttons(self) -> list[widgets.Widget]:
        new_draw = widgets.Button(
            description="New draw",
            tooltip="new random numbers; p and the other controls stay",
            layout={"width": "110px"},
        )
        new_draw.on_click(lambda _button: self.new_draw())
        return [new_draw]

    def _make_frames(self, index: int) -> tuple[list[widgets.Image], list[str]]:
        """Return the pictures and their words, the visible one drawn before all others."""
        shown = self._shoot_now()
        waiting = shoot_text(WAITING, self._size, self._large)
        # one for all; as wide as they will be, also while the browser decodes them
        layout = widgets.Layout(max_width="100%", height="auto", align_self="flex-start")
        frames = [
            widgets.Image(value=shown.png if i == index else waiting, format="png", layout=layout)
            for i in range(POSITIONS)
        ]
        return frames, [shown.words if i == index else WAITING for i in range(POSITIONS)]


class _Line(widgets.SelectionSlider):
    """A slider of which only the text is seen: the browser chooses it, another thread changes it.

    The widget itself would look for the text that was chosen among those of now, and move.
    """

    def _propagate_index(self, change: Any) -> None:
        """Leave the Python side's label and value alone; nobody asks for them."""


def _why_unsent(error: Exception) -> str:
    """Return what to do where a thread cannot reach the browser, in words."""
    reason = "".join(traceback.format_exception_only(error)).strip()
    told = f"A new picture could not be sent: {textwrap.shorten(reason, 200)}."
    kernel = getattr(sys.modules.get("ipykernel"), "__version__", "")
    if kernel.startswith("7.0."):
        return (
            f"{told} This kernel (ipykernel {kernel}) lets only p move. Run %pip install "
            '"ipykernel!=7.0.*" in a new cell, restart the kernel and run the lesson again.'
        )
    return f"{told} Move p to another place and back, or run the cell again."


def _error_picture(error: BaseException, size: tuple[int, int], large: bool) -> Picture:
    reason = "".join(traceback.format_exception_only(error))
    message = textwrap.fill(textwrap.shorten(reason, 500), 80)
    told = f"This picture could not be drawn.\n\n{message}\n\nMove p or another control."
    try:
        return Picture(shoot_text(told, size, large), told)
    except Exception:  # for what no font can show
        told = told.encode("ascii", "backslashreplace").decode()
        return Picture(shoot_text(told, size, large), told)


_open: weakref.WeakSet[Panel] = weakref.WeakSet()
_python_ends = False


@atexit.register
def _end_threads() -> None:
    """End the panels' threads before Python ends, which aborts where one is inside PyTorch.

    Nothing is given back: p goes on moving on a page that is still there without its kernel.
    """
    global _python_ends
    _python_ends = True
    for panel in list(_open):
        panel.close()


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
        The option's value that is chosen first. Of the same type too: True and 8.0 are no 1 and 8,
        but where some options are floats whole numbers may be ints or floats.

    Raises
    ------
    ValueError
        If ``value`` is none of the options' values.

    Examples
    --------
    >>> choice("scaling", {"inverted": 1, "none": 0}, 1).label
    'inverted'
    """
    kinds = {type(option) for option in options.values()}
    kinds |= {int} if float in kinds else set()
    plain = value.item() if isinstance(value, np.generic) else value
    if type(plain) not in kinds or plain not in options.values():
        raise ValueError(f"{label} must be one of {list(options.values())}, got {value!r}")
    return widgets.Dropdown(
        options=list(options.items()),
        value=plain,
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
