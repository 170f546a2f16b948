"""Finds experiments and search spaces by their file names, so that adding one edits no list."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

from .errors import UserError
from .experiment import Experiment


def names(package: str = "experiments") -> list[str]:
    """The names of all experiments: every file of the folder, but no folder in it; `a_b.py` is `a-b`."""
    folder = importlib.import_module(package)
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(folder.__path__) if _is_one(module))


def find(name: str, package: str = "experiments") -> Experiment[Any]:
    """The experiment of a name; UserError names those that there are, or what is amiss in its file."""
    if name not in names(package):
        raise UserError(f"unknown experiment {name!r}; allowed are {', '.join(names(package))}")
    experiment: Experiment[Any] = _load(package, name, "experiment")
    config, own = experiment.config, _module(package, name)
    if config.__module__ != own:  # after which the model is named
        raise UserError(f"config: got {config.__module__}.{config.__name__}; allowed is a class that {own} defines")
    return experiment


def find_space(name: str, package: str = "search_spaces") -> Callable[..., Any]:
    """The search space of an experiment; UserError names the file to write."""
    if name not in names(package):
        file = f"search_spaces/{name.replace('-', '_')}.py"
        raise UserError(f"experiment {name!r} has no search space; write {file} with space(trial)")
    space: Callable[..., Any] = _load(package, name, "space")
    return space


def find_comparison(name: str, package: str = "experiments.comparisons") -> Any:
    """The comparison of a name; UserError names those that there are."""
    if name not in names(package):
        raise UserError(f"unknown comparison {name!r}; allowed are {', '.join(names(package))}")
    return _load(package, name, "comparison")


def about(name: str, package: str = "experiments") -> str:
    """What the file of a name says of itself; nothing if there is none."""
    if name not in names(package):
        return ""
    return inspect.getdoc(importlib.import_module(_module(package, name))) or ""


def _is_one(module: pkgutil.ModuleInfo) -> bool:
    return not module.ispkg and not module.name.startswith("_")


def _module(package: str, name: str) -> str:
    return f"{package}.{name.replace('-', '_')}"


def _load(package: str, name: str, what: str) -> Any:
    """What the module of a name is there for."""
    module = importlib.import_module(_module(package, name))
    if not hasattr(module, what):
        raise UserError(f"{module.__name__} has no {what!r}: it is what the file is there for")
    return getattr(module, what)
