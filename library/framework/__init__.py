"""The framework: tracking, tuning, comparison, registration and serving of any experiment; it knows no family.

Imports inside it are relative, so that it can be installed under another name.
"""
