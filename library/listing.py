"""What the registry has to tell, as tables on the terminal; without what only trainings need, as that takes time."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from library.registry import Entry, Promotion, Term

UNITS = {"days": 86_400, "hours": 3600, "minutes": 60}


def models(entries: Sequence[Entry]) -> None:
    """Every version of every model."""
    if not entries:
        print("no model is registered yet; train or tune one first")
        return
    now = datetime.now(UTC)
    rows = [
        (
            entry.model,
            entry.version,
            entry.stage or "-",
            str(entry.score or "-"),
            entry.run or "-",
            age((now - entry.created).total_seconds()),
            "-" if entry.bytes is None else size(entry.bytes),
        )
        for entry in entries
    ]
    _print(("model", "version", "stage", "score (95 % interval)", "run", "age", "size"), rows)


def history(name: str, past: Sequence[Term]) -> None:
    """Who was in Production, the present one first."""
    if not past:
        print(f"no version of {name} was in Production yet")
        return
    rows = [
        (term.version or "none", _moment(term.since), _moment(term.until) if term.until else "now", term.reason)
        for term in reversed(past)
    ]
    _print(("version", "in Production from", "until", "because"), rows)


def moved(name: str, promotion: Promotion) -> None:
    """Where a version went."""
    print(f"{name} version {promotion.version} is in {promotion.stage}: {promotion.reason}")


def age(seconds: float) -> str:
    """A span of time by its largest unit, as in `3 hours`."""
    unit = next((unit for unit, length in UNITS.items() if seconds >= 2 * length), None)
    return f"{seconds // UNITS[unit]:.0f} {unit}" if unit else f"{max(seconds, 0):.0f} seconds"


def size(count: int) -> str:
    """A number of bytes in kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _moment(when: datetime) -> str:
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _print(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Plain columns, as wide as what is in them: nothing is cut off, on a terminal or in a pipe."""
    table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False, width=1000).print(table)
