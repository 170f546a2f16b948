"""Additional LSTM layers in the encoder: their gain in exact match and their cost in parameters and time.

All models learn from a tenth of the queries, where the scores leave room for improvement.

    make compare-encoder-depth
"""

from library import Comparison

comparison = Comparison(
    experiment="seq2seq",
    metric="test/exact_match",
    more_metrics=("test/per_character",),
    along=("encoder_depth", (1, 2, 3)),
    lines=("modality", ("text-to-text", "image-to-text")),
    fields={"train_fraction": 0.1},
    paired=True,
)
