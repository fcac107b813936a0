"""The trials of a search, each written down as soon as it is known, so that a search that was killed goes on."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from licgate.errors import TrainingError
from licgate.train.quant.widths import Widths
from licgate.train.search.sensitivity import Coordinate, Evaluator, width_of

FORMAT = "licgate-trials-1"


class Trials:
    """Ask an evaluator, but nothing twice.

    A search is a function of the answers alone: with those on file it takes the same way again, in no time, and goes
    on. Where answers come after fine-tuning they are remembered together with the configuration that was kept last,
    from whose weights it started.

    Parameters
    ----------
    evaluator : Evaluator
    every : sequence of Coordinate
        All widths that tell one configuration from another.
    path : path or None
        File of the answers; one that exists is carried on.
    iterations : int
        Of fine-tuning before each answer; 0 for none.
    report : callable or None
        Gets a line for every trial.

    Raises
    ------
    TrainingError
        The file is damaged, or of another model, data or settings.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        every: Sequence[Coordinate],
        *,
        path: str | Path | None = None,
        iterations: int = 0,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.evaluator, self.iterations, self._report = evaluator, iterations, report
        self._every = list(every)
        self._path = Path(path) if path is not None else None
        self._settings = {
            **evaluator.settings,
            "finetune_iterations": iterations,
            "reference": list(evaluator.reference),
            "widths": [str(c) for c in self._every],
        }
        self.asked, self._kept = 0, ""
        self._known: dict[str, float | None] = self._read()

    def ask(self, widths: Widths) -> float:
        """Loss of a configuration, infinite where it cannot be had."""
        if not self.iterations:
            return self.glance(widths)
        return self._answer(
            f"{self._key(widths)} from {self._kept}", lambda: self.evaluator.finetune(widths, self.iterations)
        )

    def glance(self, widths: Widths) -> float:
        """Loss of a configuration without fine-tuning, to see what is worth it."""
        key = self._key(widths)
        return self._answer(f"{key} at {self._kept}" if self.iterations else key, lambda: self.evaluator.loss(widths))

    def keep(self, widths: Widths) -> None:
        """Go on from these widths and the weights that were fine-tuned for them."""
        self.evaluator.keep(widths)
        self._kept = self._key(widths)

    def _key(self, widths: Widths) -> str:
        return " ".join(str(width_of(widths, c)) for c in self._every)

    def _answer(self, key: str, find: Callable[[], float]) -> float:
        if key not in self._known:
            loss = find()
            self._known[key] = loss if math.isfinite(loss) else None
            self.asked += 1
            self._write()
        loss = self._known[key]
        return math.inf if loss is None else loss

    def say(self, line: str) -> None:
        """Report a line of progress."""
        if self._report:
            self._report(f"[{len(self._known)}] {line}")

    def __len__(self) -> int:
        return len(self._known)

    def table(self) -> list[dict]:
        """List all trials in the order in which they were made: widths as one number a coordinate, and loss."""
        rows = []
        for key, loss in self._known.items():
            bits = re.split(" (?:from|at) ", key)[0].split()
            rows.append({"widths": [int(b) for b in bits], "tuned": " from " in key, "loss": loss})
        return rows

    def _read(self) -> dict:
        if self._path is None or not self._path.exists():
            return {}
        where = f"trials file {self._path}"
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            known = dict(content["trials"]) if content["format"] == FORMAT else None
        except OSError as error:
            raise TrainingError(f"{where} cannot be read: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError):
            known = None
        if known is None:
            raise TrainingError(f"{where} is damaged: remove it to begin anew")
        plain = json.loads(json.dumps(self._settings))
        other = [key for key in plain if content.get("settings", {}).get(key) != plain[key]]
        if other:
            raise TrainingError(
                f"{where} is of another search ({', '.join(other)} differ): remove it or give another --out"
            )
        return known

    def _write(self) -> None:
        if self._path is not None:
            write_json(self._path, {"format": FORMAT, "settings": self._settings, "trials": self._known})


def write_json(path: Path, content: dict) -> None:
    """Write JSON to a temporary name, then rename it.

    Raises
    ------
    TrainingError
        When the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise TrainingError(f"file {path} cannot be written: {error.strerror or error}") from None
    finally:
        if temporary.parent.is_dir():
            temporary.unlink(missing_ok=True)
