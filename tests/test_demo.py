"""The page with every panel: in JupyterLab, and as an app under Voilà; a lesson in Notebook 7."""

import base64
import importlib
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from dlcourse.film import Camera
from dlcourse.live import SIZE, WAITING
from dlcourse.notebooks import tidy
from dlcourse.page import BUTTONS
from tests.lab import Notebook, Voila, panel_cell
from tests.test_browser import SCREENSHOTS, wait_for_picture
from tests.test_notebooks import LESSONS, cells, outputs

DEMO = Path(__file__).parent.parent / "notebooks" / "demo.ipynb"
PANELS = [path.stem[3:] for path in LESSONS]
FEW = ["masks", "walter", "regulariser"]  # no training
CONTROLS = {"button", "combobox", "slider", "spinbutton"}


@pytest.fixture(
    scope="module", params=[FEW, pytest.param(PANELS, marks=pytest.mark.soak)], ids=["few", "all"]
)
def panels(request):
    """The names of the panels that are tried, in the order of the page."""
    return request.param


@pytest.fixture(scope="module")
def page_of_panels(panels, tmp_path_factory):
    """The page with these panels and no other."""
    notebook = nbformat.read(DEMO, as_version=4)
    rest = notebook.cells[2:]  # behind the title and the imports
    wanted = [f"{name}.panel()" for name in panels]
    for heading, panel in zip(rest[::2], rest[1::2], strict=True):
        if panel.source not in wanted:
            notebook.cells.remove(heading)
            notebook.cells.remove(panel)
    path = tmp_path_factory.mktemp("page") / DEMO.name
    nbformat.write(notebook, path)
    return path


def films(names):
    """Return a camera for each panel, and the settings that it starts with."""
    found = {}
    for name in names:
        module = importlib.import_module(f"dlcourse.{name}")
        panel = module.panel()
        found[name] = (Camera(module.scene, SIZE), panel.settings)
        panel.close()
    return found


def test_the_page_has_every_panel_under_its_lesson_s_title_and_nothing_else():
    first, imports, *rest = cells(DEMO)
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    assert re.fullmatch(r"from dlcourse import \((\n    \w+,)+\n\)", imports.source)
    titles = ["## " + cells(path)[0].source.split("\n")[0][2:] for path in LESSONS]
    assert [cell.source.split("\n")[0] for cell in rest[::2]] == titles
    assert [cell.source for cell in rest[1::2]] == [f"{name}.panel()" for name in PANELS]


def test_the_page_s_file_is_tidy_and_its_pictures_are_those_of_the_lessons():
    notebook = nbformat.read(DEMO, as_version=4)
    text = DEMO.read_text(encoding="utf-8")
    tidy(notebook)
    assert nbformat.writes(notebook).rstrip("\n") == text.rstrip("\n")
    saved = [output.data["image/png"] for output in outputs(DEMO)]
    assert saved == [cells(path)[panel_cell(path)].outputs[0].data["image/png"] for path in LESSONS]


@pytest.mark.soak
def test_p_moves_in_every_panel_in_jupyterlab(browser, server, panels, page_of_panels):
    shutil.copy(page_of_panels, server.folder)
    notebook = Notebook(browser, server, DEMO.name)
    notebook.run_all()
    numbers = [i for i, cell in enumerate(cells(page_of_panels)) if ".panel(" in cell.source]
    for cell, (camera, settings) in zip(numbers, films(panels).values(), strict=True):
        notebook.scroll_to(cell)
        notebook.wait_for_slider(cell)
        notebook.press(cell, "ArrowRight", 7)
        wait_for_picture(notebook, cell, camera.shoot(0.57, **settings), seconds=30)
    assert notebook.messages == []
    notebook.close()


@pytest.mark.soak
def test_a_lesson_works_in_notebook_7(browser, server):
    (path,) = [path for path in LESSONS if path.stem == "01_masks"]
    cell, (camera, settings) = panel_cell(path), films(["masks"])["masks"]
    shutil.copy(path, server.folder)
    notebook = Notebook(browser, server, path.name, app="notebook")
    for number in (next(i for i, c in enumerate(cells(path)) if c.cell_type == "code"), cell):
        notebook.run_cell(number)
    notebook.scroll_to(cell)
    notebook.wait_for_slider(cell)
    notebook.press(cell, "ArrowRight", 7)
    wait_for_picture(notebook, cell, camera.shoot(0.57, **settings))
    notebook.screenshot(SCREENSHOTS / "notebook-7.png")
    notebook.click_button(cell, "New draw")
    wait_for_picture(notebook, cell, camera.shoot(0.57, **{**settings, "seed": 1}))
    assert notebook.slider_text(cell) == "0.57"
    notebook.close()


# --- Voilà


@pytest.fixture(scope="module")
def app(browser, tmp_path_factory, panels, page_of_panels):
    """The page of panels, served by Voilà and open in a browser."""
    served = Voila(tmp_path_factory.mktemp("voila"), page_of_panels)
    try:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(served.address, timeout=120_000)
        page.wait_for_function(
            "n => document.querySelectorAll('.dlcourse-panel [aria-label].noUi-handle').length > n",
            arg=len(panels),
            timeout=120_000,
        )
        yield page
        page.close()
    finally:
        served.stop()


def panel_of(page, panels, name):
    panel = page.locator(".dlcourse-panel").nth(panels.index(name))
    panel.scroll_into_view_if_needed()
    return panel


def shown(panel):
    """Return the bytes of the picture that is seen in a panel."""
    return bytes(
        panel.evaluate(
            """async panel => {
              const seen = image => image.offsetParent !== null;
              const picture = [...panel.querySelectorAll('.widget-image')].find(seen);
              const answer = await fetch(picture.src);
              return Array.from(new Uint8Array(await answer.arrayBuffer())); }"""
        )
    )


def expect(page, panel, picture, seconds=30):
    for _ in range(20 * seconds):
        if shown(panel) == picture:
            return
        page.wait_for_timeout(50)
    page.screenshot(path=SCREENSHOTS / "unexpected.png")
    raise AssertionError("the picture wanted never showed: see screenshots/unexpected.png")


def line_of(panel):
    return panel.locator(".dlcourse-code .widget-readout")


def test_p_moves_in_every_panel_under_voila(app, panels):
    assert app.locator(".dlcourse-panel").count() == len(panels)
    assert app.locator("text=Traceback").count() == 0
    for name, (camera, settings) in films(panels).items():
        panel = panel_of(app, panels, name)
        panel.locator(".dlcourse-p .noUi-handle").focus()
        for _ in range(7):
            app.keyboard.press("ArrowRight")
        expect(app, panel, camera.shoot(0.57, **settings))
        assert f"{name}.panel(p=0.57, seed=0, " in line_of(panel).inner_text()
        app.screenshot(path=SCREENSHOTS / f"voila-{name}.png")


def test_one_switch_makes_all_panels_readable_from_afar_and_has_buttons_for_p(app, panels):
    camera, settings = films(["masks"])["masks"]
    panel = panel_of(app, panels, "masks")
    panel.locator("button:has-text('Projector')").click()
    try:
        panel.locator(".dlcourse-buttons button:visible").first.wait_for()
        assert panel.locator(".dlcourse-buttons button:visible").all_inner_texts() == [
            f"p = {p:g}" for p in BUTTONS
        ]
        for p in BUTTONS:
            panel.locator(f".dlcourse-buttons button:text-is('p = {p:g}')").click()
            expect(app, panel, camera.take(p, large=True, **settings).png)
            assert f"masks.panel(p={p:g}, " in line_of(panel).inner_text()
        for name, (camera, settings) in films(panels).items():
            panel = panel_of(app, panels, name)
            panel.locator(".dlcourse-buttons button:text-is('p = 0.2')").click()
            expect(app, panel, camera.take(0.2, large=True, **settings).png, seconds=60)
            box = panel.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
            panel.evaluate("panel => panel.scrollIntoView()")
            app.screenshot(path=SCREENSHOTS / f"projector-{name}.png")
    finally:
        panel_of(app, panels, "masks").locator("button:has-text('Projector')").click()
    app.wait_for_function("() => !document.querySelector('.dlcourse-large')")
    assert app.locator(".dlcourse-buttons button:visible").count() == 0


def test_one_click_takes_the_line_that_makes_the_picture_again(app, panels):
    camera, _ = films(["masks"])["masks"]
    panel = panel_of(app, panels, "masks")
    seed = panel.locator("input[type=number]")
    seed.fill("7")
    seed.press("Enter")
    panel.locator(".dlcourse-p .noUi-handle").focus()
    app.keyboard.press("Home")
    for _ in range(35):
        app.keyboard.press("ArrowRight")
    expect(app, panel, camera.shoot(0.35, seed=7, digit=3))
    line_of(panel).click()
    taken = app.evaluate("() => getSelection().toString()").strip()
    assert taken == "masks.panel(p=0.35, seed=7, digit=3)"
    same = eval(taken, {"masks": importlib.import_module("dlcourse.masks")})
    assert same.picture() == shown(panel)
    same.close()


def test_every_control_has_a_name_and_every_picture_words(app, panels):
    app.wait_for_function(  # until all is drawn again that the tests before have changed
        """waiting => [...document.querySelectorAll(".dlcourse-panel .widget-image")].every(
             picture => picture.offsetParent === null || picture.alt !== waiting)""",
        arg=WAITING,
        timeout=120_000,
    )
    session = app.context.new_cdp_session(app)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    told = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    ]
    controls = [(role, name) for role, name in told if role in CONTROLS]
    assert all(name.strip() for _, name in controls), controls
    for role, name in (
        ("slider", "p, probability of dropping"),
        ("spinbutton", "seed"),
        ("button", "Projector"),
    ):
        assert controls.count((role, name)) == len(panels)
    pictures = [name for role, name in told if role in ("image", "img")]
    assert len(pictures) == len(panels)
    assert all(re.search(r"p = \d\.\d\d", name) and len(name) > 40 for name in pictures), pictures


def test_a_slider_says_what_it_shows_not_its_position(app, panels):
    panel = panel_of(app, panels, "walter")
    handle = panel.locator(".dlcourse-p .noUi-handle")
    handle.focus()
    app.keyboard.press("Home")
    for _ in range(3):
        app.keyboard.press("ArrowRight")
    app.wait_for_function("handle => handle.ariaValueText === '0.03'", arg=handle.element_handle())


def test_every_control_is_reached_by_the_tab_key(app, panels):
    app.evaluate("() => {document.body.tabIndex = -1; document.body.focus();}")
    wanted = app.evaluate(
        """() => [...document.querySelectorAll(
             '.dlcourse-panel :is(button, select, input, .noUi-handle)')].filter(
             control => control.offsetParent !== null).map((control, i) => (control.number = i))"""
    )
    reached = set()
    for _ in range(4 * len(wanted)):
        app.keyboard.press("Tab")
        reached.add(app.evaluate("() => document.activeElement.number"))
        if reached >= set(wanted):
            break
    assert len(wanted) > 4 * len(panels)
    assert reached >= set(wanted)


def test_the_saved_pictures_have_words_too():
    for output in outputs(DEMO):
        assert base64.b64decode(output.data["image/png"])
        assert "p = 0.50" in output.metadata["image/png"]["alt"]
