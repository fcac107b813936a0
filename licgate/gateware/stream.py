"""Streams: how two of them are connected, and the registers and queues between them."""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value, ValueCastable
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

__all__ = ["Queue", "SkidBuffer", "StreamBuffer", "connect"]


def connect(m, source, sink):
    """Connect two streams, or any two interfaces made of them, whose members have the same shapes.

    :func:`amaranth.lib.wiring.connect` asks for the same widths only, so it makes an unsigned number of a signed one,
    and mixes up the fields of two layouts.

    Parameters
    ----------
    m : Module
    source, sink : interface objects
        As :func:`amaranth.lib.wiring.connect` takes them: what is one's output is the other's input. A component's own
        ports are connected ``flipped``.

    Raises
    ------
    TypeError
        Two members have different shapes.
    ConnectionError
        The interfaces do not fit together otherwise.
    """
    shapes = _shapes(sink)
    for path, shape in _shapes(source).items():
        other = shapes.get(path, shape)
        if shape != other:
            member = ".".join(map(str, path))
            raise TypeError(f"cannot connect {member!r} of shape {shape!r} to one of shape {other!r}")
    wiring.connect(m, source, sink)


def _shapes(interface):
    """Shape of every port in an interface, by its path."""
    ports = {path: value for path, _member, value in interface.signature.flatten(interface)}
    return {path: v.shape() if isinstance(v, ValueCastable) else Shape.cast(v.shape()) for path, v in ports.items()}


class StreamBuffer(Component):
    """One register, so that no combinational path runs through a stream in either direction.

    Parameters
    ----------
    shape : ShapeLike
        Of the payload.

    Members
    -------
    i, o : :py:`In(stream.Signature(shape))`, :py:`Out(stream.Signature(shape))`

    Attributes
    ----------
    latency : int
        1 cycle.
    interval : int
        2 cycles: the register is filled or emptied.
    """

    latency = 1
    interval = 2

    def __init__(self, shape):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        # The opposite of `o.valid`, once more: that one goes where the receiver is, and synthesis would bring back from
        # there what both look at.
        empty = Signal(init=1, name="empty")
        m.d.comb += self.i.ready.eq(empty)
        with m.If(~empty & self.o.ready):
            m.d.sync += [self.o.valid.eq(0), empty.eq(1)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [self.o.valid.eq(1), empty.eq(0)]
        # An empty register takes whatever stands in front of it: what enables a whole payload waits for no offer.
        with m.If(self.i.ready):
            m.d.sync += self.o.payload.eq(self.i.payload)
        return m


class SkidBuffer(StreamBuffer):
    """Two registers, at full speed: what comes in the cycle in which the receiver stops waits in the second one.

    Parameters and members are those of a :class:`StreamBuffer`.

    Attributes
    ----------
    latency : int
        1 cycle.
    interval : int
        1 cycle.
    """

    interval = 1

    def elaborate(self, platform):
        m = Module()
        spare, waits = Signal.like(self.i.payload, name="spare"), Signal(name="waits")
        empty = Signal(init=1, name="empty")
        m.d.comb += self.i.ready.eq(~waits)
        with m.If(self.o.ready | empty):
            m.d.sync += [self.o.valid.eq(self.i.valid | waits), empty.eq(~(self.i.valid | waits))]
            m.d.sync += [waits.eq(0), self.o.payload.eq(self.i.payload)]
            with m.If(waits):
                m.d.sync += self.o.payload.eq(spare)
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += waits.eq(1)
        with m.If(self.i.ready):
            m.d.sync += spare.eq(self.i.payload)
        return m


class Queue(Component):
    """First in, first out: a memory of distributed cells, read in the cycle in which its word is offered.

    Parameters
    ----------
    shape : ShapeLike
        Of the payload.
    depth : int
        Payloads that wait, at most.

    Members
    -------
    i, o : :py:`In(stream.Signature(shape))`, :py:`Out(stream.Signature(shape))`

    Attributes
    ----------
    latency : int
        1 cycle.
    interval : int
        1 cycle; 2 with a single place, which is filled or emptied.

    Resources: ``depth`` words of distributed memory, two pointers, a counter and two flags.

    Raises
    ------
    ValueError
        The depth is not a positive integer.
    """

    latency = 1

    def __init__(self, shape, depth):
        if not isinstance(depth, int) or depth < 1:
            raise ValueError(f"a queue needs at least one place, not {depth!r}")
        self.depth, self.interval = depth, 1 if depth > 1 else 2
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        payload, depth = Value.cast(self.i.payload), self.depth
        # two places at least, as in a BankedMemory
        m.submodules.storage = storage = Memory(shape=len(payload), depth=max(2, depth), init=[])
        write, read = storage.write_port(), storage.read_port(domain="comb")
        level, room = Signal(range(depth + 1), name="level"), Signal(init=1, name="room")
        comes, goes = self.i.valid & room, self.o.valid & self.o.ready
        m.d.comb += [
            self.i.ready.eq(room),
            write.en.eq(comes),
            write.data.eq(payload),
            Value.cast(self.o.payload).eq(read.data),
        ]
        for port, moves, name in ((write, comes, "produce"), (read, goes, "consume")):
            place = Signal(range(max(2, depth)), name=name)
            m.d.comb += port.addr.eq(place)
            with m.If(moves):
                m.d.sync += place.eq(Mux(place == depth - 1, 0, place + 1))
        # Whether there is room, and a word, flip-flops know: what many wait for hangs on no comparison.
        m.d.sync += [
            level.eq(level + Cat(comes ^ goes, goes & ~comes).as_signed()),
            self.o.valid.eq(Mux(goes & ~comes, level != 1, self.o.valid | comes)),
            room.eq(Mux(comes & ~goes, level != depth - 1, room | goes)),
        ]
        return m
