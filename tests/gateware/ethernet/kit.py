"""A PHY for tests: frames at the pins of a GMII."""

from licgate.target.ethernet import framed

PREAMBLE = b"\x55" * 7 + b"\xd5"


async def send_raw(ctx, gmii, data, *, errors=(), gap=12, domain="sync"):
    """Bytes at the pins as they are, then silence; ``errors`` are places where RX_ER is high."""
    for place, byte in enumerate(data):
        ctx.set(gmii.data, byte)
        ctx.set(gmii.valid, 1)
        ctx.set(gmii.error, place in errors)
        await ctx.tick(domain)
    ctx.set(gmii.valid, 0)
    ctx.set(gmii.error, 0)
    await ctx.tick(domain).repeat(gap)


async def send_frame(ctx, gmii, frame, *, preamble=PREAMBLE, gap=12, domain="sync"):
    """A frame without its FCS, with all that belongs around it."""
    await send_raw(ctx, gmii, preamble + framed(frame), gap=gap, domain=domain)


class Listener:
    """Background testbench that collects frames at the pins of a GMII.

    ``frames`` are those whose FCS is right, without it; ``raw`` is all that was sent, as (cycle, bytes), and ``gaps``
    the cycles of silence in front of each frame but the first.
    """

    def __init__(self, gmii, *, domain="sync"):
        self.gmii, self.domain = gmii, domain
        self.raw, self.frames, self.gaps = [], [], []

    async def listen(self, ctx):
        current, begun, silent, cycle = bytearray(), 0, 0, 0
        async for _clk, _rst, valid, data in ctx.tick(self.domain).sample(self.gmii.valid, self.gmii.data):
            if valid:
                if not current:
                    begun = cycle
                    if self.raw:
                        self.gaps.append(silent)
                current.append(data)
                silent = 0
            else:
                if current:
                    self._take(begun, bytes(current))
                    current.clear()
                silent += 1
            cycle += 1

    def _take(self, begun, data):
        self.raw.append((begun, data))
        frame = data[len(PREAMBLE) : -4]
        if data.startswith(PREAMBLE) and framed(frame) == data[len(PREAMBLE) :]:
            self.frames.append(frame)
