"""Everything reusable: data, models, scores, and the bridge between Keras, MLflow and Optuna.

`experiments` and `search_spaces` import from here; nothing here imports from them.
"""
