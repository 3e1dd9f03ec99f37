"""Scripts and formulas as one line of readable text."""

import pytest

from corpus.ncbi.markup.document import Vocabulary, scan
from corpus.ncbi.markup.formulas import MATHML, linear_math, script, tex_source


def math(content: str) -> str:
    markup = scan(f"<math>{content}</math>".encode(), Vocabulary(MATHML, detailed=["math"]))
    assert markup is not None
    return linear_math(markup, 0)


@pytest.mark.parametrize(
    ("run", "up", "down"),
    [
        ("2", "²", "₂"),
        ("−12", "⁻¹²", "₋₁₂"),
        ("2+", "²⁺", "_(2+)"),
        ("n", "ⁿ", "_n"),
        ("50", "⁵⁰", "₅₀"),
        ("max", "^max", "_max"),
        ("a,b", "^(a,b)", "_(a,b)"),
        ("1-3", "^(1-3)", "_(1-3)"),
        ("*", "*", "*"),
        ("β", "^β", "_β"),
    ],
)
def test_scripts(run: str, up: str, down: str) -> None:
    assert script(run, raised=True) == up
    assert script(run, raised=False) == down


def test_scripts_look_at_what_they_touch() -> None:
    assert script("th", raised=True, before="the 19", after=" century") == "th"
    assert script("th", raised=True, before="x") == "^th"
    assert script("a", raised=False, after="b") == "_(a)"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<mi>p</mi><mo>&lt;</mo><mn>0.05</mn>", "p<0.05"),
        ("<msup><mi>x</mi><mn>2</mn></msup>", "x²"),
        ("<msubsup><mi>R</mi><mi>pre</mi><mn>2</mn></msubsup>", "R_pre²"),
        ("<mfrac><mn>1</mn><mn>2</mn></mfrac>", "1/2"),
        ("<mfrac><mrow><mi>a</mi><mo>-</mo><mi>b</mi></mrow><mn>2</mn></mfrac>", "(a-b)/2"),
        ("<msqrt><mi>x</mi></msqrt>", "√(x)"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "√[3](x)"),
        ("<mi>sin</mi><mi>x</mi>", "sin x"),
        ("<mn>2</mn><mi>x</mi>", "2x"),
        ("<mfenced open='[' close=']'><mi>a</mi><mi>b</mi></mfenced>", "[a, b]"),
        (
            "<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd></mtr></mtable>",
            "1, 2; 3",
        ),
        ("<semantics><mi>a</mi><annotation>a again</annotation></semantics>", "a"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "x¯"),
        ("\n <mi> x </mi>\n <mo> = </mo> stray <mn>1</mn>", "x=stray 1"),
    ],
)
def test_math(content: str, expected: str) -> None:
    assert math(content) == expected


def test_tex_loses_only_its_wrapper() -> None:
    wrapped = "\\documentclass[12pt]{minimal}\n\\usepackage{x}\n\\begin{document}$$ \\alpha \n + 1 $$\\end{document}"
    assert tex_source(wrapped) == "\\alpha + 1"
    assert tex_source("$a$") == "a"
    assert tex_source("cost \\$5 and $x$") == "cost \\$5 and $x$"
