"""What can be run: each file a lab book with its config, training and scores; found by its name.

`COMMANDS` are those that the experiments of this project bring besides the framework's.
"""

from library.cats.commands import COMMANDS

__all__ = ["COMMANDS"]
