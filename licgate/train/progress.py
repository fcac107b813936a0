"""What a run says while it works: a line for people, a JSON line for programs."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

from licgate.errors import TrainingError


def _kept_lines(log: Path, iteration: int) -> list[str]:
    """Lines of an earlier part of the run; those after its last checkpoint will be written again."""
    kept = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)["iteration"] <= iteration:
                kept.append(line + "\n")
        except (ValueError, TypeError, KeyError):  # cut off when the run was killed
            continue
    return kept


class Progress:
    """Means over the last steps, to stderr and to ``<out>.jsonl``.

    The log is opened at once, so that a folder that cannot be written is known before the first step.

    Parameters
    ----------
    out : Path
        The checkpoint.
    iteration : int
        Where the run starts.
    every : int
        Steps between lines.
    quiet : bool
        Leave out the lines for people.
    silent : bool
        Write no log either.

    Raises
    ------
    TrainingError
        When the folder cannot be written.
    """

    def __init__(self, out: Path, *, iteration: int, every: int, quiet: bool, silent: bool = False) -> None:
        self.every, self.quiet = max(every, 1), quiet or silent
        self._sums: dict[str, float] = {}
        self._since, self._at = iteration, time.monotonic()
        self._file = None
        if silent:
            return
        log = out.with_name(f"{out.name}.jsonl")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            kept = _kept_lines(log, iteration) if iteration and log.exists() else []
            self._file = log.open("w", encoding="utf-8")
            self._file.writelines(kept)
            self._file.flush()
        except OSError as error:
            raise TrainingError(f"checkpoint {out} cannot be written: {error.strerror or error}") from None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def say(self, line: str) -> None:
        """Tell people."""
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)

    def add(self, values: dict[str, float], *, iteration: int, elapsed_s: float, done: float, lr: float) -> None:
        """Count a step in; every so often, and behind the last one, write the means of the last steps."""
        for key, value in values.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
        if iteration % self.every and done < 1:
            return
        now = time.monotonic()
        count = iteration - self._since
        mean = {key: value / count for key, value in self._sums.items()}
        speed = count / max(now - self._at, 1e-9)
        psnr = -10 * math.log10(max(mean["mse"], 1e-20))
        record = {"iteration": iteration, **mean, "psnr": psnr, "it_s": speed, "lr": lr, "elapsed_s": elapsed_s}
        if self._file is not None:
            self._file.write(json.dumps({key: round(value, 7) for key, value in record.items()}) + "\n")
            self._file.flush()
        left = elapsed_s / done - elapsed_s if done else math.inf
        self.say(
            f"{iteration:8d}  loss {mean['loss']:.4f}  {mean['bpp']:.4f} bpp  {psnr:.2f} dB  "
            f"{speed:.1f} it/s  {left / 60:.1f} min left"
        )
        self._sums, self._since, self._at = {}, iteration, now
