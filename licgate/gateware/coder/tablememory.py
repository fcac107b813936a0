"""The memory of a coder's tables."""

from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from licgate.target.cells import BLOCK_RAMS

__all__ = ["TableMemory"]

LEAST_DEPTH = 512


class TableMemory(Component):
    """Tables in block RAM, read in one cycle.

    It is cut by bits, not by words: each block has all addresses and as many bits as it then holds, so that no choice
    of a block lies behind it, where there is no time for one.

    Parameters
    ----------
    tables : CoderTables
        Of :func:`licgate.target.codertables.coder_tables`.
    ports : int
        Words that are read in one cycle: 1, or 2, which takes no more blocks.

    Members
    -------
    address, data : :py:`In(range(depth)).array(ports)`, :py:`Out(tables.width).array(ports)`
        ``data`` is the word of the address in the last cycle with ``enable`` before this one.
    enable : :py:`In(1)`

    Attributes
    ----------
    latency, interval : int
        1 cycle.
    depth : int
        Words, a power of two.
    block_rams : int
        DP16KD that it takes, where the depth is at most 16384.
    """

    latency = interval = 1

    def __init__(self, tables, ports=1):
        self.tables, self.ports = tables, ports
        self.depth = 1 << max(ceil_log2(LEAST_DEPTH), ceil_log2(len(tables.words)))
        self._bits = max((bits for depth, bits in BLOCK_RAMS["DP16KD"] if depth >= self.depth), default=1)
        self.block_rams = -(-tables.width // self._bits)
        super().__init__(
            {
                "address": In(range(self.depth)).array(ports),
                "data": Out(tables.width).array(ports),
                "enable": In(1, init=1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for index in range(self.block_rams):
            low = index * self._bits
            bits = min(self._bits, self.tables.width - low)
            words = [word >> low & (1 << bits) - 1 for word in self.tables.words]
            memory = Memory(shape=bits, depth=self.depth, init=words, attrs={"ram_style": "block"})
            m.submodules[f"bits_{index}"] = memory
            for address, data in zip(self.address, self.data, strict=True):
                port = memory.read_port()
                m.d.comb += [port.addr.eq(address), port.en.eq(self.enable), data[low : low + bits].eq(port.data)]
        return m
