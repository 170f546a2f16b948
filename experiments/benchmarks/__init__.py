"""What README.md states, measured; one file for each kind of measurement."""

Row = tuple[str, str, str]
"""What, measured, target."""
