"""Imports run one way, and no tracked file knows the machine that it was written on."""

import ast
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
    f"library.framework.{name}"
    for name in (
        "tracking", "registry", "tuning", "pipeline", "comparison", "cli", "serving", "notebook", "reproduction",
        "reporting",
    )
}  # fmt: skip
FAMILIES = {"cats", "sums"}


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


def importers(module: str) -> set[str]:
    return {name for name in FILES if module in imports(name)}


def of(*folders: str) -> list[str]:
    return [name for name in FILES if name.startswith(folders)]


def tracked_texts() -> dict[str, str]:
    git = shutil.which("git") or "git"
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    contents = {path: path.read_bytes() for path in paths if path.is_file()}
    return {path.relative_to(ROOT).as_posix(): raw.decode() for path, raw in contents.items() if b"\0" not in raw}


def requirements() -> list[str]:
    """The lock file's requirements, each with its hashes on one line."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def test_the_walk_finds_imports_of_every_kind() -> None:
    assert "library.framework.tracking" in imports("library/framework/cli/commands.py")  # relative, in a function
    assert "keras" in imports("library/framework/experiment.py")  # for types only
    assert {"optuna", "optuna.trial"} <= imports("search_spaces/seq2seq.py")


@pytest.mark.parametrize("name", of("library/"))
def test_the_library_knows_neither_experiments_nor_search_spaces(name: str) -> None:
    assert imports(name) & {"experiments", "search_spaces"} == set()


@pytest.mark.parametrize("name", of("library/framework/"))
def test_the_framework_knows_no_family(name: str) -> None:
    assert imports(name) & {f"library.{family}" for family in FAMILIES} == set()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_does_not_know_the_other(family: str) -> None:
    others = {f"library.{other}" for other in FAMILIES - {family}}
    assert [name for name in of(f"library/{family}/") if imports(name) & others] == []


def test_the_framework_imports_itself_relatively_so_that_it_can_have_another_name() -> None:
    absolute = re.compile(r"^\s*(?:from|import) library\b", re.MULTILINE)
    assert [name for name in of("library/framework/") if absolute.search(FILES[name].read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "name", [name for name in FILES if re.match(r"library/(cats|sums)/(data|models|metrics)/", name)]
)
def test_data_models_and_metrics_know_nothing_of_tracking_or_tuning(name: str) -> None:
    if name != "library/cats/data/curation/run.py":
        assert imports(name) & ({"mlflow", "optuna"} | BRIDGES) == set()


def test_only_tracking_registry_and_what_is_served_import_mlflow() -> None:
    allowed = {
        "library/framework/notebook.py",
        "library/cats/served_model.py",
        *of("library/framework/tracking/", "library/framework/registry/", "library/framework/serving/"),
        *of("library/sums/served/"),
    }
    assert importers("mlflow") - allowed == set()


def test_only_tuning_and_search_spaces_import_optuna() -> None:
    assert importers("optuna") - {*of("library/framework/tuning/"), *of("search_spaces/")} == set()


@pytest.mark.parametrize("name", of("search_spaces/"))
def test_a_search_space_imports_nothing_heavy(name: str) -> None:
    assert imports(name) & (HEAVY | BRIDGES) == set()


def test_no_tracked_text_holds_a_path_of_a_machine() -> None:
    paths = re.compile(r"/(root|work)/")
    assert [name for name, text in tracked_texts().items() if paths.search(text)] == []


def test_every_requirement_is_pinned_by_version_and_hash() -> None:
    pinned = re.compile(r"[\w.\[\],-]+==\S+ .*--hash=sha256:[0-9a-f]{64}")
    assert len(requirements()) > 50
    assert [line for line in requirements() if not pinned.match(line)] == []


def test_the_lock_file_names_no_address_to_install_from() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"\w+://\S+|--(?:extra-)?index-url.*|--find-links.*|--trusted-host.*", text) == []
