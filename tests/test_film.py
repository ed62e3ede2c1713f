import io
import subprocess
import sys
import threading

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from PIL import Image

from dlcourse import style
from dlcourse.film import Camera, shoot_text
from tests.scenes import units_scene

SIZE = (300, 160)


def fresh_picture(p, **state):
    return Camera(units_scene, SIZE).shoot(p, **state)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_picture_has_the_size_asked_for():
    assert pixels(fresh_picture(0.5, seed=0)).shape == (SIZE[1], SIZE[0], 3)


def test_pictures_of_different_states_differ():
    states = [(0.5, 0, 16), (0.51, 0, 16), (0.5, 1, 16), (0.5, 0, 17)]
    assert len({fresh_picture(p, seed=seed, units=n) for p, seed, n in states}) == len(states)


visits = st.tuples(st.integers(0, 100), st.integers(0, 2), st.sampled_from([1, 5, 16]))


@settings(deadline=None, max_examples=15)
@given(st.lists(visits, min_size=1, max_size=6))
def test_a_picture_does_not_depend_on_what_was_shot_before(path):
    camera = Camera(units_scene, SIZE)
    for percent, seed, units in path:
        state = {"p": percent / 100, "seed": seed, "units": units}
        assert camera.shoot(**state) == fresh_picture(**state)


def test_a_picture_does_not_depend_on_what_a_notebook_set_in_matplotlib():
    usual = fresh_picture(0.5, seed=0)
    unusual = {
        "font.size": 30,
        "font.family": "serif",
        "axes.titlesize": 30,
        "axes.grid": True,
        "axes.linewidth": 5,
        "lines.linewidth": 7,
        "figure.dpi": 50,
        "figure.autolayout": True,
        "savefig.dpi": 300,
        "axes.titleweight": "bold",
        "axes.labelweight": "bold",
        "xtick.direction": "in",
        "xtick.top": True,
        "xtick.bottom": False,
        "ytick.right": True,
        "xtick.minor.visible": True,
    }
    with plt.style.context(["dark_background", unusual]):
        assert fresh_picture(0.5, seed=0) == usual


def test_the_background_is_white_and_the_colours_of_the_course_stay_exact():
    colours = [style.KEPT, style.RESCALED, style.DROPPED, style.OUTLINE, style.INK, "white"]

    def scene(figure):
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        bars = axes.bar(range(len(colours)), 1, color=colours)
        return lambda p: bars

    found = {
        tuple(map(int, colour)) for colour in pixels(Camera(scene, SIZE).shoot(0)).reshape(-1, 3)
    }
    for colour in colours:
        rgb = tuple(round(255 * level) for level in matplotlib.colors.to_rgb(colour))
        assert rgb in found, colour


def failing_scene(figure, seed):
    if seed == 13:
        raise ValueError("no luck")
    text = figure.text(0.5, 0.5, "")

    def show(p):
        text.set_text(f"{1 / (1 - p):.2f}")
        return [text]

    return show


def test_after_an_error_in_a_picture_the_next_one_is_as_fresh():
    camera = Camera(failing_scene, SIZE)
    before = camera.shoot(0.5, seed=0)
    with pytest.raises(ZeroDivisionError):
        camera.shoot(1.0, seed=0)
    assert camera.shoot(0.5, seed=0) == before


def test_an_error_in_the_first_picture_does_not_stand_for_the_others():
    camera = Camera(failing_scene, SIZE)
    with pytest.raises(ZeroDivisionError):
        camera.shoot(1.0, seed=0)
    assert camera.shoot(0.5, seed=0) == Camera(failing_scene, SIZE).shoot(0.5, seed=0)


def test_after_a_scene_that_cannot_be_built_the_next_one_is_as_fresh():
    camera = Camera(failing_scene, SIZE)
    with pytest.raises(ValueError, match="no luck"):
        camera.shoot(0.5, seed=13)
    assert camera.shoot(0.5, seed=0) == Camera(failing_scene, SIZE).shoot(0.5, seed=0)


def test_an_interrupt_leaves_no_picture_half_drawn():
    interrupted = True

    def scene(figure, seed):
        show = units_scene(figure, seed)

        def interrupted_show(p):
            artists = show(p)
            if interrupted:
                raise KeyboardInterrupt
            return artists

        if interrupted and seed == 1:
            raise KeyboardInterrupt
        return interrupted_show

    camera = Camera(scene, SIZE)
    for seed in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            camera.shoot(0.5, seed=seed)
    interrupted = False
    assert camera.shoot(0.5, seed=1) == fresh_picture(0.5, seed=1)


def test_a_scene_must_return_the_same_artists_for_every_p():
    def scene(figure):
        low, high = figure.text(0.5, 0.2, "low"), figure.text(0.5, 0.8, "high")
        return lambda p: [low] if p < 0.5 else [high]

    camera = Camera(scene, SIZE)
    camera.shoot(0.2)
    with pytest.raises(ValueError, match="must return the same artists for every p"):
        camera.shoot(0.8)


def test_threads_may_shoot_while_others_use_pyplot():
    camera, wrong = Camera(units_scene, SIZE), []
    expected = {(i, seed): fresh_picture(i / 10, seed=seed) for i in range(10) for seed in (0, 1)}

    def shoot(seed):
        for i in list(range(10)) * 3:
            if camera.shoot(i / 10, seed=seed) != expected[i, seed]:
                wrong.append((i, seed))

    threads = [threading.Thread(target=shoot, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    files = []
    while any(thread.is_alive() for thread in threads):
        figure, axes = plt.subplots()
        axes.plot([1, 2], [3, 4])
        axes.set_title("in a cell")
        file = io.BytesIO()
        figure.savefig(file)
        files.append(file.getvalue())
        plt.close(figure)
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(set(files)) == 1


def test_text_for_what_could_not_be_drawn_may_hold_anything():
    png = shoot_text("$x_{ <b>\n\\frac \N{SNOWMAN}", SIZE)
    assert (pixels(png) < 128).any()


def test_pyplot_is_never_imported():
    code = "import sys, dlcourse.live; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
