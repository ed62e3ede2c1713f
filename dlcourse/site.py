"""A site without a kernel: each lesson as one page in which p moves, and an index of them.

A page holds all that it shows, the film of its panel included, and loads nothing: it works from a
folder, from a stick or from any web server. Formulas become MathML, which browsers draw themselves.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path

import nbformat
from ipywidgets import Widget
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from PIL import Image
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

from dlcourse._validate import quoted
from dlcourse.film import Camera, Picture
from dlcourse.live import P_LABEL, POSITIONS, SIZE
from dlcourse.notebooks import read, title

TITLE = "Dropout, live"
INDEX = "index.html"
MARKER = ".dlcourse-site"  # lists the files of a site, so that a new one replaces these alone
PANEL_CELL = re.compile(r"(\w+)\.panel\(\)")
START = 50  # hundredths of p


@dataclass(frozen=True)
class Film:
    """What a page shows of a panel.

    Attributes
    ----------
    call : str
        The call that makes the panel, with ``{p}`` in the place of p.
    controls : tuple of str
        What moves beside p where there is a kernel.
    pictures : tuple of Picture
        One for each hundredth of p, and what it says in words.
    """

    call: str
    controls: tuple[str, ...]
    pictures: tuple[Picture, ...]

    @property
    def first(self) -> str:
        """The picture that is seen first, as HTML."""
        return (
            f'<img src="{data_uri(self.pictures[START].png)}" width="{SIZE[0]}" '
            f'height="{SIZE[1]}" alt="{escape(told(START, self.pictures[START]))}">'
        )


@dataclass(frozen=True)
class Lesson:
    """One notebook on its way to a page; ``question`` and ``minutes`` may be empty."""

    page: str
    title: str
    question: str
    minutes: str
    body: str
    film: Film | None


def build(notebooks: Sequence[Path], folder: Path) -> list[Path]:
    """Write a page for each notebook and an index of them; return the pages' paths.

    The notebooks are not executed: their saved outputs are shown. Panels are made anew, in their
    default state; one that trains trains.

    Parameters
    ----------
    notebooks : the notebooks' files, in the order of the course
    folder : where the pages go: a new or empty folder, or one that an earlier call has filled

    Raises
    ------
    ValueError
        If the folder holds files that are not those of a site, there is no notebook, or one
        cannot be read or shown.
    """
    check_folder(folder)
    if not notebooks:
        raise ValueError("a site needs at least one notebook, got none")
    lessons = [read_lesson(path) for path in notebooks]
    pages = {INDEX: index_page(lessons)}
    around = [None, *lessons, None]
    for before, lesson, after in zip(around, lessons, around[2:], strict=False):
        pages[lesson.page] = lesson_page(lesson, before, after)
    write(pages, folder)
    return [folder / page for page in pages]


# --- the folder


def check_folder(folder: Path) -> None:
    """Raise ValueError if there is something in the folder that may be a person's own."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{quoted(str(folder))} is a file; the site needs a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise ValueError(
            f"the folder {quoted(str(folder))} was not made by this command, and is not empty: "
            "name another one, or remove it yourself"
        )


def write(pages: dict[str, str], folder: Path) -> None:
    """Write pages into a folder in the place of those that an earlier call has written there."""
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / MARKER
    earlier = marker.read_text(encoding="utf-8").split("\n") if marker.exists() else []
    marker.write_text("\n".join(pages), encoding="utf-8")
    for name in earlier:
        if name == Path(name).name and name.endswith(".html"):
            (folder / name).unlink(missing_ok=True)
    for name, page in pages.items():
        (folder / name).write_text(page, encoding="utf-8")


# --- from a notebook to its page's body


def read_lesson(path: Path) -> Lesson:
    """Return a notebook's lesson, with the film of its panel if it has one."""
    notebook = read(path)
    if not notebook.cells:
        raise ValueError(f"{path} has no cells")
    head = notebook.cells[0].source
    question = re.search(r"A learner's question: *(.+)", head)
    minutes = re.search(r"About (\d+) minutes", head)
    film = None
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if match := PANEL_CELL.fullmatch(cell.source.strip()):
            if film is not None:  # a page has room for the pictures of one
                raise ValueError(f"{path} has more than one panel cell")
            film = shoot(match[1])
            data = {"text/html": panel_html(film)}
            cell.outputs = [nbformat.v4.new_output("display_data", data)]
        else:
            describe_pictures(cell)
    return Lesson(
        page=f"{path.stem}.html",
        title=title(notebook, path),
        question=question[1].strip('*"“” ') if question else "",
        minutes=minutes[1] if minutes else "",
        body=render(notebook),
        film=film,
    )


def shoot(name: str) -> Film:
    """Return the film of the panel of the lesson ``name`` in its default state."""
    try:
        module = importlib.import_module(f"dlcourse.{name}")
        make, scene = module.panel, module.scene
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"{name}.panel() cannot be shown: {error}") from error
    panel = make(p=START / 100)
    settings, call = panel.settings, repr(panel)
    controls = tuple(filter(None, map(control_text, panel.controls)))
    panel.close()
    camera = Camera(scene, SIZE)
    pictures = tuple(camera.take(i / 100, **settings) for i in range(POSITIONS))
    return Film(call.replace(f"p={START / 100:g}", "p={p}", 1), controls, pictures)


def control_text(control: Widget) -> str:
    """Return what a control is called, and what can be chosen there.

    Examples
    --------
    >>> from dlcourse.live import choice
    >>> control_text(choice("width", {"8": 8, "32": 32}, 8))
    'width (8 · 32)'
    """
    options = [str(label) for label, _ in getattr(control, "options", [])]
    name = getattr(control, "description", "")
    return f"{name} ({' · '.join(options)})" if options else name


def describe_pictures(cell: NotebookNode) -> None:
    """Give the saved pictures of a cell their size, and words where `figures.show` gave none."""
    for output in cell.outputs:
        if png := output.get("data", {}).get("image/png"):
            width, height = Image.open(io.BytesIO(base64.b64decode(png))).size
            told = {"alt": "Picture drawn by the code above", "width": width, "height": height}
            output.metadata["image/png"] = told | output.metadata.get("image/png", {})


class _Renderer(IPythonRenderer):
    """Markdown to HTML with JupyterLab's anchors, formulas as MathML, tables in a box."""

    def heading(self, text: str, level: int, **attrs: object) -> str:
        return f'<h{level} id="{escape(anchor(text))}">{text}</h{level}>\n'

    def table(self, text: str) -> str:
        return f'<div class="wide"><table>\n{text}</table></div>\n'

    def inline_math(self, body: str) -> str:
        return formula(body)

    def block_math(self, body: str) -> str:
        # in parts that can stand below each other where there is no room beside each other
        parts = [formula(part, display="block") for part in body.split(r"\qquad")]
        return f'<span class="formula">{"".join(map(_wide, parts))}</span>'


def _wide(html: str) -> str:
    """Return what may be wider than the page in a box of its own, which scrolls."""
    return f'<span class="wide">{html}</span>'


def anchor(heading: str) -> str:
    """Return the anchor that JupyterLab gives to a heading.

    Examples
    --------
    >>> anchor("Why <code>p</code> &amp; q?")
    'Why-p-&-q?'
    """
    return unescape(re.sub(r"<[^>]+>", "", heading)).replace(" ", "-")


def formula(latex: str, display: str = "inline") -> str:
    r"""Return a formula as MathML.

    Raises
    ------
    ValueError
        If there is a command in it that cannot be translated, or latex2mathml is missing.

    Examples
    --------
    >>> formula(r"d \pm s")[-52:]
    '<mi>d</mi><mo>&#x000B1;</mo><mi>s</mi></mrow></math>'
    """
    try:
        from latex2mathml.converter import convert
    except ModuleNotFoundError as error:
        install = 'pip install -c constraints.txt -e ".[site]"'
        raise ValueError(f"formulas need latex2mathml: {install}") from error
    # Two slips of latex2mathml 3: one upright letter comes out slanted, ± as a name without space.
    upright = re.sub(r"\\mathrm\{(\w)\}", r"\\text{\1}", " ".join(latex.split()))
    mathml = convert(upright, display=display).replace("<mi>&#x000B1;</mi>", "<mo>&#x000B1;</mo>")
    if unknown := re.search(r"\\\w+", mathml):
        raise ValueError(f"{unknown[0]} cannot be translated to MathML, in {quoted(latex)}")
    return mathml


def render(notebook: NotebookNode) -> str:
    """Return the cells of a notebook with their outputs as HTML, links leading to pages."""
    exporter = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    )
    exporter.register_filter("markdown2html", _markdown)
    body, _ = exporter.from_notebook_node(notebook)
    return re.sub(r'(href="(?!\w+:)[^"#?]+)\.ipynb(?=["#])', r"\1.html", body)


def _markdown(source: str) -> str:
    html = MarkdownWithMath(renderer=_Renderer(escape=False)).render(source)
    # no line begins with the full stop behind a formula
    return re.sub(r"(<math[^>]*>(?:(?!</math>).)*</math>[.,;:?!)]+)", r"<span>\1</span>", html)


# --- pages


def data_uri(png: bytes) -> str:
    """Return a PNG as an address that holds it.

    Examples
    --------
    >>> data_uri(b"abc")
    'data:image/png;base64,YWJj'
    """
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def told(index: int, picture: Picture) -> str:
    """Return the text alternative of a panel's picture.

    Examples
    --------
    >>> told(7, Picture(b"", "3 of 64 dropped"))
    'p = 0.07: 3 of 64 dropped'
    """
    return f"p = {index / 100:.2f}: {picture.words}"


def panel_html(film: Film) -> str:
    """Return what stands in the place of a panel: p, its picture, and what a kernel adds."""
    call = film.call.replace("{p}", f"{START / 100:g}")
    also = "; ".join(map(escape, film.controls))
    return f"""\
<div class="film" data-call="{escape(film.call)}">
<label><span>{P_LABEL}</span> <output>{START / 100:.2f}</output>
<input type="range" min="0" max="{POSITIONS - 1}" value="{START}" disabled autocomplete="off"
 aria-label="{P_LABEL}" aria-valuetext="{START / 100:.2f}"></label>
<div class="wide">{film.first}</div>
<button type="button" aria-pressed="false">Larger picture</button>
<p>The picture is <code>{escape(call)}</code>. With a kernel also: {also}.
<b>p moves when this page has loaded and may run its script.</b></p>
</div>"""


def lesson_page(lesson: Lesson, before: Lesson | None, after: Lesson | None) -> str:
    """Return a lesson as a page with links to its neighbours."""
    links = [f'<a href="{INDEX}">{TITLE}</a>']
    if before:
        links.append(f'<a rel="prev" href="{escape(before.page)}">← {escape(before.title)}</a>')
    if after:
        links.append(f'<a rel="next" href="{escape(after.page)}">{escape(after.title)} →</a>')
    navigation = " ".join(links)
    film = ""
    if lesson.film:
        pictures = [
            (base64.b64encode(picture.png).decode(), told(i, picture))
            for i, picture in enumerate(lesson.film.pictures)
        ]
        film = f'<script type="application/json" id="pictures">{json.dumps(pictures)}</script>\n'
        film += f"<script>{SCRIPT}</script>\n"
    return page(
        f"{lesson.title} – {TITLE}",
        f'<nav aria-label="lessons">{navigation}</nav>\n<main>\n{lesson.body}\n</main>\n'
        f'<nav aria-label="go on">{navigation}</nav>\n{film}',
    )


def index_page(lessons: Sequence[Lesson]) -> str:
    """Return the page that shows all lessons."""
    return page(
        TITLE,
        f"<main>\n<h1>{TITLE}</h1>\n{ABOUT}\n"
        f'<ul class="cards">\n{"".join(map(card, lessons))}</ul>\n</main>\n',
        kind="index",
    )


def card(lesson: Lesson) -> str:
    """Return a lesson's entry in the index."""
    picture = lesson.film.first if lesson.film else ""
    question = f"<p>{escape(lesson.question)}</p>" if lesson.question else ""
    minutes = f'<p class="minutes">{lesson.minutes} minutes</p>' if lesson.minutes else ""
    return (
        f'<li>{picture}<h2><a href="{escape(lesson.page)}">{escape(lesson.title)}</a></h2>'
        f"{question}{minutes}</li>\n"
    )


def page(title: str, body: str, kind: str = "lesson") -> str:
    """Return a whole page, which may load nothing from anywhere."""
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{HtmlFormatter().get_style_defs(".highlight")}
{STYLE}</style>
</head>
<body class="{kind}">
{body}</body>
</html>
"""


ABOUT = """\
<p>An interactive course on one idea, dropout. Nothing in it has to be believed: every claim is a
piece of code that shows it, what is random is repeated, and p, the probability of dropping, is
under your finger in every lesson. These pages need no server: p moves here, and the code stands
with its results. To run it, open the lessons in JupyterLab.</p>"""

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)

SCRIPT = """
const pictures = JSON.parse(document.getElementById("pictures").textContent);
for (const film of document.querySelectorAll(".film")) {
  const [slider, number, picture, button, call] =
    ["input", "output", "img", "button", "code"].map(name => film.querySelector(name));
  const show = () => {
    const p = (slider.value / 100).toFixed(2);
    picture.src = "data:image/png;base64," + pictures[slider.value][0];
    picture.alt = pictures[slider.value][1];
    number.value = p;
    slider.setAttribute("aria-valuetext", p);
    call.textContent = film.dataset.call.replace("{p}", slider.value / 100);
  };
  slider.addEventListener("input", show);
  button.addEventListener("click", () => {
    const large = film.classList.toggle("large");
    button.setAttribute("aria-pressed", large);
  });
  slider.disabled = false;
  film.querySelector("b").remove();
  show();
}
"""

STYLE = """\
:root { color-scheme: light; --blue: #0060A0; --line: #D0D0D0; --pale: #FAFAFA; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 0 16px 48px; max-width: 872px; color: #202020; background: #FFF;
  font: 17px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  overflow-wrap: break-word; }
body.index { max-width: 1200px; }
h1, h2, h3, h4 { line-height: 1.25; margin: 1.6em 0 .5em; }
h1 { font-size: 2em; margin-top: .8em; }
a { color: var(--blue); }
:focus-visible { outline: 3px solid var(--blue); outline-offset: 2px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 20px; padding: 12px 0;
  border-bottom: 1px solid var(--line); }
main ~ nav { margin-top: 40px; border: 0; border-top: 1px solid var(--line); }
nav a { padding: 4px 0; }
img { max-width: 100%; height: auto; vertical-align: top; }
.wide, pre { max-width: 100%; overflow-x: auto; }
.formula { display: flex; flex-wrap: wrap; justify-content: center; align-items: baseline;
  gap: 8px 2em; margin: 1em 0; }
.formula .wide { padding: 4px 0; }
math { font-size: 1.1em; }
span:has(> math) { white-space: nowrap; }
code, pre { font: 14px/1.5 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
p code, li code, td code { padding: 1px 4px; background: var(--pale); border-radius: 3px; }
pre { margin: 8px 0; padding: 10px 12px; border-radius: 4px; }
.highlight pre { background: var(--pale); border: 1px solid var(--line); }
.output_area pre { padding: 4px 12px; border-left: 3px solid var(--line); border-radius: 0; }
.output_png { margin: 8px 0; }
table { border-collapse: collapse; margin: 8px 0; }
th, td { padding: 5px 10px; border: 1px solid var(--line); text-align: left; }
th { background: var(--pale); }
details { margin: 8px 0; padding: 6px 12px; border: 1px solid var(--line); border-radius: 4px; }
summary { padding: 4px 0; color: var(--blue); cursor: pointer; }
.film { margin: 12px 0 24px; }
.film label { display: grid; grid-template-columns: 1fr auto; gap: 4px 12px; }
.film output { font-variant-numeric: tabular-nums; font-weight: 600; }
.film input { grid-column: 1 / -1; width: 100%; height: 44px; margin: 0; appearance: none;
  background: none; cursor: pointer; touch-action: pan-y; }
.film input:focus-visible { position: relative; outline-offset: 0; }
.film .wide { margin-top: 4px; }
.film input::-webkit-slider-runnable-track { height: 6px; border-radius: 3px; background: #8A8A8A; }
.film input::-moz-range-track { height: 6px; border-radius: 3px; background: #8A8A8A; }
.film input::-webkit-slider-thumb { appearance: none; width: 28px; height: 28px;
  margin-top: -11px; border: 0; border-radius: 50%; background: var(--blue); }
.film input::-moz-range-thumb { width: 28px; height: 28px; border: 0; border-radius: 50%;
  background: var(--blue); }
.film p { margin: 8px 0; font-size: 15px; }
.film button { display: none; padding: 8px 14px; font: inherit; font-size: 15px;
  color: var(--blue); background: #FFF; border: 1px solid var(--blue); border-radius: 4px;
  cursor: pointer; }
.film button[aria-pressed=true] { color: #FFF; background: var(--blue); }
.film.large img { max-width: none; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr));
  gap: 20px; margin: 24px 0; padding: 0; list-style: none; }
.cards li { position: relative; padding: 12px 16px; border: 1px solid var(--line);
  border-radius: 6px; }
.cards li:hover { border-color: var(--blue); }
.cards h2 { margin: 8px 0 4px; font-size: 1.15em; }
.cards a::after { content: ""; position: absolute; inset: 0; }
.cards p { margin: 4px 0; }
.minutes { color: #5A5A5A; font-size: 15px; }
@media (max-width: 700px) {
  body { font-size: 16px; }
  h1 { font-size: 1.6em; }
  math { font-size: 1em; }
  th, td { padding: 5px 6px; }
  .film button { display: inline-block; margin-top: 8px; }
}
@media print { nav, .film label, .film button { display: none; } }
"""
