"""A block RAM of ECP5 in Python: bits by their places, after the figures of FPGA-TN-02204, for tests of its model."""

__all__ = ["BlockRam", "Port"]


class Port:
    """One cycle of a port's pins: an address of 14 bits, data, and enables."""

    def __init__(self, address=0, data=0, *, ce=1, we=0, oce=1, rst=0):
        self.address, self.data, self.ce, self.we, self.oce, self.rst = address, data, ce, we, oce, rst


def places(width, address):
    """Places of a port's bits in the memory of 18432, the lowest first, and for each the byte enable that it obeys."""
    if width >= 9:
        lanes = width // 9
        first = (address >> 3) // lanes * lanes * 9
        return [first + k for k in range(width)], [address >> k // 9 & 1 if lanes > 1 else 1 for k in range(width)]
    # narrower ones leave the ninth bit of each byte out
    at = address // width * width
    return [(at + k) // 8 * 9 + (at + k) % 8 for k in range(width)], [1] * width


class BlockRam:
    """The memory and the outputs of its two ports.

    Parameters
    ----------
    widths : (int, int)
    modes : (str, str)
        What ports show while they write.
    registered : (bool, bool)
    contents : list of int
        18432 bits.
    """

    def __init__(self, widths, modes, registered, contents):
        self.widths, self.modes, self.registered = widths, modes, registered
        self.bits = list(contents)
        self.sensed, self.held = [0, 0], [0, 0]

    def shown(self):
        """What the ports show."""
        return [self.held[k] if self.registered[k] else self.sensed[k] for k in range(2)]

    def tick(self, ports):
        """A clock edge; return for each port whether it read what the other one wrote, which gives anything."""
        reached = [places(self.widths[k], ports[k].address) for k in range(2)]
        writes = [p.ce and p.we and not p.rst for p in ports]
        written = [
            {place for place, enabled in zip(*reached[k], strict=True) if enabled} if writes[k] else set()
            for k in range(2)
        ]
        before = list(self.bits)
        for k in range(2):
            for n, place in enumerate(reached[k][0]):
                if place in written[k]:
                    self.bits[place] = ports[k].data >> n & 1
        clashes = []
        for k, port in enumerate(ports):
            reads = port.ce and not port.rst and not (writes[k] and self.modes[k] == "NORMAL")
            clashes.append(bool(reads and written[1 - k] & set(reached[k][0])))
            if port.rst:
                self.held[k] = 0
            elif port.oce:
                self.held[k] = self.sensed[k]
            if port.rst:
                self.sensed[k] = 0
            elif reads:
                source = self.bits if self.modes[k] == "WRITETHROUGH" and writes[k] else before
                self.sensed[k] = sum(source[place] << n for n, place in enumerate(reached[k][0]))
        return clashes
