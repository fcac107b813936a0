"""The patch scheduler against the patches of `licgate.manifest.patches`."""

import pytest

from licgate.gateware.resident.patch import PatchScheduler
from licgate.manifest.patches import margins, patches
from licgate.manifest.synthetic import synthetic_manifest
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get
from tests.gateware.waves import trace

SETTINGS = ("width", "height", "patch_width", "patch_height", "overlap", "independent")
CORE = ("core_width", "core_height", "skip_x", "skip_y", "keep_width", "keep_height")


def transform(kind):
    channels, options = {
        "one 5x5": ((1, 1), {}),
        "two 5x5": ((1, 1, 1), {"gdn": "abs"}),
        "four 5x5": ((1,) * 5, {"gdn": "none"}),
        "two 3x3": ((1, 1, 1), {"kernel": 3, "gdn": "none"}),
        "7x7 and 3x3": ((1, 1, 1), {"kernel": (7, 3), "gdn": "none"}),
        "stride 1": ((1, 1), {"stride": 1, "kernel": 3}),
    }[kind]
    return synthetic_manifest(channels=channels, **options).g_a


def images(stride):
    """(width, height, patch_width, patch_height, overlap, independent)."""
    s = stride
    margin = [
        (1, 1, s, s),
        (5 * s, 3 * s, s, s),
        (5 * s - 1, 3 * s + 1, 2 * s, s),
        (7 * s + 3, 2 * s - 1, 3 * s, 2 * s),
        (4 * s, 4 * s, 4 * s, 4 * s),
        (4 * s + 1, 4 * s, 4 * s, 8 * s),
        (6 * s - 1, 5 * s, 3 * s, 16 * s),
        (9 * s, s, s, s),
    ]
    whole = [
        (13, 9, 5, 4, 0, 1),
        (13, 9, 5, 4, 3, 1),
        (13, 9, 5, 5, 4, 1),
        (12, 10, 6, 5, 0, 1),
        (4, 7, 4, 7, 3, 1),
        (3, 2, 8, 8, 7, 1),
        (17, 1, 4, 4, 1, 1),
        (9, 9, 1, 1, 0, 1),
    ]
    return [(*image, 0, 0) for image in margin] + whole


def expected_of(image, transform):
    width, height, patch_width, patch_height, overlap, independent = image
    return patches(
        width,
        height,
        patch_width=patch_width,
        patch_height=patch_height,
        transform=transform,
        independent=bool(independent),
        overlap=overlap,
    )


@pytest.mark.parametrize("p", [0.0, 0.5])
@pytest.mark.parametrize("kind", ["one 5x5", "two 5x5", "four 5x5", "two 3x3", "7x7 and 3x3", "stride 1"])
def test_walk_is_that_of_the_manifest(kind, p):
    g_a = transform(kind)
    dut = PatchScheduler(g_a, max_width=[4095])
    starts = []

    async def host(ctx):
        stalls = random_stalls(1, p)
        for image in images(g_a.stride):
            assert ctx.get(dut.done)
            for name, value in zip(SETTINGS, image, strict=True):
                ctx.set(getattr(dut, name), value)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for want in expected_of(image, g_a):
                got = await stream_get(ctx, dut.o_patch, stalls=stalls)
                assert not ctx.get(dut.done)
                assert (got.x, got.y, got.width, got.height) == (want.x, want.y, want.width, want.height), image
            await ctx.tick().until(dut.done)
            assert not ctx.get(dut.error)

    async def core(ctx):
        """Stand in for the core: check the settings while it works and be done after a while."""
        delays = random_stalls(2, p)
        wanted = [patch for image in images(g_a.stride) for patch in expected_of(image, g_a)]
        ctx.set(dut.core_done, 1)
        for want in wanted:
            await ctx.tick().until(dut.core_start)
            ctx.set(dut.core_done, 0)
            starts.append(want)
            held = (want.width, want.height, want.skip_x, want.skip_y, want.out_width, want.out_height)
            for stall in delays:
                assert tuple(ctx.get(getattr(dut, name)) for name in CORE) == held
                await ctx.tick()
                if not stall:
                    break
            ctx.set(dut.core_done, 1)

    flow = monitor(dut.o_patch, "o_patch")
    run_simulation(dut, host, core, monitors=[flow], limit=20_000)
    assert flow.transfers == len(starts) == sum(len(expected_of(image, g_a)) for image in images(g_a.stride))


def test_margins_are_those_of_four_convolutions():
    assert margins(transform("four 5x5")) == (2, 1)
    assert margins(transform("stride 1")) == (1, 1)


def run_once(image, *, max_width=100, cycles=40, resets=(), starts=(0,), kind="one 5x5"):
    dut = PatchScheduler(transform(kind), max_width=[max_width])

    def drive(cycle, _records):
        return {**dict(zip(SETTINGS, image)), "start": cycle in starts, "o_patch.ready": 1, "core_done": 1}

    return trace(
        dut, drive, ["o_patch.valid", "o_patch.payload", "core_start", "done", "error"], cycles=cycles, resets=resets
    )


@pytest.mark.parametrize("work", [1, 2, 10])
def test_nine_cycles_a_patch_from_done_to_start(work):
    dut = PatchScheduler(transform("one 5x5"), max_width=[100])

    def drive(cycle, records):
        busy = any(s.core_start for s in records[-work:])
        sizes = dict(zip(SETTINGS, (6, 4, 2, 2, 0, 0)))
        return {**sizes, "start": cycle == 0, "o_patch.ready": 1, "core_done": not busy}

    seen = trace(dut, drive, ["o_patch.valid", "core_start", "done"], cycles=130)
    windows = [t for t, s in enumerate(seen) if s.o_patch_valid]
    assert windows == [7 + (9 + 1 + work) * k for k in range(6)]
    assert [t for t, s in enumerate(seen) if s.core_start] == [t + 1 for t in windows]
    assert [t for t, s in enumerate(seen) if not s.done] == list(range(1, windows[-1] + work + 4))


@pytest.mark.parametrize(
    ("image", "max_width"),
    [
        ((0, 4, 2, 2, 0, 0), 100),
        ((4, 0, 2, 2, 0, 0), 100),
        ((4, 4, 0, 2, 0, 0), 100),
        ((4, 4, 2, 0, 0, 1), 100),
        ((4, 4, 2, 2, 2, 1), 100),
        ((4, 4, 3, 2, 2, 1), 100),
        ((9, 2, 4, 4, 0, 1), 3),
        ((50, 2, 48, 2, 0, 0), 48),
    ],
)
def test_an_image_that_makes_no_sense_is_given_up(image, max_width):
    seen = run_once(image, max_width=max_width)
    assert not any(s.o_patch_valid or s.core_start for s in seen)
    assert [s.error for s in seen] == [0] * 7 + [1] * 33
    assert all(s.done for s in seen[7:])


def test_the_widest_window_is_allowed():
    seen = run_once((50, 2, 48, 2, 0, 0), max_width=50)
    assert not any(s.error for s in seen)
    assert next(s.o_patch_payload.width for s in seen if s.o_patch_valid) == 50


def test_an_error_lasts_until_the_next_start():
    dut = PatchScheduler(transform("one 5x5"), max_width=[100])
    image = {"patch_width": 2, "patch_height": 2, "height": 2, "o_patch.ready": 1, "core_done": 1}
    steps = [{**image, "width": 0, "start": 1}, {"start": 0}] + [{}] * 8 + [{"width": 2, "start": 1}, {"start": 0}]
    seen = trace(dut, steps, ["error", "core_start"], cycles=30)
    assert [t for t, s in enumerate(seen) if s.error] == [7, 8, 9, 10]
    assert sum(s.core_start for s in seen) == 1


def test_reset_in_the_middle_of_an_image():
    seen = run_once((6, 4, 2, 2, 0, 0), cycles=90, resets={19}, starts=(0, 22))
    assert not seen[19].done
    assert all(s.done and not s.o_patch_valid for s in seen[20:23])
    got = [(s.o_patch_payload.x, s.o_patch_payload.y) for s in seen[22:] if s.o_patch_valid]
    assert got == [(p.x, p.y) for p in expected_of((6, 4, 2, 2, 0, 0), transform("one 5x5"))]


def test_the_stride_must_be_a_power_of_two():
    g_a = synthetic_manifest(channels=(1, 1), stride=3).g_a
    with pytest.raises(ValueError, match=r"^stride must be a power of two, not 3$"):
        PatchScheduler(g_a, max_width=[64])


@pytest.mark.parametrize("max_width", [0, -1, 65536, 3.5, None])
def test_max_width_is_checked(max_width):
    with pytest.raises(ValueError, match=f"^max_width must be an integer from 1 to 65535, not {max_width!r}$"):
        PatchScheduler(transform("one 5x5"), max_width=[64, max_width])


@pytest.mark.parametrize(("chain", "width", "fits"), [(0, 6, True), (0, 7, False), (1, 9, True), (1, 10, False)])
def test_a_feature_map_is_one_window_and_each_chain_has_its_width(chain, width, fits):
    """Where nothing is cut there are no margins, and a patch of the map's own size, whatever that is, is all of it."""
    dut = PatchScheduler(None, max_width=[6, 9])
    steps = [
        {
            "chain": chain,
            "width": width,
            "height": 3,
            "patch_width": width,
            "patch_height": 3,
            "start": 1,
            "o_patch.ready": 1,
            "core_done": 1,
        },
        {"start": 0},
    ]
    seen = trace(dut, steps, ["o_patch.valid", "o_patch.payload", "error", *CORE], cycles=30)
    windows = [s.o_patch_payload for s in seen if s.o_patch_valid]
    assert [(w.x, w.y, w.width, w.height) for w in windows] == [(0, 0, width, 3)] * fits
    assert seen[-1].error == (not fits)
    assert tuple(getattr(seen[-1], name) for name in CORE) == (width, 3, 0, 0, width, 3)


def test_a_whole_feature_map_beside_patches_has_no_margins():
    """With the margins of g_a in the scheduler, a patch of the map's size still ends where the map does."""
    dut = PatchScheduler(transform("four 5x5"), max_width=[100, 100])
    steps = [
        {
            "chain": 1,
            "width": 7,
            "height": 5,
            "patch_width": 7,
            "patch_height": 5,
            "start": 1,
            "o_patch.ready": 1,
            "core_done": 1,
        },
        {"start": 0},
    ]
    seen = trace(dut, steps, ["o_patch.valid", "o_patch.payload", "core_width", "core_height"], cycles=30)
    windows = [s.o_patch_payload for s in seen if s.o_patch_valid]
    assert [(w.x, w.y, w.width, w.height) for w in windows] == [(0, 0, 7, 5)]
    assert (seen[-1].core_width, seen[-1].core_height) == (7, 5)
