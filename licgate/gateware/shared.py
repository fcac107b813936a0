"""What the on-chip core and the streaming core build alike."""

from amaranth.hdl import ResetInserter, Signal

from licgate.gateware.engine.memory import BankedMemory

__all__ = ["clearable", "gdn_memories"]


def clearable(m, clear, name, block):
    """The block with a reset a register away from the core's; synthesis and `licgate.synth` settle how many."""
    reset = Signal(name=f"clear_{name}")
    m.d.sync += reset.eq(clear)
    return ResetInserter(reset)(block)


def gdn_memories(m, feeder, post, writer):
    """The two copies of the GDN inputs: what the array sums, and what the lanes divide.

    Writes come through a register: nobody reads within many cycles of them, and the blocks may be far from the lanes.
    """
    write_enable, write_address = Signal(name="write_norms"), Signal.like(writer.norm_address, name="write_norms_to")
    m.d.sync += [write_enable.eq(writer.norm_enable), write_address.eq(writer.norm_address)]
    for name, data, address, output in (
        ("norms", writer.norm_data, feeder.norm_address, feeder.norm_data),
        ("gdn_inputs", writer.x_data, post.x_address, post.x_data),
    ):
        m.submodules[name] = memory = BankedMemory(post.x_depth, len(data))
        held = Signal.like(data, name=f"write_{name}", reset_less=True)
        m.d.sync += held.eq(data)
        m.d.comb += [
            memory.write_enable.eq(write_enable),
            memory.write_address.eq(write_address),
            memory.write_data.eq(held),
            memory.address.eq(address),
            output.eq(memory.data),
        ]
