"""The workers of ``make test``, forked from one process that has imported all tests.

To import them takes three seconds of CPU, and each worker would do it for itself. :class:`Forks` starts this module as
that process, and has execnet start it a second way instead of Python for a worker: it hands its standard streams to a
fork, and ends with it.
"""

from __future__ import annotations

import array
import contextlib
import gc
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence

STREAMS = (0, 1, 2)
WORK = "import sys;exec(eval(sys.stdin.readline()))"
"""Execnet has a worker's Python do this."""


class Forks:
    """The process that is forked, from when it has imported the tests in ``paths``."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._folder = tempfile.mkdtemp(prefix="streamer-forks-")
        address = f"{self._folder}/socket"
        # Quick to start: it imports nothing that is not in Python's own library.
        self.worker = shlex.join([sys.executable, "-S", "-E", __file__, address])
        """The command of a worker, for execnet."""
        command = [sys.executable, "-m", __name__, address, *paths]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("the process of which workers are forked has ended")

    def close(self) -> None:
        """Waits for the workers, too."""
        self._process.communicate()
        shutil.rmtree(self._folder)


def stand_in(address: str) -> None:
    """A worker, as far as execnet sees. Its streams become the fork's alone, so that the fork's end is seen."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(address)
        line.sendmsg([b"w"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", STREAMS))])
        for stream in STREAMS[:2]:
            os.close(stream)
        line.recv(1)


def fork_for_each(listening: socket.socket) -> None:
    """Work, in each fork; return in them and, when its parent has ended, in this process."""
    while True:
        ready, _, _ = select.select([listening, STREAMS[0]], [], [], 1.0)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, 0 if STREAMS[0] in ready else os.WNOHANG)[0]:
                pass
        if STREAMS[0] in ready:
            return
        if listening not in ready:
            continue
        line, _ = listening.accept()
        _, handed, _, _ = socket.recv_fds(line, 1, len(STREAMS))
        if os.fork() == 0:
            # The line ends with this process.
            line.detach()
            listening.close()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for stream, given in zip(STREAMS, handed, strict=True):
                os.dup2(given, stream)
                os.close(given)
            sys.stdin = open(STREAMS[0], closefd=False)  # noqa: SIM115
            exec(WORK, {"__name__": "__main__"})
            return
        for given in handed:
            os.close(given)
        line.close()


def main(address: str, paths: Sequence[str]) -> None:
    import pytest

    # Ctrl-C is meant for the process that leads the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Importing makes no garbage, and what it made stays.
    gc.disable()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", "-p", "tests.pool", *paths])
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print(flush=True)
        fork_for_each(listening)


if __name__ == "__main__":
    if "-c" in sys.argv:
        stand_in(sys.argv[1])
    else:
        main(sys.argv[1], sys.argv[2:])
