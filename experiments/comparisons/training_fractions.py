"""How few queries are enough? Exact match against the share of queries to learn from, in all modalities.

    make compare-training-fractions                 # about an hour on 2 cores
    make compare-training-fractions DIGITS=mnist

Answers are drawn as averages, which the judge reads without fail: so the score is that of what is drawn, not of how.
"""

from library.framework.comparison.spec import Comparison

comparison = Comparison(
    experiment="seq2seq",
    along=("train_fraction", (0.75, 0.5, 0.25, 0.1)),
    lines=("modality", ("text-to-text", "image-to-text", "text-to-image")),
    fields={"handwriting": "mean"},
    paired=True,
)
