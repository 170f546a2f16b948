"""Finds experiments and search spaces by their file names, so that adding one edits no list."""

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

from library.errors import UserError
from library.experiment import Experiment


def names(package: str = "experiments") -> list[str]:
    """The names of all experiments: every file of the folder, but no folder in it; `a_b.py` is `a-b`."""
    folder = importlib.import_module(package)
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(folder.__path__) if _is_one(module))


def find(name: str, package: str = "experiments") -> Experiment[Any]:
    """The experiment of a name; UserError names those that there are."""
    if name not in names(package):
        raise UserError(f"unknown experiment {name!r}; allowed are {', '.join(names(package))}")
    experiment: Experiment[Any] = _load(package, name).experiment
    return experiment


def find_space(name: str, package: str = "search_spaces") -> Callable[..., Any]:
    """The search space of an experiment."""
    if name not in names(package):
        file = f"search_spaces/{name.replace('-', '_')}.py"
        raise UserError(f"experiment {name!r} has no search space; write {file} with space(trial)")
    space: Callable[..., Any] = _load(package, name).space
    return space


def find_comparison(name: str, package: str = "experiments.comparisons") -> Any:
    """The comparison of a name; UserError names those that there are."""
    if name not in names(package):
        raise UserError(f"unknown comparison {name!r}; allowed are {', '.join(names(package))}")
    return _load(package, name).comparison


def _is_one(module: pkgutil.ModuleInfo) -> bool:
    return not module.ispkg and not module.name.startswith("_")


def _load(package: str, name: str) -> ModuleType:
    return importlib.import_module(f"{package}.{name.replace('-', '_')}")
