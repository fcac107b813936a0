"""The whole accelerator with packed and plain layers against the reference, and its cycles against the model."""

import numpy as np
import pytest

from licgate.gateware.top.resident import Accelerator
from licgate.manifest import Manifest, sealed
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.perf.core import CoreModel
from licgate.perf.predict import GAP
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig
from licgate.target.registers import Register
from tests.gateware.accelerator import check_accelerator, read_register, run_of, start, wait_done, write_register
from tests.gateware.kit import random_stalls, run_simulation, stream_get, stream_put
from tests.manifest.kit import chain
from tests.marks import regress

STREAMS = {"window": 1, "pixel": 2, "latent": 3}

# bits of weights and activations, GDN, channels; array, bits of the multiplier, size; which layers are packed
MODELS = [
    ({"weight_bits": (5, 4), "channels": (3, 4, 5), "gdn": "none"}, (2, 2, None), 18, (5, 9), [1, 1]),
    ({"weight_bits": (5, 8, 4), "channels": (3, 3, 3, 3), "gdn": "abs"}, (3, 2, 1), 18, (7, 6), [1, 0, 0, 0, 1]),
    (
        {"weight_bits": (8, 7), "channels": (2, 5, 4), "activation_bits": (4, 8), "gdn": "square_root"},
        (4, 3, 2),
        18,
        (6, 11),
        [0, 0, 1],
    ),
    ({"weight_bits": (8, 9), "channels": (1, 8, 3), "gdn": "abs", "gdn_bits": 7}, (1, 2, None), 27, (5, 4), [1, 1, 1]),
    ({"weight_bits": 6, "channels": (3, 5, 7), "activation_bits": 6, "gdn": "none"}, (5, 1, 2), 18, (4, 10), [0, 1]),
]


def configured(array, bits, **options):
    rows, cols, lanes = array
    return AcceleratorConfig(rows=rows, cols=cols, lanes=lanes, packing=True, packed_bits=bits, **options)


def picture(size, channels=3, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (channels, *size))


@pytest.mark.parametrize(("model", "array", "bits", "size", "packed"), MODELS)
def test_bit_exact_in_the_predicted_cycles(model, array, bits, size, packed):
    manifest, config = synthetic_manifest(**model, seed=sum(size)), configured(array, bits, max_width=16)
    result = simulate(manifest, config, picture(size, model["channels"][0]), engine="amaranth")
    prediction = predict(manifest, config, size[1], size[0])
    assert [op.packed for op in prediction.program.ops] == packed
    assert result["bit_exact"]
    assert prediction.cycles == result["cycles"]
    assert sum(layer["cycles"] for layer in prediction.layers) == result["counters"]["busy"]
    assert prediction.macs == result["macs"]
    assert prediction.utilization == pytest.approx(result["utilization"])
    assert [layer["products"] for layer in prediction.layers] == [1 + one for one in packed]
    assert max(layer["utilization"] for layer in prediction.layers) <= 1


@pytest.mark.parametrize(("model", "array", "bits", "size", "packed"), [MODELS[1], MODELS[3]])
def test_under_stalls(model, array, bits, size, packed):
    manifest, config = synthetic_manifest(**model, seed=3), configured(array, bits, max_width=16)
    images = [picture(size, model["channels"][0]), picture((3, 2), model["channels"][0], seed=2)]
    check_accelerator(manifest, config, images, stalls=lambda name: random_stalls(STREAMS[name], 0.5))


def four(weights):
    """Four transforms whose layers have these bits of weights, in turn."""
    down, up = (5, 2), (5, -2)
    bits = iter(weights)
    take = lambda count: tuple(next(bits) for _ in range(count))  # noqa: E731
    made = [
        chain("g_a", 3, (*down, 4, "abs"), (*down, 5), bits=(8, 8, 7), weight_bits=take(2), unsigned=True),
        chain("h_a", 5, (3, 1, 4, "relu"), (*down, 3), bits=(7, 8, 6), weight_bits=take(2), absolute=True),
        chain("h_s", 3, (*up, 3, "relu"), (3, 1, 5), bits=(6, 8, 7), weight_bits=take(2)),
        chain("g_s", 5, (*up, 4, "abs"), (*up, 3), bits=(7, 8, 8), weight_bits=take(2)),
    ]
    return sealed(
        Manifest(
            name="four",
            architecture="synthetic",
            latent_fraction_bits=0,
            transforms={transform.name: transform for transform in made},
        )
    )


def values(manifest, name, height, width, seed=0):
    transform = manifest.transforms[name]
    shape = (transform.in_channels, height, width)
    return name, np.random.default_rng(seed).integers(transform.input.min, transform.input.max + 1, shape)


NAMES = ("g_a", "h_a", "h_s", "g_s")


@pytest.mark.parametrize(
    ("weights", "array"), [((5, 8, 4, 5, 6, 8, 5, 4), (3, 2, None)), regress((8, 5, 5, 8, 5, 4, 8, 5), (2, 1, 1))]
)
def test_phases_and_depth_form(weights, array):
    """Transposed convolutions phase by phase, and the last one in depth form: four times the channels."""
    manifest, config = four(weights), configured(array, 18, max_width=16, map_slack=1)
    program = Accelerator(manifest, config, transforms=NAMES).program
    assert program.ops[-1].depth_form
    assert program.ops[-1].packed
    assert any(op.packed and len(op.pass_kinds) == 4 for op in program.ops)
    assert not all(op.packed or op.is_gdn for op in program.ops)
    order = [("g_s", 1, 2), ("g_a", 3, 7), ("h_a", 2, 3), ("h_s", 1, 1), ("g_a", 1, 4)]
    jobs = [values(manifest, *job, seed) for seed, job in enumerate(order)]
    cycles = check_accelerator(manifest, config, jobs, transforms=NAMES)
    model = CoreModel(program, program.chains[0], 4, 1, start=0, kept=(0, 0, 1, 1))
    assert model.done + GAP == cycles


def test_reset_in_mid_stream():
    """In packed and in plain passes; what follows knows nothing of them."""
    manifest, config = four((5, 8, 4, 5, 6, 8, 5, 4)), configured((2, 2, None), 18, max_width=16)
    dut = Accelerator(manifest, config, transforms=NAMES)

    async def host(ctx):
        runs = (("g_a", (5, 6), 150), ("g_s", (1, 2), 90), ("g_a", (5, 6), 400), ("g_a", (3, 5), None))
        for name, size, wait in runs:
            _, x = values(manifest, name, *size)
            patch, [(_, sent)], expected = run_of(config, manifest.transforms[name], x, config.rows)
            await start(ctx, dut.csr, x, patch, transform=name)
            await stream_get(ctx, dut.o_patch)
            for value in sent:
                await stream_put(ctx, dut.i, value)
            if wait is None:
                break
            await ctx.tick().repeat(wait)
            assert await read_register(ctx, dut.csr, Register.STATUS) == 0b001
            await write_register(ctx, dut.csr, Register.CONTROL, 2)
            await ctx.tick()
            assert await wait_done(ctx, dut.csr) == 0
        for value, last in expected:
            found = await stream_get(ctx, dut.o)
            assert (found.value, bool(found.last)) == (value, last)
        assert await wait_done(ctx, dut.csr) == 0b10

    run_simulation(dut, host, limit=20_000)


@pytest.mark.regress
def test_packed_layers_run_at_twice_the_speed():
    """Of weights of 8 bits on the same array: every layer, and the whole run but for its ends."""
    config, found = configured((2, 2, None), 18, max_width=16), {}
    for bits in (8, 5, 4):
        manifest = synthetic_manifest(channels=(3, 8, 8), weight_bits=bits, gdn="none", seed=bits)
        result = simulate(manifest, config, picture((8, 16)), engine="amaranth")
        prediction = predict(manifest, config, 16, 8)
        assert result["bit_exact"]
        assert prediction.cycles == result["cycles"]
        found[bits] = result["cycles"], [layer["cycles"] for layer in prediction.layers]
    for bits in (5, 4):
        assert [2 * cycles for cycles in found[bits][1]] == found[8][1]
        assert found[8][0] / found[bits][0] >= 1.9


@pytest.mark.parametrize("bits", [8, 5])
def test_whole_pictures_by_the_model(bits):
    """The channels of a small codec on an array whose columns divide them; GDN is not packed on 18 bits."""
    options = {"rows": 12, "cols": 12, "max_width": 768, "packing": True, "packed_bits": 18 if bits == 5 else 27}
    made = {}
    for packing in (False, True):
        manifest = synthetic_manifest(channels=(3, 48, 48, 96), weight_bits=bits if packing else 8, seed=1)
        config = AcceleratorConfig(**options | {"packing": packing})
        made[packing] = predict(manifest, config, 192, 128)
    for plain, layer in zip(made[False].layers, made[True].layers):
        assert plain["cycles"] / layer["cycles"] == (2 if layer["kind"] == "conv2d" or bits == 8 else 1)
    assert made[True].utilization <= 1
    ratio = made[False].cycles / made[True].cycles
    assert ratio > (1.95 if bits == 8 else 1.6)
