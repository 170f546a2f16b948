"""The command `predict`: one query, or a file of them, which the model answers at once."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from ..config import TextPath
from ..discovery import find
from ..environment import option, start_keras
from ..errors import UserError
from ..experiment import Experiment, PredictRequest
from ..options import JsonOption, VersionOptions
from .parser import ExperimentCommand, Fields


class Predict(ExperimentCommand, VersionOptions, JsonOption):
    """Asks a registered model; which one follows from the experiment's fields and the stage."""

    on_interrupt = "nothing was answered"
    query: TextPath = Field("", description="the input: a text such as 45+23, or a PNG where the model takes images")
    queries: TextPath = Field("", description="in place of query, a file of them, one a line; - for standard input")
    out: TextPath = Field("", description="where to write the answer to if it is an image: a file ending in .png")
    seed: int = Field(0, ge=0, lt=2**32, description="picks one of many answers, where a model draws them")

    @classmethod
    def fields(cls, name: str) -> Fields:
        """Those that tell which of the experiment's models to ask."""
        experiment = find(name)
        return {field: experiment.Config.model_fields[field] for field in experiment.naming_fields}

    def __call__(self, name: str, fields: Mapping[str, str]) -> None:
        experiment = find(name)(**fields)
        queries = self._lines()
        requests = self._requests(experiment, queries)

        with self.open_existing_store():
            from ..registry.artifacts import find_version, load_version

            version = find_version(experiment.model_name, self.stage, self.version)
            start_keras(experiment.num_threads)
            inputs = _joined([request.input for request in requests])
            outputs: Any = load_version(version).predict(inputs, params=dict(requests[0].params) or None)
        each = (outputs if len(requests) == 1 else outputs[place : place + 1] for place in range(len(requests)))
        answers = [request.show(output) for request, output in zip(requests, each, strict=True)]

        from .output import print_answers

        print_answers(version.name, str(version.version), list(zip(queries, answers, strict=True)), as_json=self.json)

    def _lines(self) -> list[str]:
        """The queries that were given; UserError where there are none, or more than the answers have place for."""
        if "query" not in self.model_fields_set and not self.queries:
            field = type(self).model_fields["query"]
            raise UserError(f"query: nothing was given; it is {field.description}; several: {option(queries='file')}")
        if self.queries and (self.query or self.out):
            other = "query" if self.query else "out"
            got, allowed = getattr(self, other), "one query with one answer"
            raise UserError(f"{other}: got {got!r} and {option(queries=self.queries)}; allowed is {allowed}, or a file")
        return _lines_of(self.queries) if self.queries else [self.query]

    def _requests(self, experiment: Experiment, lines: Sequence[str]) -> list[PredictRequest]:
        """The request of each query; UserError names the line of the first that the model would refuse."""
        requests: list[PredictRequest] = []
        for number, line in enumerate(lines, start=1):
            try:
                requests.append(experiment.parse_query(line, self.out, self.seed))
            except ValueError as error:
                raise UserError(f"line {number} of {self.queries}: {error}" if self.queries else str(error)) from None
            if requests[-1].params != requests[0].params:
                raise UserError(f"line {number} of {self.queries}: takes other params than line 1; ask it alone")
        return requests


def _lines_of(path: str) -> list[str]:
    """The lines of a file, or of standard input, at least one; UserError where they cannot be read."""
    try:
        with sys.stdin if path == "-" else Path(path).open(encoding="utf-8-sig") as file:
            lines = [line.removesuffix("\n") for line in file]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"queries: {path!r} cannot be read ({why}); allowed is a text file, one query a line") from None
    if not lines:
        raise UserError(f"queries: {path!r} is empty; allowed is a text file, one query a line")
    return lines


def _joined(inputs: Sequence[Any]) -> Any:
    """One batch of several: of lists, data frames or arrays."""
    if len(inputs) == 1:
        return inputs[0]
    if isinstance(inputs[0], list):
        return [one for batch in inputs for one in batch]

    import numpy as np
    import pandas as pd

    return pd.concat(inputs) if isinstance(inputs[0], pd.DataFrame) else np.concatenate(inputs)
