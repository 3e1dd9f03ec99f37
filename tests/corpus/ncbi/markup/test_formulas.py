"""Scripts and formulas as one line of readable text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.ncbi.markup.document import Vocabulary, scan
from corpus.ncbi.markup.formulas import MATHML, linear_math, linear_tex, set_apart, tex_source
from corpus.ncbi.markup.math_tree import DECISIONS
from corpus.ncbi.markup.scripts import script, stands_off
from corpus.ncbi.markup.tex_names import commands, symbols

KINDS = ("function", "nothing", "font", "words", "switch", "group", "skip", "gap", "thin", "over", "under", "arrow")
TEX = [
    f"\\{name} " for kind in KINDS for name in [*commands(kind), *list(symbols())[::20], "begin{array}", "end{array}"]
]


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


@pytest.mark.parametrize(
    ("run", "raised", "before", "after", "expected"),
    [
        ("o", True, "37", "C", "°"),
        ("0", True, "37", "C ", "°"),
        ("0", True, "10", " and", "⁰"),
        ("∘", True, "ΔG", " ", "°"),
        ("TM", True, "Kit", " ", "™"),
        ("99m", True, "", "Tc", "⁹⁹ᵐ"),
        ("− 1", True, "kg", " ", "⁻¹"),
        ("³", True, "", "H", "³"),
        ("2.5", False, "PM", " ", "2.5"),
        ("0.5", False, "Ni", "Zn", "0.5"),
        ("50.82", False, "t", "=", "_(50.82)"),
        ("3", False, "WO", "films", "₃ "),
        ("2", False, "VO", "max", "₂"),
        ("6", True, "10", "cells", "⁶ "),
        ("1", True, "", "significant", "¹"),
        ("max", False, "C", "was", "_max "),
        ("∞", False, "AUC", " ", "_∞"),
        ("i₁", False, "x", " ", "_(i₁)"),
    ],
)
def test_scripts_and_what_stands_beside_them(run: str, raised: bool, before: str, after: str, expected: str) -> None:
    assert script(run, raised=raised, before=before, after=after) == expected


@pytest.mark.parametrize(
    ("run", "raised", "before", "after", "expected"),
    [
        ("−8", True, "5 × 10 ", ",", True),
        ("2", True, "r ", " was", True),
        ("2+", True, "Ca ", " ", True),
        ("cat", False, "the k ", " was", True),
        ("50", False, "an IC ", " of", True),
        ("13", True, "by ", "C", False),
        ("125", True, "I ", "I", False),
        ("1", True, "in mice ", ".", False),
        ("7", True, "Area (%) ", " ", False),
        ("2", False, "of the ", " ", False),
    ],
)
def test_a_space_before_a_script(run: str, raised: bool, before: str, after: str, expected: bool) -> None:
    assert stands_off(run, raised=raised, before=before, after=after) is expected


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
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "x̄"),
        ("<msup><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></msup>", "(a+b)²"),
        ("<msup><mfrac><mi>a</mi><mi>b</mi></mfrac><mn>2</mn></msup>", "(a/b)²"),
        ("<msup><mi>x</mi><msup><mi>y</mi><mn>2</mn></msup></msup>", "x^(y²)"),
        ("<msub><mi>x</mi><msub><mi>i</mi><mn>1</mn></msub></msub>", "x_(i₁)"),
        ("<msup><msup><mi>x</mi><mn>2</mn></msup><mn>3</mn></msup>", "(x²)³"),
        ("<mmultiscripts><mi>T</mi><mi>a</mi><none/><none/><mi>b</mi></mmultiscripts>", "T_a^b"),
        ("<mi>λ</mi><mmultiscripts><mi>Q</mi><mprescripts/><mn>1</mn><none/></mmultiscripts>", "λ ₁Q"),
        ("<msup><mrow/><mi>99m</mi></msup><mi>Tc</mi>", "⁹⁹ᵐTc"),
        ("<mo>(</mo><mfrac linethickness='0pt'><mi>n</mi><mi>k</mi></mfrac><mo>)</mo>", "(n choose k)"),
        ("<munder><mo>∑</mo><mfrac linethickness='0'><mi>i</mi><mi>j</mi></mfrac></munder>", "∑_(i; j)"),
        ("<mover><mrow><mi>Δ</mi><mi>T</mi></mrow><mo>→</mo></mover>", "vec(ΔT)"),
        ("<mover><msub><mi>x</mi><mi>i</mi></msub><mo>¯</mo></mover>", "x̄_i"),
        ("<mi>x</mi><mphantom><mi>y</mi></mphantom><mo>=</mo><mn>1</mn>", "x=1"),
        (
            "<mo>[</mo><mtable><mtr><mtd><mn>1</mn></mtd><mtd/></mtr><mtr><mtd/><mtd><mn>1</mn></mtd></mtr></mtable>"
            "<mo>]</mo>",
            "[1, ; , 1]",
        ),
        (
            "<mtable><mtr><mtd><mi>y</mi></mtd><mtd><mo>=</mo><mi>a</mi></mtd></mtr><mtr><mtd/><mtd><mo>+</mo><mi>b</mi>"
            "</mtd></mtr></mtable>",
            "y=a+b",
        ),
        (
            "<mtable><mlabeledtr><mtd><mtext>(1)</mtext></mtd><mtd><mi>y</mi><mo>=</mo></mtd><mtd><mi>x</mi></mtd>"
            "</mlabeledtr></mtable>",
            "y=x (1)",
        ),
        ("<mn>2</mn><mo>\u2062</mo><mn>3</mn>", "2·3"),
        ("<mn>2</mn><mo>\u2064</mo><mfrac><mn>1</mn><mn>2</mn></mfrac>", "2 1/2"),
        ("<mfrac><mn>1</mn><mn>2</mn></mfrac><mi>x</mi>", "(1/2)x"),
        ("<mi>log</mi><mfrac><mi>a</mi><mi>b</mi></mfrac>", "log(a/b)"),
        ("<menclose notation='radical'><mi>x</mi></menclose>", "√(x)"),
        ("<mglyph alt='braid'/>", "braid"),
        ("<maction selection='2'><mi>a</mi><mi>b</mi></maction>", "b"),
        ("<apply><plus/><ci>a</ci><apply><times/><cn>2</cn><ci>b</ci></apply></apply>", "a+(2·b)"),
        ("<apply><sin/><ci>x</ci></apply>", "sin(x)"),
        ("<mtext>CH</mtext><msub><mrow/><mn>3</mn></msub><mtext>COOH</mtext>", "CH₃COOH"),
        ("\n <mi> x </mi>\n <mo> = </mo> stray <mn>1</mn>", "x=stray 1"),
    ],
)
def test_math(content: str, expected: str) -> None:
    assert math(content) == expected


# MathML 3, W3C Recommendation 2014, section 3.1.6 (and 3.8 for `semantics`), as the specification lists them.
PRESENTATION = """
mi mn mo mtext mspace ms mglyph mrow mfrac msqrt mroot mstyle merror mpadded mphantom mfenced menclose msub msup msubsup
munder mover munderover mmultiscripts mprescripts none mtable mlabeledtr mtr mtd maligngroup malignmark mstack mlongdiv
msgroup msrow mscarries mscarry msline maction math semantics annotation annotation-xml
"""


def test_every_element_of_presentation_has_a_decision() -> None:
    assert sorted(DECISIONS) == sorted(PRESENTATION.split())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"\documentclass{minimal}\usepackage{x}\begin{document}$$ \alpha + 1 $$\end{document}", "α + 1"),
        (r"\documentclass{minimal}\begin{document}}{}$p\lt 0.05$\end{document}", "p<0.05"),
        (r"\documentclass{article}\usepackage{amsmath}\pagestyle{empty}", ""),
        (r"H\textsuperscript {2} + x\sb i + CO\textsubscript{2}", "H² + x_i + CO₂"),
        (r"\newcommand{\goat}[2][G]{#1_{#2}}\goat{1} + \goat[H]{2}", "G₁ + H₂"),
        (r"\def\a{\a\a}\a x", "x"),
        (r"R_{\beta}^2", "R_β²"),
        (r"x^10", "x¹0"),
        (r"\frac{a+b}{2} \binom{n}{k} {n \choose k}", "((a+b)/2)(n choose k)(n choose k)"),
        (r"\begin{aligned} y &= a + b \\ &= 3 \end{aligned}", "y=a + b; =3"),
        (r"\begin{aligned} \text{growth (\%)} \\ &= a/b \\ &= 3 \end{aligned}", "growth (%)=a/b; =3"),
        (r"\begin{aligned} y &= 1 \text{ if } x \\ &= 0 \text{ otherwise} \end{aligned}", "y=1 if x; =0 otherwise"),
        (r"\begin{pmatrix}1&0\\0&1\end{pmatrix}", "(1, 0; 0, 1)"),
        (r"f=\begin{cases} x & \text{if } x>0\\ 0 & \text{otherwise}\end{cases}", "f={x, if x>0; 0, otherwise"),
        (r"\bar{x} \pm s, \overrightarrow{\Delta T}, \dot{V}O_2", "x̄ ± s, vec(ΔT), V̇O₂"),
        (r"37^{\circ}\mathrm{C}, {}^{99m}\mathrm{Tc}", "37°C, ⁹⁹ᵐTc"),
        (r"x \not\in A, \mathbb{R}^{m+n}, 10\%", "x∉A, ℝ^(m+n), 10%"),
        (r"\sqrt[3]{x}\lim\limits_{x\to 0}", "√[3](x)lim_(x→0)"),
        ("a % a remark\n+ b", "a + b"),
        (r"}}}{{{\frac", "/"),
        (r"\unknown{x}", "unknown x"),
    ],
)
def test_tex(source: str, expected: str) -> None:
    assert linear_tex(source) == expected


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from([*r"{}^_&'$~%[]\ ab12=", "\\\\", *TEX]), max_size=30).map("".join))
def test_no_tex_is_refused(source: str) -> None:
    line = linear_tex(source)
    assert line == " ".join(line.split())
    assert not set("\u2061\u2062\u2063\u2064\n").intersection(line)


@pytest.mark.parametrize(
    "begin", ["{", r"\frac{", r"\hat", r"\rm ", r"a\over ", r"\sqrt[", r"x^{", r"\begin{array}{c}", r"\text{$"]
)
def test_deep_tex_ends(begin: str) -> None:
    assert "x" in linear_tex(begin * 1000 + "x")


@pytest.mark.parametrize("name", ["mrow", "msqrt", "msup", "mfenced", "mtable", "apply"])
def test_deep_mathml_ends(name: str) -> None:
    assert "x" in math(f"<{name}><mi/>" * 1000 + "<mi>x</mi>" + f"</{name}>" * 1000)


def test_doubling_tex_ends() -> None:
    doubled = "".join(rf"\def\{chr(98 + k)}{{\{chr(97 + k)}\{chr(97 + k)}}}" for k in range(20))
    assert len(linear_tex(rf"\def\a{{x}}{doubled}\u")) < 100_000


@pytest.mark.parametrize(
    ("text", "before", "behind", "expected"),
    [
        ("Q_i", "where ", "denotes", "Q_i "),
        ("σ", "where", " is", " σ"),
        ("1/4", "3", " spoons", " 1/4"),
        ("V̇", "a ", "O₂", "V̇"),
        ("μ", "5 ", "mol", "μ"),
        ("i", "the ", "th", "i"),
        ("κ", "NF-", "B", "κ"),
        ("₃⁻", "NO", " and", "₃⁻"),
    ],
)
def test_formulas_stand_apart_from_words(text: str, before: str, behind: str, expected: str) -> None:
    assert set_apart(text, before, behind) == expected


def test_the_source_of_tex_has_no_wrapper() -> None:
    wrapped = "\\documentclass[12pt]{minimal}\n\\usepackage{x}\n\\begin{document}$$ \\alpha \n + 1 $$\\end{document}"
    assert tex_source(wrapped) == "\\alpha + 1"
    assert tex_source("$a$") == "a"
    assert tex_source("cost \\$5 and $x$") == "cost \\$5 and $x$"
