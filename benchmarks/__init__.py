"""Measurements side by side with what people use today."""

import dlcourse  # noqa: F401 - before PyTorch, whose threads it asks to wait without spinning
