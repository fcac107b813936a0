"""UDP: boards with an Ethernet link, and emulated ones; whatever the network loses or doubles is put right here."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from random import SystemRandom

from licgate.errors import DeviceError
from licgate.runtime.ports import Port, UnpluggedError
from licgate.runtime.session import HostEnd, State
from licgate.target.datagrams import PORT

__all__ = ["Udp"]

#: Bytes that may be on their way to the device before `Udp.write` waits.
_BACKLOG = 1 << 17

#: Longest payload there is, and datagrams that are taken before something is sent.
_PAYLOAD, _BATCH = 1 << 16, 64


class Udp(Port):
    """A device at a UDP port.

    Parameters
    ----------
    host : str
    port : int

    Raises
    ------
    UnpluggedError
        Nothing answers there.
    """

    # an emulated board takes its time
    deadline = 5.0

    def __init__(self, host: str, port: int = PORT) -> None:
        self.address = f"udp:{host}" + (f":{port}" if port != PORT else "")
        self._end = HostEnd(SystemRandom().getrandbits(32))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.connect((host, port))
            self._open()
        except OSError as error:
            self._socket.close()
            raise self._gone(error) from None
        except BaseException:
            self._socket.close()
            raise

    def write(self, data: bytes) -> None:
        """See `Port.write`.

        Raises
        ------
        DeviceError
            Another program has taken the device.
        """
        self._end.offer(data)
        self._pump(0)
        left, end = self._end.backlog, time.monotonic() + self.deadline
        while self._end.backlog > _BACKLOG:
            self._pump(end - time.monotonic())
            if self._end.backlog < left:
                left, end = self._end.backlog, time.monotonic() + self.deadline
            elif time.monotonic() >= end:
                raise UnpluggedError(f"{self.address} takes no bytes")

    def read(self, timeout: float) -> bytes:
        """See `Port.read`.

        Raises
        ------
        DeviceError
            Another program has taken the device.
        """
        end = time.monotonic() + timeout
        while True:
            self._pump(end - time.monotonic())
            data = self._end.taken()
            if data or time.monotonic() >= end:
                return data

    def close(self) -> None:
        """See `Port.close`."""
        with contextlib.suppress(OSError):
            if self._end.state is State.OPEN:
                self._socket.send(self._end.farewell())
        self._socket.close()

    def _open(self) -> None:
        """Wait until the session is open."""
        end = time.monotonic() + self.deadline
        while self._end.state is State.OPENING:
            self._pump(end - time.monotonic())
            if time.monotonic() >= end:
                raise UnpluggedError(
                    f"{self.address} does not answer: is it on, its link at 1000 Mbit/s, and has this machine an "
                    "address in its network (ip address)?"
                )

    def _pump(self, timeout: float) -> None:
        """Send what is due, and take what comes; wait no longer than ``timeout`` for something to happen."""
        try:
            now = time.monotonic()
            self._send(now)
            wait = max(0.0, min(timeout, self._end.next_at(now) - now))
            if select.select([self._socket], [], [], wait)[0]:
                self._receive()
            self._send(time.monotonic())
        except OSError as error:
            raise self._gone(error) from None
        if self._end.state is State.CLOSED:
            raise UnpluggedError(f"{self.address} knows nothing of this session: it was switched off, or loaded anew")
        if self._end.state is State.TAKEN:
            raise DeviceError(f"another program has begun to talk to {self.address}: a device talks to one at a time")

    def _send(self, now: float) -> None:
        for payload in self._end.due(now):
            self._socket.send(payload)

    def _receive(self) -> None:
        for _ in range(_BATCH):
            try:
                payload = self._socket.recv(_PAYLOAD, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            self._end.receive(payload, time.monotonic())

    def _gone(self, error: OSError) -> UnpluggedError:
        reason = error.strerror or str(error)
        return UnpluggedError(f"{self.address}: {reason[:1].lower()}{reason[1:]}")
