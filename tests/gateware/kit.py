"""Test kit of the gateware: drive streams, stall them at random, watch each for a breach of the stream rules."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import repeat
from typing import Any

from amaranth.hdl import Value
from amaranth.lib.wiring import Component
from amaranth.sim import Simulator

__all__ = [
    "Monitor",
    "StreamBreachError",
    "monitor",
    "never",
    "random_stalls",
    "run_simulation",
    "stream_get",
    "stream_get_all",
    "stream_put",
    "stream_put_all",
]


class StreamBreachError(AssertionError):
    """A producer changed or withdrew a payload which it had offered."""


def random_stalls(seed: int, p: float = 0.5) -> Iterator[bool]:
    """Endless reproducible coin: true (stall this cycle) with probability `p`, which must lie in [0, 1)."""
    if not 0 <= p < 1:
        raise ValueError(f"stall probability must lie in [0, 1), not {p!r}")
    coin = random.Random(seed)
    while True:
        yield coin.random() < p


def never() -> Iterator[bool]:
    """Stall pattern of a partner which is always willing."""
    return repeat(False)


async def stream_put(ctx, stream, payload, *, stalls: Iterator[bool] | None = None) -> None:
    """Offer one payload and return after the clock edge which took it; stalls come before the offer."""
    for stall in stalls or ():
        if not stall:
            break
        await ctx.tick()
    ctx.set(stream.payload, payload)
    ctx.set(stream.valid, 1)
    await ctx.tick().until(stream.ready)
    ctx.set(stream.valid, 0)


async def stream_get(ctx, stream, *, stalls: Iterator[bool] | None = None, after_valid: bool = False) -> Any:
    """Take one payload and return it after the clock edge which moved it; `stalls` lowers ready cycle by cycle.

    `after_valid` keeps ready low until valid is seen, so a producer whose valid waits for ready hangs.
    """
    if after_valid:
        while not ctx.get(stream.valid):
            await ctx.tick()
    for stall in stalls or never():
        ctx.set(stream.ready, not stall)
        _clk, _rst, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
        if valid and not stall:
            break
    ctx.set(stream.ready, 0)
    return payload


async def stream_put_all(ctx, stream, payloads: Iterable, *, stalls: Iterator[bool] | None = None) -> None:
    """Offer `payloads` one after the other, back to back unless stalled."""
    for payload in payloads:
        await stream_put(ctx, stream, payload, stalls=stalls)


async def stream_get_all(
    ctx, stream, count: int, *, stalls: Iterator[bool] | None = None, after_valid: bool = False
) -> list:
    """Take `count` payloads."""
    return [await stream_get(ctx, stream, stalls=stalls, after_valid=after_valid) for _ in range(count)]


class Monitor:
    """Background testbench which raises `StreamBreachError` when a stream breaks the rules of RFC 61.

    While valid is high and ready is low, the payload must not change and valid must not fall. Add it with
    ``sim.add_testbench(monitor.watch, background=True)`` or through `run_simulation`.

    Parameters
    ----------
    stream : stream.Interface
        The stream, from either side.
    name : str
        How the message names the stream.
    reset : Value or None
        When given, an offer may be withdrawn at a clock edge at which this is high.
    domain : str
        Clock domain of the stream.

    Attributes
    ----------
    transfers : int
        Payloads moved so far.
    stalled : int
        Cycles spent with valid high and ready low.
    cycles : int
        Clock edges seen.
    transfer_cycles : list of int
        Index of the clock edge of every transfer: what interval and latency tests look at.
    """

    def __init__(self, stream, name: str = "stream", *, reset: Value | None = None, domain: str = "sync"):
        self.stream, self.name, self.reset, self.domain = stream, name, reset, domain
        self.transfers = self.stalled = self.cycles = 0
        self.transfer_cycles: list[int] = []

    async def watch(self, ctx) -> None:
        """Background testbench."""
        offered = None
        raw = Value.cast(self.stream.payload)
        samples = [self.stream.valid, self.stream.ready, raw]
        if self.reset is not None:
            samples.append(self.reset)
        async for _clk, rst, valid, ready, payload, *reset in ctx.tick(self.domain).sample(*samples):
            if offered is not None:
                if not valid:
                    raise StreamBreachError(f"{self.name}: valid fell at cycle {self.cycles} before the payload went")
                if payload != offered:
                    change = f"{offered:#x} to {payload:#x} at cycle {self.cycles}"
                    raise StreamBreachError(f"{self.name}: payload changed from {change} before it was taken")
            if valid and ready:
                self.transfers += 1
                self.transfer_cycles.append(self.cycles)
            self.stalled += bool(valid and not ready)
            offered = payload if valid and not ready and not rst and not any(reset) else None
            self.cycles += 1


def monitor(stream, name: str = "stream", **options) -> Monitor:
    """Shorthand for `Monitor`."""
    return Monitor(stream, name, **options)


def run_simulation(
    dut: Component,
    *testbenches: Callable[[Any], Awaitable[None]],
    monitors: Iterable[Monitor] = (),
    background: Iterable[Callable[[Any], Awaitable[None]]] = (),
    limit: int = 100_000,
    domain: str = "sync",
) -> None:
    """Run `testbenches` on `dut` until all of them end; fail when they have not after `limit` clock cycles.

    Parameters
    ----------
    dut : Component
        The design; its clock domain `domain` gets a 1 µs clock.
    testbenches : async functions of ctx
        What has to end.
    monitors : iterable of Monitor
        Stream rules to hold while it runs.
    background : iterable of async functions of ctx
        What just runs along.
    limit : int
        Clock cycles after which a simulation that goes on is a failure.
    """
    sim = Simulator(dut)
    sim.add_clock(1e-6, domain=domain)

    async def watchdog(ctx):
        await ctx.tick(domain).repeat(limit)
        raise AssertionError(f"simulation still running after {limit} cycles")

    for testbench in testbenches:
        sim.add_testbench(testbench)
    for watcher in (*(one.watch for one in monitors), *background, watchdog):
        sim.add_testbench(watcher, background=True)
    sim.run()
