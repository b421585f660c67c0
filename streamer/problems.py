"""Problems of values that people wrote, as pydantic tells them: of several sources, collected into one error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

UNKNOWN = "extra_forbidden"
"""The type of a problem: nothing of this name is known."""


class Problems:
    """Collects problems. Of one path the first counts."""

    def __init__(self) -> None:
        self._found: dict[tuple[int | str, ...], InitErrorDetails] = {}

    def add(self, path: tuple[int | str, ...], kind: str, message: str, value: Any = None) -> None:
        error = PydanticCustomError(kind, message)
        self._found.setdefault(path, InitErrorDetails(type=error, loc=path, input=value))

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Takes the problems of a ValidationError in the block, which ends there."""
        try:
            yield
        except ValidationError as error:
            for item in error.errors(include_url=False):
                self.add(item["loc"], item["type"], item["msg"], item["input"])

    def tell(self, title: str) -> None:
        """Raises ValidationError with ``title`` if there are any."""
        if self._found:
            raise ValidationError.from_exception_data(title, list(self._found.values()), hide_input=True)
