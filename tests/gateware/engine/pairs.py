"""Words of several values, and sums that wrap: for the tests of the fast inner product."""

__all__ = ["side_by_side", "word", "wrap"]


def word(low, high, width):
    """Two signed values as the signed word that carries them."""
    mask = (1 << width) - 1
    bits = (int(low) & mask) | (int(high) & mask) << width
    return bits - (1 << 2 * width) if bits >> 2 * width - 1 else bits


def side_by_side(parts, width):
    """Lists of signed values, one for each part of the words, as a list of signed words."""
    return list(parts[0]) if len(parts) == 1 else [word(*values, width) for values in zip(*parts, strict=True)]


def wrap(value, bits):
    """The value modulo 2**bits, as a signed one; of an integer, or of an array."""
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
