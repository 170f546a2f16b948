"""Multiplication: 10,000 queries `a*b`, four fifths of them to learn from, as text and as images.

make compare-products
"""

from library.framework.comparison.spec import Comparison

comparison = Comparison(
    experiment="seq2seq",
    along=("train_fraction", (0.8,)),
    lines=("modality", ("text-to-text", "image-to-text")),
    fields={"operators": "*"},
    paired=True,
)
