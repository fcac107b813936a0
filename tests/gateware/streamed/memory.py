"""An external memory for tests, at its ports: serves one transaction at a time, late and with gaps as a seed says."""

import random

import numpy as np


class PortMemory:
    """Contents, and a process for Amaranth's simulator that serves ports; checks what a requester has promised.

    Parameters
    ----------
    ports : sequence of MemoryPort
    contents : ndarray of uint64
    page_beats : int
    seed : int or None
        None serves at once, without gaps.

    Attributes
    ----------
    hold : bool
        True lets nothing begin.
    busy : bool
        A transaction is under way.
    """

    def __init__(self, ports, contents, *, page_beats=512, seed=None):
        self.ports, self.contents, self.page_beats = list(ports), np.array(contents, dtype=np.uint64), page_beats
        self.random = None if seed is None else random.Random(seed)
        self.beats = [0] * len(self.ports)
        self.hold = self.busy = False

    def _late(self):
        return self.random is not None and self.random.random() < 0.3

    async def process(self, ctx):
        """Testbench process, in the background."""
        turn = 0
        while True:
            order = [(turn + k) % len(self.ports) for k in range(len(self.ports))]
            chosen = next((k for k in order if ctx.get(self.ports[k].request.valid) and not self._late()), None)
            if chosen is None or self.hold:
                await ctx.tick()
                continue
            port, turn, self.busy = self.ports[chosen], chosen + 1, True
            request = ctx.get(port.request.payload)
            write, address, beats = request.write, request.address, request.beats
            assert beats >= 1
            assert address // self.page_beats == (address + beats - 1) // self.page_beats
            ctx.set(port.request.ready, 1)
            await ctx.tick()
            ctx.set(port.request.ready, 0)
            for _ in range(self.random.randrange(40) if self.random else 3):
                await ctx.tick()
            for k in range(beats):
                while self._late():
                    await ctx.tick()
                if write:
                    assert ctx.get(port.w.valid), "beats of a write are buffered before it is asked for"
                    self.contents[address + k] = ctx.get(port.w.payload)
                    ctx.set(port.w.ready, 1)
                else:
                    ctx.set(port.r_valid, 1)
                    ctx.set(port.r_data, int(self.contents[address + k]))
                    ctx.set(port.done, k == beats - 1)
                await ctx.tick()
                for signal in (port.w.ready, port.r_valid, port.done):
                    ctx.set(signal, 0)
            if write:
                ctx.set(port.done, 1)
                await ctx.tick()
                ctx.set(port.done, 0)
            self.beats[chosen] += beats
            self.busy = False
