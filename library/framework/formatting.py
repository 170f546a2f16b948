"""Numbers, durations and sizes as people read them: the same on the terminal, in reports and in errors."""

from typing import Any

UNITS = {"days": 86_400, "hours": 3600, "minutes": 60}


def number(value: Any, digits: int = 5) -> str:
    """A value to so many digits; whole and large ones in full, with thousands separators; what is no float as it is."""
    if isinstance(value, list):
        return ", ".join(number(one, digits) for one in value)
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() or abs(value) >= 10**digits else f"{value:.{digits}g}"
    return "" if value is None else str(value)


def age(seconds: float) -> str:
    """A span of time by its largest unit, as in `3 hours`."""
    unit = next((unit for unit, length in UNITS.items() if seconds >= 2 * length), None)
    return f"{seconds // UNITS[unit]:.0f} {unit}" if unit else f"{max(seconds, 0):.0f} seconds"


def size(count: int) -> str:
    """A number of bytes in kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
