"""A compiled link at a TAP device, and a host of this kernel's network, in a namespace of its own, by test_tap.py."""

import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import threading

from licgate.runtime.udp import Udp
from licgate.sim.board import BoardProcess
from licgate.sim.bridge import frames_of
from licgate.sim.cxxrtl import build
from licgate.sim.gmii import HARNESS, packed_frame
from licgate.target.ethernet import EthernetFacts, framed
from tests.gateware.ethernet.linkkit import RETRY, Echo, echoed

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 2, 0x1000
NAME, KEEP = "licgate0", 2


def opened():
    """A TAP device, up, with an address of the board's network."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH14x", NAME.encode(), _IFF_TAP | _IFF_NO_PI))
    for command in (f"address add 169.254.1.1/16 dev {NAME}", f"link set {NAME} up"):
        subprocess.run(["ip", *command.split()], check=True)
    return tap


def carry(tap, board, ends):
    """Carry frames between the device and the model."""
    waiting, out = bytearray(), board.stdout.fileno()
    while not ends.is_set():
        ready = select.select([tap, out], [], [], 0.1)[0]
        if tap in ready:
            board.stdin.write(packed_frame(os.read(tap, 2048)))
        if out in ready:
            waiting += os.read(out, 1 << 16)
            for frame in frames_of(waiting):
                assert framed(frame[:-4]) == frame
                os.write(tap, frame[:-4])


def main():
    """Send bytes through it, and compare."""
    facts, ends = EthernetFacts(), threading.Event()
    program = build(Echo(facts, keep=KEEP, retry=RETRY), HARNESS)
    tap, data = opened(), random.Random(1).randbytes(60_000)
    with BoardProcess([program, "125000", "0"]) as board:
        carrier = threading.Thread(target=carry, args=(tap, board, ends), daemon=True)
        carrier.start()
        link = Udp(facts.ip)
        link.write(data)
        got = b""
        while len(got) < len(data) // KEEP:
            more = link.read(10.0)
            assert more, f"{len(got)} bytes came back"
            got += more
        link.close()
        ends.set()
        carrier.join()
    neighbours = subprocess.run(["ip", "neighbour"], capture_output=True, text=True, check=True).stdout
    assert got == echoed(data, KEEP)
    assert f"{facts.ip} dev {NAME} lladdr {facts.mac.hex(':')}" in neighbours, neighbours
    print("right")


if __name__ == "__main__":
    sys.exit(main())
