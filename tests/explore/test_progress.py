"""Progress lines: none in the first seconds, then one now and then."""

from licgate.explore.progress import Progress


def test_a_line_now_and_then(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr("licgate.explore.progress.time.monotonic", lambda: now[0])
    progress = Progress("arrays tried", every=5.0)
    for done, time in enumerate((100.0, 104.9, 105.0, 106.0, 111.0)):
        now[0] = time
        progress(done, 9)
    said = capsys.readouterr()
    assert said.err == "arrays tried: 2 of 9, about 18 s left\narrays tried: 4 of 9, about 14 s left\n"
    assert said.out == ""


def test_a_long_time_is_told_in_minutes(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr("licgate.explore.progress.time.monotonic", lambda: now[0])
    progress = Progress("arrays tried", every=5.0)
    now[0] = 60.0
    progress(1, 11)
    progress(0, 11)
    assert capsys.readouterr().err == "arrays tried: 1 of 11, about 10 min left\n"
