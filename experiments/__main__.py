"""python -m experiments COMMAND [NAME] [--field=value]: the framework's commands and those of the experiments."""

import sys

from library.framework.cli.main import leave, main

if __name__ == "__main__":
    leave(main(sys.argv[1:], "python -m experiments"))
