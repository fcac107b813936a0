"""Trees of ORs, which bring the sums of a row's elements to its end."""

from amaranth.hdl import Signal

from licgate.program.collecting import collect_levels

__all__ = ["joined"]


def joined(m, values, name, *, most=None):
    """The OR of values, with a register behind each level of the tree: as many as ``most`` values take, or all."""
    for level, inputs in enumerate(collect_levels(most or len(values))):
        # groups as alike as they can be, so that none is much farther across than the others
        count = -(-len(values) // inputs)
        bounds = [len(values) * k // count for k in range(count + 1)]
        registers = []
        for k in range(count):
            register = Signal.like(values[0], name=f"{name}_{level}_{k}", reset_less=True)
            total = 0
            for value in values[bounds[k] : bounds[k + 1]]:
                total |= value
            m.d.sync += register.eq(total)
            registers.append(register)
        values = registers
    return values[0]
