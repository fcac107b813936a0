"""The register bank against a golden model: random reads and writes, and exact latencies."""

import random

import pytest
from amaranth.hdl import Cat, Value

from licgate.gateware.host.bank import RegisterBank, register_layout
from licgate.target.registers import ADDRESS_WIDTH, Access, Kind, Register
from licgate.target.registertable import entries, entry
from tests.gateware.kit import run_simulation

CASES = [
    {
        "kind": Kind.RESIDENT,
        "constants": {Register.ID: 0x12345678, Register.MODEL: 0xFFFFFFFF, Register.SHAPE: 5, Register.TRANSFORMS: 9},
        "resets": {Register.TRANSFORM: 2},
        "counts": {Register.STREAMS: 1, Register.LEVELS: 1},
        "latency": 2,
    },
    {
        "kind": Kind.SDRAM,
        "constants": {Register.ID: 1, Register.MEMORY_SHAPE: 0xABCDEF},
        "widths": {Register.CORE: 2, Register.CORES: 3, Register.ADDRESS: 24, Register.MEMORY_ADDRESS: 24},
        "resets": {Register.CORES: 7},
        "counts": {Register.STREAMS: 2},
        "cores": 3,
        "latency": 1,
    },
    {
        "kind": Kind.RESIDENT,
        "constants": {Register.PROTOCOL: 0x10F01, Register.BUILD: (0x89ABCDEF, 0x01234567), Register.CLOCK: 100_000},
        "latency": 2,
        "of_link": True,
    },
]
NAMES = ["resident", "sdram", "link"]


class Golden:
    """What a bank holds, and what each address reads."""

    def __init__(self, kind, constants, widths=(), resets=(), counts=(), cores=1, latency=1, of_link=False):
        rows = (row for row in entries(kind) if row.of_link is of_link)
        self.rows, self.constants, self.cores = {row.register: row for row in rows}, constants, cores
        self.widths, self.counts, resets = dict(widths), dict(counts), dict(resets)
        self.held = {
            row.register: [resets.get(row.register, row.reset or 0)] * (cores if row.of_core else 1)
            for row in self.rows.values()
            if row.access is Access.BOTH
        }
        self.shown = {}

    def core(self, row):
        """Which one is meant, which need not be there."""
        return self.held[Register.CORE][0] if row.of_core and self.cores > 1 else 0

    def write(self, address, data):
        if address in self.held:
            row = self.rows[address]
            if self.core(row) < len(self.held[address]):
                self.held[address][self.core(row)] = data & ((1 << self.widths.get(address, row.bits)) - 1)

    def read(self, address):
        for register, value in self.constants.items():
            words = value if isinstance(value, tuple) else (value,)
            if register <= address < register + len(words):
                return words[address - register]
        if address in self.held:
            core = self.core(self.rows[address])
            return self.held[address][core] if core < len(self.held[address]) else 0
        for register, row in self.rows.items():
            count = self.counts.get(register, row.count)
            if row.access is Access.READ and register <= address < register + count:
                rows = self.shown[register]
                return rows[self.core(row)][address - register] if self.core(row) < len(rows) else 0
        return 0


def ports_of(bank, row):
    """Signals of a register that is shown: for each core, each word."""
    port = getattr(bank.shown, row.name)
    rows = port if row.of_core else [port]
    return [list(words) if row.count > 1 else [words] for words in rows]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.parametrize("seed", [1, 2])
def test_random_reads_and_writes(case, seed):
    bank, golden, coin = RegisterBank(**case), Golden(**case), random.Random(seed)
    shown = {
        row.register: ports_of(bank, row)
        for row in golden.rows.values()
        if row.access is Access.READ and row.register not in case["constants"]
    }
    strobes = {
        row.register: getattr(bank.strobe, row.name) for row in golden.rows.values() if row.access is Access.WRITE
    }
    interesting = [*golden.rows, *golden.rows, *range(1 << ADDRESS_WIDTH)]

    async def host(ctx):
        csr = bank.csr
        for _ in range(400):
            for register, rows in shown.items():
                bits = entry(register).bits
                mask = sum(field.mask for field in golden.rows[register].fields_of(case["kind"])) or (1 << bits) - 1
                golden.shown[register] = [[coin.getrandbits(bits) & mask for _ in row] for row in rows]
                for row, words in zip(rows, golden.shown[register], strict=True):
                    for port, word in zip(row, words, strict=True):
                        ctx.set(Value.cast(port), word)
            address = coin.choice(interesting)
            ctx.set(csr.addr, address)
            if coin.random() < 0.5:
                data = coin.getrandbits(32)
                ctx.set(csr.w_data, data)
                ctx.set(csr.w_stb, 1)
                assert {register for register, port in strobes.items() if ctx.get(port)} == {address} & set(strobes)
                assert ctx.get(bank.data) == data
                await ctx.tick()
                ctx.set(csr.w_stb, 0)
                golden.write(address, data)
                for register, expected in golden.held.items():
                    port = getattr(bank.held, entry(register).name)
                    assert [ctx.get(p) for p in (port if entry(register).of_core else [port])] == expected
            else:
                await ctx.tick().repeat(bank.latency)
                assert ctx.get(csr.r_data) == golden.read(address), address
        ctx.set(csr.w_stb, 0)

    run_simulation(bank, host, limit=2000)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_read_takes_its_latency_and_one_starts_every_cycle(case):
    bank = RegisterBank(**case)
    ids = (Register.ID, 63, Register.WATCHDOG, Register.ID, Register.WATCHDOG)
    expected = [Golden(**case).read(address) for address in ids]

    async def host(ctx):
        found = []
        for cycle in range(len(ids) + bank.latency):
            ctx.set(bank.csr.addr, ids[min(cycle, len(ids) - 1)])
            found.append(ctx.get(bank.csr.r_data))
            await ctx.tick()
        assert found[bank.latency :] == expected

    run_simulation(bank, host, limit=20)


def test_fields_lie_where_the_table_says():
    for kind in Kind:
        layout = register_layout(Register.STATUS, kind)
        for field in entry(Register.STATUS).fields_of(kind):
            assert (layout[field.name].offset, layout[field.name].width) == (field.low, field.width)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latency": 3}, r"^latency must be 1 or 2 cycles, not 3$"),
        ({"constants": {Register.CORES: 1}}, r"^accelerators of kind resident have no register CORES$"),
        ({"widths": {Register.ADDRESS: 24}}, r"^accelerators of kind resident have no register ADDRESS$"),
        ({"resets": {Register.CORE: 1}}, r"^accelerators of kind resident have no register CORE$"),
    ],
)
def test_constructor_errors(options, message):
    with pytest.raises(ValueError, match=message):
        RegisterBank(**{"kind": Kind.RESIDENT, "constants": {}, **options})


def test_a_view_is_cast_to_all_of_its_bits():
    bank = RegisterBank(**CASES[0])
    assert len(Cat(bank.shown.status)) == 32
