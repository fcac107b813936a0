"""How long a device takes, and how fast bytes come and go."""

import platform

from licgate import __version__
from licgate.perf.predict import input_sizes
from licgate.reference import image_to_input
from licgate.sim.boards import board_gateware
from licgate.sim.selftest import Meter, identity_facts, line_errors, random_input

__all__ = ["benchmark"]


def benchmark(connection, manifest, pixels, runs, say):
    """Measure every transform of a device.

    Parameters
    ----------
    connection : Connection
    manifest : Manifest
    pixels : ndarray of uint8, shape (H, W, 3)
        For g_a. Others read random maps, of the size that they have for such a picture.
    runs : int
        Of each transform; the quickest counts.
    say : callable
        Takes the figures of each transform.

    Returns
    -------
    dict
        What ``licgate board benchmark --report`` writes.

    Raises
    ------
    DeviceError
        The line fails it every time, or it is another device than expected.
    """
    names = connection.identity.transforms
    gateware, rows = board_gateware(connection, manifest, names), []
    for name, size in input_sizes(manifest, names, pixels.shape[1], pixels.shape[0]).items():
        transform = manifest.transforms[name]
        whole = name == "g_a" and size == (pixels.shape[1], pixels.shape[0])
        x = image_to_input(pixels) if whole else random_input(transform, size)
        best = min((_run(connection, gateware, name, x) for _ in range(runs)), key=lambda row: row["seconds"])
        rows.append({"transform": name, "size": list(size), "runs": runs} | best)
        say(rows[-1])
    return {
        "licgate": __version__,
        "system": platform.platform(),
        "device": identity_facts(connection),
        "line_errors": line_errors(connection),
        "begun_again": connection.attempts,
        "transforms": rows,
    }


def _run(connection, gateware, name, x):
    meter = Meter(connection.link)
    counters = gateware.run(name, x).counters
    rates, cycles = meter.rates(), counters["cycles"]
    waiting = counters.get("stall_input", 0) + counters.get("stall_output", 0)
    return rates | {
        "counters": counters,
        "cycles": cycles,
        "seconds_of_cycles": cycles / (connection.identity.clock_khz * 1e3),
        "waiting_for_host": waiting / max(1, cycles),
    }
