"""Figures as pictures inside the page: small, at the size at which their text reads like a caption."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from echochamber.figures import DOTS_PER_INCH

COLOURS = 96
"""Of the palette: figures are lines and areas of few colours, and a third of the size in one."""


@dataclass(frozen=True)
class Picture:
    """A PNG as a data URI, with its width and height in CSS pixels: 105 for an inch."""

    uri: str
    width: int
    height: int


def picture(path: Path) -> Picture:
    """A figure's PNG file for the page."""
    with Image.open(path) as image:
        flat = Image.new("RGB", image.size, "white")
        rgba = image.convert("RGBA")
        flat.paste(rgba, mask=rgba.getchannel("A"))
    small = io.BytesIO()
    flat.quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    uri = "data:image/png;base64," + base64.b64encode(small.getvalue()).decode("ascii")
    width, height = (round(105 * pixels / DOTS_PER_INCH) for pixels in flat.size)
    return Picture(uri, width, height)
