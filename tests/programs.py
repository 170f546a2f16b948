"""How tests call make and the program, free of what an outer `make test` leaves in the environment."""

import os
import shutil

MAKE = shutil.which("make") or "make"
OUTER = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "GNUMAKEFLAGS"}


def environment(*without: str) -> dict[str, str]:
    """The environment of this process without make's variables and some more."""
    return {name: value for name, value in os.environ.items() if name not in {*OUTER, *without}}
