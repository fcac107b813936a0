"""Asynchronous serial port, 8 data bits, no parity, one stop bit (8N1)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import Component, In, Out

__all__ = ["UartReceiver", "UartTransmitter", "uart_divisor"]

#: Below this the receiver's sampling point is no longer near the middle of a bit.
MIN_DIVISOR = 4


def uart_divisor(*, clock_hz: float, baud: int) -> int:
    """Clock cycles per bit for a baud rate.

    Raises
    ------
    ValueError
        If the nearest divisor is off by more than 2 %, past which ten bits drift by a fifth of a bit, or is too small.
    """
    divisor = round(clock_hz / baud)
    if divisor < MIN_DIVISOR or abs(clock_hz / divisor - baud) > 0.02 * baud:
        raise ValueError(f"baud rate {baud} cannot be made from a clock of {clock_hz / 1e6:g} MHz")
    return divisor


def _check_divisor(divisor: int) -> int:
    if not isinstance(divisor, int):
        raise TypeError(f"divisor must be an integer, not {divisor!r}")
    if divisor < MIN_DIVISOR:
        raise ValueError(f"divisor must be at least {MIN_DIVISOR} clock cycles per bit, not {divisor!r}")
    return divisor


class UartTransmitter(Component):
    """Serialise bytes.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, at least 4.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes to send.
    tx : Out(1)
        The line, idle high; registered.

    Attributes
    ----------
    latency : int
        Cycles from the edge which takes a byte to the start bit on the line: 1.
    interval : int
        Cycles per byte: ``10 * divisor``; back-to-back bytes follow without a gap.
    """

    def __init__(self, *, divisor: int):
        self.divisor = _check_divisor(divisor)
        self.latency = 1
        self.interval = 10 * divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        timer = Signal(range(self.divisor))
        bits = Signal(range(11))
        shift = Signal(10, init=0x3FF)
        # The bit ends in this cycle; nothing is being sent, or the stop bit ends in this cycle.
        ends, free = Signal(), Signal(init=1)
        m.d.sync += [ends.eq(timer == 1), timer.eq(Mux(ends | free, self.divisor - 1, timer - 1))]
        with m.If((bits == 1) & (timer == 1)):
            m.d.sync += free.eq(1)

        m.d.comb += [
            self.tx.eq(shift[0]),
            self.i.ready.eq(free),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += free.eq(0)
            m.d.sync += [
                shift.eq(Cat(Const(0, 1), self.i.payload, Const(1, 1))),
                bits.eq(10),
            ]
        with m.Elif(ends):
            m.d.sync += [shift.eq(Cat(shift[1:], Const(1, 1))), bits.eq(bits - 1)]
        return m


class UartReceiver(Component):
    """Deserialise bytes, sampled in the middle of each bit.

    A byte that arrives while the one before is still waiting on `o` is lost, and `overflow` pulses: the line knows no
    backpressure. A byte whose stop bit is low is lost too, and `frame_error` pulses.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, at least 4.

    Members
    -------
    rx : In(1)
        The line, asynchronous.
    o : Out(stream.Signature(8))
        Received bytes.
    overflow, frame_error : Out(1)
        One-cycle pulses.

    Attributes
    ----------
    interval : int
        Cycles per byte when the line is busy: ``10 * divisor``.
    """

    def __init__(self, *, divisor: int):
        self.divisor = _check_divisor(divisor)
        self.interval = 10 * divisor
        super().__init__(
            {"rx": In(1, init=1), "o": Out(stream.Signature(8)), "overflow": Out(1), "frame_error": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        rx = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)

        timer = Signal(range(self.divisor))
        bits = Signal(range(8))
        shift = Signal(8)
        sample = Signal()
        m.d.sync += [timer.eq(timer - 1), sample.eq(timer == 1)]
        # What comes before a byte's own bits is gone with them, and what comes behind them is not looked at.
        with m.If(sample):
            m.d.sync += shift.eq(Cat(shift[1:], rx))
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += self.o.payload.eq(shift)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [timer.eq(self.divisor // 2 - 1), sample.eq(0)]
                with m.If(~rx):
                    m.next = "START"
            with m.State("START"), m.If(sample):
                m.d.sync += [timer.eq(self.divisor - 1), bits.eq(7)]
                # A glitch shorter than half a bit is no start bit.
                with m.If(rx):
                    m.next = "IDLE"
                with m.Else():
                    m.next = "DATA"
            with m.State("DATA"), m.If(sample):
                m.d.sync += [timer.eq(self.divisor - 1), bits.eq(bits - 1)]
                with m.If(bits == 0):
                    m.next = "STOP"
            with m.State("STOP"), m.If(sample):
                with m.If(~rx):
                    m.d.comb += self.frame_error.eq(1)
                    m.next = "BREAK"
                with m.Else():
                    m.next = "IDLE"
                    with m.If(self.o.valid & ~self.o.ready):
                        m.d.comb += self.overflow.eq(1)
                    with m.Else():
                        m.d.sync += self.o.valid.eq(1)
            with m.State("BREAK"), m.If(rx):
                m.next = "IDLE"
        return m
