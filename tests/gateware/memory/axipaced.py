"""An AXI4 memory of a latency and a rate: what `licgate.target.axi.AxiTiming` says, and no luck."""

from tests.gateware.memory.axislave import AxiSlave


class PacedSlave(AxiSlave):
    """Serve bursts in their order, at the cycles of an `AxiTiming`; the master is checked as by any `AxiSlave`."""

    def __init__(self, bus, timing, contents=None, *, base=0):
        super().__init__(bus, contents, base=base)
        self.timing = timing

    async def process(self, ctx):
        """Background testbench."""
        bus, timing = self.bus, self.timing
        beats, read_beat, read_begun, read_next, write_begun, write_next = [], 0, 0, 0, 0, 0
        offering = False
        samples = [
            bus.ar.valid,
            bus.ar.ready,
            bus.ar.payload,
            bus.aw.valid,
            bus.aw.ready,
            bus.aw.payload,
            bus.w.valid,
            bus.w.ready,
            bus.w.payload,
            bus.r.ready,
            bus.b.valid,
            bus.b.ready,
        ]
        for channel in (bus.ar, bus.aw, bus.w):
            ctx.set(channel.ready, 1)
        async for _clk, _rst, arv, arr, ar, awv, awr, aw, wv, wr, w, rr, bv, br in ctx.tick().sample(*samples):
            if offering and rr:
                offering = False
                if read_beat == 0:
                    read_begun = self.cycle
                read_beat += 1
                read_next = read_begun + timing.pace(read_beat)
                if read_beat == self.reads[0].beats:
                    self.reads.popleft()
                    read_beat = 0
            if bv and br:
                self.answers.popleft()
            if arv and arr:
                self.reads.append(self.burst(ar, "ar"))
                self.reads[-1].due = self.cycle + timing.read_latency
            if awv and awr:
                self.writes.append(self.burst(aw, "aw"))
            if wv and wr:
                if w.strb != (1 << self.bytes) - 1:
                    self.fail("w: a byte is masked")
                if not beats:
                    write_begun = self.cycle
                beats.append(w.data)
                write_next = write_begun + timing.pace(len(beats))
                if w.last:
                    if not self.writes or self.writes[0].beats != len(beats):
                        self.fail(f"w: the last beat comes after {len(beats)}")
                    self.land((self.writes.popleft().address, beats))
                    self.answers.append(self.cycle + timing.write_latency)
                    beats = []
            self.cycle += 1
            if not offering and self.reads and max(self.reads[0].due, read_next) <= self.cycle:
                read = self.reads[0]
                if read_beat == 0:
                    read.data = None
                    self.fetch(read)
                offering = True
                final = read_beat + 1 == read.beats
                ctx.set(bus.r.payload, {"data": read.data[read_beat], "resp": 0, "last": final})
            ctx.set(bus.r.valid, offering)
            ctx.set(bus.b.valid, bool(self.answers) and self.answers[0] <= self.cycle)
            ctx.set(bus.w.ready, write_next <= self.cycle)
