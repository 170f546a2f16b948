"""Errors that are the user's to mend, told apart from bugs, which keep their traceback."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """What is wrong, what was given and what is allowed, in one line that the command line prints as it is."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in place of a traceback: IPython asks for it by this name."""
        return [f"error: {self}"]


class NotFinite(UserError):
    """A loss or a metric became infinite or not a number while training."""


class UnknownMetric(UserError):
    """An objective, or what a Trainer monitors, is no metric of the training; no other trial would have it either."""


class StoreError(UserError):
    """The tracking store or its disk cannot be opened, read or written."""


class StoreFailure(StoreError):
    """The disk or a server failed under a store that was in use."""


class NotRegistered(UserError):
    """The model registry has no such model, version or stage."""


class StudyChanged(UserError):
    """A study is resumed with another search space, objective, data or config than it was begun with."""


class StudyDeleted(UserError):
    """A study was deleted, as in optuna-dashboard, while it ran."""


def unknown(what: str, given: str, allowed: Iterable[str], instead: str = "") -> UserError:
    """An error about a name that does not exist, with the closest of those that do.

    Args:
        what: kind of the name, such as `experiment`.
        given: the name.
        allowed: all names.
        instead: what to say where none is close; all names unless given.
    """
    allowed = list(allowed)
    begun = [name for name in allowed if len(given) > 2 and name.lower().startswith(given.lower())]
    close = difflib.get_close_matches(given, allowed, n=1, cutoff=0.7) or begun
    hint = f"did you mean {close[0]}?" if close else instead or f"allowed are {', '.join(allowed)}"
    return UserError(f"unknown {what} {given!r}; {hint}")
