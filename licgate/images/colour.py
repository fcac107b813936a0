"""Colours: from what a file says that its numbers mean to sRGB."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from licgate.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["Colours", "by_profile", "colours_of_code", "colours_of_png", "convert"]

Matrix = npt.NDArray[np.float64]
Corners = tuple[tuple[float, float], ...]

WHITE = (0.3127, 0.3290)
BT709: Corners = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), WHITE)

# ITU-T H.273: colour primaries with their white, and transfer characteristics
PRIMARIES: dict[int, tuple[str, Corners]] = {
    1: ("BT.709", BT709),
    5: ("BT.601 (625 lines)", ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), WHITE)),
    6: ("BT.601 (525 lines)", ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), WHITE)),
    9: ("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), WHITE)),
    11: ("DCI-P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351))),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), WHITE)),
}
UNSPECIFIED = 2
GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
SRGB_LIKE = {1, 2, 6, 13, 14, 15}  # BT.709 and its kin are displayed like sRGB
HDR = {16: "PQ", 18: "HLG"}

#: Exponent of a file that stands for sRGB: PNG says gAMA 45455 for it.
SRGB_GAMMA = 2.2

BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK", "LAB": "Lab "}

STEPS_THAT_NOBODY_SEES = 2


@dataclass(frozen=True)
class Colours:
    """What numbers mean.

    Attributes
    ----------
    name : str
        What the file calls it.
    gamma : float or None
        Exponent from numbers to light; None for that of sRGB.
    corners : tuple or None
        Chromaticities of red, green, blue and white; None for those of sRGB.
    """

    name: str
    gamma: float | None = None
    corners: Corners | None = None

    @property
    def srgb(self) -> bool:
        """Whether there is nothing to convert."""
        plain = self.gamma is None or abs(self.gamma - SRGB_GAMMA) < 0.05
        near = self.corners is None or np.abs(np.subtract(self.corners, BT709)).max() < 0.002
        return plain and bool(near)


def colours_of_code(primaries: int, transfer: int, *, name: str) -> Colours:
    """Return what code points of ITU-T H.273 stand for.

    Raises
    ------
    ImageError
        For HDR, which has no one meaning in sRGB, and for codes that are not known.
    """
    if transfer in HDR:
        raise ImageError(f"{name}: is HDR ({HDR[transfer]}), which has no one meaning in 8 bits of sRGB: convert it")
    known = primaries in PRIMARIES or primaries == UNSPECIFIED
    if not known or not (transfer in GAMMAS or transfer in SRGB_LIKE):
        raise ImageError(
            f"{name}: colours by code {primaries}, transfer {transfer} are not known here: convert it to sRGB"
        )
    called, corners = PRIMARIES.get(primaries, ("", BT709))
    gamma = GAMMAS.get(transfer)
    words = [called or "BT.709"] + ([f"gamma {gamma:g}"] if gamma else [])
    return Colours(", ".join(words), gamma, corners)


def colours_of_png(chunks: dict[bytes, bytes], *, name: str) -> Colours | None:
    """Return what the chunks of a PNG say of its colours, those that go first: cICP, iCCP, sRGB, gAMA and cHRM.

    None where an ICC profile goes first, or nothing is said.
    """
    code = chunks.get(b"cICP", b"")
    if len(code) >= 4:
        return colours_of_code(code[0], code[1], name=name)
    if b"iCCP" in chunks or b"sRGB" in chunks:
        return None
    gamma, corners, words = None, None, []
    stored = int.from_bytes(chunks.get(b"gAMA", b"")[:4])
    if stored:
        gamma = 100000 / stored
        words.append(f"gAMA {stored / 100000:g}")
    places = chunks.get(b"cHRM", b"")
    if len(places) >= 32:
        white, *rest = (
            (int.from_bytes(places[i : i + 4]), int.from_bytes(places[i + 4 : i + 8])) for i in (0, 8, 16, 24)
        )
        pairs = [(x / 100000, y / 100000) for x, y in (*rest, white)]
        if all(0 < y <= 1 and 0 <= x <= 1 for x, y in pairs):
            corners = tuple(pairs)
            words.append("cHRM")
    return Colours(" and ".join(words), gamma, corners) if words else None


def convert(pixels: npt.NDArray[np.uint8], colours: Colours) -> npt.NDArray[np.uint8]:
    """Turn pixels of those colours into sRGB; what sRGB cannot show is clipped.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
    colours : Colours
    """
    numbers = np.arange(256) / 255
    light = _light(numbers) if colours.gamma is None else numbers**colours.gamma
    if colours.corners is None or colours.corners == BT709:
        return _numbers(light)[pixels]
    matrix = np.linalg.inv(_to_xyz(BT709)) @ _to_xyz(colours.corners)
    result = np.empty_like(pixels)
    # a few rows at a time: floats of a whole photograph would take much memory
    for row in range(0, len(pixels), 64):
        result[row : row + 64] = _numbers(light[pixels[row : row + 64]] @ matrix.T)
    return result


def _light(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return cast("Matrix", np.where(numbers <= 0.04045, numbers / 12.92, ((numbers + 0.055) / 1.055) ** 2.4))


def _numbers(light: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    light = np.clip(light, 0, 1)
    numbers = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.floor(numbers * 255 + 0.5).astype(np.uint8)


def _to_xyz(corners: Corners) -> Matrix:
    """Return the matrix from linear RGB to CIE XYZ, white brought to that of sRGB (Bradford)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in corners]).T
    white = columns[:, 3]
    matrix = columns[:, :3] * np.linalg.solve(columns[:, :3], white)
    x, y = WHITE
    ours = BRADFORD @ np.array([x / y, 1, (1 - x - y) / y])
    return cast("Matrix", np.linalg.inv(BRADFORD) @ np.diag(ours / (BRADFORD @ white)) @ BRADFORD @ matrix)


def by_profile(picture: Picture, profile: bytes) -> tuple[Picture, str | None]:
    """Turn a picture into sRGB by an ICC profile.

    Parameters
    ----------
    picture : PIL.Image.Image
        Of mode L, RGB or CMYK.
    profile : bytes

    Returns
    -------
    picture : PIL.Image.Image
        RGB, or as it was where the profile changes nothing or cannot be used.
    notice : str or None
        What was done, without the name of the file.
    """
    from PIL import ImageCms

    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        called = " ".join(ImageCms.getProfileDescription(given).split())[:60] or "without a name"
        space = given.profile.xcolor_space
        if space != SPACES.get(picture.mode):
            return picture, f"its colour profile ({called}) is for {space.strip()}, not used"
        transform = ImageCms.buildTransform(
            given,
            ImageCms.createProfile("sRGB"),
            picture.mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if picture.mode == "RGB" and _changes_nothing(transform):
            same = f"its colour profile ({called}) is that of sRGB by another name"
            return picture, None if "sRGB" in called else same
        return cast("Picture", ImageCms.applyTransform(picture, transform)), (
            f"converted to sRGB by its colour profile ({called})"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        return picture, "its colour profile is damaged, not used"


def _changes_nothing(transform: object) -> bool:
    """Return whether a transform leaves all colours as good as they are, as one from sRGB to sRGB does."""
    from PIL import Image, ImageCms

    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
    result = np.asarray(ImageCms.applyTransform(Image.fromarray(cube), cast("ImageCms.ImageCmsTransform", transform)))
    return int(np.abs(result.astype(int) - cube).max()) <= STEPS_THAT_NOBODY_SEES
