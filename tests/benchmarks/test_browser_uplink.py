"""What a browser sends after connecting: the figures made of its statistics, the tables, the clip."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import browser_uplink, chromium
from benchmarks.browser_uplink import (
    Sample,
    figures,
    main,
    rate_mbps,
    samples_table,
    table,
    write_clip,
)


def sending(
    mbps: float, seconds: float = 5.0, *, grows_at_s: float = 0.0, full_at_s: float = 0.0
) -> list[Sample]:
    """Four samples a second of a tenth of that rate, all of it from a moment on."""
    samples, sent = [], 0.0
    for n in range(round(4 * seconds) + 1):
        at_s = n / 4
        if n:
            sent += (mbps if at_s > grows_at_s else mbps / 10) * 1e6 / 8 / 4
        width, height = (1280, 720) if at_s >= full_at_s else (640, 360)
        samples.append(Sample(at_s, round(sent), width, height, 30.0, "none"))
    return samples


def test_the_rate_is_the_mean_of_the_second_before() -> None:
    samples = sending(3.0, grows_at_s=2.0)
    assert rate_mbps(samples, 2.0) == pytest.approx(0.3)
    assert rate_mbps(samples, 2.5) == pytest.approx((0.3 + 3.0) / 2)
    assert rate_mbps(samples, 3.0) == pytest.approx(3.0)


def test_the_rate_between_two_samples_is_interpolated() -> None:
    uneven = [Sample(at, round(at * 250_000), 1280, 720, 30.0, "none") for at in (0.1, 1.7, 3.4)]
    assert rate_mbps(uneven, 3.0) == pytest.approx(2.0)


@pytest.mark.parametrize("at_s", [0.9, 5.1])
def test_there_is_no_rate_where_the_samples_do_not_reach(at_s: float) -> None:
    assert rate_mbps(sending(3.0), at_s) is None
    assert rate_mbps([], at_s) is None


def test_a_browser_that_sends_enough_in_time_holds_both_bounds() -> None:
    found = figures(sending(3.0, grows_at_s=1.0, full_at_s=0.5))
    assert found["holds"] is True
    assert found["mbps_3s"] == 3.0
    assert (found["width_3s"], found["height_3s"]) == (1280, 720)
    assert found["full_size_s"] == 0.5
    # After 0.75 s of 3 Mbps and 0.25 s of 0.3 Mbps the second holds 2.3 Mbps.
    assert found["two_mbps_s"] == 1.75
    assert (found["mbps_end"], found["size_end"]) == (3.0, "1280x720")


@pytest.mark.parametrize(
    "samples",
    [
        sending(1.9),
        sending(3.0, grows_at_s=2.5),
        sending(3.0, full_at_s=3.25),
        sending(3.0, seconds=2.75),
        [],
    ],
    ids=["slow", "late", "small", "short", "nothing"],
)
def test_too_little_too_late_too_small_or_not_told_does_not_hold(samples: list[Sample]) -> None:
    assert figures(samples)["holds"] is False


def test_what_was_not_reached_is_none_and_a_dash_in_the_table() -> None:
    found = figures(sending(1.0, full_at_s=99.0))
    assert (found["full_size_s"], found["two_mbps_s"]) == (None, None)
    assert (found["width_3s"], found["height_3s"]) == (640, 360)
    line = table({"ours": figures(sending(3.0)), "stock": found}).splitlines()[-1]
    assert line == "| stock | 640x360 | 1.0 | - | - | 1.0 | 640x360 | 30.0 | **no** |"


def test_a_lost_run_still_makes_a_table() -> None:
    assert "| stock | - | - |" in table({"stock": figures([])})


def test_the_samples_table_has_a_line_each_half_second_and_later_one_every_two() -> None:
    lines = samples_table("ours", sending(3.0, seconds=9.0)).splitlines()[2:]
    times = [float(line.split(" | ")[0].removeprefix("| ")) for line in lines]
    assert times == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 6, 8]
    assert lines[0].endswith("| - | none |")
    assert lines[4] == "| 2.00 | 1280x720 | 30 | 3.00 | none |"


def test_the_clip_is_what_chromium_reads(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "clip.y4m", (320, 240), 3).read_bytes()
    header, _, rest = data.partition(b"\n")
    assert header == b"YUV4MPEG2 W320 H240 F30:1 Ip A1:1 C420jpeg"
    frame = len(b"FRAME\n") + 320 * 240 * 3 // 2
    assert len(rest) == 3 * frame
    assert all(rest[n * frame :].startswith(b"FRAME\n") for n in range(3))
    assert rest[:frame] != rest[frame : 2 * frame]  # it moves


def test_a_machine_without_chromium_is_told_so_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chromium, "executable", lambda: None)
    assert main([]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "benchmarks.browser_uplink: Chromium is not installed (Debian: apt-get install chromium)\n"
    )


def test_the_last_line_is_the_figures_and_the_file_holds_the_samples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    taken = {"stream_retouch": sending(3.0), "stock aiortc": sending(0.3)}
    monkeypatch.setattr(chromium, "missing", lambda: None)
    monkeypatch.setattr(browser_uplink, "_run", lambda args: taken)
    out = tmp_path / "result.md"
    assert main(["--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["mbps_3s"] == 3.0 and told["holds"]
    assert told["rows"]["stock aiortc"]["mbps_3s"] == 0.3
    text = out.read_text()
    assert f"`python -m benchmarks.browser_uplink --out {out}`" in text
    assert "| stream_retouch, s |" in text and "| stock aiortc, s |" in text


@pytest.mark.parametrize("seconds", ["3", "0", "-1", "nan"])
def test_a_time_that_ends_before_it_is_judged_is_refused(seconds: str) -> None:
    with pytest.raises(SystemExit):
        main(["--seconds", seconds])
