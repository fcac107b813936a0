"""What is asked of the library behind numpy's matrix products: exact sums, and one thread at a time.

The products here are small, one per row of an output, and threads of the library's own cost more than they give (four
times the time on a busy machine). What is parallel are the tiles of a feature map.
"""

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from licgate.errors import ConfigError

__all__ = ["check_products", "one_thread"]

# how the builds of OpenBLAS that numpy is linked with name a function
SPELLINGS = ("scipy_{}64_", "scipy_{}", "{}64_", "{}")

_lock = threading.Lock()
_users = 0
_threads_before = 1


@lru_cache(maxsize=1)
def check_products() -> None:
    """Raise ConfigError if matrix products of small integers are not exact, as in a reduced-precision mode.

    The largest sums come close to 2**24, what float32 holds.
    """
    random = np.random.default_rng(0)
    a, b = random.integers(-127, 128, (32, 256)), random.integers(0, 512, (256, 32))
    b[:, 0] = 511
    a[0] = 127
    for kind in (np.float32, np.float64):
        if (np.matmul(a.astype(kind), b.astype(kind)) != np.matmul(a, b)).any():
            raise ConfigError(
                f"numpy's {kind.__name__} matrix products are not exact here; switch its library's "
                "reduced precision off, or install numpy from its own wheels"
            )


@lru_cache(maxsize=1)
def thread_controls() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Return OpenBLAS's functions (get, set) for the number of its threads, or None where numpy has another library."""
    try:
        # a library's handle finds what it is linked with, too
        library = ctypes.CDLL(np.linalg._umath_linalg.__file__)
    except (AttributeError, OSError):
        return None
    for spelling in SPELLINGS:
        get, put = (getattr(library, spelling.format(f"openblas_{verb}_num_threads"), None) for verb in ("get", "set"))
        if get and put:
            put.argtypes, put.restype = [ctypes.c_int], None
            return get, put
    return None


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenBLAS to one thread until the last of those who asked is done; does nothing for another library."""
    global _users, _threads_before
    controls = thread_controls()
    if controls is None:
        yield
        return
    get, put = controls
    with _lock:
        _users += 1
        if _users == 1:
            _threads_before = get()
            put(1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                put(_threads_before)
