import sys

import pytest
from studies import EVIL, make_study

from sgdlab.report import Report, build
from sgdlab.report.winners import Winners


@pytest.fixture(scope="session")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report on optimizers with names that mean something to HTML, Markdown, TeX and Plotly."""
    root = make_study(tmp_path_factory.mktemp("evil") / "evil", EVIL, replicates=2, trials=4)
    source = Winners({"winner.py": "import torch\nprint('</script><b>')\n"}, [f"{EVIL[0]}: no"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["sgdlab.report.build"], "winners", lambda _: source)
        return build([root], root / "report", formats=("svg",))
