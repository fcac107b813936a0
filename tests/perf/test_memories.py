"""Memories that are counted before synthesis are those that the gateware is made of, word for word and bit for bit."""

from collections import Counter

import pytest
from amaranth.hdl import Fragment

from licgate.gateware.engine.memory import BankedMemory
from licgate.gateware.resident.core import Core
from licgate.gateware.streamed.core import StreamedCore
from licgate.perf.memories import program_memories, streamed_memories
from licgate.program import compile_program
from licgate.program.streamed import compile_streamed
from licgate.target.config import AcceleratorConfig
from licgate.target.streamed import StreamedConfig
from tests.manifest.kit import four_transforms

# queues and the tables of GDN are no banks
BANKED = ("line buffers", "weights", "parameters", "GDN inputs")
SHAPE = {"rows": 3, "cols": 4}


@pytest.fixture
def sizes(monkeypatch):
    """Depth and width of every banked memory that is made."""
    made, init = Counter(), BankedMemory.__init__

    def counted(self, depth, width, **options):
        made[depth, width] += 1
        init(self, depth, width, **options)

    monkeypatch.setattr(BankedMemory, "__init__", counted)
    return made


@pytest.mark.parametrize("way", [{}, {"packing": True}, {"arithmetic": "fip"}], ids=str)
@pytest.mark.parametrize("core", [Core, StreamedCore])
def test_no_memory_more_and_none_less(core, way, sizes):
    transforms = list(four_transforms(weight_bits=5).transforms.values())
    if core is Core:
        program = compile_program(transforms, AcceleratorConfig(**SHAPE, max_width=16, **way))
        uses = program_memories(program)
    else:
        program = compile_streamed(transforms, StreamedConfig(**SHAPE, **way))
        uses = streamed_memories(program)
    expected = Counter()
    for use in uses:
        if use.holds in BANKED:
            expected[use.depth, use.width] += use.copies
    Fragment.get(core(program), None)
    assert sizes == expected
    assert program.packing == way.get("packing", False)
