"""What hardware leaves open, at random: first values without a meaning, and words that are read while they are written.

A register without a reset (``reset_less``) and a memory without contents hold on hardware what happens to be there,
and a block RAM whose attribute ``no_rw_check`` waives the logic for it gives anything for a word that is written in the
cycle of its read. A design that minds is broken, and simulators that begin with zeros do not tell.
"""

import random
from functools import reduce
from operator import or_

from amaranth.hdl import Elaboratable, Fragment, MemoryInstance, Module, Mux, Shape, Signal, Value

__all__ = ["INIT", "RANDOM", "START", "ChancePlatform", "Marked", "draw"]

#: Attribute of registers and memories that says what they hold at the start, and its values.
START, INIT, RANDOM = "start", "INIT", "RANDOM"

_WAIVED = "no_rw_check"
_NOISE_BITS = 64


class Marked(Elaboratable):
    """A component whose registers say by an attribute whether their first value has a meaning; else it is as it was.

    Parameters
    ----------
    component : Component

    Attributes
    ----------
    registers : list of Signal
        Those whose first value has none, once it is elaborated.
    """

    def __init__(self, component):
        self._component, self.registers = component, []

    def __getattr__(self, name):
        return getattr(self._component, name)

    def elaborate(self, platform):
        """The component's fragment."""
        fragment = Fragment.get(self._component, platform)
        self._mark(fragment)
        return fragment

    def _mark(self, fragment):
        for domain, statements in fragment.statements.items():
            if domain == "comb":
                continue
            for statement in statements:
                # Amaranth has no public way to ask what a statement drives
                for signal in statement._lhs_signals():
                    if START not in signal.attrs:
                        signal.attrs[START] = RANDOM if signal.reset_less else INIT
                        if signal.reset_less:
                            self.registers.append(signal)
        for subfragment, *_ in fragment.subfragments:
            self._mark(subfragment)


class ChancePlatform:
    """Memories with everything that hardware leaves open; for simulators of what Amaranth describes.

    Parameters
    ----------
    seed : int
        Of what is read while it is written.

    Attributes
    ----------
    memories : list of MemoryData
        Those that begin without contents, once they are elaborated.
    clashes : list of Signal
        Counters of such reads.
    """

    def __init__(self, seed=1):
        self.memories, self.clashes = [], []
        self._random = random.Random(seed)

    def get_memory(self, memory):
        """Body of an Amaranth ``Memory``."""
        empty = not any(memory.data.init) and bool(memory.write_ports)
        attrs = memory.attrs | ({START: RANDOM} if empty else {})
        if empty:
            self.memories.append(memory.data)
        m = Module()
        m.submodules.instance = instance = MemoryInstance(data=memory.data, attrs=attrs)
        indices = {
            port: instance.write_port(domain=port.domain, addr=port.addr, data=port.data, en=port.en)
            for port in memory.write_ports
        }
        for number, port in enumerate(memory.read_ports):
            rivals = [w for w in memory.write_ports if w.domain == port.domain and w not in port.transparent_for]
            data = port.data
            if rivals and _WAIVED in memory.attrs:
                data = Signal(Shape.cast(memory.data.shape).width, name=f"read_{number}")
                m.d.comb += Value.cast(port.data).eq(self._poisoned(m, port, data, rivals))
            see_through = tuple(indices[w] for w in port.transparent_for)
            instance.read_port(domain=port.domain, data=data, addr=port.addr, en=port.en, transparent_for=see_through)
        return m

    def _poisoned(self, m, port, data, rivals):
        """What a port shows: the word that was read, or noise where it was written at the same time."""
        seed = self._random.getrandbits(_NOISE_BITS) | 1
        noise = Signal(_NOISE_BITS, init=seed, reset_less=True, name="noise")
        count, clashed = Signal(32, attrs={"clashes": 1}, name="clashes"), Signal()
        shown = Signal(len(data), reset_less=True)
        clash = port.en & reduce(or_, [w.en.any() & (w.addr == port.addr) for w in rivals])
        stepped = noise
        for shift in (13, -7, 17):
            stepped = stepped ^ (stepped << shift if shift > 0 else stepped >> -shift)[:_NOISE_BITS]
        domain = m.d[port.domain]
        with m.If(port.en):
            domain += clashed.eq(clash)
        with m.If(clash):
            domain += [noise.eq(stepped), count.eq(count + 1)]
            domain += shown.eq(noise.replicate(-(-len(data) // _NOISE_BITS)))
        self.clashes.append(count)
        return Mux(clashed, shown, data)


def draw(seed, registers, memories):
    """Yield (signal or word of a memory, value) for what begins at random, for a testbench to set.

    Parameters
    ----------
    seed : int
    registers : sequence of Signal
    memories : sequence of MemoryData
    """
    source = random.Random(seed)
    for signal in registers:
        value = source.getrandbits(max(len(signal), 1))
        yield signal, value - (1 << len(signal) if signal.shape().signed and value >> len(signal) - 1 else 0)
    for data in memories:
        width = len(data[0])
        for row in range(data.depth):
            yield data[row], source.getrandbits(max(width, 1))
