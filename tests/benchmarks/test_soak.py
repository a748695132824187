"""benchmarks.soak: what a process holds, what of that was left behind, and what is told of it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.soak import report
from benchmarks.soak.__main__ import Life, main
from benchmarks.soak.counts import SETTLED_S, Counts, growth_mb, leaked, read, read_all
from benchmarks.soak.people import Tally
from benchmarks.soak.service import tasks_of


def counts(at_s: float = 0.0, rss_mb: float = 100.0, *held: int) -> Counts:
    return Counts(at_s, rss_mb, *(held or (10, 4, 5, 7)))


def process(folder: Path) -> tuple[Path, Path]:
    """A folder like /proc with one process, and what its service tells."""
    home = folder / "7"
    for thread in range(5):
        (home / "task" / str(thread)).mkdir(parents=True)
    (home / "statm").write_text("9000 250 30 1 0 400 0\n")
    (home / "fd").mkdir()
    for number, target in enumerate(("socket:[1]", "socket:[2]", "/dev/null", "pipe:[3]")):
        os.symlink(target, home / "fd" / str(number))
    log = folder / "log.json"
    log.write_text(
        json.dumps({"tasks": {"a": 2, "b": 1}, "threads": {"asyncio": 2, "MainThread": 1}})
    )
    return folder, log


def test_a_process_holds_threads_tasks_sockets_and_files(tmp_path: Path) -> None:
    proc, log = process(tmp_path)
    seen = read(7, log, 3.0, proc)
    # the event loop's own pool of two is not counted
    assert seen.held() == (3, 3, 2, 2)
    assert seen.at_s == 3.0
    assert seen.rss_mb == pytest.approx(250 * os.sysconf("SC_PAGE_SIZE") / 1e6)
    with pytest.raises(OSError, match="8"):
        read(8, log, 0.0, proc)


def test_media_processes_are_counted_beside_the_first(tmp_path: Path) -> None:
    proc, log = process(tmp_path)
    (tmp_path / "7").rename(tmp_path / "8")
    process(tmp_path)
    told = log.read_text()
    for name, text in (("log.json.8", told), ("log.json.9", told), ("log.json.8.new", "{")):
        (tmp_path / name).write_text(text)
    seen = read_all(7, log, 3.0, proc)  # 9 has ended
    assert seen.held() == (6, 6, 4, 4)
    assert seen.rss_mb == pytest.approx(2 * read(7, log, 3.0, proc).rss_mb)
    (tmp_path / "log.json.8").unlink()
    assert read_all(7, log, 3.0, proc) == read(7, log, 3.0, proc)


def test_only_what_was_not_there_before_is_leaked() -> None:
    left = leaked(counts(0, 1, 10, 4, 5, 7), counts(9, 1, 12, 3, 5, 8))
    assert left == {"threads": 2, "tasks": 0, "sockets": 0, "files": 1}


def test_memory_is_compared_from_the_fifth_minute_on_by_medians() -> None:
    # 3 MB a minute in the first five, then half a megabyte a minute, with a peak that is over soon
    samples = [
        counts(s, 100 + 3 * min(s, SETTLED_S) / 60 + max(s - SETTLED_S, 0) / 120 + 500 * (s == 310))
        for s in range(0, 1205, 5)
    ]
    assert growth_mb(samples) == pytest.approx(7.0, abs=0.1)
    assert growth_mb(samples[:70]) is None
    assert growth_mb([]) is None


def test_tasks_are_counted_by_their_coroutine() -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    async def test() -> dict[str, int]:
        held = [asyncio.create_task(waits()) for _ in range(2)]
        await asyncio.sleep(0)
        found: list[dict[str, int]] = []
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=lambda: found.append(tasks_of([loop])))
        thread.start()
        await asyncio.to_thread(thread.join)
        for task in held:
            task.cancel()
        return found[0]

    found = asyncio.run(test())
    assert sum(n for name, n in found.items() if name.endswith("waits")) == 2


def test_the_report_tells_what_was_left_and_what_went_wrong(tmp_path: Path) -> None:
    tally = Tally(Counter({"user": 3}), 2, ["stream: it broke"], 9.04)
    samples = [counts(float(s), 100.0) for s in range(0, 1800, 5)]
    life = Life(
        counts(), counts(1800, 101, 11, 4, 5, 7), samples, {"tasks": {}, "threads": {}}, tally
    )
    args = type(
        "Args", (), {"minutes": 30.0, "engine": "openvino", "processes": 1, "size": (640, 480)}
    )()
    values = report.result(life, args)
    assert values["leaked"] == 1 and values["leaked_by"]["threads"] == 1
    assert values["growth_mb"] == 0 and values["noticed_s"] == 9.0 and values["refused"] == 2
    written = report.write(tmp_path / "soak.md", "python -m benchmarks.soak", life, values)
    text = written.read_text()
    assert "| threads | 10 | 11 | 1 |" in text and "* stream: it broke" in text
    assert "3 x user" in text and "turned away 2 times" in text


@pytest.mark.parametrize("minutes", ["0", "99999", "soon"])
def test_a_time_that_cannot_be_is_refused(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--minutes", minutes])
    assert ended.value.code == 2 and "--minutes" in capsys.readouterr().err
