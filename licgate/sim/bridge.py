"""Emulated boards with an Ethernet port, for hosts of this machine: a UDP port that stands for the network."""

import contextlib
import os
import select
import socket
import time

from licgate.errors import ConfigError
from licgate.sim.gmii import RECORD, packed_frame
from licgate.target.datagrams import PORT
from licgate.target.ethernet import Place, framed, udp_frame, udp_of

__all__ = ["UdpBridge", "frames_of"]

_CHUNK = 1 << 16
_TELL_SECONDS = 5.0


class UdpBridge:
    """A UDP port of this machine in front of an emulated board: what it gets goes to the board in frames, and back.

    Parameters
    ----------
    where : str
        ``udp:HOST[:PORT]``, port 0 for any that is free.

    Attributes
    ----------
    address : str
        As ``--port`` takes it.

    Raises
    ------
    ConfigError
        It is no such address, or cannot be had.
    """

    def __init__(self, where):
        kind, _, rest = where.partition(":")
        host, _, port = rest.partition(":")
        port = port or str(PORT)
        if kind != "udp" or not host or not port.isdecimal() or int(port) > 65535:
            raise ConfigError(f"--listen {where!r} is not udp:HOST[:PORT], such as udp:127.0.0.1, for an Ethernet link")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, int(port)))
        except OSError as error:
            self._socket.close()
            raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}: take another port") from None
        host, port = self._socket.getsockname()
        self.address = f"udp:{host}:{port}"

    def open(self):
        """See :meth:`licgate.sim.serve.Tcp.open`: a datagram that nobody takes is lost."""

    def close(self):
        """Give the port back."""
        self._socket.close()

    def serve(self, board, facts, say):
        """Carry datagrams between hosts and a board, until an exception ends it.

        Parameters
        ----------
        board : BoardProcess
            Of the harness ``gmii.cpp``, not paced.
        facts : EthernetFacts
        say : callable
            Takes lines of what happens.

        Raises
        ------
        SimulationError
            The board has ended.
        """
        came = went = 0
        told, waiting = time.monotonic(), bytearray()
        while True:
            ready = select.select([self._socket, board.stdout], [], [], 1.0)[0]
            board.check()
            if self._socket in ready:
                payload, (host, port) = self._socket.recvfrom(_CHUNK)
                came += len(payload)
                board.stdin.write(packed_frame(self._frame(payload, host, port, facts)))
            if board.stdout in ready:
                waiting += os.read(board.stdout.fileno(), _CHUNK)
                for frame in frames_of(waiting):
                    went += self._deliver(frame)
            if (came or went) and time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                say(f"{came:,} bytes came, {went:,} went; {board.cycles:,} cycles so far")

    @staticmethod
    def _frame(payload, host, port, facts):
        """A frame as the host's network would have sent it."""
        ip = socket.inet_aton(host)
        return udp_frame(Place(b"\x0a\x00" + ip, ip, port), facts.place, payload)

    def _deliver(self, frame):
        """Hand the payload of a frame from the board to whom it is for; how many bytes it has."""
        found = udp_of(frame[:-4]) if framed(frame[:-4]) == frame else None
        if found is None:
            return 0
        _, target, payload = found
        # a host that has gone is none of the board's business
        with contextlib.suppress(OSError):
            self._socket.sendto(payload, (socket.inet_ntoa(target.ip), target.port))
        return len(payload)


def frames_of(waiting):
    """Take whole records from the front of what the harness has written; their frames."""
    frames, at = [], 0
    while len(waiting) >= at + RECORD.size:
        _, length = RECORD.unpack_from(waiting, at)
        if len(waiting) < at + RECORD.size + length:
            break
        frames.append(bytes(waiting[at + RECORD.size : at + RECORD.size + length]))
        at += RECORD.size + length
    del waiting[:at]
    return frames
