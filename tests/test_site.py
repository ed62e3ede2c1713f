"""The site: pages from a folder in a Chromium without a network, as a reader has them."""

import base64
import importlib
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml

from dlcourse import site
from dlcourse.film import Camera
from dlcourse.live import SIZE
from tests.lab import panel_cell
from tests.scenes import units_scene
from tests.test_notebooks import LESSONS, cells, every_lesson, outputs

ROOT = Path(__file__).parent.parent
SCREENSHOTS = ROOT / "screenshots"
DESKTOP = {"width": 1280, "height": 720}
PHONE = {"width": 360, "height": 640}
PAGES = ["index.html", *(f"{path.stem}.html" for path in LESSONS)]
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.S)

SEEN = {"02_scaling", "06_overfitting"}  # in a browser each time: many formulas; trained networks

every_page = pytest.mark.parametrize("name", PAGES)


def seen_first(values, stem):
    """Return the values for a test in a browser, of which most are for the long run."""
    return [pytest.param(v, marks=[] if stem(v) in SEEN else pytest.mark.soak) for v in values]


most_lessons_later = pytest.mark.parametrize(
    "path", seen_first(LESSONS, lambda path: path.stem), ids=lambda path: path.stem
)
most_pages_later = pytest.mark.parametrize(
    "name", seen_first(PAGES, lambda name: name.removesuffix(".html"))
)


class OnePicture(Camera):
    """A camera that draws one picture of its scene, and hands it out for every p."""

    def take(self, p, **settings):
        self.picture = getattr(self, "picture", None) or super().take(0.5, **settings)
        return self.picture


@pytest.fixture(scope="module")
def folder(request, tmp_path_factory):
    """The site; without the long run it has whole films only where a test moves p."""
    whole = any(item.get_closest_marker("soak") for item in request.session.items)
    shoot = site.shoot

    def shoot_what_is_seen(name):
        seen = whole or name in {stem[3:] for stem in SEEN}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(site, "Camera", Camera if seen else OnePicture)
            return shoot(name)

    folder = tmp_path_factory.mktemp("site") / "pages"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site, "shoot", shoot_what_is_seen)
        assert [path.name for path in site.build(LESSONS, folder)] == PAGES
    return folder


@pytest.fixture(scope="module")
def camera_of():
    """A camera for the panel of a lesson, given by its path, and the settings it starts with."""

    @cache
    def camera_of(path):
        module = importlib.import_module(f"dlcourse.{path.stem[3:]}")
        panel = module.panel()
        panel.close()
        return Camera(module.scene, SIZE), panel.settings

    return camera_of


@pytest.fixture(scope="module")
def shoot(camera_of):
    """The pictures that a lesson's own panel would show, by the notebook's path and p."""

    def shoot(path, p):
        camera, settings = camera_of(path)
        return camera.shoot(p, **settings)

    return shoot


@pytest.fixture
def visit(browser, folder):
    """Open a page in a window of its own, without a network; in the end nothing was asked for."""
    contexts, asked, errors = [], [], []

    def visit(name, size=DESKTOP, fragment="", **more):
        context = browser.new_context(viewport=size, offline=True, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((folder / name).as_uri() + fragment)
        return page

    yield visit
    for context in contexts:
        context.close()
    own = folder.as_uri()
    assert [url[:100] for url in asked if not url.startswith((own, "data:"))] == []
    assert errors == []


class Tags(HTMLParser):
    """All tags of a page: ``tags`` as (name, attributes); ``css`` as one text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.css, self._style = [], "", False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._style = tag == "style"
        self.css += dict(attributes).get("style") or ""

    def handle_data(self, data):
        self.css += data if self._style else ""

    def every(self, attribute, *names):
        return [a[attribute] for tag, a in self.tags if attribute in a and tag in (names or [tag])]


def loaded(html):
    """Return the addresses of all that a page loads by itself, what it holds itself left out."""
    page = Tags(html)
    found = page.every("href", "link", "use", "image") + page.every("data", "object")
    for attribute in ("src", "srcset", "poster", "background"):
        found += page.every(attribute)
    found += re.findall(r"url\(|@import[^;]*", page.css)
    return [address for address in found if not address.startswith("data:")]


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://cdn.org/a.js"></script>',
        '<link rel="stylesheet" href="https://cdn.org/a.css">',
        '<img src="a.png">',
        "<style>@font-face { src: url(a.woff2) }</style>",
        '<p style="background: url(a.png)">',
        '<iframe src="//a.org"></iframe>',
    ],
)
def test_what_loads_something_would_be_seen(tag):
    assert loaded(tag)
    assert not loaded('<a href="https://a.org">a</a><img src="data:,">')


@most_pages_later
def test_a_page_is_small_and_loads_nothing(folder, name):
    page = folder / name
    assert page.stat().st_size < (1e6 if name == "index.html" else 8e6)
    assert loaded(page.read_text(encoding="utf-8")) == []


# --- p


def state(page):
    """Return what a page's panel says of p, in all the places where it does."""
    return page.evaluate(
        """async () => {
          const film = document.querySelector(".film");
          const picture = film.querySelector("img");
          await picture.decode();
          return [film.querySelector("output").innerText,
                  film.querySelector("input").getAttribute("aria-valuetext"),
                  picture.alt.match(/^p = (.*?): ./)[1],
                  film.querySelector("code").innerText.match(/\\(p=(.*?), /)[1],
                  picture.naturalWidth, picture.src]; }"""
    )


def expect(page, p, picture):
    *told, call, width, source = state(page)
    assert told == [f"{p:.2f}"] * 3
    assert call == f"{p:g}"
    assert width == SIZE[0]
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == picture


def grip(page, p):
    """Return where the slider's handle is when it stands at p."""
    slider = page.locator(".film input")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    return box["x"] + 14 + p * (box["width"] - 28), box["y"] + box["height"] / 2


def capture(page, name):
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"site-{name}.png")


@most_lessons_later
def test_p_moves_by_keyboard_and_by_dragging(visit, shoot, path):
    page = visit(f"{path.stem}.html")
    expect(page, 0.5, shoot(path, 0.5))
    slider = page.get_by_role("slider", name="p, probability of dropping")
    slider.focus()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    expect(page, 0.57, shoot(path, 0.57))
    for key, p in (("End", 1.0), ("Home", 0.0), ("ArrowUp", 0.01)):
        page.keyboard.press(key)
        expect(page, p, shoot(path, p))

    place = page.locator(".film img").bounding_box()
    page.mouse.move(*grip(page, 0.01))
    page.mouse.down()
    for p in (0.3, 0.8):
        page.mouse.move(*grip(page, p), steps=5)
        expect(page, p, shoot(path, p))
    page.mouse.up()
    place_now = page.locator(".film img").bounding_box()
    assert (place_now["width"], place_now["height"]) == (place["width"], place["height"]) == SIZE
    page.locator(".film").evaluate("film => film.scrollIntoView({block: 'center'})")
    capture(page, path.stem)


@most_lessons_later
def test_p_moves_on_a_phone(visit, shoot, path):
    phone = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    page = visit(f"{path.stem}.html", PHONE, **phone)
    page.touchscreen.tap(*grip(page, 0.75))
    expect(page, 0.75, shoot(path, 0.75))
    picture = page.locator(".film img")
    assert picture.bounding_box()["width"] <= PHONE["width"]
    page.locator(".film").evaluate("film => film.scrollIntoView({block: 'center'})")
    capture(page, f"{path.stem}-phone")
    page.get_by_role("button", name="Larger picture").tap()
    assert picture.bounding_box()["width"] == SIZE[0]
    page.touchscreen.tap(*grip(page, 0.25))
    expect(page, 0.25, shoot(path, 0.25))
    assert_nothing_is_wider_than_the_window(page)
    page.get_by_role("button", name="Larger picture").tap()
    assert picture.bounding_box()["width"] <= PHONE["width"]


def assert_nothing_is_wider_than_the_window(page):
    """What is wider scrolls in a box of its own, and all else can be seen without scrolling."""
    wide = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(node =>
          node.getBoundingClientRect().right > document.documentElement.clientWidth + 1 &&
          !node.closest(".wide, pre")).map(node => node.outerHTML.slice(0, 80))"""
    )
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@most_pages_later
def test_a_phone_never_scrolls_sideways(visit, name):
    page = visit(name, PHONE)
    page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
    assert page.evaluate("window.innerWidth") == PHONE["width"]
    assert_nothing_is_wider_than_the_window(page)
    capture(page, f"{Path(name).stem}-top-phone")


def test_without_a_script_the_page_shows_the_picture_and_says_why_p_rests(visit, shoot):
    path = LESSONS[1]
    page = visit(f"{path.stem}.html", java_script_enabled=False)
    assert page.locator(".film input").is_disabled()
    assert page.locator(".film b").inner_text().startswith("p moves when")
    source = page.locator(".film img").get_attribute("src")
    assert base64.b64decode(source.split(",")[1]) == shoot(path, 0.5)


@most_lessons_later
def test_the_other_controls_are_told_not_shown(visit, path):
    page = visit(f"{path.stem}.html")
    assert "p moves when" not in page.locator(".film").inner_text()
    panel = importlib.import_module(f"dlcourse.{path.stem[3:]}").panel()
    names = [w.description for w in panel.controls if getattr(w, "description", "")]
    call = repr(panel)
    panel.close()
    said = page.locator(".film p").inner_text()
    assert said.startswith(f"The picture is {call}. With a kernel also: ")
    assert len(names) >= 2
    for name in names:
        assert name in said
    assert page.locator(".film :is(select, input)").count() == 1


# --- the rest of a page


@most_lessons_later
def test_the_saved_outputs_are_shown(folder, visit, path):
    page = visit(f"{path.stem}.html")
    text = page.locator("main").inner_text()
    shown = Counter(Tags((folder / f"{path.stem}.html").read_text(encoding="utf-8")).every("src"))
    panel = cells(path)[panel_cell(path)].outputs[0]
    for output in outputs(path):
        data = output.get("data", {})
        if output is panel or data.get("image/png") == panel.data["image/png"]:
            continue
        if "image/png" in data:
            assert shown[f"data:image/png;base64,{data['image/png'].strip()}"] == 1
        else:
            told = output.get("text") or data["text/plain"]
            for line in filter(None, map(str.strip, told.splitlines())):
                assert line in text
    for cell in cells(path, "code"):
        for line in filter(None, map(str.strip, cell.source.splitlines())):
            assert line in text


@most_lessons_later
def test_formulas_are_drawn(visit, path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
    formulas = ["".join(found) for found in FORMULA.findall(text)]
    page = visit(f"{path.stem}.html")
    page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
    drawn = page.evaluate(
        """() => [...document.querySelectorAll("math")].map(node => {
          const box = node.getBoundingClientRect(); return box.width * box.height; })"""
    )
    assert len(drawn) == len(formulas) + sum(f.count(r"\qquad") for f in formulas)
    assert all(area > 50 for area in drawn)
    left = page.evaluate(
        """() => { const main = document.querySelector("main").cloneNode(true);
          main.querySelectorAll("pre, code").forEach(node => node.remove());
          return main.textContent; }"""
    )
    assert not re.search(r"\$|\\[a-z]", left)


def test_a_fraction_is_drawn_as_a_fraction(visit):
    page = visit("02_scaling.html")
    above, below = page.evaluate(
        """() => [...document.querySelector("mfrac").children].map(
          node => node.getBoundingClientRect().y)"""
    )
    assert below > above + 8


def test_the_parts_of_a_formula_stand_in_one_line_and_on_a_phone_below_each_other(visit):
    equals = """() => [...document.querySelector(".formula").children].map(part =>
      [...part.querySelectorAll("mo")].find(node => node.textContent === "=")
        .getBoundingClientRect().y)"""
    left, right = visit("02_scaling.html").evaluate(equals)
    assert abs(left - right) < 1
    page = visit("05_walter.html", PHONE)
    tops = (
        page.locator(".formula")
        .first.locator("math")
        .evaluate_all("nodes => nodes.map(node => node.getBoundingClientRect().y)")
    )
    assert tops[1] > tops[0] + 20


def test_no_line_begins_with_the_full_stop_behind_a_formula(visit):
    page = visit("05_walter.html", PHONE)
    gaps = page.evaluate(
        """() => [...document.querySelectorAll("p > span > math, li > span > math")].map(node => {
          const stop = document.createRange(); stop.selectNode(node.nextSibling);
          return stop.getBoundingClientRect().right - node.getBoundingClientRect().right; })"""
    )
    assert len(gaps) > 5
    assert min(gaps) > 0


def test_a_formula_that_cannot_be_translated_is_an_error():
    with pytest.raises(ValueError, match=r"\\nosuch cannot be translated to MathML"):
        site.formula(r"a \nosuch b")


@most_lessons_later
def test_answers_are_folded_and_open(visit, path):
    page = visit(f"{path.stem}.html")
    folded = page.locator("details").first
    inside = folded.locator(":scope > :not(summary)").first
    assert not inside.is_visible()
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    assert inside.is_visible()


@every_page
def test_links_lead_somewhere(folder, name):
    for link in Tags((folder / name).read_text(encoding="utf-8")).every("href", "a"):
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme == "https" and parts.netloc
            continue
        target = folder / (parts.path or name)
        assert target.suffix == ".html" and target.parent == folder
        ids = Tags(target.read_text(encoding="utf-8")).every("id")
        assert not parts.fragment or unquote(parts.fragment) in ids, link


def test_headings_have_jupyterlabs_anchors(visit):
    page = visit("01_masks.html", fragment="#Build-it")
    page.wait_for_function("() => window.scrollY > 0")
    assert abs(page.locator("h2#Build-it").bounding_box()["y"]) < 50


def test_links_between_notebooks_with_anchors_become_links_between_pages():
    notebook = nbformat.v4.new_notebook()
    source = "[a](01_masks.ipynb#Build-it) [b](02_scaling.ipynb) [c](https://a.org/c.ipynb)"
    notebook.cells = [nbformat.v4.new_markdown_cell(source)]
    links = Tags(site.render(notebook)).every("href", "a")
    assert links == ["01_masks.html#Build-it", "02_scaling.html", "https://a.org/c.ipynb"]


def test_the_index_shows_all_lessons(visit):
    page = visit("index.html")
    shown = page.locator(".cards li")
    assert shown.count() == len(LESSONS)
    for i, path in enumerate(LESSONS):
        head = cells(path)[0].source
        lesson = shown.nth(i)
        assert lesson.locator("h2").inner_text() == head.splitlines()[0].removeprefix("# ")
        assert lesson.locator("a").get_attribute("href") == f"{path.stem}.html"
        question = lesson.locator("p").first.inner_text()
        assert question.endswith("?") and question in head
        minutes = re.search(r"About (\d+) minutes", head)[1]
        assert lesson.locator(".minutes").inner_text() == f"{minutes} minutes"
        assert lesson.locator("img").evaluate("node => node.naturalWidth") == SIZE[0]
    capture(page, "index")
    shown.last.scroll_into_view_if_needed()
    box = shown.last.locator("img").bounding_box()
    page.mouse.click(box["x"] + 50, box["y"] + 50)  # the whole card is the link
    page.wait_for_url(f"**/{LESSONS[-1].stem}.html")


# --- for everybody

# the least contrast between a text and what is behind it
CONTRAST = """() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = node => {
    const colour = getComputedStyle(node).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" ? behind(node.parentElement) : colour; };
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let least = [21, ""];
  while (words.nextNode()) {
    const node = words.currentNode.parentElement;
    if (!words.currentNode.data.trim() || !node.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(node).color), light(behind(node))].sort((a, b) => b - a);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < least[0]) least = [ratio, node.outerHTML.slice(0, 200)]; }
  return least; }"""


@most_pages_later
def test_a_page_can_be_read_by_everybody(folder, visit, name):
    html = (folder / name).read_text(encoding="utf-8")
    page = Tags(html)
    assert ("html", {"lang": "en"}) in page.tags
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = page.every("id")
    assert len(ids) == len(set(ids))
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert all(picture.get("alt") and picture.get("width") for picture in pictures)

    seen = visit(name)
    assert seen.title()
    seen.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
    least, where = seen.evaluate(CONTRAST)
    assert least >= 4.5, where
    capture(seen, f"{Path(name).stem}-top")


@every_lesson
def test_figures_are_told_to_those_who_do_not_see_them(folder, camera_of, path):
    pictures = [output for output in outputs(path) if "image/png" in output.get("data", {})]
    told = [one.data["text/plain"] for one in pictures if one.output_type == "display_data"]
    camera, settings = camera_of(path)  # the page's networks were trained here, as these are
    panel = f"p = 0.50: {camera.take(0.5, **settings).words}"
    page = Tags((folder / f"{path.stem}.html").read_text(encoding="utf-8"))
    assert sorted(page.every("alt", "img")) == sorted([*told, panel])


def test_a_picture_without_words_gets_some(tmp_path):
    data = {"image/png": base64.b64encode(Camera(units_scene, (80, 40)).shoot(0, seed=0)).decode()}
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", data)])
    path = tmp_path / "a.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A"), cell]), path
    )
    (picture,) = [a for tag, a in Tags(site.read_lesson(path).body).tags if tag == "img"]
    assert (picture["width"], picture["height"]) == ("80", "40")
    assert picture["alt"] == "Picture drawn by the code above"


def test_a_picture_keeps_its_words():
    png = base64.b64encode(Camera(units_scene, (80, 40)).shoot(0, seed=0)).decode()
    words = {"image/png": {"alt": "Sixteen units, all kept."}}
    output = nbformat.v4.new_output("display_data", {"image/png": png}, metadata=words)
    cell = nbformat.v4.new_code_cell(outputs=[output])
    site.describe_pictures(cell)
    assert cell.outputs[0].metadata["image/png"]["alt"] == "Sixteen units, all kept."


def test_a_film_has_the_picture_of_each_p(shoot):
    film = site.shoot("masks")
    for i in (0, 1, 50, 99, 100):
        assert film.pictures[i].png == shoot(LESSONS[1], i / 100)
        assert site.told(i, film.pictures[i]).startswith(f"p = {i / 100:.2f}: ")
        assert f"p = {i / 100:.2f}: " in film.pictures[i].words


def test_titles_tell_pages_apart(folder):
    found = [
        re.search("<title>(.*?)</title>", (folder / name).read_text(encoding="utf-8"))[1]
        for name in PAGES
    ]
    assert len(set(found)) == len(PAGES)


def test_what_has_the_focus_can_be_seen(visit):
    page = visit("01_masks.html")
    for _ in range(30):
        page.keyboard.press("Tab")
        look = page.evaluate(
            """() => { const style = getComputedStyle(document.activeElement);
              return [document.activeElement.type, style.outlineStyle, style.outlineWidth]; }"""
        )
        assert look[1:] == ["solid", "3px"]
        if look[0] == "range":
            return
    raise AssertionError("the slider cannot be reached with Tab")


# --- the command


@pytest.fixture
def course(tmp_path):
    """A folder with two notebooks, of which one has nothing but a title."""
    (tmp_path / "notebooks").mkdir()
    head = "# 01 One\n\nA learner's question: *Why?*\n\nAbout 5 minutes. $p$"
    for name, source in (("01_one", head), ("02_two", "# 02 <Two>")):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source)])
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
    return tmp_path


def test_the_command_makes_a_site_and_makes_it_again(command, course):
    status, output, errors = command("site", folder=course)
    assert status == 0, errors
    lines = output.splitlines()
    names = ["index.html", "01_one.html", "02_two.html"]
    assert [line.split(":")[0] for line in lines[:-1]] == [str(Path("_site", n)) for n in names]
    assert all(re.fullmatch(r".*: \d+\.\d MB", line) for line in lines[:-1])
    assert lines[-1].startswith("3 pages, ")
    index = (course / "_site" / "index.html").read_text(encoding="utf-8")
    assert "Why?" in index and "02 &lt;Two&gt;" in index

    (course / "notebooks" / "02_two.ipynb").unlink()
    (course / "_site" / "mine.html").write_text("a person's own")
    assert command("site", folder=course)[0] == 0
    left = {path.name for path in (course / "_site").iterdir()}
    assert left == {site.MARKER, "index.html", "01_one.html", "mine.html"}


def test_a_folder_of_somebody_elses_is_left_alone(command, course):
    mine = course / "docs" / "index.html"
    mine.parent.mkdir()
    assert command("site", "docs", folder=course)[0] == 0  # an empty folder will do
    (course / "docs" / site.MARKER).unlink()
    mine.write_text("mine")
    status, _, errors = command("site", "docs", folder=course)
    assert status == 2 and "was not made by this command, and is not empty" in errors
    assert mine.read_text() == "mine"
    assert "is a file" in command("site", "docs/index.html", folder=course)[2]


def test_what_is_no_notebook_is_named(course):
    (course / "notebooks" / "03_bad.ipynb").write_text("{}")
    program = [sys.executable, "-m", "dlcourse", "site"]
    answer = subprocess.run(program, cwd=course, capture_output=True, text=True)
    assert answer.returncode == 2
    assert "03_bad.ipynb cannot be read as a notebook" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (course / "_site").exists()


@pytest.mark.parametrize(
    ("panels", "words"),
    [
        (["masks.panel()", "masks.panel()"], "01_one.ipynb has more than one panel cell"),
        (["my_lesson.panel()"], "my_lesson.panel() cannot be shown: No module named"),
    ],
)
def test_a_panel_that_a_page_cannot_show_is_named(command, course, panels, words):
    path = course / "notebooks" / "01_one.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in panels])
    nbformat.write(notebook, path)
    status, _, errors = command("site", folder=course)
    assert status == 2 and words in errors
    assert not (course / "_site").exists()


def test_the_workflow_builds_and_publishes_the_site():
    text = (ROOT / ".github" / "workflows" / "site.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow[True]["push"] == {"branches": ["main"]}  # YAML reads "on" as true
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    assert workflow["permissions"] == {"contents": "read"}
    assert publish["permissions"] == {"pages": "write", "id-token": "write"}
    assert publish["needs"] == "build"
    used = [step.get("uses", "").split("@")[0] for step in build["steps"] + publish["steps"]]
    assert used.index("actions/upload-pages-artifact") < used.index("actions/deploy-pages")
    python = next(step for step in build["steps"] if "setup-python" in step.get("uses", ""))
    assert python["with"]["python-version"] == "3.11"
    commands = [step["run"] for step in build["steps"] if "run" in step]
    assert commands == [
        'pip install -c constraints.txt -e ".[site]"',
        "python -m dlcourse site _site",
    ]
    artifact = next(step for step in build["steps"] if "upload" in step.get("uses", ""))
    assert artifact["with"]["path"] == "_site"
