"""Code a picture and decode it again, from Python.

    python examples/code_a_picture.py [PICTURE] [--model MODEL]

Without a picture it takes a photograph that ships with scikit-image. Nothing but `pip install licgate` is needed.
"""

import argparse

import numpy as np

import licgate
from licgate.images import demo_image, load_image


def psnr(one, other):
    """Peak signal-to-noise ratio of two pictures in dB; infinite where they are equal."""
    error = np.mean((one.astype(float) - other) ** 2)
    return 10 * np.log10(255**2 / error) if error else np.inf


def main():
    """Code, decode, and say what it cost."""
    parser = argparse.ArgumentParser(description="Code a picture and decode it again.")
    parser.add_argument("picture", nargs="?", help="PNG or JPEG; a photograph of scikit-image if left out")
    parser.add_argument("--model", help="name or path of a model; the default one if left out")
    args = parser.parse_args()

    # load_image also returns notices, such as that a profile was dropped
    image = load_image(args.picture)[0] if args.picture else demo_image()

    codec = licgate.load_model(args.model)
    data = codec.encode(image)  # uint8 (H, W, 3) to the bytes of a .lic file
    decoded = codec.decode(data)  # and back: the same pixels on every machine

    height, width, _ = image.shape
    print(f"{codec.manifest.name}: {width} x {height} pixels in {len(data)} bytes")
    print(f"{8 * len(data) / (width * height):.3f} bits per pixel, PSNR {psnr(image, decoded):.2f} dB")


if __name__ == "__main__":
    main()
