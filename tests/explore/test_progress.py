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
    assert said.err == "arrays tried: 2 of 9\narrays tried: 4 of 9\n"
    assert said.out == ""
