"""Devices in the place of simulated gateware, for the comparison with the integer reference."""

from licgate.runtime.engines import ResidentEngine
from licgate.sim.transforms import ResidentFigures

__all__ = ["board_gateware"]


class _ResidentBoard(ResidentFigures, ResidentEngine):
    """A device with its memories on the chip, in place of :class:`licgate.sim.transforms.Gateware`."""

    def __init__(self, *args):
        super().__init__(*args)
        # what only a simulation can make happen
        self.facts |= {"faults": None, "random": None}


def board_gateware(connection, manifest, transforms):
    """Put transforms on a device.

    Parameters
    ----------
    connection : Connection
    manifest : Manifest
    transforms : sequence of str

    Raises
    ------
    DeviceError
        It was built of another model, or lacks one of the transforms.
    """
    return _ResidentBoard(connection, manifest, transforms)
