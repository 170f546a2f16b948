"""Multiplication: 10,000 queries `a*b`, four fifths of them for training, as text and as images.

    make compare-products

The answers have up to four digits.
"""

from dataclasses import replace

from experiments.comparisons.modalities import comparison as modalities

comparison = replace(modalities, along=("train_fraction", (0.8,)), fields={"operators": "*"})
