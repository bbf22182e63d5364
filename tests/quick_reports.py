"""Reports without figures, whose drawing takes most of a report's time."""

import importlib

import pytest


def leave_undrawn(patch: pytest.MonkeyPatch) -> None:
    """Leave the files of figures empty."""
    # By its full name: the package has a function of the same name.
    build = importlib.import_module("sgdlab.report.build")
    patch.setattr(build, "files", lambda chart, looks, formats: dict.fromkeys(formats, b""))
