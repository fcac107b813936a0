"""An accelerator behind its host link as a board's top connects them, and a host that is stalled at random."""

from amaranth.hdl import Elaboratable, Module, ResetInserter, Signal
from amaranth.lib.wiring import connect

from licgate.gateware.host.hostlink import HostLink
from licgate.gateware.stream import StreamBuffer
from licgate.target.frames import decode_frames
from tests.gateware.kit import Monitor, never, random_stalls, run_simulation, stream_get, stream_put_all


class Linked(Elaboratable):
    """Link, buffers and accelerator."""

    def __init__(self, accelerator):
        self.accelerator = accelerator
        self.link = HostLink(timeout=100_000)
        self.i, self.o = self.link.i, self.link.o

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = accelerator = self.accelerator
        m.submodules.link = link = self.link
        connect(m, link.csr, accelerator.csr)
        flush = Signal()
        m.d.sync += flush.eq(link.flush)
        for name, source, target in (
            ("pixels", link.o_pixels, accelerator.i),
            ("latents", accelerator.o, link.i_latents),
            ("window", accelerator.o_patch, link.i_patch),
        ):
            buffer = StreamBuffer(source.payload.shape())
            m.submodules[f"{name}_buffer"] = ResetInserter(flush)(buffer)
            connect(m, source, buffer.i)
            connect(m, buffer.o, target)
        return m


class LinkedBench:
    """A board, `Linked` or more, and a host at its bytes."""

    def __init__(self, board, *, seed=None):
        self.board, self.seed = board, seed
        self.received = bytearray()

    def stalls(self, n):
        return never() if self.seed is None else random_stalls(10 * self.seed + n, 0.5)

    async def listen(self, ctx):
        stalls = self.stalls(0)
        while True:
            self.received.append(await stream_get(ctx, self.board.o, stalls=stalls))

    async def talk(self, ctx, conversation):
        """`licgate.runtime.device.talk` for a simulation."""
        stalls = self.stalls(1)
        data = next(conversation)
        while True:
            await stream_put_all(ctx, self.board.i, data, stalls=stalls)
            frames = []
            while not frames:
                frames, _ = decode_frames(bytes(self.received))
                await ctx.tick()
            first = frames[0]
            del self.received[: len(first.payload) + 5]
            try:
                data = conversation.send(first)
            except StopIteration as stop:
                return stop.value

    def run(self, *testbenches, limit=30_000, monitors=(), background=()):
        monitors = [Monitor(self.board.o, "o"), *monitors]
        background = [self.listen, *background]
        run_simulation(self.board, *testbenches, monitors=monitors, background=background, limit=limit)
