"""Size of the training set: exact match by the share of queries to learn from, in all modalities.

    make compare-training-fractions                 # half an hour on 2 cores
    make compare-training-fractions DIGITS=mnist

Drawn answers use average handwriting, which the classifier reads without errors: the score measures the answer, not its
handwriting style.
"""

from dataclasses import replace

from experiments.comparisons.modalities import comparison as modalities

comparison = replace(
    modalities,
    along=("train_fraction", (0.75, 0.5, 0.25, 0.1)),
    lines=("modality", ("text-to-text", "image-to-text", "text-to-image")),
)
