"""Streaming accelerators that hang, as compiled C++: a watchdog says in one line what every stream did."""

import numpy as np
import pytest
from amaranth.hdl import Module

from licgate.errors import ConfigError, SimulationError
from licgate.gateware.memory.sdram import SdramController
from licgate.gateware.streamed.accelerator import SdramAccelerator, SimulatedAccelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.sim.streamedrun import run_streamed
from licgate.target.sdram import ULX3S_SDRAM
from licgate.target.streamed import StreamedConfig

MANIFEST = synthetic_manifest(channels=(3, 4), kernel=3, seed=5)


class DeafController(SdramController):
    """Sets the chip up, and never takes a request."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.real = real = SdramController(self.timing, self.clock_mhz)
        # no request gets through
        m.d.comb += [getattr(self.bus, n).eq(getattr(real.bus, n)) for n in self.bus.signature.members if n != "dq_i"]
        return m


def case():
    program = compile_streamed([MANIFEST.g_a], StreamedConfig(rows=4, cols=4))
    schedule = make_schedule(program, program.chains[0], 9, 5)
    return SdramAccelerator(program, ULX3S_SDRAM, 100.0), [schedule], [np.zeros((3, 5, 9), int)]


def deaf_case():
    accelerator, *job = case()
    accelerator.controller = DeafController(ULX3S_SDRAM, 100.0)
    return accelerator, *job


def test_a_memory_that_never_answers():
    accelerator, schedules, inputs = deaf_case()
    with pytest.raises(SimulationError) as caught:
        run_streamed(SimulatedAccelerator(accelerator), schedules, inputs, patience=2000)
    message = str(caught.value)
    assert message.startswith("the accelerator hung: no progress for 2000 cycles; core 0 after ")
    assert "\n" not in message
    for probe in accelerator.watchdogs[0].probes:
        assert f"{probe.name} " in message
    # the arbiter has accepted the first read, and nothing has come since
    assert "commands request is held by the memory (valid 1, ready 0)" in message
    assert "band waits for the list of commands (valid 0, ready 1)" in message


@pytest.mark.parametrize("patience", [0, 1 << 32])
def test_patience_has_bounds(patience):
    accelerator, *job = case()
    with pytest.raises(ConfigError, match=rf"^a patience of {patience} cycles makes no sense: give 1 to 4294967295$"):
        run_streamed(SimulatedAccelerator(accelerator), *job, patience=patience)
