"""Reading or reckoning? The same queries as text and as images, answered by the same LSTMs, query by query.

    make compare-modalities                 # 20 minutes on 2 cores
    make compare-modalities DIGITS=mnist

Of `compare-training-fractions` these are a part: what one of them trained serves the other.
"""

from library.framework.comparison.spec import Comparison

comparison = Comparison(
    experiment="seq2seq",
    along=("train_fraction", (0.5, 0.1)),
    lines=("modality", ("text-to-text", "image-to-text")),
    fields={"handwriting": "mean"},
    paired=True,
)
