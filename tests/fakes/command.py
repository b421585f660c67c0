"""The ``streamer`` command as somebody types it, without a process of its own for each call."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from streamer.cli import main

LIMIT_S = 60.0


def streamer(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Exit code, output and errors. In a thread: commands bring their own event loop. None that takes signals."""
    output, errors = io.StringIO(), io.StringIO()
    streams = (
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    )
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(1) as thread:
        for stream in streams:
            stack.enter_context(stream)
        code = thread.submit(_exit_code, arguments).result(LIMIT_S)
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())


def _exit_code(arguments: tuple[str, ...]) -> int:
    try:
        main(arguments)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0
