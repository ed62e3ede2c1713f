import base64
import gc
import io
import random
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pytest
from PIL import Image

from dlcourse import dropout_mask, projector
from dlcourse.film import Camera, shoot_text
from dlcourse.live import P_LABEL, POSITIONS, Panel, choice, whole_number
from dlcourse.page import BUTTONS
from tests.scenes import units_scene

SIZE = (300, 160)
ROOT = Path(__file__).parent.parent


def new_panel(scene=units_scene, **options):
    controls = {"units": whole_number("units", 1, 20, 16)} if scene is units_scene else {}
    return Panel(scene, controls, size=SIZE, **options)


@pytest.fixture
def panel():
    panel = new_panel(name="test.panel")
    yield panel
    panel.close()


def all_widgets():
    return list(widgets.widget._instances.values())


def slider(panel):
    return panel.children[0].children[0]


def units(panel):
    return panel.controls[0]


def film(panel):
    assert panel.wait(60)
    return [bytes(frame.value) for frame in panel.children[2].children]


def fresh_film(panel):
    camera = Camera(units_scene, SIZE)
    return [camera.shoot(i / 100, **panel.settings) for i in range(POSITIONS)]


def test_every_position_shows_the_picture_of_its_p(panel):
    assert film(panel) == fresh_film(panel)


def test_the_first_picture_is_there_before_the_film_is():
    shot, go_on = [], threading.Event()

    def slow_scene(figure, seed):
        show = units_scene(figure, seed)

        def slow_show(p):
            if shot:
                go_on.wait(60)
            shot.append(p)
            return show(p)

        return slow_show

    panel = new_panel(slow_scene, p=0.3)
    try:
        visible = bytes(panel.children[2].children[30].value)
        assert shot == [0.3]
        assert visible == Camera(units_scene, SIZE).shoot(0.3, seed=0)
    finally:
        go_on.set()
        panel.close()


def test_the_slider_comes_first_has_101_positions_and_says_what_it_is(panel):
    first = slider(panel)
    assert first.description == P_LABEL == "p, probability of dropping"
    assert [value for _, value in first.options] == [i / 100 for i in range(101)]
    assert [label for label, _ in first.options][35] == "0.35"
    assert first.value == panel.p == 0.5


def test_the_browser_links_the_slider_to_all_that_follows_p(panel):
    kinds = ("Link", "DirectionalLink")
    links = [w for w in all_widgets() if type(w).__name__ in kinds]
    assert [(link.source, link.target) for link in links if link.source[0] is slider(panel)] == [
        ((slider(panel), "index"), (panel.children[2], "selected_index")),
        ((slider(panel), "index"), (panel._code, "index")),
        ((slider(panel), "index"), (panel._words, "index")),
        ((slider(panel), "index"), (panel._buttons, "index")),
    ]
    counts = [len(part.options) for part in (panel._code, panel._words, panel._buttons)]
    assert counts == [len(panel.children[2].children)] * 3 == [POSITIONS] * 3


def test_a_saved_notebook_gets_the_picture_beside_the_widget(panel):
    bundle, metadata = panel._repr_mimebundle_()
    picture = Camera(units_scene, SIZE).shoot(0.5, seed=0, units=16)
    assert base64.b64decode(bundle["image/png"]) == picture
    assert bundle["text/plain"] == "test.panel(p=0.5, seed=0, units=16)"
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert metadata == {"image/png": {"alt": words_at(panel, 0.5)}}


def words_at(panel, p):
    """Return what the picture says at p: its titles, and the line under it."""
    kept = dropout_mask(panel.settings["units"], p, rng=panel.settings["seed"]).sum()
    state = f"{kept} of {panel.settings['units']} kept, seed {panel.settings['seed']}"
    return f"p = {p:.2f}. kept. {state}"


def test_every_position_has_its_picture_in_words(panel):
    film(panel)
    assert panel._words._options_labels == tuple(words_at(panel, i / 100) for i in range(101))
    panel.p = 0.3
    panel.new_draw()
    assert panel.wait(60)
    assert panel._words._options_labels == tuple(words_at(panel, i / 100) for i in range(101))


def test_the_line_under_the_picture_makes_the_same_picture_for_every_p(panel):
    panel.p = 0.8
    panel._seed.value, units(panel).value = 7, 3
    assert panel._code._options_labels[80] == repr(panel) == "test.panel(p=0.8, seed=7, units=3)"
    for i, line in enumerate(panel._code._options_labels):
        assert line == f"test.panel(p={i / 100:g}, seed=7, units=3)"


def test_what_follows_p_is_at_p_in_the_kernel_too_and_the_browser_is_not_told(panel, monkeypatch):
    told = []
    followers = [(panel._stack, "selected_index")]
    followers += [(part, "index") for part in (panel._code, panel._words, panel._buttons)]
    for part, _ in followers:
        monkeypatch.setattr(part, "send_state", lambda key=None, **more: told.append(key))
    panel.p = 0.8
    assert [getattr(part, name) for part, name in followers] == [80] * 4
    panel._stack.set_state({"selected_index": 62})  # came late, from the browser
    assert panel._stack.selected_index == 80
    panel.new_draw()
    assert panel.wait(60)
    keys = {name for key in told for name in ([key] if isinstance(key, str) else key)}
    assert "_options_labels" in keys and not keys & {"index", "selected_index"}


def test_a_picture_goes_out_once_more_when_p_first_comes_there(panel, monkeypatch):
    """Voilà's page, for one, is still being built when the film is sent."""
    film(panel)
    sent = []
    for i, frame in enumerate(panel._frames):
        monkeypatch.setattr(frame, "send_state", lambda key, i=i: sent.append((i, key)))
    for p in (0.3, 0.4, 0.3):
        panel.p = p
    assert sent == [(30, "value"), (40, "value")]


def test_p_may_be_set(panel):
    panel.p = 0.07
    assert slider(panel).index == 7 and panel.p == 0.07
    with pytest.raises(ValueError, match=r"steps of 0\.01 in a panel, got 0\.123"):
        panel.p = 0.123
    assert panel.p == 0.07


def test_the_seed_can_be_chosen_and_never_leaves_its_range(panel):
    panel._seed.value = 999_999
    assert film(panel) == fresh_film(panel)
    panel.new_draw()
    assert panel.settings["seed"] == 0
    panel._seed.value = -5
    assert panel.settings["seed"] == 0


@pytest.fixture
def off_again():
    yield
    projector.switch(False)


def test_the_projector_makes_every_panel_larger_and_smaller_again(panel, off_again):
    small, other = film(panel), new_panel(p=0.2)
    try:
        panel._projector.value = True
        camera, large = Camera(units_scene, SIZE), film(panel)
        assert large[30] == camera.take(0.3, large=True, seed=0, units=16).png
        assert Image.open(io.BytesIO(large[30])).size == (390, 208)
        assert film(other) == large and other._projector.value is True
        assert panel.picture() == large[50] and other.picture() == large[20]
        assert [panel._buttons.layout.display, other._buttons.layout.display] == ["", ""]
        later = new_panel()
        assert film(later) == large
        later.close()
        other._projector.value = False
        assert film(panel) == film(other) == small
        assert panel._buttons.layout.display == "none" and panel._projector.value is False
    finally:
        other.close()
    projector.switch()  # does not reach for a panel that is closed
    assert film(panel) == large


def test_the_buttons_stand_at_their_positions(panel):
    labels = {i: label for i, (label, _) in enumerate(panel._buttons.options)}
    assert [labels[round(100 * p)] for p in BUTTONS] == [
        "p = 0.01", "p = 0.2", "p = 0.5", "p = 0.8", "p = 0.99"
    ]  # fmt: skip


def test_repr_is_the_present_state(panel):
    slider(panel).index = 7
    units(panel).value = 3
    panel.new_draw()
    assert repr(panel) == "test.panel(p=0.07, seed=1, units=3)"


def test_the_button_draws_anew(panel):
    before = film(panel)
    panel.controls[-1].click()
    assert panel.settings["seed"] == 1
    after = film(panel)
    assert after == fresh_film(panel)
    assert after[50] != before[50]


@pytest.mark.parametrize("value", [1, 20])
@pytest.mark.parametrize("index", [0, 100])
def test_controls_at_both_ends(panel, index, value):
    slider(panel).index, units(panel).value = index, value
    assert film(panel) == fresh_film(panel)
    assert panel.error is None


def random_event(panel, rng):
    kind = rng.random()
    if kind < 0.6:
        slider(panel).index = rng.randrange(POSITIONS)
    elif kind < 0.8:
        units(panel).value = rng.randint(1, 20)
    elif kind < 0.9:
        panel.new_draw()
    else:
        time.sleep(0.03 * rng.random())


@pytest.mark.parametrize("seed", range(4))
def test_after_any_events_from_two_threads_the_film_is_that_of_a_fresh_panel(panel, seed):
    def act(rng):
        for _ in range(60):
            random_event(panel, rng)

    threads = [threading.Thread(target=act, args=(random.Random(2 * seed + i),)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert film(panel) == fresh_film(panel)
    assert panel.picture() == film(panel)[slider(panel).index]


def scene_that_fails_at_one(figure, seed):
    show = units_scene(figure, seed)

    def fragile_show(p):
        if p == 1 and seed == 0:
            raise ZeroDivisionError("no unit is left")
        return show(p)

    return fragile_show


def test_an_error_is_shown_in_its_own_picture_and_the_others_are_right():
    panel = new_panel(scene_that_fails_at_one, p=1)
    try:
        assert "no unit is left" in panel.error
        pictures = film(panel)
        said = "This picture could not be drawn.\n\nZeroDivisionError: no unit is left\n\n"
        assert pictures[100] == shoot_text(said + "Move p or another control.", SIZE)
        camera = Camera(units_scene, SIZE)
        assert pictures[:100] == [camera.shoot(i / 100, seed=0) for i in range(100)]
        panel.new_draw()
        assert film(panel)[100] == Camera(units_scene, SIZE).shoot(1, seed=1)
    finally:
        panel.close()


def test_a_passing_error_is_gone_when_the_slider_comes_back():
    broken = True

    def scene(figure, seed):
        if broken:
            raise OSError("the disk is full")
        return units_scene(figure, seed)

    panel = new_panel(scene)
    try:
        first = film(panel)
        assert len(set(first)) == 1
        assert "the disk is full" in panel.error
        broken = False
        slider(panel).index = 49
        camera = Camera(units_scene, SIZE)
        assert film(panel) == [camera.shoot(i / 100, seed=0) for i in range(POSITIONS)]
    finally:
        panel.close()


def test_an_error_that_passes_while_the_film_is_shot_leaves_no_trace():
    broken = True

    def scene(figure, seed):
        if broken:
            raise OSError("not yet")
        return units_scene(figure, seed)

    panel = new_panel(scene)
    try:
        while len(panel._failed) < 3:
            time.sleep(0.001)
        broken = False
        slider(panel).index = min(panel._failed)
        camera = Camera(units_scene, SIZE)
        assert film(panel) == [camera.shoot(i / 100, seed=0) for i in range(POSITIONS)]
        assert panel.error is None
    finally:
        panel.close()


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    "error",
    [SystemExit("out"), KeyboardInterrupt(), GeneratorExit(), Mute(), ValueError("\ud800 数")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_no_error_stops_the_film(error):
    def scene(figure, seed):
        show = units_scene(figure, seed)

        def fragile_show(p):
            if p == 0.4:
                raise error
            return show(p)

        return fragile_show

    panel = new_panel(scene)
    try:
        pictures, camera = film(panel), Camera(units_scene, SIZE)
        right = [camera.shoot(i / 100, seed=0) for i in range(POSITIONS)]
        assert [i for i in range(POSITIONS) if pictures[i] != right[i]] == [40]
    finally:
        panel.close()


def test_a_long_error_is_told_in_the_picture_and_soon():
    def scene(figure, seed):
        raise ValueError("too long to read " * 400)

    panel = new_panel(scene)
    try:
        assert panel.wait(20)
    finally:
        panel.close()


def test_a_picture_that_cannot_be_sent_does_not_stop_the_film(panel):
    assert panel.wait(60)

    def refuse(change):
        raise OSError("the line is cut")

    panel.children[2].children[49].observe(refuse, "value")
    panel.new_draw()
    assert panel.wait(60)
    assert "the line is cut" in panel.error


def test_a_panel_may_be_closed_by_what_its_own_thread_calls(panel):
    assert panel.wait(60)
    frame = panel.children[2].children[49]
    worker = next(t for t in threading.enumerate() if t.name == "film")
    frame.observe(lambda change: panel.close(), "value")
    panel.new_draw()
    worker.join(10)
    assert not worker.is_alive()


@pytest.mark.parametrize("name", ["figure", "large", "p", "seed"])
def test_a_control_must_not_take_a_name_that_is_taken(name):
    with pytest.raises(ValueError, match=f"a control must not be named {name}"):
        Panel(units_scene, {name: whole_number("n", 1, 2, 1)})


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        ({"p": 50}, ValueError, r"got 50 \(a percentage\?\)"),
        ({"p": "0.5"}, TypeError, "'0.5'"),
        ({"p": 0.333}, ValueError, "steps of 0.01 in a panel, got 0.333"),
        ({"p": float("nan")}, ValueError, "nan"),
        ({"seed": -1}, ValueError, "seed must be an int from 0 to 999999, got -1"),
        ({"seed": 1_000_000}, ValueError, "from 0 to 999999, got 1000000"),
        ({"seed": 1.5}, TypeError, "seed must be an int from 0 to 999999, got 1.5"),
        ({"seed": True}, TypeError, "seed must be an int from 0 to 999999, got True"),
    ],
)
def test_bad_starting_values_are_refused(bad, error, words):
    with pytest.raises(error, match=words):
        new_panel(**bad)


@pytest.mark.parametrize("bad", [0, 21, 1.5, "3", None, True])
def test_bad_values_of_a_whole_number_are_refused(bad):
    error = ValueError if bad in (0, 21) else TypeError
    with pytest.raises(error, match="units must be an int from 1 to 20, got"):
        whole_number("units", 1, 20, bad)


def test_bad_values_of_a_choice_are_refused():
    with pytest.raises(ValueError, match=r"kind must be one of \['a', 'b'\], got 'c'"):
        choice("kind", {"first": "a", "second": "b"}, "c")


def test_a_closed_panel_holds_no_pictures(panel):
    assert panel.wait(60)
    frame = weakref.ref(panel.children[2].children[0])
    panel.close()
    gc.collect()
    assert frame() is None
    assert panel.children == ()
    panel.close()  # once more does nothing


def test_a_numpy_integer_is_a_seed():
    panel = new_panel(seed=np.int64(3))
    assert panel.settings["seed"] == 3
    panel.close()


def test_closing_gives_everything_back():
    threads, models = threading.active_count(), len(all_widgets())
    for _ in range(3):
        panel = new_panel()
        panel.new_draw()
        panel.close()
    gc.collect()
    assert threading.active_count() == threads
    assert len(all_widgets()) == models


def test_a_panel_has_one_thread_however_much_happens(panel):
    before = threading.active_count()
    for index in range(0, 101, 5):
        slider(panel).index = index
        panel.new_draw()
    assert threading.active_count() == before


GROWTH = """
import gc, psutil
from dlcourse.live import Panel
from tests.scenes import units_scene
panel = Panel(units_scene)
for _ in range(20):  # until the caches are full and the heap has found its size
    panel.new_draw()
    panel.wait()
def taken():
    gc.collect()
    return psutil.Process().memory_info().rss
before = taken()
for _ in range(10):  # 1,010 pictures
    panel.new_draw()
    panel.wait()
print((taken() - before) / 1e6)
"""


@pytest.mark.soak
def test_a_thousand_updates_add_less_than_five_megabytes():
    answer = subprocess.run(
        [sys.executable, "-c", GROWTH], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(answer.stdout) < 5
