"""The SDR SDRAM chip: stores what it is told, and holds its controller to the data sheet, clock edge by clock edge.

It is written from the data sheet in nanoseconds, apart from the cycles which the controller keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PINS = ("cke", "cs", "ras", "cas", "we", "ba", "a", "dqm", "dq_o", "dq_oe")
NEVER = -(1 << 60)


class SdramRuleError(AssertionError):
    """The controller broke a rule of the data sheet."""


@dataclass
class Bank:
    row: int | None = None
    last_row: int | None = None
    activated: int = NEVER
    precharged: int = NEVER
    written: int = NEVER


@dataclass
class Counts:
    activations: int = 0
    misses: int = 0
    refreshes: int = 0
    refreshes_before_last: int = 0  # activation
    read_beats: int = 0
    write_beats: int = 0
    per_bank: list = field(default_factory=lambda: [0] * 4)


class SdramChip:
    """One chip of 4 × 8192 × 512 words of 16 bits.

    ``step`` takes the pins as they are right before a rising edge, and returns what the chip drives after it.
    ``misses`` counts activations of another row than the bank had open last.
    """

    def __init__(self, timing, clock_mhz, contents=None):
        self.timing, self.period, self.mhz = timing, 1000 / clock_mhz, clock_mhz
        self.contents = dict(contents or {})
        self.counts = Counts()
        self.banks = [Bank() for _ in range(4)]
        self.edge = -1
        self.refreshed, self.mode_set, self.cas = NEVER, NEVER, None
        self.all_precharged = False
        self.power_up_refreshes = 0
        self.ready_since = None
        self.burst = None  # (is_write, bank, start column, first edge)
        self.coming = {}
        self.masks = {}

    def fail(self, rule, text):
        raise SdramRuleError(f"cycle {self.edge}: {rule}: {text}")

    def apart(self, rule, since, ns, cycles=1):
        """Demand ``ns`` and ``cycles`` since an earlier edge."""
        passed = self.edge - since
        if passed * self.period < ns - 1e-6 or passed < cycles:
            self.fail(rule, f"{passed} cycles are {passed * self.period:.1f} ns, not {ns:g} ns and {cycles} cycles")

    def step(self, cke, cs, ras, cas, we, ba, a, dqm, dq_o, dq_oe):
        self.edge += 1
        timing, now = self.timing, self.edge
        self.masks[now] = dqm
        self.masks.pop(now - 4, None)
        command = (ras, cas, we) if cs else (0, 0, 0)
        if command != (0, 0, 0):
            if not cke:
                self.fail("CKE", "a command while the clock is disabled")
            if now * self.period < timing.power_up_us * 1000 - 1e-6:
                self.fail("power-up", f"a command after {now * self.period / 1000:.3f} µs")
            self.apart("tRFC", self.refreshed, timing.rfc)
            self.apart("tMRD", self.mode_set, 0, timing.mrd_cycles)
        match command:
            case (0, 0, 0):
                pass
            case (1, 0, 0):
                self.activate(ba, a)
            case (0, 1, write):
                self.column(write, ba, a, dq_oe)
            case (1, 0, 1):
                self.precharge(range(4) if a >> 10 & 1 else [ba])
            case (1, 1, 0):
                self.refresh()
            case (1, 1, 1):
                self.set_mode(ba, a)
            case _:
                self.fail("command", f"ras, cas, we = {command} is not used here")
        self.check_refresh()
        if dq_oe and (now in self.coming or now - 1 in self.coming):
            self.fail("contention", "the controller drives the data pins less than a cycle after the chip")
        self.coming.pop(now - 1, None)
        if self.burst:
            self.access(dqm, dq_o, dq_oe)
        word = self.coming.get(now + 1)
        if word is not None and self.masks.get(now - 1, 0):
            del self.coming[now + 1]
            return 0xDEAD
        return 0xDEAD if word is None else word

    def activate(self, ba, a):
        bank, timing = self.banks[ba], self.timing
        if self.cas is None:
            self.fail("power-up", "an activation before the mode register is set")
        if bank.row is not None:
            self.fail("state", f"activation of bank {ba}, of which row {bank.row} is open")
        self.apart("tRP", bank.precharged, timing.rp)
        self.apart("tRC", bank.activated, timing.rc)
        for other in self.banks:
            if other is not bank:
                self.apart("tRRD", other.activated, timing.rrd)
        self.counts.activations += 1
        self.counts.refreshes_before_last = self.counts.refreshes
        self.counts.per_bank[ba] += 1
        self.counts.misses += a != bank.last_row
        bank.row, bank.last_row, bank.activated = a, a, self.edge

    def column(self, write, ba, a, dq_oe):
        bank = self.banks[ba]
        if bank.row is None:
            self.fail("state", f"column command to bank {ba}, of which no row is open")
        if a >> 10 & 1:
            self.fail("A10", "full-page bursts have no automatic precharge")
        self.apart("tRCD", bank.activated, self.timing.rcd)
        self.burst = (bool(write), ba, a & 511, self.edge)

    def precharge(self, numbers):
        timing = self.timing
        for ba in numbers:
            bank = self.banks[ba]
            if bank.row is not None:
                self.apart("tRAS", bank.activated, timing.ras)
                self.apart("tWR", bank.written, timing.wr, timing.wr_cycles)
                if (self.edge - bank.activated) * self.period > timing.ras_max_ns:
                    self.fail("tRAS", f"bank {ba} was open for {self.edge - bank.activated} cycles")
                bank.row, bank.precharged = None, self.edge
            if self.burst and self.burst[1] == ba:
                self.burst = None
        self.all_precharged |= len(numbers) == 4

    def idle(self, what):
        for ba, bank in enumerate(self.banks):
            if bank.row is not None:
                self.fail("state", f"{what} while bank {ba} is open")
            self.apart("tRP", bank.precharged, self.timing.rp)

    def refresh(self):
        self.idle("refresh")
        if not self.all_precharged:
            self.fail("power-up", "a refresh before all banks were precharged")
        self.refreshed = self.edge
        if self.cas is None:
            self.power_up_refreshes += 1
        else:
            self.counts.refreshes += 1

    def set_mode(self, ba, a):
        self.idle("the mode register is set")
        cas = a >> 4 & 7
        if self.power_up_refreshes < 8:
            self.fail("power-up", f"the mode register is set after {self.power_up_refreshes} refreshes")
        if a & ~0x70 != 7 or ba or cas not in (2, 3):
            self.fail("mode", f"mode {a:#x} is not a sequential full page with a CAS latency of 2 or 3")
        fastest = self.timing.cl2_mhz if cas == 2 else self.timing.cl3_mhz
        if self.mhz > fastest:
            self.fail("CAS latency", f"{cas} at {self.mhz:g} MHz, the chip does {fastest:g}")
        self.cas, self.mode_set, self.ready_since = cas, self.edge, self.edge

    def check_refresh(self):
        if self.ready_since is not None:
            passed = (self.edge - self.ready_since) * self.period
            if passed / self.timing.refresh_ns - self.counts.refreshes > 9.01:
                self.fail("refresh", f"{self.counts.refreshes} refreshes in {passed:.0f} ns")

    def access(self, dqm, dq_o, dq_oe):
        write, ba, start, first = self.burst
        bank = self.banks[ba]
        column = (start + self.edge - first) % 512
        address = bank.row << 11 | ba << 9 | column
        if not write:
            self.coming[self.edge + self.cas] = self.contents.get(address, 0)
            self.counts.read_beats += 1
        elif dqm == 0:
            if not dq_oe:
                self.fail("write", f"nobody drives the data of column {column}")
            self.contents[address] = dq_o
            self.counts.write_beats += 1
            bank.written = self.edge
        elif dqm != 3:
            self.fail("DQM", "half a word is masked")


def attach(chip, pins):
    """Background testbench: the chip at the pins of a PHY (or of a top) in Amaranth's simulator."""

    async def process(ctx):
        async for _clk, _rst, *values in ctx.tick().sample(*(getattr(pins, name) for name in PINS)):
            ctx.set(pins.dq_i, chip.step(*values))

    return process
