"""What an image costs on streamed cores: the figures of a report, from one run of the cycle model."""

from __future__ import annotations

from licgate.manifest.geometry import layer_macs
from licgate.perf.causes import FrameCost
from licgate.perf.predict import Prediction, layer_row
from licgate.perf.streamed.frame import StreamedModel

__all__ = ["streamed_cost"]


def streamed_cost(jobs, width, height, cycles, *, clock_mhz):
    """Predict what a frame costs of which each core takes a part.

    Parameters
    ----------
    jobs : sequence of CoreJob
        One for each core, see :func:`licgate.program.cores.core_jobs`.
    width, height : int
        Of the whole input.
    cycles : SdramCycles or AxiTiming
    clock_mhz : float
        Of the memory: it moves a beat a cycle at most, behind AXI4 one each way.

    Returns
    -------
    Prediction, FrameCost
        Cycles are those of the core that ends last, products those of all. A wait counts as ``memory`` for as many
        cycles as the array did not step.
    """
    # a frame begins with a memory that is ready: the chip's power-up comes once
    model = StreamedModel([job.schedule for job in jobs], cycles, start=cycles.start + 1)
    program, chain = jobs[0].schedule.program, jobs[0].schedule.chain
    transform, multipliers = chain.transform, program.rows * program.cols * len(jobs)
    total = max(run.done - run.start for run in model.runs)
    ops = [op for stage in program.stages_of(chain) for op in (stage.conv, stage.gdn) if op is not None]
    layers, macs, busy = [], 0, 0
    for index, op in enumerate(ops):
        sizes = [transform.layer_sizes(job.patch.height, job.patch.width)[index] for job in jobs]
        needed = sum(layer_macs(op.layer, *size) for size in sizes)
        steps = sum(run.op_steps[op.index] for run in model.runs) / len(jobs)
        macs, busy = macs + needed, busy + needed / op.macs_per_product
        layers.append(layer_row(op, needed, steps, multipliers))
    row = {
        "name": transform.name,
        "runs": len(jobs),
        "inputs": sum(job.patch.width * job.patch.height for job in jobs)
        * (1 if chain.pixels else transform.in_channels),
        "cycles": total,
        "macs": macs,
        "utilization": busy / (multipliers * total),
        "recompute_factor": macs / transform.macs(height, width),
    }
    prediction = Prediction(total, macs, row["utilization"], row["recompute_factor"], layers, [row], program)
    # of an SDRAM one
    rate = clock_mhz * getattr(cycles, "beats_a_cycle", 1)
    return prediction, _cost([job.schedule for job in jobs], model, total, busy / multipliers, rate)


def _cost(schedules, model, total, products, mega_beats):
    steps = sum(run.steps for run in model.runs) / len(schedules)
    waits = sum(sum(run.waits.values()) for run in model.runs) / len(schedules)
    memory = min(waits, total - steps)
    beat_bytes = schedules[0].program.beat_bits // 8
    beats = {kind: sum(run.beats[kind] for run in model.runs) for kind in model.runs[0].beats}
    names = {"weights": "weights", "maps": "maps read", "results": "maps written", "commands": "commands"}
    return FrameCost(
        cycles={"products": products, "edges": steps - products, "control": total - steps - memory, "memory": memory},
        traffic={name: beat_bytes * beats[kind] for kind, name in names.items()},
        bandwidth=beat_bytes * mega_beats * 1e6,
        link_in=beat_bytes * sum(schedule.maps[0].beats for schedule in schedules),
        link_out=beat_bytes * sum(schedule.maps[-1].beats for schedule in schedules),
    )
