"""The host program of an accelerator with its memories on the chip, over the link in simulation."""

import numpy as np
import pytest

from licgate.errors import DeviceError
from licgate.gateware.top.resident import Accelerator
from licgate.manifest.synthetic import synthetic_manifest
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.runtime import resident
from licgate.runtime.device import identify
from licgate.target.config import AcceleratorConfig
from licgate.target.link import LinkFacts
from licgate.target.registers import Kind, Register
from tests.gateware.accelerator import pack, run_of
from tests.gateware.linked import LinkedBench, linked
from tests.sim.kit import tiny_codec

CONFIG = AcceleratorConfig(rows=3, cols=4, max_width=16)


def settings(name, x, size):
    return {
        Register.TRANSFORM: TRANSFORM_NAMES.index(name),
        Register.WIDTH: x.shape[2],
        Register.HEIGHT: x.shape[1],
        Register.PATCH_WIDTH: size[0],
        Register.PATCH_HEIGHT: size[1],
        Register.MODE: 0,
        Register.OVERLAP: 0,
    }


def ran(manifest, name, x, patch=None):
    """Words and settings of a run, and what must come of it."""
    size, patches, expected = run_of(CONFIG, manifest.transforms[name], x, CONFIG.rows, patch=patch)
    words = pack(x, 8) if name == "g_a" else np.array(patches[0][1])
    return words, settings(name, x, size), [window for window, _ in patches], expected


@pytest.mark.parametrize(("seed", "stream"), [(None, True), (3, False)])
def test_a_picture_in_patches_and_a_map_behind_it(seed, stream):
    manifest = tiny_codec()
    accelerator = Accelerator(manifest, CONFIG, transforms=["g_a", "h_s"])
    bench = LinkedBench(linked(accelerator, facts=LinkFacts(stream=stream)), seed=seed)
    coin = np.random.default_rng(1)
    h_s = manifest.transforms["h_s"]
    runs = [
        ran(manifest, "g_a", coin.integers(0, 256, (3, 4, 14)), patch=8),
        ran(manifest, "h_s", coin.integers(h_s.input.min, h_s.input.max + 1, (h_s.in_channels, 2, 1))),
    ]
    assert len(runs[0][2]) > 1

    async def host(ctx):
        for words, registers, patches, expected in runs:
            outcome = await bench.talk(ctx, resident.run(words, registers, model=manifest.hash, stream=stream))
            assert [tuple(window) for window in outcome.patches.tolist()] == patches
            assert outcome.latents.tolist() == [value for value, _ in expected]
            ends = [k + 1 for k, (_, last) in enumerate(expected) if last]
            assert (np.flatnonzero(outcome.lasts) + 1).tolist() == ends
            assert outcome.counters["cycles"] > outcome.counters["busy"] > 0
            assert outcome.counters["stall_input"] > 0

    bench.run(host, limit=80_000)


def test_what_goes_wrong_is_told_in_a_line():
    manifest = synthetic_manifest(channels=(3, 3), seed=2)
    bench = LinkedBench(linked(Accelerator(manifest, CONFIG)))
    assert tuple(probe.name for probe in bench.board.accelerator.watchdog.probes) == resident.STREAM_NAMES
    words, registers, _, expected = ran(manifest, "g_a", np.zeros((3, 5, 6), dtype=int))

    async def host(ctx):
        def altered(**values):
            return resident.run(words, registers | {Register[name.upper()]: value for name, value in values.items()})

        for wrong, message in (
            (identify(Kind.SDRAM), r"^the device's ID is 0x4c494347, an accelerator with external memory has 0x4c4943"),
            (resident.run(words, registers, model="0" * 64), r"was built for model .*, not 00000000: load that mod"),
            (altered(width=0), r"^the accelerator refused the run: a size is zero "),
            (altered(transform=3), r"^the accelerator refused the run: "),
            # shorter than a frame of pixels takes on the line
            (altered(watchdog=60), r"^the accelerator hung; patches waits for data, pixels waits for data, "),
        ):
            with pytest.raises(DeviceError, match=message):
                await bench.talk(ctx, wrong)
            await ctx.tick().repeat(1500)
            bench.received.clear()
        outcome = await bench.talk(ctx, altered(watchdog=0))
        assert outcome.latents.tolist() == [value for value, _ in expected]

    bench.run(host, limit=60_000)
