"""How few queries are enough? Exact match against the share of queries to learn from, in all modalities.

make compare-training-fractions                       # about N minutes on 2 cores
make compare-training-fractions DIGITS=mnist
"""

from library.experiment import Comparison

comparison = Comparison(
    experiment="seq2seq",
    along=("train_fraction", (0.75, 0.5, 0.25, 0.1)),
    lines=("modality", ("text-to-text", "image-to-text", "text-to-image")),
)
