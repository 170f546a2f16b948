"""What can be run: each file a lab book with its config, training and scores; found by its name.

`COMMANDS` are those that the experiments of this project bring besides the framework's, `DEMO_TABS` the modules that
make tabs of the demo's page.
"""

from library.cats.commands import COMMANDS

__all__ = ["COMMANDS", "DEMO_TABS"]

DEMO_TABS = ("library.sums.demo", "library.cats.demo")
