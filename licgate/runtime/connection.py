"""A device at a port: found out, asked again where that does no harm, and met again after it was unplugged."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import TypeVar

from licgate.errors import DeviceError
from licgate.runtime.address import open_port
from licgate.runtime.device import Conversation, LineError, read_register, reset, wake
from licgate.runtime.identity import Identity, read_identity
from licgate.runtime.link import Link
from licgate.runtime.ports import BAUD, Port, UnpluggedError
from licgate.target.registers import Register

__all__ = ["ATTEMPTS", "Connection"]

_Result = TypeVar("_Result")

#: How often a conversation is begun before the line counts as too bad for it.
ATTEMPTS = 6

#: How often a device that says nothing is asked whether it is there.
_CALLS = 3

#: Seconds for which an unplugged device is waited for, and those between two looks.
_PATIENCE, _LOOK = 20.0, 0.25


def _meeting() -> Conversation[Identity]:
    """End what another host has begun, and ask who is there."""
    yield from reset()
    return (yield from read_identity())


class Connection:
    """A device, awake and known.

    Parameters
    ----------
    address : str
        See :func:`licgate.runtime.address.open_port`.
    baud : int
        Rate of a serial port.
    opened : callable
        Opens the port, again where it was gone.
    note : callable
        Takes a line where something is done again.
    patience : float
        Seconds for which an unplugged device is waited for.

    Raises
    ------
    ConfigError, ToolError
        See `open_port`.
    DeviceError
        Nothing is there, nothing answers, or what answers is no device of licgate's, or of another version.

    Attributes
    ----------
    identity : Identity
    link : Link
        As it is now.
    attempts : int
        Conversations that had to be begun again, so far.
    """

    def __init__(
        self,
        address: str,
        *,
        baud: int = BAUD,
        opened: Callable[[], Port] | None = None,
        note: Callable[[str], object] = lambda line: None,
        patience: float = _PATIENCE,
    ) -> None:
        self.address, self._note, self._patience = address, note, patience
        self._baud, self._open = baud, opened or (lambda: open_port(address, baud=baud))
        self._nonces, self.attempts = Random(), 0
        self.link = Link(self._open())
        try:
            self.identity: Identity = self._met()
        except BaseException:
            self.close()
            raise

    def hold(self, make: Callable[[], Conversation[_Result]]) -> _Result:
        """Hold a conversation, from its beginning as often as the line asks for it.

        Parameters
        ----------
        make : callable
            Makes the conversation anew. It may be broken off anywhere, and has to begin by a reset.

        Raises
        ------
        DeviceError
            It fails whatever the line does, or the line fails it every time.
        """
        last: DeviceError | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                self.attempts += 1
                self._note(f"{last}; begun again, attempt {attempt + 1} of {ATTEMPTS}")
            try:
                if attempt:
                    self._wake()
                return self.link.hold(make())
            except UnpluggedError as error:
                last = error
                self._meet_again(error)
            except LineError as error:
                last = error
        raise DeviceError(
            f"{self.address}: {ATTEMPTS} attempts failed, the last one: {last}; take a shorter or better cable, or "
            "another port, and ask licgate board selftest"
        )

    @property
    def streams(self) -> bool:
        """Pixels go as PIXELS_STREAM, without an ACK each: the way holds them back, and the device takes them."""
        return self.link.port.backpressure and bool(self.identity.link["stream"])

    def close(self) -> None:
        """Give the port back."""
        self.link.port.close()

    def __enter__(self) -> Connection:
        """Leave it as it is."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the port back."""
        self.close()

    def _met(self) -> Identity:
        """Find out what is there."""
        last: DeviceError | None = None
        for _ in range(ATTEMPTS):
            try:
                self._wake()
                return self.link.hold(_meeting())
            except UnpluggedError:
                raise
            except LineError as error:
                last = error
                if not self.link.frames:
                    raise DeviceError(self._stranger()) from None
        raise DeviceError(f"{self.address}: {last}; {ATTEMPTS} attempts failed: take another cable or port")

    def _wake(self) -> None:
        """Bring the link to a known state; the last LineError if it cannot be."""
        for call in range(_CALLS):
            self.link.port.abort()
            self.link.clear()
            try:
                return self.link.hold(wake(self._nonces.getrandbits(32)), noisy=True)
            except LineError:
                if call == _CALLS - 1:
                    self._check_age()
                    raise
        raise AssertionError

    def _check_age(self) -> None:
        """Tell a device that is older than the registers which waking takes."""
        try:
            self.link.clear()
            version = self.link.hold(read_register(Register.PROTOCOL), noisy=True)
        except LineError:
            return
        if not version:
            raise DeviceError(
                "the device was built by a licgate of before this version, which it does not tell apart: build and "
                "load its bitstream again"
            )

    def _stranger(self) -> str:
        """What to say of a port where no frame came from."""
        asked = f" at {self._baud:,} baud" if self.address.startswith(("serial:", "/")) else ""
        if self.address.startswith("usb:"):
            return (
                f"{self.address} does not answer as a device of licgate's does: unplug it and plug it in again, or "
                "load its bitstream again (licgate load BOARD)"
            )
        if not self.link.received:
            if self.address.startswith(("tcp:", "udp:", "pty:")):
                return f"nothing answers at {self.address}: is a board there, and no other program connected to it?"
            return (
                f"nothing answers at {self.address}{asked}: is the bitstream loaded (licgate load BOARD), is it the "
                "right port (licgate board scan), and the right rate (--baud)?"
            )
        return (
            f"what comes from {self.address}{asked} are no frames of licgate (it begins {self.link.head.hex(' ')}): "
            "the rate is another one (--baud), or the device"
        )

    def _meet_again(self, gone: UnpluggedError) -> None:
        """Wait for a device that was unplugged, and make sure that it is the same."""
        self._note(f"{gone}; waiting {self._patience:g} s for it")
        self.link.port.close()
        end = time.monotonic() + self._patience
        while True:
            try:
                self.link = Link(self._open())
                found = self._met()
                break
            except UnpluggedError as error:
                if time.monotonic() > end:
                    raise DeviceError(f"{error}: the device is gone; plug it in and start again") from None
                time.sleep(_LOOK)
        if found != self.identity:
            raise DeviceError(f"another device came back at {self.address}: load the bitstream and start again")
