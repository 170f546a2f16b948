"""What do additional LSTM layers in the encoder bring, and what do they cost?

From a tenth of the queries, as there is room to be better.

    make compare-encoder-depth
"""

from library.framework.comparison.spec import Comparison

comparison = Comparison(
    experiment="seq2seq",
    along=("encoder_depth", (1, 2, 3)),
    lines=("modality", ("text-to-text", "image-to-text")),
    fields={"train_fraction": 0.1},
    paired=True,
)
