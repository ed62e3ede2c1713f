"""The page with every panel, in JupyterLab and as an app under Voilà; a lesson in Notebook 7."""

import importlib
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlcourse import notebooks
from dlcourse.film import Camera
from dlcourse.live import BUTTONS, SIZE
from tests.lab import Notebook, Voila
from tests.test_browser import SCREENSHOTS, wait_for_picture
from tests.test_notebooks import LESSONS, cells, panel_cell

DEMO = Path(__file__).parent.parent / "notebooks" / "demo.ipynb"
PANELS = [path.stem[3:] for path in LESSONS]
