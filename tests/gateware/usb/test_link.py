"""The host link at the lines of a USB cable: registers, pixels, latents, how fast, and hosts that go away."""

import numpy as np
import pytest

from licgate.target.frames import Frame, FrameType, decode_frames, pixel_frames, read_frame, running_sums, write_frame
from licgate.target.registers import Register
from licgate.target.usb import ENDPOINT
from tests.gateware.usb.device import Counter, compiled
from tests.gateware.usb.host import UsbHost, WireProcess

pytestmark = [pytest.mark.needs_usb, pytest.mark.slow, pytest.mark.regress]


@pytest.fixture(scope="module")
def program():
    return compiled(Counter())


@pytest.fixture
def host(program):
    with WireProcess(program) as wire:
        yield UsbHost(wire)


def ask(host, *frames):
    """Send frames at once, and return what is answered to each."""
    host.write(ENDPOINT, b"".join(frames))
    data, got = b"", []
    while len(got) < len(frames):
        more = host.read(ENDPOINT, 4096)
        assert more, f"only {got} came"
        data += more
        got, rest = decode_frames(data)
    assert not rest
    return got


def value(register, number):
    return Frame(FrameType.VALUE, bytes([register]) + number.to_bytes(4, "little"))


ACK_WRITE = Frame(FrameType.ACK, bytes([FrameType.WRITE]))


def test_registers_and_streams_of_pixels_and_latents(host):
    host.enumerate()
    assert ask(host, write_frame(Register.SCRATCH, 77), read_frame(Register.SCRATCH)) == [
        ACK_WRITE,
        value(Register.SCRATCH, 77),
    ]
    pixels = np.random.default_rng(0).integers(0, 256, 3 * 500, dtype=np.uint8).tobytes()
    sums = running_sums(np.frombuffer(pixels, np.uint8).reshape(-1, 3).astype(np.int64) @ np.array([1, 256, 65536]))
    host.write(ENDPOINT, write_frame(Register.HEIGHT, 1) + b"".join(pixel_frames(pixels, FrameType.PIXELS_STREAM)))
    asked = [read_frame(Register.PIXELS_SUMS + k) for k in range(2)]
    assert host.read(ENDPOINT, 64) != b""
    assert ask(host, *asked) == [value(Register.PIXELS_SUMS + k, total) for k, total in enumerate(sums)]
    host.write(ENDPOINT, write_frame(Register.WIDTH, 300))
    data = b""
    while (more := host.read(ENDPOINT, 4096)) and decode_frames(data := data + more)[0][-1:] != []:
        if decode_frames(data)[0][-1].type == FrameType.LATENTS_LAST:
            break
    frames, rest = decode_frames(data)
    assert rest == b""
    assert [frame.type for frame in frames] == [FrameType.ACK, *[FrameType.LATENTS] * 2, FrameType.LATENTS_LAST]
    assert np.frombuffer(b"".join(f.payload for f in frames[1:]), "<i2").tolist() == list(range(300))


@pytest.mark.parametrize(
    ("drift", "skew", "sync"), [(0.0025, False, 4), (-0.0025, True, 4), (0.0, True, 20), (0.001, False, 2)]
)
def test_clocks_that_are_off_and_lines_that_change_apart(drift, skew, sync, program):
    """The host's rate may be off by 0.25 %, D+ and D- change 20 ns apart, the accelerator's clock be 12 MHz or more."""
    with WireProcess(program, sync=sync, drift=drift, skew=skew) as wire:
        host = UsbHost(wire)
        host.enumerate()
        ask(host, write_frame(Register.HEIGHT, 1))
        pixels = np.random.default_rng(1).integers(0, 256, 3 * 300, dtype=np.uint8)
        pixels[:300] = 0xFF
        host.write(ENDPOINT, b"".join(pixel_frames(pixels.tobytes(), FrameType.PIXELS_STREAM)))
        first = running_sums(pixels.reshape(-1, 3).astype(np.int64) @ np.array([1, 256, 65536]))[0]
        host.idle(3000)  # a slow accelerator takes them while the answer to a command goes
        assert ask(host, read_frame(Register.PIXELS_SUMS)) == [value(Register.PIXELS_SUMS, first)]


def test_what_the_accelerator_does_not_take_waits_at_the_host(host):
    host.enumerate()
    frames = b"".join(pixel_frames(bytes(range(255)) * 30, FrameType.PIXELS_STREAM))
    taken = host.write(ENDPOINT, frames, patience=3000)
    assert 15 * 260 < taken < len(frames)
    assert host.naks > 0
    # nothing gets past what waits, until a host begins anew
    host.set_interface()
    assert ask(host, read_frame(Register.PIXELS_SUMS)) == [value(Register.PIXELS_SUMS, 0)]


@pytest.mark.parametrize("how", ["reset", "configure", "set_interface"])
@pytest.mark.parametrize("after", [1, 64, 200, 259, 5000])
def test_a_host_that_dies_leaves_nothing_to_the_next(how, after, host):
    """In a frame, in a packet's worth of frames, with pixels that nobody takes, and latents that nobody reads."""
    host.enumerate()
    ask(host, write_frame(Register.SCRATCH, 5))
    host.write(ENDPOINT, write_frame(Register.WIDTH, 2000), patience=2000)
    host.read(ENDPOINT, 64)
    frames = b"".join(pixel_frames(bytes(range(255)) * 30, FrameType.PIXELS_STREAM))
    host.write(ENDPOINT, frames[:after], patience=2000)
    {"reset": host.enumerate, "configure": lambda: host.configure(1), "set_interface": host.set_interface}[how]()
    resets = ask(host, read_frame(Register.SCRATCH), read_frame(Register.ID))
    assert resets[0] == value(Register.SCRATCH, 5)
    assert resets[1].payload[1] >= 1
    # and the accelerator has forgotten its latents
    assert host.read(ENDPOINT, 64, patience=3000) == b""


def test_pixels_go_in_at_a_million_bytes_a_second_and_more(host):
    """At the pins, of pixels alone: frames' heads and CRCs, tokens, handshakes and starts of frames taken off."""
    host.enumerate()
    ask(host, write_frame(Register.HEIGHT, 1))
    host.idle(12_000 - host.now % 12_000)
    pixels = np.random.default_rng(2).integers(0, 256, 3 * 1700, dtype=np.uint8).tobytes()
    begun, naks = host.now, host.naks
    host.write(ENDPOINT, b"".join(pixel_frames(pixels, FrameType.PIXELS_STREAM)))
    rate = len(pixels) / ((host.now - begun) / 12e6) / 1e6
    assert host.naks == naks
    assert 1.0 <= rate <= 1.216, f"{rate:.3f} MB/s"
    print(f"{rate:.3f} MB/s of pixels")
