"""What may be asked of a served model, checked before MLflow sees it, so that a refusal is one line in our words.

MLflow's server would say the same at length, or not at all: it takes 0.5 for a byte, and leaves out params and fields
that it does not know.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

INPUTS, PARAMS = "inputs", "params"
KINDS: Mapping[type, str] = {bool: "true or false", int: "an integer", float: "a number", str: "a text"}
TAKEN = {"u": "iu", "i": "iu", "f": "iuf"}
"""The kinds of numbers that are taken for a kind, as JSON has two."""
SHOWN = 60
"""Characters of what was given that are repeated."""


@dataclass(frozen=True)
class Contract:
    """What a model takes.

    Attributes:
        example: a request, as JSON; to be shown, so a short one.
        params: by name, with what holds where one is not given.
        texts: whether inputs are a list of texts.
        type: of the numbers that the inputs are, if they are an array.
        shape: of that array, with -1 for any number.
    """

    example: str
    params: Mapping[str, Any]
    texts: bool = False
    type: np.dtype[Any] | None = None
    shape: tuple[int, ...] = ()

    def check(self, content_type: str, body: bytes) -> None:
        """Raises a ValueError that says in one line what is wrong with a request."""
        if content_type.partition(";")[0].strip().lower() != "application/json":
            got = repr(content_type) if content_type else "none"
            allowed = "application/json, as by curl -H 'Content-Type: application/json'"
            raise ValueError(f"content type: got {got}; allowed is {allowed}")
        request = self._parsed(body)
        if not isinstance(request, dict) or INPUTS not in request or set(request) - {INPUTS, PARAMS}:
            got = f"an object of {_shown(list(request))}" if isinstance(request, dict) else _shown(request)
            allowed = f'an object of "{INPUTS}" and, if any are given, "{PARAMS}"'
            raise ValueError(f"body: got {got}; allowed is {allowed}{self._as_in()}")
        self._check_params(request.get(PARAMS))
        if self.texts:
            self._check_texts(request[INPUTS])
        else:
            self._check_array(request[INPUTS])

    def _parsed(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            got = _shown(body.decode(errors="replace"))
            raise ValueError(f"body: got {got}, which is not JSON ({error}); allowed is JSON{self._as_in()}") from None

    def _as_in(self) -> str:
        return f", as in {self.example}" if self.example else ""

    def _check_params(self, given: Any) -> None:
        if given is not None and not isinstance(given, dict):
            raise ValueError(f"params: got {_shown(given)}; {self._all_params()}")
        for name, value in (given or {}).items():
            if name not in self.params:
                raise ValueError(f"params: got {_shown(name)}; {self._all_params()}")
            kind = type(self.params[name])
            taken = (int, float) if kind is float else kind
            if not isinstance(value, taken) or (isinstance(value, bool) and kind is not bool):
                raise ValueError(f"{name}: got {_shown(value)}; allowed is {KINDS.get(kind, kind.__name__)}")
            if kind is int and not -(2**63) <= value < 2**63:
                raise ValueError(f"{name}: got {_shown(value)}; allowed is an integer of 64 bits")

    def _all_params(self) -> str:
        all_ = ", ".join(f"{name} [{default}]" for name, default in self.params.items())
        return f"allowed is an object of {all_}" if all_ else "this model takes none"

    def _check_texts(self, inputs: Any) -> None:
        wrong = [one for one in inputs if not isinstance(one, str)] if isinstance(inputs, list) else [inputs]
        if wrong or not inputs:
            raise ValueError(
                f"inputs: got {_shown(wrong[0] if wrong else [])}; allowed is a list of texts{self._as_in()}"
            )

    def _check_array(self, inputs: Any) -> None:
        """Of the model's shape, and of numbers that its type holds, where it says which."""
        sizes = ", ".join("n" if size < 0 else str(size) for size in self.shape)
        allowed = f"{self.type} [{sizes}]" if self.type else "an array"
        try:
            array = np.asarray(inputs)
        except (ValueError, OverflowError):
            raise ValueError(f"inputs: got lists of different lengths; allowed is {allowed}") from None
        if self.type is None:
            return
        if not (_is_of(array, self.shape) and array.dtype.kind in TAKEN.get(self.type.kind, self.type.kind)):
            got = f"{array.dtype} {list(array.shape)}" if array.ndim else _shown(inputs)
            raise ValueError(f"inputs: got {got}; allowed is {allowed}")
        if self.type.kind in "iu" and array.size:
            low, high = np.iinfo(self.type).min, np.iinfo(self.type).max
            if array.min() < low or array.max() > high:
                raise ValueError(f"inputs: got {array.min()} to {array.max()}; allowed is {low} to {high}")


def _is_of(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    return array.ndim == len(shape) and all(size in (-1, given) for size, given in zip(shape, array.shape, strict=True))


def _shown(value: Any) -> str:
    """A value as JSON has it, the beginning of it where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
