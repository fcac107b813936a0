"""A host that is late at random: the same one in every engine."""

from licgate.errors import ConfigError

__all__ = ["STREAMS", "Coin", "Gate", "seeds"]

#: Streams of the host that are late, each with a coin of its own.
STREAMS = ("pixels", "patches", "latents")

_MASK = 0xFFFFFFFF


def seeds(seed):
    """States that the coins of a seed begin with, none of them 0.

    Raises
    ------
    ConfigError
        The seed is not an integer from 0 to 2³² − 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _MASK:
        raise ConfigError(f"seed {seed!r} of the faults is not an integer from 0 to {_MASK}")
    return [((seed * 0x9E3779B1 + (k + 1) * 0x85EBCA6B) & _MASK) or 1 for k in range(len(STREAMS))]


class Coin:
    """Marsaglia's xorshift of 32 bits.

    Parameters
    ----------
    state : int
        Not 0.
    """

    def __init__(self, state):
        self._state = state

    def pause(self):
        """Cycles of the next pause: mostly 0 to 3, once in 32 times up to 511."""
        x = self._state
        x ^= x << 13 & _MASK
        x ^= x >> 17
        x ^= x << 5 & _MASK
        self._state = x
        return x >> 5 & 3 if x & 31 else x >> 5 & 511


class Gate:
    """Readiness of a host that takes: open for a cycle, then closed for a pause.

    Parameters
    ----------
    coin : Coin
    """

    def __init__(self, coin):
        self._coin, self._closed = coin, 0

    def tick(self):
        """Whether the host is ready in the next cycle."""
        if self._closed:
            self._closed -= 1
            return False
        self._closed = self._coin.pause()
        return True
