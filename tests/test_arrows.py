"""Imports run one way, and no tracked file knows the machine that it was written on."""

import ast
import functools
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {
    path.relative_to(ROOT).as_posix(): path
    for folder in ("library", "experiments", "search_spaces")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
HEAVY = {"keras", "tensorflow", "mlflow", "numpy", "matplotlib", "sklearn", "cv2", "pandas", "torch", "jax"}
BRIDGES = {
    f"library.framework.{name}" for name in ("tracking", "registry", "tuning", "pipeline", "comparison", "cli",
    "serving", "notebook", "reproduction", "reporting")
}  # fmt: skip


@functools.cache
def imports(name: str) -> set[str]:
    """All that a file imports, wherever in it: modules, their parents, and what is taken from them."""
    package = name.replace("/", ".").removesuffix(".py").rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"), filename=name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return {".".join(one.split(".")[:depth]) for one in found for depth in range(1, one.count(".") + 2)}


def test_the_walk_finds_imports_of_every_kind() -> None:
    assert "library.framework.tracking" in imports("library/framework/cli/commands.py")  # relative, in a function
    assert "keras" in imports("library/framework/experiment.py")  # for types only
    assert {"optuna", "optuna.trial"} <= imports("search_spaces/seq2seq.py")


@pytest.mark.parametrize(
    ("importing", "forbidden"),
    [
        ("library/", {"experiments", "search_spaces"}),
        ("library/framework/", {"library.cats", "library.sums"}),
        ("library/cats/", {"library.sums"}),
        ("library/sums/", {"library.cats"}),
        (r"library/(cats|sums)/(data(?!/curation/run)|models|metrics)/", {"mlflow", "optuna"} | BRIDGES),
        ("search_spaces/", HEAVY | BRIDGES),
    ],
)
def test_imports_run_one_way(importing: str, forbidden: set[str]) -> None:
    files = [name for name in FILES if re.match(importing, name)]
    assert files
    assert {name: found for name in files if (found := imports(name) & forbidden)} == {}


def test_the_framework_imports_itself_relatively_so_that_it_can_have_another_name() -> None:
    absolute = re.compile(r"^\s*(?:from|import) library\b", re.MULTILINE)
    files = {name: path for name, path in FILES.items() if "/framework/" in name}
    assert [name for name, path in files.items() if absolute.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        (
            "mlflow",
            r"library/framework/(tracking/|registry/|serving/|notebook.py)|library/(sums/served/|cats/served_model)",
        ),
        ("optuna", r"library/framework/tuning/|search_spaces/|experiments/benchmarks/"),
    ],
)
def test_a_heavy_library_is_imported_where_it_belongs_only(module: str, allowed: str) -> None:
    assert [name for name in FILES if module in imports(name) and not re.match(allowed, name)] == []


def test_no_tracked_text_holds_a_path_of_a_machine() -> None:
    git = shutil.which("git") or "git"
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    contents = {name: (ROOT / name).read_bytes() for name in listed.split("\0") if (ROOT / name).is_file()}
    texts = {name: raw.decode() for name, raw in contents.items() if b"\0" not in raw}
    assert [name for name, text in texts.items() if re.search(r"/(root|work)/", text)] == []


def test_every_requirement_is_pinned_by_version_and_hash_and_none_by_an_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"\w+://\S+|--(?:extra-)?index-url.*|--find-links.*|--trusted-host.*", text) == []
    lines = text.replace("\\\n", " ").splitlines()
    requirements = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    pinned = re.compile(r"[\w.\[\],-]+==\S+ .*--hash=sha256:[0-9a-f]{64}")
    assert len(requirements) > 50
    assert [line for line in requirements if not pinned.match(line)] == []
