"""Multiplication: 10,000 queries `a*b`, four fifths of them for training, as text and as images.

    make compare-products

The answers have up to four digits.
"""

from library import Comparison

comparison = Comparison(
    experiment="seq2seq",
    metric="test/exact_match",
    more_metrics=("test/per_character",),
    along=("train_fraction", (0.8,)),
    lines=("modality", ("text-to-text", "image-to-text")),
    fields={"operators": "*"},
    paired=True,
)
