"""Image recognition or arithmetic? The same queries as text and as images, answered by the same LSTMs.

The errors are compared query by query.

    make compare-modalities                 # 10 minutes on 2 cores
    make compare-modalities DIGITS=mnist

`compare-training-fractions` includes these configs: what either command trained, the other does not train again.
"""

from library import Comparison

comparison = Comparison(
    experiment="seq2seq",
    metric="test/exact_match",
    more_metrics=("test/per_character",),
    along=("train_fraction", (0.5, 0.1)),
    lines=("modality", ("text-to-text", "image-to-text")),
    fields={"handwriting": "mean"},
    paired=True,
)
