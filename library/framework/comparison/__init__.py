"""Configs of one experiment trained side by side: a grid along two fields, or the defaults against a baseline."""
