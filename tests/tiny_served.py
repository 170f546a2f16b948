"""What the tiny experiment registers."""

from pathlib import Path

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class Tiny(PythonModel):
    """Answers every question with the number of its units."""

    def load_context(self, context: PythonModelContext) -> None:
        """Reads that number."""
        self._units = Path(context.artifacts["units"]).read_text()

    def predict(self, context: PythonModelContext, model_input: list[str], params: dict | None = None) -> list[str]:
        """The number, for each question."""
        return [self._units] * len(model_input)


set_model(Tiny())
