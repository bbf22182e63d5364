"""The HTML file by itself: what it allows, what it embeds, what it says without its script."""

import base64
import gzip
import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from html_page import Page
from studies import EVIL, make_study

from sgdlab.report import Report, build, page
from sgdlab.report.document import Document, Section, Text
from sgdlab.visible import visible, visible_lines


@pytest.fixture(scope="module")
def html(evil: Report) -> str:
    return evil.html.read_text()


def digest(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def test_the_policy_allows_two_scripts_by_their_hashes_and_nothing_else(html: str) -> None:
    found = Page(html)
    code = [text for attributes, text in found.scripts if "type" not in attributes]
    (packed,) = (text for attributes, text in found.scripts if attributes.get("id") == "library")
    library = gzip.decompress(base64.b64decode(packed)).decode()
    assert "plotly.js v" in library[:200]
    assert len(code) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in found.policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "script-src": f"{digest(code[0])} {digest(library)}",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_names_are_inert_in_the_page_and_in_its_data(html: str) -> None:
    found = Page(html)
    assert len(found.scripts) == 3
    assert html.count("<script") == 3
    assert html.count("</script") == 3
    (data,) = (text for attributes, text in found.scripts if attributes.get("id") == "charts")
    assert not set("<>&\u2028\u2029") & set(data)
    charts = json.loads(data)
    assert set(charts) == set(found.figures)
    assert set(charts["digits-mlp-validation-steps"]["names"]) == set(map(visible, EVIL))
    for name in EVIL:
        assert visible(name) in found.content
    assert "print('</script><b>')" in found.content


def test_everything_but_the_figures_is_there_without_the_script(html: str, evil: Report) -> None:
    found = Page(html)
    shown = found.content.replace("\u00a0", " ")
    assert shown.index(visible_lines(evil.answers[0].headline)) < shown.index("Comparison")
    assert "Without JavaScript" in shown
    for name in found.figures:
        assert f"figures/{name}.svg" in shown
        assert (evil.out / "figures" / f"{name}.svg").is_file()
    assert len(found.ids) == len(set(found.ids))
    assert set(found.references) <= set(found.ids)
    assert not re.search(r"https?://", re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL))


def test_parts_come_in_order(html: str) -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", html)
    assert headings == [
        "Answer", "Comparison", "Audit", "Speed-up", "Curves", "Pairs", "Learning rate",
        "Tuning budget", "Trials", "Classical differences", "Gradient norm", "Settings compared",
        "Default settings, untuned", "What did not complete", "How to repeat every row",
        "Use the winner", "Files",
    ]  # fmt: skip


def test_a_page_without_figures_has_no_library(tmp_path: Path) -> None:
    text = page.render(Document("t", "s", [Section("Answer", [Text("a")])]), {})
    found = Page(text)
    assert len(text) < 60_000
    assert found.policy.count("sha256") == 1


@pytest.mark.parametrize("letter", ["<", ">", "&", "\u2028", "\u2029"])
def test_inert_json_reads_back(letter: str) -> None:
    text = page.inert({letter: [letter, 1.5, None]})
    assert letter not in text
    assert json.loads(text) == {letter: [letter, 1.5, None]}


@pytest.mark.parametrize("workloads", [1, 2])
def test_an_answer_is_said_once_where_no_setting_was_tuned(tmp_path: Path, workloads: int) -> None:
    """As in an ablation without re-tuning: its only track is the one that the page begins with."""
    names = (("digits", "mlp"), ("wine", "linear"))[:workloads]
    root = make_study(tmp_path / "study", ["adam", "sgd"], workloads=names)
    for run in [*root.glob("*/tune*"), *root.glob("*/final*")]:
        shutil.rmtree(run)
    plan = yaml.safe_load((root / "study.yaml").read_text())
    (root / "study.yaml").write_text(yaml.safe_dump({**plan, "tracks": ["defaults"]}))
    report = build([root], root / "report")
    text = (report.out / "report.md").read_text()
    assert len(re.findall("(sgd|adam) − (sgd|adam) = ", text)) == workloads
    assert "without any tuning." in text
    assert "other runs than those above" not in text
