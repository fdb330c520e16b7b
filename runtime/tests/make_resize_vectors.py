#!/usr/bin/env python3
"""Writes vectors/*.rgb for tests/preprocess.rs: computed pictures, resized by Pillow.

The shorter side becomes 40 (Image.BILINEAR, which antialiases), and the centre 32 x 32 is cropped.
One whole picture becomes 48 x 27. Needs Pillow and numpy.
"""

import pathlib

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).parent / "vectors"


def picture(width, height):
    """Returns a different pattern in each channel."""
    y, x = np.mgrid[0:height, 0:width]
    red = (x * 7 + y * 3) % 256
    green = np.where((x // 8 + y // 8) % 2 == 0, 230, 20)
    blue = (x * y) % 256
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


for width, height in ((96, 64), (60, 90), (25, 20)):
    scale = 40 / min(width, height)
    new = round(width * scale), round(height * scale)
    assert (width * scale, height * scale) == new, "only integer sizes can be compared"
    left, top = (new[0] - 32) // 2, (new[1] - 32) // 2
    small = Image.fromarray(picture(width, height)).resize(new, Image.BILINEAR).crop((left, top, left + 32, top + 32))
    (FOLDER / f"{width}x{height}.rgb").write_bytes(np.asarray(small).tobytes())

whole = Image.fromarray(picture(96, 64)).resize((48, 27), Image.BILINEAR)
(FOLDER / "96x64.whole.rgb").write_bytes(np.asarray(whole).tobytes())
