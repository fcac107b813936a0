"""What a training run says: a line every so often, and one behind the last step."""

import json

import pytest

from licgate.train.progress import Progress


@pytest.mark.parametrize(("steps", "said"), [(3, [3]), (4, [4]), (10, [4, 8, 10])])
def test_the_last_step_is_told_however_few_there_are(tmp_path, capsys, steps, said):
    with Progress(tmp_path / "a", iteration=0, every=4, quiet=False) as log:
        for step in range(1, steps + 1):
            values = {"loss": float(step), "bpp": 0.5, "mse": 0.01}
            log.add(values, iteration=step, elapsed_s=1.0 * step, done=step / steps, lr=1e-3)
    assert [int(line.split()[0]) for line in capsys.readouterr().err.splitlines()] == said
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows] == said
    assert rows[-1]["loss"] == pytest.approx(
        sum(range(max([0, *said[:-1]]) + 1, steps + 1)) / (steps - max([0, *said[:-1]]))
    )
