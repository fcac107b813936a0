"""Drive a component cycle by cycle and record what it shows in every cycle, for tests of latency to the cycle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace

from amaranth.hdl import ResetInserter, Signal

from tests.gateware.kit import run_simulation

__all__ = ["small_program", "trace"]


def trace(dut, drive: Callable | list, watch: Iterable[str], *, cycles: int | None = None, resets=()) -> list:
    """Run `dut` and return one record a cycle, with the value of every watched member before the cycle's clock edge.

    Parameters
    ----------
    drive : list of dict, or function (cycle, records so far) -> dict
        Inputs of the cycle; members not named keep their value. A list for a member that is an array. A function may
        end it with None.
    watch : iterable of str
        Members, or payloads as ``o.payload``.
    cycles : int
        How many; the length of `drive` when that is a list and this is not given. Later cycles drive nothing new.
    resets : collection of int
        Cycles in which the component is held in reset.
    """
    reset, records = Signal(name="test_reset"), []
    if not callable(drive):
        steps = drive
        cycles = len(steps) if cycles is None else cycles

        def drive(cycle, _records):
            return steps[cycle] if cycle < len(steps) else {}

    members = {name: _member(dut, name) for name in watch}

    async def bench(ctx):
        for cycle in range(cycles):
            inputs = drive(cycle, records)
            if inputs is None:
                break
            for name, value in inputs.items():
                target = _member(dut, name)
                if isinstance(target, list | tuple):
                    for one, part in zip(target, value, strict=True):
                        ctx.set(one, int(part))
                else:
                    ctx.set(target, value if isinstance(value, dict) else int(value))
            ctx.set(reset, cycle in resets)
            records.append(SimpleNamespace(**{name.replace(".", "_"): _get(ctx, m) for name, m in members.items()}))
            await ctx.tick()

    run_simulation(ResetInserter(reset)(dut), bench, limit=cycles + 10)
    return records


def _member(dut, name):
    for part in name.split("."):
        dut = getattr(dut, part)
    return dut


def _get(ctx, member):
    return [ctx.get(one) for one in member] if isinstance(member, list | tuple) else ctx.get(member)


def small_program(
    *transforms,
    rows=2,
    cols=2,
    lanes=None,
    max_width=24,
    line_slack=0,
    input_slack=3,
    map_slack=1,
    packing=False,
    packed_bits=18,
    arithmetic="direct",
    **manifest,
):
    """Compile transforms, or g_a of a synthetic manifest, for a small array.

    ``max_width`` is one for all or one for each.
    """
    # tests of the array and the memories need neither
    from licgate.manifest.synthetic import spread, synthetic_manifest
    from licgate.program import compile_program
    from licgate.target.config import AcceleratorConfig

    transforms = transforms or (synthetic_manifest(**manifest).g_a,)
    widths = spread(max_width, len(transforms), "max_width")
    config = AcceleratorConfig(
        rows=rows,
        cols=cols,
        lanes=lanes,
        max_width=widths[0],
        line_slack=line_slack,
        input_slack=input_slack,
        map_slack=map_slack,
        packing=packing,
        packed_bits=packed_bits,
        arithmetic=arithmetic,
    )
    return compile_program(transforms, config, widths)
