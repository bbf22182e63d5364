"""LaTeX tables: what TeX would trip over is not in them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sgdlab.report import Report
from sgdlab.report.document import Table
from sgdlab.report.latex import escape, tabular

KNOWN = {
    "begin", "end", "toprule", "midrule", "bottomrule", "textbackslash", "textasciitilde",
    "textasciicircum", "textless", "textgreater", "textbar", "textasciigrave", "times", "pm", "leq",
    "geq", "infty", "tau", "ldots", "cdot", "emph", "textbf", "linewidth",
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "escaped"),
    [
        ("a_b & 5 % of #1", r"a\_b \& 5~\% of \#1"),
        ("$x$ {y} \\z", r"\$x\$ \{y\} \textbackslash{}z"),
        (
            "~ ^ < > |",
            r"\textasciitilde{} \textasciicircum{} \textless{} \textgreater{} \textbar{}",
        ),
        ("−0.4 ± 2", r"$-$0.4 $\pm$ 2"),
        ("[1] *", r"{[}1{]} {*}"),
        ("--margin", "{-}{-}margin"),
        ("two\nlines\x00", r"two lines\textbackslash{}x00"),
        ('"q" `t`', r"''q'' \textasciigrave{}t\textasciigrave{}"),
    ],
)
def test_escape(content: str, escaped: str) -> None:
    assert escape(content) == escaped


def test_a_table_is_a_booktabs_tabular() -> None:
    table = Table(["A", "B", "C"], [["x", "1", "fail"]], numeric=frozenset("B"), status="C")
    assert tabular(table).splitlines() == [
        r"\begin{tabular}{@{}lrl@{}}", r"\toprule", r"A & B & C \\", r"\midrule",
        r"x & 1 & \textbf{fail} \\", r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["comparison", "pairwise", "audit"])
def test_the_tables_are_sound(evil: Report, name: str) -> None:
    text = (evil.out / "tables" / f"{name}.tex").read_text()
    body = re.sub(r"^%.*$", "", text, flags=re.MULTILINE)
    assert text.count(r"\begin{tabular}") == 2  # tuned, defaults
    commands = set(re.findall(r"\\([A-Za-z]+)", body))
    assert commands <= KNOWN
    bare = re.sub(r"\\[{}$&#_%\\]|\$-\$|\$\\[a-z]+\$", "", body)
    assert not set(bare) & set("$#_~^%<>|") - {"~"}
    assert bare.count("{") == bare.count("}")
    for block in re.findall(r"\\begin\{tabular\}\{([^\n]*)\}\n(.*?)\\end", body, re.DOTALL):
        kinds = re.sub(r"@\{\}|p(\{[^}]*\})", lambda m: "p" if m[1] else "", block[0])
        kinds = re.sub(r"\\linewidth|[^lrp]", "", kinds)
        rows = [line for line in block[1].splitlines() if line.endswith(r"\\")]
        assert len(rows) > 1
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == len(kinds) - 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on the PATH")
def test_the_tables_compile(evil: Report, tmp_path: Path) -> None:
    inputs = "\n\n".join(
        f"\\input{{{evil.out / 'tables' / name}}}"
        for name in ("comparison.tex", "pairwise.tex", "audit.tex")
    )
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage[utf8]{inputenc}\\usepackage[T1]{fontenc}"
        f"\\usepackage{{booktabs,textcomp}}\\begin{{document}}{inputs}\\end{{document}}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
