"""These tests run on the loop of web processes."""

from tests.fakes.loops import _function_scoped_runner

__all__ = ["_function_scoped_runner"]
