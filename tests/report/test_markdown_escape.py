import pytest

from sgdlab.report.markdown import escape


@pytest.mark.parametrize(
    ("content", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("weight_decay=0.1", "weight_decay=0.1"),
        ("_x_ *y*", r"\_x\_ \*y\*"),
        ("two\nlines", "two lines"),
        ("- no list", r"\- no list"),
        ("1. no list", r"1\. no list"),
        ("`code` [link](x)", r"\`code\` \[link\](x)"),
        ("0.31 points", "0.31 points"),
    ],
)
def test_escape(content: str, escaped: str) -> None:
    assert escape(content) == escaped
