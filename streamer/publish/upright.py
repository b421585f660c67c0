"""Pictures as they are meant to be seen: telephones store them as the sensor lies, with a matrix beside.

Pure numpy. Only turns by right angles and mirrorings are done, as cameras write them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Turn = tuple[int, int, int, int]
"""(a, b, c, d), each -1, 0 or 1: a pixel at (x, y) is shown at (ax + cy, bx + dy)."""
UPRIGHT: Turn = (1, 0, 0, 1)


def turn_of(frame: VideoFrame) -> Turn:
    """The turn that a container (``tkhd``) or the stream itself (H.264's display orientation SEI) asks for."""
    sides: Any = frame.side_data
    data = next((one for one in sides if one.type == Type.DISPLAYMATRIX), None)
    if data is None:
        return UPRIGHT
    # 3 x 3, row by row: a b u, c d v, x y w; a to d in 16.16.
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5]
    scale = max(abs(int(a)), abs(int(b)), 1)
    turn = tuple(round(int(value) / scale) for value in (a, b, c, d))
    straight = abs(turn[0]) == abs(turn[3]) != abs(turn[1]) == abs(turn[2])
    return (turn[0], turn[1], turn[2], turn[3]) if straight else UPRIGHT


def lies(turn: Turn) -> bool:
    """Whether width and height change places."""
    return turn[0] == 0


def upright(frame: VideoFrame, turn: Turn) -> VideoFrame:
    """A ``yuv420p`` frame with even sides, turned."""
    if turn == UPRIGHT:
        return frame
    packed = frame.to_ndarray()
    height, width = frame.height, frame.width
    luma, chroma = packed[:height], packed[height:].reshape(2, height // 2, width // 2)
    planes = [_turned(plane, turn) for plane in (luma, *chroma)]
    high, wide = planes[0].shape
    out = np.concatenate([plane.ravel() for plane in planes]).reshape(high * 3 // 2, wide)
    turned = VideoFrame.from_ndarray(out, format="yuv420p")
    turned.color_range, turned.colorspace = frame.color_range, frame.colorspace
    return turned


def _turned(plane: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    a, b, c, d = turn
    if lies(turn):
        plane, right, down = plane.T, c, b
    else:
        right, down = a, d
    return np.ascontiguousarray(plane[:: down or 1, :: right or 1])
