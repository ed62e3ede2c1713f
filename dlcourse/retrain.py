"""A panel over trained networks, with a button that trains others while p stays live."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import ipywidgets as widgets

from dlcourse._validate import function, quoted
from dlcourse.film import Scene
from dlcourse.live import Panel


class Stopped(Exception):
    """The person who started a training has stopped it."""


class TrainingPanel(Panel):
    """A panel whose controls take effect when networks have been trained for them.

    The networks of the first picture are trained when the panel is made. The button trains those
    of the next seed, or of changed controls, in a thread of its own; until they are there the film
    goes on showing the earlier ones. Pressed once more it stops the training.

    Parameters
    ----------
    scene : callable, as for `dlcourse.live.Panel`; gets its networks from ``train``
    train : callable
        ``train(seed=…, progress=…, **values)`` trains what the scene needs for these settings and
        keeps it, so that the scene gets it at once. ``progress`` wraps the epochs, as tqdm does.
    controls, p, seed, name, size : as for `dlcourse.live.Panel`

    Raises
    ------
    TypeError, ValueError
        As for `dlcourse.live.Panel`; also if ``train`` cannot be called, or a control is named
        progress.

    Examples
    --------
    >>> def train(seed, progress=None):
    ...     return list(progress(range(3)) if progress else range(3))
    >>> def scene(figure, seed):
    ...     text = figure.text(0.5, 0.5, "")
    ...     def show(p):
    ...         text.set_text(f"p = {p:.2f}, networks of seed {seed}")
    ...         return [text]
    ...     return show
    >>> panel = TrainingPanel(scene, train, name="demo")
    >>> panel.new_draw()
    >>> panel.wait_for_training(), panel
    (True, demo(p=0.5, seed=1))
    >>> panel.close()
    """

    def __init__(
        self,
        scene: Scene,
        train: Callable[..., Any],
        controls: Mapping[str, widgets.ValueWidget] | None = None,
        **more: Any,
    ) -> None:
        self._stop = threading.Event()  # first, since one that is refused is closed as well
        if "progress" in (controls or {}):
            raise ValueError("a control must not be named progress")
        self._train = function(train, "train")
        self._training: threading.Thread | None = None
        self._shown: dict[str, Any] | None = None  # until training has changed it
        super().__init__(scene, controls, **more)
        self._shown = self._values()

    @property
    def settings(self) -> dict[str, Any]:
        """The seed and the values of the controls that the film shows, by name."""
        return self._values() if self._shown is None else dict(self._shown)

    def new_draw(self) -> None:
        """Do what the button does: start training, or stop it. A closed panel trains no more."""
        with self._changed:
            if self._closed:
                return
            if self._training is not None:
                self._stop.set()
                return
            self._stop.clear()
            # Changed controls are compared under the seed that is shown; else it is the next.
            if self._values() == self._shown:
                super().new_draw()
            training = threading.Thread(
                target=self._run, args=(self._values(),), name="training", daemon=True
            )
            self._bar.value = 0
            training.start()  # which may fail; it waits for us before it says that it has ended
            self._training = training
            self._button.description = "Stop"
            self._bar.layout.visibility = "visible"
            self._told.value = ""

    def wait_for_training(self, timeout: float | None = None) -> bool:
        """Wait until no training is under way; return whether that is so.

        Parameters
        ----------
        timeout : float or None
            Seconds to wait at the most.
        """
        with self._changed:
            training = self._training
        if training is not None:
            training.join(timeout)
        return self._training is None

    def close(self) -> None:
        """Stop a training and give back all that the panel holds; the state is left."""
        self._stop.set()
        if not self._closed:
            super().close()
            self.wait_for_training()  # Python may be about to end

    def _give_back(self) -> None:
        self._stop.set()  # one that was started meanwhile too; from now on none can
        self.wait_for_training()
        super()._give_back()

    # --- parts and events

    def _make_buttons(self) -> list[widgets.Widget]:
        self._button = widgets.Button(
            description=_TRAIN,
            tooltip="train networks of the next seed, with the controls as they are now",
            layout={"width": "110px"},
        )
        self._button.on_click(lambda _button: self.new_draw())
        self._bar = widgets.IntProgress(layout={"width": "150px", "visibility": "hidden"})
        # a line of its own, so that words that come and go move nothing
        self._told = widgets.Label(layout={"width": "100%", "height": "28px"})
        return [self._button, self._bar, self._told]

    def _on_setting(self, change: Any) -> None:
        """Say that a changed control waits for the button."""
        with self._changed:  # or a training may end between the hint and its being shown
            self._told.value = self._hint()

    def _hint(self) -> str:
        if self._training is not None:
            return "still training for the settings before"
        return "press Train again for these settings" if self._values() != self._shown else ""

    def _run(self, settings: dict[str, Any]) -> None:
        """Train in a thread of its own, then let the film show what came out."""
        told = ""
        try:
            self._train(progress=self._progress, **settings)
        except Stopped:
            told = "stopped: the picture shows the networks before"
        except BaseException as error:  # nobody hears it in this thread
            self.error = traceback.format_exc()
            told = quoted(error, limit=120)
        else:
            with self._changed:
                self._shown = settings
                self._shoot_anew()
        finally:
            with self._changed:
                self._training = None
                self._send_or_say(lambda: self._show_end(told))

    def _show_end(self, told: str) -> None:
        self._button.description = _TRAIN
        self._bar.layout.visibility = "hidden"
        self._told.value = told or self._hint()

    def _progress(self, epochs: Iterable[int], **_more: Any) -> Iterator[int]:
        """Hand the epochs on, move the bar, and stop when that is asked for."""
        todo = list(epochs)
        self._bar.max = len(todo)
        for done, epoch in enumerate(todo):
            if self._stop.is_set():
                raise Stopped
            self._bar.value = done
            yield epoch


_TRAIN = "Train again"
