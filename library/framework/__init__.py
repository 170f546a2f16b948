"""The framework: tracking, tuning, comparison, registration and serving of any experiment; it knows no family.

Imports inside it are relative, so that it can be installed under another name.
"""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # here, as MLflow reads it while it is imported
