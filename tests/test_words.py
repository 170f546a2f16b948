"""The field's standard terms: words of the project's early dialect are not used again, as names or in texts."""

import ast
import functools
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = sorted(path for folder in ("library", "experiments", "search_spaces") for path in (ROOT / folder).rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "experiments").rglob("*.ipynb"))
PAGES = [ROOT / "Makefile", *sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]

NAMES = {
    "Enough", "Question", "ask", "ask_text", "asked", "provide", "nothing", "as_they_are", "Package", "any_input",
    "Scores", "outcomes", "Within", "unbeaten", "_asking", "_naming", "_used", "_title", "align_run", "settle",
    "settled", "appoint", "alone", "_alone", "holder", "told", "_told", "_tell", "inventory", "succession", "Term",
    "mend", "_bury", "_work_off", "_held_back", "counted", "Past", "looking", "look", "sameness", "Verdict",
    "repeating", "Telling", "Kind", "_aim", "_leaders", "filled", "ALONE", "VERBS", "Judged", "judged", "ways",
    "Strategy", "fitted_afterwards", "SHOWN", "VALIDATED", "REMEMBERED", "COMPARED", "FITTED", "reading", "drawing",
    "pen", "spared", "won", "_lost", "begin_with", "exercises", "Exercises", "Pools", "pools", "sift", "make_cats",
    "_shown", "course", "course_of", "courses", "likeness", "Likeness",
}  # fmt: skip
"""Names of things in code; each has a standard term, which CONTRIBUTING.md's map and the code use."""

PHRASES = {
    r"no other beats": "non-dominated",
    r"hang(s)? on a hair": "R1 gradient penalty",
    r"reckon(s|ed|ing)?\b": "arithmetic",
    r"by lot\b": "at random",
    r"\bpiles?\b": "raw images",
    r"\bthe hand\b": "handwriting style",
    r"go(es)? on where it was": "is resumed",
    r"what came of": "result",
    r"\bholder\b": "champion",
    r"\bside-by-side\b": "compare-cats",
    r"drawn by lot": "at random",
    r"(?<!nearest-)\bneighbour": "American spelling (figures keep their stored names)",
}
"""Phrases in docstrings, comments, help, errors, pages and notebooks, and what to write in their place."""


def names_in(path: Path) -> set[str]:
    """All names that a file of Python defines: functions, classes, arguments, variables, attributes."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


def texts_in(path: Path) -> Iterator[str]:
    """Strings and comments of a file of Python."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1)):
            yield " ".join(token.string.split())


@functools.cache
def texts() -> dict[Path, str]:
    """What people read of each file: strings and comments of code, pages, and what was typed into notebooks."""
    cells = {path: json.loads(path.read_text(encoding="utf-8"))["cells"] for path in NOTEBOOKS}
    return {
        **{path: "\n".join(texts_in(path)) for path in CODE},
        **{path: " ".join(path.read_text(encoding="utf-8").split()) for path in PAGES},
        **{path: " ".join("".join(cell["source"]) for cell in cells[path]) for path in NOTEBOOKS},
    }


def test_names_are_standard_terms() -> None:
    assert {path: found for path in CODE if (found := NAMES & {path.stem, *names_in(path)})} == {}


@pytest.mark.parametrize("phrase", PHRASES)
def test_texts_are_plain_english(phrase: str) -> None:
    assert [path for path, text in texts().items() if re.search(phrase, text, re.IGNORECASE)] == [], PHRASES[phrase]


def test_the_reader_finds_names_and_texts_of_every_kind(tmp_path: Path) -> None:
    text = (
        'class Past:\n    def look(self, ask: int) -> None:  # by lot\n        told = self.mend = f"the {ask} holder"\n'
    )
    (tmp_path / "one.py").write_text(text, encoding="utf-8")
    assert names_in(tmp_path / "one.py") == {"Past", "look", "self", "ask", "told", "mend"}
    assert {"# by lot"} <= set(texts_in(tmp_path / "one.py"))
    assert any("holder" in text for text in texts_in(tmp_path / "one.py"))
