"""Emulated boards for hosts: a TCP port or a pseudo-terminal, one client after the other."""

import contextlib
import os
import selectors
import socket
import time
import tty

from licgate.errors import ConfigError

__all__ = ["Pty", "Tcp", "make_listener", "serve"]

_CHUNK = 1 << 16
#: Bytes that wait for a client that does not read; a serial port would have lost them long ago.
_MOST_WAITING = 1 << 24
_TELL_SECONDS = 5.0


def make_listener(where):
    """A place where clients find the board.

    Parameters
    ----------
    where : str
        ``tcp:HOST:PORT``, port 0 for any that is free; or ``pty``.

    Raises
    ------
    ConfigError
        It is none of these, or cannot be had.
    """
    kind, _, rest = where.partition(":")
    if kind == "pty" and not rest:
        return Pty()
    host, _, port = rest.rpartition(":")
    if kind != "tcp" or not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"--listen {where!r} is neither tcp:HOST:PORT, such as tcp:127.0.0.1:7878, nor pty")
    return Tcp(host, int(port))


class Tcp:
    """A TCP port; whoever comes while a client is there waits until it has gone.

    Attributes
    ----------
    address : str
        As ``--port`` takes it.
    fileno : int
        Of what is read to know of a client.
    """

    def __init__(self, host, port):
        try:
            self._server = socket.socket()
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._server.bind((host, port))
        except OSError as error:
            raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}: take another port") from None
        self.address = "tcp:{}:{}".format(*self._server.getsockname()[:2])

    def open(self):
        """Let clients come; until then they are refused."""
        self._server.listen(8)

    def fileno(self):
        """Of what becomes readable when a client is there."""
        return self._server.fileno()

    def accept(self):
        """Return a client as (file to read and to write without waiting, function that closes it)."""
        client, _ = self._server.accept()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client.fileno(), client.close

    def close(self):
        """Give the port back."""
        self._server.close()


class Pty:
    """A pseudo-terminal; like a serial port it does not tell one client from the next."""

    def __init__(self):
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.address = f"pty:{os.ttyname(self._slave)}"

    def open(self):
        """See `Tcp.open`: a terminal is there or not."""

    def fileno(self):
        """Of what becomes readable when a client sends."""
        return self._master

    def accept(self):
        """See `Tcp.accept`."""
        return self._master, lambda: None

    def close(self):
        """Give it back."""
        os.close(self._master)
        os.close(self._slave)


def serve(board, listener, say):
    """Carry bytes between clients and a board, until an exception ends it.

    Parameters
    ----------
    board : BoardProcess
    listener : Tcp or Pty
        Open.
    say : callable
        Takes lines of what happens.

    Raises
    ------
    SimulationError
        The board has ended.
    """
    served = 0
    while True:
        with selectors.DefaultSelector() as ready:
            ready.register(listener, selectors.EVENT_READ)
            ready.register(board.stdout, selectors.EVENT_READ)
            while not any(key.fileobj is listener for key, _ in ready.select(timeout=1.0)):
                _drop(board)
        served += 1
        file, close = listener.accept()
        try:
            came, went = _Client(board, file, say).serve()
        finally:
            close()
        say(f"client {served} has gone: {came:,} bytes came, {went:,} went; {board.cycles:,} cycles so far")


def _drop(board):
    """What the board sends while nobody listens is lost, as on a serial port."""
    board.check()
    os.set_blocking(board.stdout.fileno(), False)
    while os.read(board.stdout.fileno(), _CHUNK) if _readable(board.stdout) else b"":
        pass


def _await(ready, file, events):
    """Have a selector wait for events of a file, or for none."""
    if file not in ready.get_map():
        if events:
            ready.register(file, events)
    elif events:
        ready.modify(file, events)
    else:
        ready.unregister(file)


def _readable(file):
    with selectors.DefaultSelector() as ready:
        ready.register(file, selectors.EVENT_READ)
        return bool(ready.select(timeout=0))


class _Client:
    """One client."""

    def __init__(self, board, file, say):
        self._board, self._file, self._say = board, file, say
        self._to_board, self._to_client = bytearray(), bytearray()
        self._came = self._went = 0
        self._told = time.monotonic()
        for pipe in (board.stdin, board.stdout):
            os.set_blocking(pipe.fileno(), False)

    def serve(self):
        """Serve it until it goes; return the bytes that came and went."""
        stdin, stdout = self._board.stdin.fileno(), self._board.stdout.fileno()
        with selectors.DefaultSelector() as ready:
            ready.register(stdout, selectors.EVENT_READ)
            while True:
                reads = selectors.EVENT_READ if len(self._to_board) < _CHUNK else 0
                _await(ready, self._file, reads | bool(self._to_client) * selectors.EVENT_WRITE)
                _await(ready, stdin, bool(self._to_board) * selectors.EVENT_WRITE)
                events = {key.fd: mask for key, mask in ready.select(timeout=1.0)}
                self._board.check()
                if stdout in events:
                    self._to_client += os.read(stdout, _CHUNK)
                    del self._to_client[: max(0, len(self._to_client) - _MOST_WAITING)]
                if not self._exchange(events.get(self._file, 0)):
                    return self._came, self._went
                if events.get(stdin, 0) and self._to_board:
                    with contextlib.suppress(BlockingIOError):
                        del self._to_board[: os.write(stdin, self._to_board)]
                self._tell()

    def _exchange(self, events):
        """Read and write what can be; whether the client is still there."""
        try:
            if events & selectors.EVENT_READ:
                data = os.read(self._file, _CHUNK)
                if not data:
                    return False
                self._came += len(data)
                self._to_board += data
            if events & selectors.EVENT_WRITE and self._to_client:
                written = os.write(self._file, self._to_client)
                self._went += written
                del self._to_client[:written]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def _tell(self):
        if time.monotonic() - self._told > _TELL_SECONDS:
            self._told = time.monotonic()
            self._say(f"{self._came:,} bytes came, {self._went:,} went; {self._board.cycles:,} cycles so far")
