"""Ctrl-C and SIGTERM end a command by an exception, also where native code swallows it and fails elsewhere."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import UserError

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
_raised: list[BaseException] = []
"""Of the signals that arrived in a block of `raised_at_signals`."""
_sent_again: list[int] = []
"""The signal that is being sent again: another one that arrives meanwhile is one too many."""


@contextmanager
def raised_at_signals() -> Iterator[None]:
    """In the block, Ctrl-C raises KeyboardInterrupt and SIGTERM SystemExit, unless they were ignored before it."""
    before = {number: signal.getsignal(number) for number in INTERRUPTS}
    hook, sys.unraisablehook = sys.unraisablehook, _send_again
    _raised.clear()
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, _raise)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook


def interrupt_behind(error: BaseException) -> BaseException | None:
    """The interrupt that led to a bug's error, as native code swallows one and fails elsewhere; None if none did."""
    if isinstance(error, UserError):
        return None
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt | SystemExit):
        cause = cause.__cause__ or cause.__context__
    return cause or next(iter(_raised), None)


def _raise(number: int, _: object) -> None:
    _raised.append(KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number))
    if not _sent_again:
        raise _raised[-1]


def _send_again(ignored: "sys.UnraisableHookArgs") -> None:
    """Sends a signal again that arrived in a callback of garbage collection, where Python ignores its exception."""
    number = {SystemExit: signal.SIGTERM, KeyboardInterrupt: signal.SIGINT}.get(ignored.exc_type)
    if number is None:
        sys.__unraisablehook__(ignored)
    else:
        _sent_again.append(number)
        threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
        _sent_again.clear()
