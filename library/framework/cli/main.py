"""The program: finds the command, checks every value, then does the work.

Nothing heavy is imported before all values are known to be good: tensorflow and mlflow take seconds.
"""

import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import psutil

from ..discovery import find_commands
from ..environment import PROGRAM, called_by_make
from ..errors import UserError
from ..interrupts import interrupt_behind, raised_at_signals
from .commands import COMMANDS
from .parser import Commands, read


@raised_at_signals()
def main(arguments: Sequence[str], program: str, commands: Commands | None = None) -> int:
    """Runs a command line and returns its exit status; errors of the user are one line.

    Args:
        arguments: all after the program's name.
        program: as it was called; messages name it, unless make was called.
        commands: by name; those of the framework and of the experiments in this folder unless given.
    """
    os.environ.setdefault(PROGRAM, program)
    on_interrupt = "nothing was done yet"
    try:
        commands = {**COMMANDS, **find_commands()} if commands is None else commands
        call = read(arguments, commands, program)
        on_interrupt = commands[arguments[0]].on_interrupt
        status = _status_of(call)
        sys.stdout.flush()
        return status
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted: {on_interrupt}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        if not _is_output_closed():
            raise
        return 128 + signal.SIGPIPE


def leave(status: int) -> NoReturn:
    """Ends the program; if make called it and it failed, make ends too, without a line of its own below the error."""
    if status and called_by_make():
        parent = psutil.Process().parent()
        if parent and parent.name() in ("make", "gmake"):
            parent.send_signal(signal.SIGPIPE)
    sys.exit(status)


def console() -> NoReturn:
    """The console script: works on the `experiments` and `search_spaces` of the folder that it is called in."""
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(main(sys.argv[1:], "cats-and-sums"))


def _status_of(call: Callable[[], int | None]) -> int:
    """The exit status of a command, which an interrupt ends as such, whatever came of it in native code."""
    try:
        return call() or 0
    except Exception as error:
        if interrupt := interrupt_behind(error):
            raise interrupt from None
        raise


def _is_output_closed() -> bool:
    """Whether nobody reads the output any more, as after `| head`; what is left of it then goes nowhere."""
    output = select.poll()
    output.register(sys.stdout, 0)
    if not any(state & select.POLLERR for _, state in output.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
