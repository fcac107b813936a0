"""What a frame costs on a streaming accelerator with an SDR SDRAM: cycles, stalls and traffic of the exact model."""

from licgate.perf.streaming import StreamingModel
from licgate.program.cores import core_jobs

__all__ = ["predict_streaming"]


def predict_streaming(program, chain, width, height, timing, *, cores=1):
    """Predict a frame.

    Parameters
    ----------
    program : StreamProgram
    chain : Chain
    width, height : int
        Of the transform's input.
    timing : SdramCycles
        Of the memory that all cores share.
    cores : int
        Each takes a strip of the input.

    Returns
    -------
    dict
        ``cycles`` from start to the last core's end; ``macs`` of the whole input; ``utilization``, macs over multipliers
        and cycles, so what is computed twice does not count; ``recompute_factor``; ``steps``, share of the cycles in
        which the arrays took a step; ``waits``, cycles by cause that bands and passes waited, hidden ones included;
        ``bytes`` by kind; ``bus``, share of the cycles in which a beat moved; ``misses``, ``refreshes``,
        ``transactions``.
    """
    jobs = core_jobs(program, chain, width, height, cores)
    model = StreamingModel([job.schedule for job in jobs], timing, start=timing.start + 1)
    cycles = model.done - timing.start - 1
    transform, multipliers = chain.transform, program.rows * program.cols * len(jobs)
    macs = transform.macs(height, width)
    done = sum(transform.macs(job.patch.height, job.patch.width) for job in jobs)
    kinds = model.runs[0].beats
    memory = model.memory
    return {
        "cores": len(jobs),
        "cycles": cycles,
        "macs": macs,
        "multipliers": multipliers,
        "utilization": macs / (multipliers * cycles),
        "recompute_factor": done / macs,
        "steps": sum(run.steps for run in model.runs) / (len(jobs) * cycles),
        "waits": {name: sum(run.waits[name] for run in model.runs) for name in model.runs[0].waits},
        "bytes": {kind: sum(run.beats[kind] for run in model.runs) * program.beat_bits // 8 for kind in kinds},
        "bus": memory.beats / cycles,
        "misses": memory.misses,
        "refreshes": memory.refreshes,
        "transactions": memory.transactions,
    }
