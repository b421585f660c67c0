"""Makes a picture that somebody sent fit to be served: of one format and a bounded size, without the file's other
contents. It decodes in a process of its own, so that a damaged picture ends nothing else.

``python -m streamer.media.pictures KIND`` reads a PNG, JPEG or WebP file from standard input. It writes the width and
the height (4 bytes each, big-endian) and the picture. Exit code 1: it is none, or too large.
"""

from __future__ import annotations

import io
import resource
import sys
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP")
CPU_S = 10
DATA_BYTES = 1 << 30
"""Limits of the process. A photograph of 40 megapixels takes half of both."""
_BEHIND = (16, 19, 26)
"""A photograph has no holes: what shines through one is dark."""


@dataclass(frozen=True, slots=True)
class PictureKind:
    """``side`` and ``taken``: the most pixels of the longer side that is kept, and that a file may have; ``square``:
    only the middle is kept."""

    side: int
    taken: int
    photograph: bool
    square: bool = False


KINDS = {
    # On a slate of 1080 lines a logo is a few hundred pixels wide.
    "logo": PictureKind(800, 4000, photograph=False),
    "cover": PictureKind(1920, 8000, photograph=True),
    # Shown at 96 px and less, on dense screens at three times that.
    "portrait": PictureKind(320, 8000, photograph=True, square=True),
}


def made(data: bytes, kind: PictureKind) -> tuple[bytes, tuple[int, int]]:
    """The picture and its size in pixels. Raises ValueError."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if max(opened.size) > kind.taken or min(opened.size) < 1:
                raise ValueError("it is too large")
            if kind.photograph and opened.format == "JPEG":
                # Decoded at an eighth to a half of its size where that is enough: a fraction of the time.
                opened.draft("RGB", (2 * kind.side, 2 * kind.side))
            # The kept picture has no EXIF, which says how a photograph is to be turned.
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError("this is no picture") from error
    if kind.square:
        picture = ImageOps.fit(picture, (min(kind.side, *picture.size),) * 2, centering=(0.5, 0.35))
    picture.thumbnail((kind.side, kind.side))
    out = io.BytesIO()
    if kind.photograph:
        whole = Image.new("RGB", picture.size, _BEHIND)
        whole.paste(picture, mask=picture)
        whole.save(out, "JPEG", quality=80, progressive=True, optimize=True)
    else:
        picture.save(out, "PNG", optimize=True)
    return out.getvalue(), picture.size


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
    try:
        picture, (width, height) = made(sys.stdin.buffer.read(), KINDS[sys.argv[1]])
    except (ValueError, MemoryError):
        return 1
    sys.stdout.buffer.write(width.to_bytes(4, "big") + height.to_bytes(4, "big") + picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
