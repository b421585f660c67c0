"""Makes bytes of a file unreadable in place. The file's other bytes and its other names stay as they are. Linux."""

from __future__ import annotations

import ctypes
import errno
import os

_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
_ZEROS = bytes(1024 * 1024)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_libc.fallocate.restype = ctypes.c_int


def punch(descriptor: int, offset: int, size: int) -> None:
    """Make ``size`` bytes from ``offset`` read as zeros, for good; the file system gives their space back if it can.

    The file does not become longer. Blocks. Raises OSError.
    """
    size = min(size, os.fstat(descriptor).st_size - offset)
    if size <= 0:
        return
    if _libc.fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, offset, size) != 0:
        error = ctypes.get_errno()
        if error not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.ENODEV):
            raise OSError(error, os.strerror(error))
        _overwrite(descriptor, offset, size)
    # Copies elsewhere are compared by this time: no file system may leave it as it was.
    os.utime(descriptor)
    os.fdatasync(descriptor)


def _overwrite(descriptor: int, offset: int, size: int) -> None:
    view = memoryview(_ZEROS)
    while size > 0:
        written = os.pwrite(descriptor, view[: min(size, len(view))], offset)
        offset, size = offset + written, size - written
