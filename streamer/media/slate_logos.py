"""Partners' logos in a row at the foot of the slate. Blocks on files: for a worker thread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageDraw, ImageOps

_PLATE = (247, 249, 252)
"""Logos are drawn for paper: on the dark slate each stands on a light plate."""
HEIGHT = 8.0
GAP = 2.0
PADDING = 1.2
WIDEST = 24.0
"""In hundredths of the picture's width."""


def draw_logos(image: Image.Image, files: Sequence[str], *, margin: int, unit: float) -> None:
    """Draw the readable logos of ``files``; a missing file, and a logo that does not fit in the row, are left out."""
    height, gap, padding = round(HEIGHT * unit), round(GAP * unit), round(PADDING * unit)
    bottom = image.height - round(4 * unit)
    x = margin
    draw = ImageDraw.Draw(image)
    for file in files:
        logo = _scaled(file, round(WIDEST * unit) - 2 * padding, height - 2 * padding)
        if logo is None:
            continue
        width = logo.width + 2 * padding
        if x + width > image.width - margin:
            break
        draw.rounded_rectangle((x, bottom - height, x + width, bottom), radius=max(2, padding // 2), fill=_PLATE)
        image.paste(logo, (x + padding, bottom - height + (height - logo.height) // 2), logo)
        x += width + gap


@lru_cache(maxsize=64)
def _scaled(file: str, width: int, height: int) -> Image.Image | None:
    if width < 4 or height < 4:
        return None
    try:
        with Image.open(file, formats=("PNG", "JPEG", "WEBP")) as opened:
            # Browsers turn a photograph as its EXIF says, and so do we.
            logo = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    scale = min(width / logo.width, height / logo.height)
    return logo.resize(
        (max(1, round(logo.width * scale)), max(1, round(logo.height * scale))), Image.Resampling.LANCZOS
    )
