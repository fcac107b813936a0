"""Proofs hold, and each mutation of theirs is found; the quick ones here, all of them in `make regress`."""

import re
import shutil
from types import SimpleNamespace

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module

from licgate.program.schedule import make_schedule
from tests.formal.addresses import DOWN, UP, band_fits, streamed
from tests.formal.columns import load_fits
from tests.formal.kit import TOOLS, Bench, Mutation, mutated, prove
from tests.formal.run import PROOFS

pytestmark = pytest.mark.skipif(shutil.which("z3", path=TOOLS) is None, reason="no z3: pip install z3-solver")

QUICK = ("a stream buffer", "a skid buffer", "a queue of 2", "addresses of operands")


def cases():
    for proof in PROOFS:
        marks = () if proof.name in QUICK else (pytest.mark.regress,)
        yield pytest.param(proof, None, id=proof.name, marks=marks)
        for k, mutation in enumerate(proof.mutations):
            yield pytest.param(proof, mutation, id=f"{proof.name}, mutation {k}", marks=marks)


@pytest.mark.parametrize(("proof", "mutation"), list(cases()))
def test_claims_hold_and_mutations_do_not(proof, mutation):
    verdict = prove(proof, mutation)
    assert verdict.holds == (mutation is None), verdict.log[-3000:]


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_proofs_are_of_the_classes_as_they_are(proof):
    """What only `make regress` proves is not found to be older than its class there alone."""
    bench = proof.make(lambda cls: cls)
    assert all(mutated(mutation) is not mutation.owner for mutation in proof.mutations)
    names = set(
        re.findall(r"^  (?:wire|memory|cell) .*\\(\S+)$", rtlil.convert(bench.m, ports=bench.inputs), re.MULTILINE)
    )
    assert {path.split(".")[-1].split("[")[0] for path in bench.peeks.values()} <= names


def test_a_mutation_that_is_older_than_its_class_is_told():
    with pytest.raises(ValueError, match="Mutation has no 'gone' to be mutated"):
        mutated(Mutation(Mutation, "go" + "ne", ""))


def test_what_is_looked_at_twice_is_told():
    bench = Bench(Module())
    bench.peek("place", 1)
    with pytest.raises(ValueError, match="place is looked at twice"):
        bench.peek("place", 1)


@pytest.mark.parametrize("transform", [DOWN, UP], ids=lambda transform: transform.name)
def test_schedules_keep_to_what_proofs_assume_of_commands(transform):
    program = streamed(transform)
    for width in range(1, 10):
        for height in range(1, 10):
            schedule = make_schedule(program, program.chains[0], width, height)
            for kind, fits in (("band", band_fits), ("load", load_fits)):
                found = [SimpleNamespace(**fields) for name, fields in schedule.commands if name == kind]
                assert found
                for command in found:
                    stage = program.stages[command.stage]
                    assert fits(program, stage, command)
                    # and it is no empty word
                    assert not fits(program, stage, SimpleNamespace(**{**vars(command), "slot": program.slots}))
