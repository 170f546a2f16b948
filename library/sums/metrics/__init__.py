"""Scores of answers, their errors, and the quality of images."""
