"""A panel that trains: what its button does, and that p and the picture stay meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading

import ipywidgets as widgets
import pytest

from dlcourse.live import POSITIONS
from dlcourse.retrain import TrainingPanel


class Training:
    """A stand-in for training: every epoch waits for a step, unless it runs freely."""

    def __init__(self):
        self.done, self.calls, self.error = {}, [], None
        self.free = True
        self.steps, self.in_epoch = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, seed, k, progress=None):
        if (seed, k) in self.done:
            return self.done[seed, k]
        self.calls.append((seed, k))
        for epoch in range(4) if progress is None else progress(range(4)):
            self.in_epoch.release()
            if not self.free:
                assert self.steps.acquire(timeout=10)
            if epoch == 2 and self.error is not None:
                raise self.error
        self.done[seed, k] = (seed, k)
        return self.done[seed, k]


@pytest.fixture
def training():
    return Training()


@pytest.fixture
def panel(training):
    def scene(figure, seed, k):
        text = figure.text(0.1, 0.5, "")
        networks = training(seed=seed, k=k)

        def show(p):
            text.set_text(f"{networks} at {p:.2f}")
            return [text]

        return show

    controls = {"k": widgets.Dropdown(options=[1, 2], value=1)}
    panel = TrainingPanel(scene, training, controls, seed=3, name="demo")
    assert panel.wait(20)
    yield panel
    training.free = True
    training.steps.release(100)
    panel.close()


def button(panel):
    (found,) = [part for part in panel._parts if isinstance(part, widgets.Button)]
    return found


def told(panel):
    (found,) = [part for part in panel.controls if type(part) is widgets.Label]
    return found.value


def bar(panel):
    (found,) = [part for part in panel._parts if isinstance(part, widgets.IntProgress)]
    return found


def frames(panel):
    assert panel.wait(20)
    return [frame.value for frame in panel._frames]


def test_the_first_networks_are_trained_when_the_panel_is_made(panel, training):
    assert training.calls == [(3, 1)]
    assert repr(panel) == "demo(p=0.5, seed=3, k=1)"
    assert button(panel).description == "Train again"


def test_the_button_trains_the_next_seed_and_the_film_follows(panel, training):
    before = frames(panel)
    button(panel).click()
    assert panel.wait_for_training(10)
    after = frames(panel)
    assert training.calls == [(3, 1), (4, 1)] and panel.settings == {"seed": 4, "k": 1}
    assert all(a != b for a, b in zip(before, after, strict=True)) and len(after) == POSITIONS


def test_meanwhile_the_film_stays_and_p_moves(panel, training):
    before, training.free = frames(panel), False
    button(panel).click()
    for _ in range(5):  # four epochs of the first training are counted too
        assert training.in_epoch.acquire(timeout=10)
    assert button(panel).description == "Stop" and bar(panel).layout.visibility == "visible"
    assert bar(panel).max == 4 and bar(panel).value == 0
    panel._slider.index = 80
    assert panel.wait(0) and panel.p == 0.8 and panel.settings == {"seed": 3, "k": 1}
    assert [frame.value for frame in panel._frames] == before
    assert panel.picture() == before[80]
    training.steps.release(2)
    for _ in range(2):
        assert training.in_epoch.acquire(timeout=10)
    assert bar(panel).value == 2
    training.free = True
    training.steps.release(5)
    assert panel.wait_for_training(10) and panel.p == 0.8
    assert bar(panel).layout.visibility == "hidden"
    assert frames(panel)[80] != before[80]


def test_a_changed_control_waits_for_the_button_and_keeps_the_seed(panel, training):
    before = frames(panel)
    panel._controls["k"].value = 2
    assert "press Train again" in told(panel)
    assert frames(panel) == before and panel.settings == {"seed": 3, "k": 1}
    panel._controls["k"].value = 1
    assert told(panel) == ""
    panel._controls["k"].value = 2
    button(panel).click()
    assert panel.wait_for_training(10) and panel.settings == {"seed": 3, "k": 2}
    assert told(panel) == "" and frames(panel) != before


def test_a_control_changed_while_it_trains_keeps_its_hint(panel, training):
    training.free = False
    button(panel).click()
    for _ in range(5):
        assert training.in_epoch.acquire(timeout=10)
    panel._controls["k"].value = 2
    assert told(panel) == "still training for the settings before"
    training.free = True
    training.steps.release(10)
    assert panel.wait_for_training(10) and panel.settings == {"seed": 4, "k": 1}
    assert "press Train again" in told(panel)


def test_stop_keeps_the_networks_before(panel, training):
    before, training.free = frames(panel), False
    button(panel).click()
    for _ in range(5):
        assert training.in_epoch.acquire(timeout=10)
    button(panel).click()
    training.steps.release(10)
    assert panel.wait_for_training(10)
    assert (4, 1) not in training.done
    assert panel.settings["seed"] == 3 and frames(panel) == before
    assert told(panel) == "stopped: the picture shows the networks before"
    training.free = True
    button(panel).click()  # and it can be started again
    assert panel.wait_for_training(10) and panel.settings["seed"] == 4


@pytest.mark.parametrize("error", [ValueError("no such network"), KeyboardInterrupt()])
def test_an_error_is_told_and_loses_nothing(panel, training, error):
    before, training.error = frames(panel), error
    button(panel).click()
    assert panel.wait_for_training(10)
    assert type(error).__name__ in told(panel)
    assert type(error).__name__ in panel.error
    assert panel.settings["seed"] == 3 and frames(panel) == before
    training.error = None
    button(panel).click()
    assert panel.wait_for_training(10) and panel.settings["seed"] == 4 and told(panel) == ""
    assert panel.error is None


def test_a_training_that_cannot_start_leaves_the_panel_as_it_was(panel, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as within:
        within.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            panel.new_draw()
    assert button(panel).description == "Train again" and "still training" not in told(panel)
    assert panel.wait_for_training(1)
    panel.new_draw()
    assert panel.wait_for_training(10) and panel.settings["seed"] == 4


def test_who_waits_while_a_training_starts_waits_for_its_end(panel, training, monkeypatch):
    start, waited = threading.Thread.start, []

    def start_late(thread):
        if thread.name == "training":
            other = threading.Thread(target=lambda: waited.append(panel.wait_for_training(10)))
            start(other)
            other.join(0.2)  # it must not have asked a thread that is not started yet
            waiting.append(other)
        start(thread)

    waiting: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", start_late)
    panel.new_draw()
    waiting[0].join(10)
    assert waited == [True] and (4, 1) in training.done


def test_closing_stops_a_training(panel, training):
    training.free = False
    button(panel).click()
    for _ in range(5):
        assert training.in_epoch.acquire(timeout=10)
    training.steps.release(10)
    panel.close()
    assert panel.wait_for_training(0) and (4, 1) not in training.done
    assert not [t for t in threading.enumerate() if t.name == "training"]


def test_python_ends_in_the_middle_of_training():
    """A daemon thread that PyTorch hands back to an ended Python would abort the process."""
    code = """
import torch
from dlcourse.retrain import TrainingPanel

def scene(figure, seed):
    return lambda p: []

def train(seed, progress):
    for _ in progress(range(10_000)):
        x = torch.ones(300, 300)
        for _ in range(50):
            x = x @ x / 300

panel = TrainingPanel(scene, train)
panel.new_draw()
print(panel.wait_for_training(0.3))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "False\n", "")
