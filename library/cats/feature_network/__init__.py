"""The small network in whose features samples are scored, and how it is trained.

It is apart from `models`, as no experiment trains it and its weights are shipped.
"""
