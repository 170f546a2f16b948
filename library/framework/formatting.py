"""Durations and sizes as people read them."""

UNITS = {"days": 86_400, "hours": 3600, "minutes": 60}


def age(seconds: float) -> str:
    """A span of time by its largest unit, as in `3 hours`."""
    unit = next((unit for unit, length in UNITS.items() if seconds >= 2 * length), None)
    return f"{seconds // UNITS[unit]:.0f} {unit}" if unit else f"{max(seconds, 0):.0f} seconds"


def size(count: int) -> str:
    """A number of bytes in kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
