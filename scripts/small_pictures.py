"""Makes pictures of screens small, for the repository: fewer colors, no wider than is read.

    python -m scripts.small_pictures vscode-client/artifacts/*.png --out docs/media/vscode

A screen of an editor has few colors, so 64 of them lose nothing that one sees.
"""

from __future__ import annotations

import argparse
from pathlib import Path

_COLORS = 64


def make_small(source: Path, target: Path, width: int) -> int:
    """Writes a picture with few colors, and narrower if need be; returns its size in bytes."""
    from PIL import Image

    with Image.open(source) as picture:
        small = picture.convert("RGB")
        if small.width > width:
            height = round(small.height * width / small.width)
            small = small.resize((width, height), Image.Resampling.LANCZOS)
        few = small.quantize(_COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(target, optimize=True)
    return target.stat().st_size


def main() -> None:
    """Makes the pictures that the command line names small, and prints their sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the small ones")
    parser.add_argument("--width", type=int, default=960, help="pixels, at most")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for picture in args.pictures:
        size = make_small(picture, args.out / picture.name, args.width)
        print(f"{args.out / picture.name}: {size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
