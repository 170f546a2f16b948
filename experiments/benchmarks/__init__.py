"""The measurements that README.md states; one file for each kind."""

Row = tuple[str, str, str]
"""What is measured, its value, and the target."""
