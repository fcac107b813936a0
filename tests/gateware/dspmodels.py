"""Behaviour of the DSP blocks, restricted to what one multiplication uses; anything else in an instance is refused."""

from amaranth.hdl import Cat, ClockSignal, Elaboratable, Module, Signal, Value, signed

__all__ = ["Dsp48e2", "Mult18x18d"]


def _is_clock(value):
    return isinstance(value, ClockSignal) and value.domain == "sync"


def _constant(value):
    """Integer of a port that must be tied."""
    assert isinstance(value, int), f"{value!r} is not tied to a constant"
    return value


def _register(m, value, present, name):
    if not present:
        return value
    stage = Signal(value.shape(), name=name)
    m.d.sync += stage.eq(value)
    return stage


class Mult18x18d(Elaboratable):
    """ECP5's 18 × 18 multiplier: a register where ``REG_*_CLK`` names a clock, none by default."""

    def __init__(self, **ports):
        self._ports = ports

    def elaborate(self, platform):
        m = Module()
        ports = dict(self._ports)
        assert _is_clock(ports.pop("i_CLK0"))
        assert _constant(ports.pop("i_CE0")) == 1
        operands = []
        for name in "AB":
            bits = Cat(Value.cast(ports.pop(f"i_{name}{bit}"))[0] for bit in range(18))
            # an operand is two's complement where its SIGNED port is high, else a plain number
            is_signed = bool(_constant(ports.pop(f"i_SIGNED{name}")))
            operand = Signal(signed(19), name=f"operand_{name}")
            m.d.comb += operand.eq(bits.as_signed() if is_signed else bits)
            operands.append(operand)
        clocked = {}
        for register in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"):
            clock = ports.pop(f"p_REG_{register}_CLK", "NONE")
            assert clock in ("NONE", "CLK0")
            assert ports.pop(f"p_REG_{register}_CE", "CE0") == "CE0"
            assert ports.pop(f"p_REG_{register}_RST", "RST0") == "RST0"
            clocked[register] = clock == "CLK0"
        a = _register(m, operands[0], clocked["INPUTA"], "input_a")
        b = _register(m, operands[1], clocked["INPUTB"], "input_b")
        product = Signal(signed(36))
        m.d.comb += product.eq(a * b)
        p = _register(m, _register(m, product, clocked["PIPELINE"], "pipeline"), clocked["OUTPUT"], "output")
        m.d.comb += [ports.pop(f"o_P{bit}").eq(p[bit]) for bit in range(36)]
        assert not ports, f"not modelled: {sorted(ports)}"
        return m


class Dsp48e2(Elaboratable):
    """UltraScale+'s DSP in the one mode OPMODE = 0b000000101: P = A[26:0] × B through M, ALU adding nothing."""

    def __init__(self, **ports):
        self._ports = ports

    def elaborate(self, platform):
        m = Module()
        ports = dict(self._ports)
        assert _is_clock(ports.pop("i_CLK"))
        a, b, p = (ports.pop(name) for name in ("i_A", "i_B", "o_P"))
        assert (len(a), len(b), len(p)) == (30, 18, 48)
        assert ports.pop("p_USE_MULT") == "MULTIPLY"
        assert ports.pop("p_USE_SIMD") == "ONE48"
        assert _constant(ports.pop("i_OPMODE")) == 0b000000101
        depth = {name: ports.pop(f"p_{name}REG", 1) for name in ("A", "B", "M", "P")}
        for name in ("A", "B"):
            # with one register it is the second, A2 or B2; the cascade must have as many
            assert ports.pop(f"p_{name}CASCREG", 1) == 1
            assert _constant(ports.pop(f"i_CE{name}2")) == 1
            assert _constant(ports.pop(f"i_CE{name}1")) == 0
        for name in ("M", "P"):
            assert _constant(ports.pop(f"i_CE{name}")) == 1
        # ALUMODE, INMODE and the carry must be zero and reach the ALU without a register, whose enable is low
        for name in ("ALUMODE", "INMODE", "CARRYIN", "CARRYINSEL"):
            assert _constant(ports.pop(f"i_{name}")) == 0
        for name in ("AD", "ALUMODE", "CARRYIN", "CARRYINSEL", "C", "D", "INMODE", "OPMODE"):
            assert ports.pop(f"p_{name}REG") == 0
        for name in ("C", "D"):
            assert _constant(ports.pop(f"i_{name}")) == 0
        for name in ("AD", "ALUMODE", "C", "CARRYIN", "CTRL", "D", "INMODE"):
            assert _constant(ports.pop(f"i_CE{name}")) == 0
        for name in ("A", "ALLCARRYIN", "ALUMODE", "B", "C", "CTRL", "D", "INMODE", "M", "P"):
            assert _constant(ports.pop(f"i_RST{name}")) == 0
        product = Signal(signed(45))
        left = _register(m, Value.cast(a)[:27].as_signed(), depth["A"], "a_register")
        right = _register(m, b, depth["B"], "b_register")
        m.d.comb += product.eq(left * right)
        m.d.comb += p.eq(_register(m, _register(m, product, depth["M"], "m_register"), depth["P"], "p_register"))
        assert not ports, f"not modelled: {sorted(ports)}"
        return m
