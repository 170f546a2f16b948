"""python -m experiments COMMAND [NAME] [--field=value]: the framework's commands and those of the families."""

import sys

from library.cats import commands
from library.framework.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], commands.COMMANDS))
