"""A real JupyterLab in a headless Chromium, for tests and for benchmarks.

The server serves a copy of the notebooks on 127.0.0.1 with its own home and settings, so
nothing of the user's is read or written.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat

NO_CHROMIUM = (
    "no Chromium found: install one (Debian: sudo apt-get install chromium; elsewhere any Chrome "
    "or Chromium) or name its program in the variable CHROMIUM"
)
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PANEL_CELL = re.compile(r"\w+\.panel\(\)")
PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome program, None where there is none."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, PROGRAMS)), None)


def panel_cell(path: Path) -> int:
    """Return the number of the cell that is nothing but the lesson's panel."""
    cells = nbformat.read(path, as_version=4).cells
    (number,) = [i for i, cell in enumerate(cells) if PANEL_CELL.fullmatch(cell.source)]
    return number


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Program:
    """A running program that answers at ``address``, with a home of its own."""

    def __init__(
        self, command: list[str], home: Path, port: int, address: str, **variables: str
    ) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._log = (home / "server.log").open("wb")
        (home / "data").mkdir()  # Voilà 0.5.8 finds it or fails
        environment = {
            **os.environ,
            "HOME": str(home),
            "IPYTHONDIR": str(home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "lab-user-settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "lab-workspaces"),
            **variables,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until_it_answers(f"{self.address}/{address}", home / "server.log")

    def _wait_until_it_answers(self, address: str, log: Path, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(address, timeout=2).close()
                return
            except urllib.error.HTTPError:  # a refusal is an answer
                return
            except (urllib.error.URLError, OSError):
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the server did not start:\n{log.read_text()[-3000:]}")

    def stop(self) -> None:
        """End the server and its kernels."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


class Server(Program):
    """A running JupyterLab: ``address``, ``token``, ``folder`` of the notebooks."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.folder = home / "work"
        self.folder.mkdir(parents=True)
        settings = home / "lab-user-settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
        self.port, self.token = _free_port(), secrets.token_hex(16)
        command = [
            *["jupyterlab", "--no-browser", "--allow-root"],
            *[f"--ServerApp.port={self.port}", "--ServerApp.ip=127.0.0.1"],
            f"--ServerApp.root_dir={self.folder}",
            f"--IdentityProvider.token={self.token}",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]
        super().__init__(command, home, self.port, f"api?token={self.token}", **variables)


class Voila(Program):
    """A notebook served as an app."""

    def __init__(self, home: Path, notebook: Path) -> None:
        port = _free_port()
        command = ["voila", str(notebook), "--no-browser", f"--port={port}"]
        super().__init__(command, home, port, "favicon.ico")


@contextmanager
def chromium(program: str):
    """A headless Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


_OPENED = """() => {
  const app = window.jupyterapp;
  return app && app.shell.currentWidget && app.shell.currentWidget.context &&
    app.commands.hasCommand('notebook:run-all-cells'); }"""

_READY = """async () => {
  const ready = async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready; await panel.revealed; await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info; };
  const late = new Promise((_, reject) =>
    setTimeout(() => reject(new Error('the notebook did not get ready in a minute')), 60000));
  await Promise.race([ready(), late]); }"""

_RUN_ALL = """() => {
  window.allRan = false;
  window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => {window.allRan = true;});
}"""

_CELL_MODEL = "window.jupyterapp.shell.currentWidget.content.widgets[index].model"

# what a person sees first in a cell's output: the picture that is not hidden
_TOOLS = """
window.runCell = index => {
  const content = window.jupyterapp.shell.currentWidget.content;
  content.activeCellIndex = index;
  content.deselectAll();
  return window.jupyterapp.commands.execute('notebook:run-cell');
};
window.cellOutput = index => {
  const cell = window.jupyterapp.shell.currentWidget.content.widgets[index];
  return cell.outputArea.node;
};
window.visiblePicture = root => {
  for (const node of root.querySelectorAll('img, canvas'))
    if (node.offsetParent !== null && node.clientWidth > 50) return node;
  return null;
};
// the number written as a bar code into the upper left corner: ten squares of 8 pixels, black = 1
window.barCode = picture => {
  if (!picture || (picture.tagName === 'IMG' && !picture.complete)) return null;
  const canvas = window._barCanvas || (window._barCanvas = document.createElement('canvas'));
  canvas.width = 80; canvas.height = 8;
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  pen.drawImage(picture, 0, 0, 80, 8, 0, 0, 80, 8);
  const pixels = pen.getImageData(0, 0, 80, 8).data;
  let number = 0;
  for (let bit = 0; bit < 10; bit++) {
    const level = pixels[4 * (4 * 80 + 8 * bit + 4)];
    number = 2 * number + (level < 128 ? 1 : 0);
  }
  return number;
};
null;  // a function would be called
"""


class Notebook:
    """One notebook, open in JupyterLab (or Jupyter Notebook 7) in a page of its own."""

    def __init__(
        self, browser, server: Server, name: str, address: str | None = None, app: str = "lab"
    ) -> None:
        self._server = server
        self.page = browser.new_page(viewport={"width": 1280, "height": 720})
        self.page.set_default_timeout(30_000)
        self.messages: list[str] = []
        self.page.on("console", self._keep_error)
        place = {
            "lab": f"lab/workspaces/{secrets.token_hex(4)}/tree/{name}?reset&",
            "notebook": f"notebooks/{name}?",
        }[app]
        self.page.goto(f"{address or server.address}/{place}token={server.token}")
        self.page.wait_for_function(_OPENED)
        self.page.evaluate(_READY)
        self.page.evaluate(_TOOLS)

    def _keep_error(self, message) -> None:
        if message.type == "error":
            self.messages.append(message.text)

    def run_all(self, seconds: float = 120) -> None:
        """Run all cells and wait until the last one has run."""
        self.start_all()
        self.wait_for_all(seconds)

    def start_all(self) -> None:
        """Start to run all cells and do not wait for them."""
        self.page.evaluate(_RUN_ALL)

    def wait_for_all(self, seconds: float = 120) -> None:
        """Wait until the last cell has run, or one has failed."""
        self.page.wait_for_function("() => window.allRan", timeout=1000 * seconds)

    def run_cell(self, index: int, seconds: float = 60) -> None:
        """Run one cell and wait until it has run."""
        self.page.evaluate(
            """async ([index, seconds]) => {
              const late = new Promise((_, reject) =>
                setTimeout(() => reject(new Error('the cell did not end')), 1000 * seconds));
              await Promise.race([window.runCell(index), late]); }""",
            [index, seconds],
        )

    def start_cell(self, index: int) -> None:
        """Start one cell and do not wait for it."""
        self.page.evaluate("index => {window.runCell(index);}", index)

    def scroll_to(self, index: int) -> None:
        """Bring a cell's output into view and wait for a picture in it."""
        self.page.wait_for_function(
            """index => {
              const picture = window.visiblePicture(window.cellOutput(index));
              const box = picture && picture.getBoundingClientRect();
              if (box && 0 < box.top + box.height / 2 && box.top + box.height / 2 < innerHeight)
                return (window.settled = (window.settled || 0) + 1) > 2;
              window.settled = 0;
              window.jupyterapp.shell.currentWidget.content.scrollToItem(index, 'start');
              window.cellOutput(index).scrollIntoView({block: 'center'});
              return false; }""",
            arg=index,
            polling=100,  # cells that have just run may scroll the page somewhere else meanwhile
        )
        self.page.evaluate("() => {window.settled = 0;}")

    def output(self, index: int):
        """Return the output area of a cell as an element."""
        return self.page.evaluate_handle("i => window.cellOutput(i)", index).as_element()

    def picture_of(self, index: int) -> bytes:
        """Return the bytes of the picture that is visible in a cell's output."""
        return bytes(
            self.page.evaluate(
                """async i => {
                  const picture = window.visiblePicture(window.cellOutput(i));
                  if (!picture) return [];  // it is being put there
                  const answer = await fetch(picture.src);
                  return Array.from(new Uint8Array(await answer.arrayBuffer())); }""",
                index,
            )
        )

    def text_of(self, index: int) -> str:
        """Return the text that a cell's output shows."""
        return self.output(index).inner_text()

    def slider_text(self, index: int) -> str:
        """Return what stands beside the first slider of a cell's output."""
        return self.output(index).query_selector(".widget-readout").inner_text()

    def press(self, index: int, key: str, times: int = 1) -> None:
        """Press a key on the first slider of a cell's output."""
        self.output(index).query_selector(".noUi-handle").focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def wait_for_slider(self, index: int) -> None:
        """Wait until a cell's output shows a live panel."""
        self.page.wait_for_function(
            """i => { const root = window.cellOutput(i);
                return root.querySelector('.noUi-handle') && window.visiblePicture(root); }""",
            arg=index,
        )

    def click_button(self, index: int, text: str) -> None:
        """Click a button in a cell's output."""
        self.output(index).query_selector(f"button:has-text('{text}')").click()

    def write_cell(self, index: int, source: str) -> None:
        """Replace the code of a cell."""
        self.page.evaluate(
            f"([index, source]) => {{ {_CELL_MODEL}.sharedModel.setSource(source); }}",
            [index, source],
        )

    def is_running(self, index: int) -> bool:
        """Return whether a cell is being executed."""
        return self.page.evaluate(f"index => {_CELL_MODEL}.executionState === 'running'", index)

    def end_kernel(self) -> None:
        """End the kernel on the server, as with one that was idle for too long."""
        session = "window.jupyterapp.shell.currentWidget.sessionContext.session"
        kernel = self.page.evaluate(f"() => {session}.kernel.id")
        headers = {"Authorization": f"token {self._server.token}"}
        address = f"{self._server.address}/api/kernels/{kernel}"
        urllib.request.urlopen(urllib.request.Request(address, headers=headers, method="DELETE"))
        self.page.wait_for_function(f"() => !{session} || !{session}.kernel")

    def content(self) -> nbformat.NotebookNode:
        """Return the notebook as it stands in the page, outputs and all."""
        model = "window.jupyterapp.shell.currentWidget.context.model"
        text = self.page.evaluate(f"() => JSON.stringify({model}.toJSON())")
        return nbformat.reads(text, as_version=4)

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")

    def reload(self) -> None:
        """Load the page anew, as a browser's reload button does."""
        self.page.goto(self.page.url.replace("?reset", ""))
        self.page.wait_for_function(_OPENED)
        self.page.evaluate(_READY)
        self.page.evaluate(_TOOLS)

    def screenshot(self, path: Path) -> None:
        """Take a picture of the whole window."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)

    def close(self) -> None:
        """Close the page; the server ends the kernel when it stops."""
        self.page.close()


class Delay:
    """A proxy on 127.0.0.1 that hands everything on ``seconds`` later, each way."""

    def __init__(self, port: int, seconds: float) -> None:
        self._target, self._seconds, self._broken = port, seconds, False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        started = asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(started, self._loop).result(10)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _connected(self, reader, writer) -> None:
        if self._broken:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        except (asyncio.CancelledError, OSError):  # it was cut here, or at an end
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pass(self, reader, writer) -> None:
        while data := await reader.read(65536):
            self._loop.call_later(self._seconds, writer.write, data)
        self._loop.call_later(self._seconds, writer.close)

    def cut(self) -> None:
        """Cut all connections, with what is on its way, and refuse new ones until `mend`."""
        self._broken = True
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def mend(self) -> None:
        """Accept connections again."""
        self._broken = False

    def stop(self) -> None:
        """Cut all connections."""
        self._loop.call_soon_threadsafe(self._server.close)
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cut(self) -> None:
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
