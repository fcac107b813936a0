"""An accelerator behind its host link, in simulation, and a host that is stalled at random."""

from licgate.gateware.top.board import LinkedAccelerator
from licgate.target.frames import decode_frames
from tests.gateware.kit import Monitor, never, random_stalls, run_simulation, stream_get, stream_put_all

__all__ = ["LinkedBench", "linked"]


def linked(accelerator, **options):
    """The accelerator behind its link."""
    return LinkedAccelerator(accelerator, **{"timeout": 100_000} | options)


class LinkedBench:
    """A board with bytes in and out, and a host at them."""

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
        """Hold a conversation, as `licgate.runtime.link.talk` does at a port."""
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
