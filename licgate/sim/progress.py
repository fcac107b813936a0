"""Progress of a simulation."""

import time

__all__ = ["Bars", "Progress"]


class Progress:
    """A line of progress: overwritten on a terminal, now and then a line of its own elsewhere."""

    def __init__(self, stream, what="latents", every=20.0, done="simulated"):
        self._stream, self._what, self._every, self._verb = stream, what, every, done
        self._shown = time.monotonic()

    def __call__(self, done, total):
        """Show how many of how many are done, if it is time."""
        text = f"{self._verb} {done} of {total} {self._what} ({100 * done // max(1, total)} %)"
        if self._stream.isatty():
            print(f"\r{text}", end="\n" if done >= total else "", file=self._stream, flush=True)
        elif time.monotonic() - self._shown > self._every:
            self._shown = time.monotonic()
            print(text, file=self._stream, flush=True)


class Bars:
    """Progress of transforms that run one after the other: called with (transform, so far, in all).

    Parameters
    ----------
    stream : text file
    counts : str
        What the gateware counts: values or cycles.
    done : str
        What is done to them.
    """

    def __init__(self, stream, counts, done="simulated"):
        self._stream, self._counts, self._bars, self._verb = stream, counts, {}, done

    def __call__(self, name, done, total):
        """Show how far a transform has come, if it is time."""
        if name not in self._bars:
            self._bars[name] = Progress(self._stream, f"{self._counts} of {name}", done=self._verb)
        self._bars[name](done, total)
