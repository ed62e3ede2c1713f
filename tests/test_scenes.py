"""The looks at every scene see what they are there to see."""

import pytest

from dlcourse import live, style
from tests.scenes import assert_legible, assert_no_history, units_scene


def words_scene(figure, seed, x, y):
    """Words that move with p, beside words that stand still."""
    figure.text(0.5, 0.5, "still", **style.text_style(11, ha="center", va="center"))
    words = figure.text(x, y, "words", **style.text_style(11, ha="center", va="center"))

    def show(p):
        words.set_x(x + p)
        return [words]

    return show


def test_words_that_are_apart_and_inside_are_legible():
    assert_legible(words_scene, (0, 0.3), seed=0, x=0.1, y=0.5)


@pytest.mark.parametrize(("x", "y"), [(0.1, 0.01), (0.1, 0.99), (0.01, 0.5), (0.9, 0.5)])
def test_words_that_are_cut_off_are_seen(x, y):
    with pytest.raises(AssertionError, match=r"cut off at p = .*'words'"):
        assert_legible(words_scene, (0, 0.1), seed=0, x=x, y=y)


def test_words_on_words_are_seen_where_they_meet():
    with pytest.raises(AssertionError, match=r"overlap at p = 0\.4, .*'(still|words)'"):
        assert_legible(words_scene, (0, 0.3, 0.4), seed=0, x=0.1, y=0.5)


def test_no_p_is_no_proof():
    with pytest.raises(AssertionError):
        assert_legible(words_scene, (), seed=0, x=0.1, y=0.5)


def forgetful_scene(figure, seed):
    """A scene whose picture depends on the way to it: the title is set once."""
    inner, seen = units_scene(figure, seed), []

    def show(p):
        artists = inner(p)
        seen.append(p)
        artists[-2].set_text(f"p = {max(seen):.2f}")
        return artists

    return show


def test_history_is_seen():
    panel = live.Panel(forgetful_scene, {}, p=0.2, seed=0, name="scenes.panel")
    try:
        with pytest.raises(AssertionError, match="than from a fresh camera"):
            assert_no_history(panel, forgetful_scene, (0.5, 0.4), seed=0)
    finally:
        panel.close()
    panel = live.Panel(units_scene, {}, p=0.2, seed=0, name="scenes.panel")
    try:
        assert_no_history(panel, units_scene, (0.5, 0.4), seed=0)
    finally:
        panel.close()
