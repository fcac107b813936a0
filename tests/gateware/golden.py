"""Where passes read and write, from the definition of a convolution alone: for tests of program, feeder and sequencer.

A pass is one pass kind of an operation for a group of neighbouring pixels and a tile of output channels.
"""

__all__ = ["FEWEST_TAPS", "reads", "rows_read"]

FEWEST_TAPS = 2


def reads(layer, parity=0, *, depth_form=False):
    """Input positions that outputs o read, relative to their place: ``stride * o``, or ``o // 2`` if transposed."""
    if not layer.transposed:
        return list(range(-layer.padding, layer.kernel - layer.padding))
    parities = (0, 1) if depth_form else (parity,)
    # tap k of input i lands on output 2 * i - padding + k
    found = {
        (p + layer.padding - k) // 2 for p in parities for k in range(layer.kernel) if (p + layer.padding - k) % 2 == 0
    }
    assert found == set(range(min(found), max(found) + 1))
    return sorted(found)


def rows_read(stage, row):
    """Input rows, inside the image or not, that an output row of a stage reads."""
    layer = stage.conv.layer
    place, parity = divmod(row, 2) if stage.upsampling else (row * (1 if layer.transposed else layer.stride), 0)
    return [place + r for r in reads(layer, parity, depth_form=stage.conv.depth_form)]
