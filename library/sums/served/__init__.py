"""Registered models as their callers see them: one self-contained file for each modality."""
