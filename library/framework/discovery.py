"""Finds experiments, search spaces, comparisons and commands by their file names, so that adding one edits no list."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import ModuleType
from typing import Any

from .errors import UserError, unknown
from .experiment import Experiment

COMPARISONS = "experiments.comparisons"


def names(package: str = "experiments") -> list[str]:
    """The names of all files in a package of the working folder: `a_b.py` is `a-b`; none where there is no package."""
    folder = _import(package)
    found = [module.name for module in pkgutil.iter_modules(folder.__path__) if not module.ispkg] if folder else []
    return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))


def find(name: str, package: str = "experiments") -> type[Experiment]:
    """The experiment of a name; UserError lists those that there are, or says what is wrong with its file."""
    module = _find(name, package, "experiment")
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Experiment)]
    defined = [one for one in classes if one.__module__ == module.__name__]
    if len(defined) != 1:
        got = ", ".join(one.__name__ for one in defined) or "none"
        raise UserError(f"{module.__name__}: got {got}; allowed is one class of Experiment that the file defines")
    [experiment] = defined
    missing = [one for one in ("Config", "objectives") if not hasattr(experiment, one)]
    if missing:
        raise UserError(f"{module.__name__}.{experiment.__name__} has no {missing[0]}; an experiment needs one")
    return experiment


def find_space(name: str, package: str = "search_spaces") -> Callable[..., Mapping[str, Any]]:
    """The search space of an experiment; UserError names the file to write."""
    file = f"{package}/{name.replace('-', '_')}.py"
    if name not in names(package):
        raise UserError(f"experiment {name!r} has no search space; write {file} with space(trial)")
    space: Callable[..., Mapping[str, Any]] = _attribute(_find(name, package, "search space"), "space")
    return space


def comparison_names() -> list[str]:
    """The names of all files of comparisons, and of all experiments that have a `comparison`."""
    found = set(names(COMPARISONS))
    for name in names():
        with suppress(UserError):  # of a file without an experiment
            found |= {name} if hasattr(find(name), "comparison") else set()
    return sorted(found)


def find_comparison(name: str) -> Any:
    """The comparison of a file, or else that of an experiment; UserError lists those that there are."""
    if name not in names(COMPARISONS) and name in comparison_names():
        experiment = find(name)
        return replace(experiment.comparison, experiment=experiment)
    if name not in names(COMPARISONS):
        raise unknown("comparison", name, comparison_names())
    return _attribute(_find(name, COMPARISONS, "comparison"), "comparison")


def find_commands(package: str = "experiments") -> Mapping[str, Any]:
    """The commands that the experiments of the working folder bring, by name: `COMMANDS` of the package."""
    return getattr(_import(package), "COMMANDS", {})


def find_tabs(package: str = "experiments") -> list[Any]:
    """The modules that make tabs of the demo's page for families of models: `DEMO_TABS` of the package names them."""
    return [importlib.import_module(name) for name in getattr(_import(package), "DEMO_TABS", ())]


def description(name: str, package: str = "experiments") -> str:
    """The docstring of the file of a name; empty if there is none."""
    if name not in names(package):
        return ""
    return inspect.getdoc(_find(name, package, "experiment")) or ""


def _find(name: str, package: str, what: str) -> ModuleType:
    there = names(package)
    if name not in there:
        raise unknown(
            what, name, there or [f"none, as there is no {package.replace('.', '/')}/ with files in this folder"]
        )
    return importlib.import_module(f"{package}.{name.replace('-', '_')}")


def _import(package: str) -> ModuleType | None:
    """A package of the working folder; None where there is none."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name and (package + ".").startswith(error.name + "."):
            return None
        raise


def _attribute(module: ModuleType, name: str) -> Any:
    if not hasattr(module, name):
        raise UserError(f"{module.__name__} has no {name!r}; the file must define it")
    return getattr(module, name)
