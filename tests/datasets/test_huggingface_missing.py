"""Without the package ``datasets`` a line says what to install."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from sgdlab.datasets.huggingface import huggingface
from sgdlab.errors import InputError


@pytest.mark.parametrize("found", [None, ModuleType("datasets")], ids=["nothing", "a folder"])
def test_neither_nothing_nor_a_folder_of_that_name_is_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: ModuleType | None
) -> None:
    """People keep their data in a folder ``datasets``, which Python takes for a package."""
    monkeypatch.setitem(sys.modules, "datasets", found)
    with pytest.raises(InputError, match="needs the package datasets: pip install"):
        huggingface(path=str(tmp_path), target=None, inputs=None, size=None, channels=None)
