"""Golden vectors: what a testbench's host does, what goes into the accelerator, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from licgate.errors import ConfigError
from licgate.perf.core import CoreModel
from licgate.perf.predict import GAP
from licgate.perf.streamed.frame import StreamedModel
from licgate.program.depthform import depth_form
from licgate.program.order import stream_order
from licgate.program.schedule import make_schedule
from licgate.reference import run_transform
from licgate.runtime.transforms import pixel_words, run_registers
from licgate.sim.chain import transform_input
from licgate.target.pages import AXI_BOUNDARY
from licgate.target.registers import IDS, Control, Kind, Register, Status

__all__ = ["Vectors", "made_picture", "memory_vectors", "stream_vectors"]

#: Operations of the host in the testbench.
_END, _WRITE, _EXPECT, _UNTIL, _INTERRUPT, _CYCLES = range(6)


@dataclass
class Vectors:
    """What a testbench reads.

    Attributes
    ----------
    program : list of (int, int, int)
        Operation, register, value.
    words : dict of str to (int, list of int)
        Files by their names: bits of a word, and the words.
    defines : dict of str to int
        Numbers for the testbench.
    runs : list of (str, tuple of int, int)
        Transform, width and height of its input, and cycles by the cycle model.
    """

    program: list
    words: dict = field(default_factory=dict)
    defines: dict = field(default_factory=dict)
    runs: list = field(default_factory=list)

    def files(self):
        """Contents of the files, by their names."""
        found = {"program.hex": _hex([op << 40 | register << 32 | value for op, register, value in self.program], 44)}
        found |= {name: _hex(words, bits) for name, (bits, words) in self.words.items()}
        defines = {"PROGRAM": len(self.program), **self.defines}
        lines = ["`define LICGATE_" + (name if value is None else f"{name} {value}") for name, value in defines.items()]
        guard = ["// What vectors/ holds, for the testbench.", "`ifndef LICGATE_JOB", "`define LICGATE_JOB"]
        return found | {"job.vh": "\n".join([*guard, *lines, "`endif", ""])}


def made_picture(width, height, seed=1):
    """A picture uint8 (height, width, 3) that is drawn: shades, edges and noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    shades = np.stack([x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x + y) * 3 % 256], axis=2)
    edges = 96 * ((x // 7 + y // 5) % 2)[..., None]
    return np.clip(shades + edges - 48 + random.integers(-24, 25, shades.shape), 0, 255).astype(np.uint8)


def stream_vectors(manifest, program, config, pixels, *, plain=False):
    """Vectors of a resident accelerator: each transform once, on what it reads when the picture is coded.

    Parameters
    ----------
    manifest : Manifest
    program : Program
    config : AcceleratorConfig
    pixels : ndarray of uint8, shape (H, W, 3)
        No wider than the line buffers hold.
    plain : bool
        Streams and registers are plain ones.

    Raises
    ------
    ConfigError
        The picture is too wide.
    """
    vectors, inputs, outputs, asked = Vectors(_greeting(Kind.RESIDENT, manifest)), [], [], []
    input_bits = 0
    for chain in program.chains:
        name = chain.transform.name
        x = transform_input(manifest, name, pixels)
        _, height, width = x.shape
        if width > chain.max_width:
            raise ConfigError(
                f"the vectors' picture gives {name} {width} positions side by side, the line buffers hold "
                f"{chain.max_width}: give a narrower --vectors"
            )
        y = run_transform(chain.transform, x)
        if program.stages[chain.last].conv.depth_form:
            y = depth_form(y)
        if chain.pixels:
            bits, words = chain.transform.input.bits, pixel_words(x, chain.transform.input.bits).ravel()
            input_bits = max(input_bits, bits * len(x))
        else:
            words, input_bits = stream_order(x, 0, program.group_columns) & 0xFFFF, max(input_bits, 16)
        patch = config.patch_size(chain.transform, width, height) if chain.pixels else (width, height)
        vectors.program += [(_WRITE, *write) for write in run_registers(chain.transform, (width, height), patch)]
        cycles = CoreModel(program, chain, width, height, start=0, kept=None).done + GAP
        vectors.program += _ending(cycles)
        vectors.runs.append((name, (width, height), cycles))
        inputs += words.tolist()
        asked.append(height << 48 | width << 32)
        values = (stream_order(y, 0, program.group_columns) & 0xFFFF).tolist()
        values[0] |= 1 << 17
        values[-1] |= 1 << 16
        outputs += values
    vectors.program.append((_END, 0, 0))
    input_bits = input_bits if plain else -(-input_bits // 8) * 8
    vectors.words = {
        "input.hex": (input_bits, inputs),
        "golden.hex": (18, outputs),
        "patches.hex": (64, asked),
    }
    vectors.defines = {"INPUT_BITS": input_bits, "INPUTS": len(inputs), "OUTPUTS": len(outputs), "PATCHES": len(asked)}
    if plain:
        vectors.defines["PLAIN"] = None
    return vectors


def memory_vectors(manifest, program, pixels, timing):
    """Vectors of a streamed core: each transform once, in a stretch of the memory of its own.

    Parameters
    ----------
    manifest, pixels
        As of `stream_vectors`; the picture has any size.
    program : StreamedProgram
        With weights.
    timing : AxiTiming
        Of the memory where it does not stall.
    """
    vectors, contents, expected, mask = Vectors(_greeting(Kind.AXI, manifest)), [], [], []
    page, origin = AXI_BOUNDARY * 8 // program.beat_bits, 0
    for chain in program.chains:
        name = chain.transform.name
        x = transform_input(manifest, name, pixels)
        schedule = make_schedule(program, chain, x.shape[2], x.shape[1], origin=origin)
        run = StreamedModel([schedule], timing, start=1).runs[0]
        cycles = run.done - run.start - 1
        vectors.program += [(_WRITE, Register.ADDRESS, schedule.address), (_WRITE, Register.CONTROL, Control.START)]
        vectors.program += _ending(cycles)
        vectors.runs.append((name, (x.shape[2], x.shape[1]), cycles))
        size = -(-schedule.beats // page) * page
        for target, beats in zip((contents, expected, mask), _memories(schedule, x), strict=True):
            target += [*beats.tolist(), *[0] * (size - len(beats))]
        origin += size
    vectors.program.append((_END, 0, 0))
    bits = program.beat_bits
    vectors.words = {
        name: (bits, words)
        for name, words in (("memory.hex", contents), ("expected.hex", expected), ("mask.hex", mask))
    }
    latencies = {"READ_LATENCY": timing.read_latency, "WRITE_LATENCY": timing.write_latency}
    vectors.defines = {"MEMORY": None, "BITS": bits, "BEATS": origin, "ORIGIN": 0, **latencies}
    return vectors


def _memories(schedule, x):
    """Contents before the run and behind it, and which of their bits are held against the memory."""
    before = schedule.memory(x)
    behind, mask = before.copy(), np.full_like(before, (1 << schedule.program.beat_bits) - 1)
    first, last = schedule.maps[0], schedule.maps[-1]
    # what lies between is used again and again
    mask[first.base + first.beats - schedule.origin : last.base - schedule.origin] = 0
    y = run_transform(schedule.chain.transform, x)
    if schedule.program.stages[schedule.chain.last].conv.depth_form:
        y = depth_form(y)
    place = slice(last.base - schedule.origin, last.base + last.beats - schedule.origin)
    behind[place], mask[place] = last.packed(y), last.packed(np.full_like(y, -1))
    return before, behind, mask


def _greeting(kind, manifest):
    """What every host does first: it looks whom it has before it, and resets it."""
    return [
        (_EXPECT, Register.ID, IDS[kind]),
        (_EXPECT, Register.MODEL, int(manifest.hash[:8], 16)),
        (_WRITE, Register.CONTROL, Control.RESET),
        (_UNTIL, Register.STATUS, 0),
    ]


def _ending(cycles):
    return [
        (_INTERRUPT, 0, 0),
        (_EXPECT, Register.STATUS, Status.DONE),
        (_CYCLES, Register.CYCLES, cycles),
    ]


def _hex(words, bits):
    digits = -(-bits // 4)
    return "".join(f"{word:0{digits}x}\n" for word in words)
