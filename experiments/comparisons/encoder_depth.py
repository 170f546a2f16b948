"""Additional LSTM layers in the encoder: their gain in exact match and their cost in parameters and time.

All models learn from a tenth of the queries, where the scores leave room for improvement.

    make compare-encoder-depth
"""

from dataclasses import replace

from experiments.comparisons.modalities import comparison as modalities

comparison = replace(modalities, along=("encoder_depth", (1, 2, 3)), fields={"train_fraction": 0.1})
