"""Symbol tables of TeX: the names of characters in formulas, and how they behave in one.

`COMMANDS` is for characters that are written as a command, `SPACED` for signs with a space on both sides, `FENCES` and
`POSTFIX` for signs that grow with what they enclose, `ACCENTS` for signs above a letter.
"""

import unicodedata

_NAMES = (
    "αalpha βbeta γgamma δdelta εvarepsilon ζzeta ηeta θtheta ιiota κkappa λlambda μmu νnu ξxi πpi ρrho ςvarsigma "
    "σsigma τtau υupsilon φvarphi χchi ψpsi ωomega ϵepsilon ϕphi ϑvartheta ϖvarpi ϱvarrho ϰvarkappa ΓGamma ΔDelta "
    "ΘTheta ΛLambda ΞXi ΠPi ΣSigma ΥUpsilon ΦPhi ΨPsi ΩOmega ±pm ∓mp ×times ÷div ⋅cdot ·cdot ∗ast ∘circ ∙bullet ∑sum "
    "∏prod ∐coprod ∫int ∬iint ∭iiint ∮oint ∂partial ∇nabla ∞infty ≤leq ≥geq ⩽leqslant ⩾geqslant ≠neq ≈approx ≅cong "
    "≡equiv ∼sim ≃simeq ∝propto ≪ll ≫gg ≺prec ≻succ ∈in ∉notin ∋ni ⊂subset ⊃supset ⊆subseteq ⊇supseteq ∪cup ∩cap "
    "∖setminus ∅varnothing ∀forall ∃exists ¬neg ∧wedge ∨vee ⊕oplus ⊖ominus ⊗otimes ⊙odot ⊤top ⊥bot →rightarrow "
    "←leftarrow ↔leftrightarrow ⇒Rightarrow ⇐Leftarrow ⇔Leftrightarrow ↑uparrow ↓downarrow ⟶longrightarrow "
    "⇌rightleftharpoons ↦mapsto …ldots ⋯cdots ⋮vdots ⋱ddots ′prime ∣mid ∥parallel ℓell ℏhslash ℜRe ℑIm ℵaleph ⟨langle "
    "⟩rangle 〈langle 〉rangle ⌈lceil ⌉rceil ⌊lfloor ⌋rfloor △bigtriangleup ▽bigtriangledown †dagger ‡ddagger ∠angle "
    "⋆star ⊢vdash ⊨models ∴therefore ∵because ≲lesssim ≳gtrsim ≜triangleq ≔coloneqq ⋂bigcap ⋃bigcup "
)
_ALPHABETS = (
    ("DOUBLE-STRUCK", "\\mathbb"), ("SCRIPT", "\\mathcal"), ("FRAKTUR", "\\mathfrak"), ("BLACK-LETTER", "\\mathfrak"),
    ("BOLD", "\\mathbf"), ("ITALIC", "\\mathit"), ("SANS-SERIF", "\\mathsf"), ("MONOSPACE", "\\mathtt"),
)  # fmt: skip
COMMANDS = {word[0]: "\\" + word[1:] for word in _NAMES.split()} | {
    "[": "\\lbrack", "]": "\\rbrack", "{": "\\{", "}": "\\}", "%": "\\%", "$": "\\$", "&": "\\&", "#": "\\#",
    "_": "\\_", "\\": "\\backslash", "~": "\\sim", "‖": "\\parallel", "\u2009": "\\,", "\u2003": "\\quad",
    "\u2002": "\\ ",
    "\u2004": "\\ ", "\u2005": "\\ ", "\u200a": "\\,", "\u205f": "\\ ", "°": "{^\\circ}",
    "ϒ": "\\mathrm{\\Upsilon}", "^": "\\hat{}",
    "∕": "\\slash", "\u2329": "\\langle", "\u232a": "\\rangle", "⁄": "/", "−": "-",
}  # fmt: skip
COMMANDS = {sign: command for sign, command in COMMANDS.items() if command != sign}
INVISIBLE = frozenset("\u2061\u2062\u2063\u2064")
SPACED = frozenset("=<>≤≥⩽⩾≠≈≅≡∼≃∝≪≫≺≻∈∉∋⊂⊃⊆⊇∣∥≲≳≜≔⊢⊨+−-±∓×÷⋅·∘∙∪∩∖∧∨⊕⊖⊗⊙⋆†‡△▽∗∕⋮")
LIMITS = frozenset("∑∏∐⋂⋃∫∬∭∮")
PREFIX = frozenset("([{⟨〈\u2329⌈⌊")
POSTFIX = frozenset(")]}⟩〉\u232a⌉⌋")
BARS = frozenset("|‖")
ACCENTS = {"^": "\\hat", "¯": "\\overline", "˜": "\\widetilde", "‾": "\\bar", "ˆ": "\\widehat", "ˇ": "\\check",
           "´": "\\acute", "`": "\\grave", "˘": "\\breve", "\u0302": "\\hat", "\u0303": "\\tilde", "\u0304": "\\bar",
           "\u0307": "\\dot", "\u0308": "\\ddot", "\u20d7": "\\vec", "\u0305": "\\overline"}  # fmt: skip
DELIMITERS = {"(": "(", ")": ")", "[": "\\lbrack", "]": "\\rbrack", "{": "\\{", "}": "\\}", "|": "|", "‖": "\\|",
              "⟨": "\\langle", "⟩": "\\rangle", "〈": "\\langle", "〉": "\\rangle", "\u2329": "\\langle",
              "\u232a": "\\rangle", "⌈": "\\lceil", "⌉": "\\rceil",
              "⌊": "\\lfloor", "⌋": "\\rfloor", "<": "\\langle", ">": "\\rangle", "/": "/", "": "."}  # fmt: skip
_FUNCTIONS = (
    "arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup ln log max "
    "min Pr sec sin sinh sup tan tanh"
)
OPERATORS = frozenset(_FUNCTIONS.split())
STYLES = {"bold": "\\mathbf", "bold-italic": "\\mathbf", "italic": "\\mathit", "sans-serif": "\\mathsf",
          "script": "\\mathcal", "double-struck": "\\mathbb", "fraktur": "\\mathfrak", "monospace": "\\mathtt",
          "bold-sans-serif": "\\mathbf", "bold-script": "\\mathcal", "sans-serif-italic": "\\mathsf"}  # fmt: skip
TEXT_STYLES = {"bold": "\\textbf", "bold-italic": "\\textbf", "italic": "\\textit", "sans-serif": "\\textsf",
               "monospace": "\\texttt"}  # fmt: skip


def alphabet(letter: str) -> str:
    """Return the command of the alphabet that a letter like 𝐛 or ℝ is from, "" for any other character."""
    name = unicodedata.name(letter, "")
    if "MATHEMATICAL" in name or (" CAPITAL " in name and "\u2100" <= letter <= "\u214f"):
        return next((command for word, command in _ALPHABETS if word in name), "")
    return ""
