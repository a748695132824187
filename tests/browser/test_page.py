"""The page in a real browser against the service as a user starts it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import httpx
import numpy as np
import pytest

from benchmarks import chromium
from benchmarks.chromium import ALLOW_CAMERA, FAKE_CAMERA, open_page, until
from tests.browser import clips
from tests.browser.pictures import luma, mean_picture
from tests.browser.running_service import RunningService, running_service

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(chromium.missing() is not None, reason=str(chromium.missing()))

OUTPUT = Path(__file__).parents[1] / "output"
CONNECT_S = 30.0
ANSWER_S = 20.0
PATIENT_MS = "1000"
SESSIONS = "stream_retouch_sessions "
FRESH_TRIES = 10
"""Means taken at most, until one is of frames that all have an edit of their own."""
SETTLE_FRAMES = 45
"""Frames for a fade of 0.3 s and for the codec to refine a still picture."""

DECODED = """async () => {
  const reports = [...(await window.connections.at(-1).getStats()).values()];
  const video = reports.find((one) => one.type === "inbound-rtp" && one.kind === "video");
  if (!video) return null;
  return [video.timestamp, video.framesDecoded ?? 0, video.frameWidth, video.frameHeight];
}"""


@pytest.fixture(scope="module")
def service() -> Iterator[RunningService]:
    with running_service() as running:
        yield running


@pytest.fixture(scope="module")
def moving_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.moving_face(tmp_path_factory.mktemp("clip") / "moving.y4m")


@pytest.fixture(scope="module")
def still_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.still_face(tmp_path_factory.mktemp("clip") / "still.y4m")


def camera(clip: Path) -> tuple[str, str, str]:
    """Chromium flags: a camera that shows `clip` and is allowed without a question."""
    return FAKE_CAMERA, ALLOW_CAMERA, f"--use-file-for-fake-video-capture={clip}"


def start(page: Page, address: str, source: str = "camera") -> None:
    """Opens the page and returns when the retouched picture is there."""
    page.goto(f"{address}/?autostart={source}&size=480")
    until(page, "document.body.dataset.state === 'live'", CONNECT_S)
    until(page, "document.querySelector('[data-returned=yes]') !== null", CONNECT_S)


def say(page: Page, words: str) -> None:
    """Types an instruction and returns when the first frame that shows it has left the service."""
    shown = page.locator("#turns li[data-status=shown]").count()
    page.fill("#words", words)
    page.press("#words", "Enter")
    until(
        page,
        f"document.querySelectorAll('#turns li[data-status=shown]').length > {shown}",
        ANSWER_S,
    )


def wait_frames(page: Page, count: int) -> tuple[float, list[float]]:
    """Waits for `count` more decoded frames: how many came each second, and the last figures."""
    first = until(page, f"({DECODED})()", ANSWER_S)
    enough = f"({DECODED})().then((now) => now && now[1] >= {first[1] + count} && now)"
    last = until(page, enough, ANSWER_S + count)  # slow is for the caller to judge, by the rate
    return 1000 * (last[1] - first[1]) / (last[0] - first[0]), last


def toggle(page: Page, name: str) -> None:
    """Clicks a switch and waits until the change has gone through service and codec."""
    page.locator(f"label.switch:has(#{name})").click()
    wait_frames(page, SETTLE_FRAMES)


def test_retouched_video_comes_back_at_20_frames_a_second_or_more(
    service: RunningService, moving_face: Path, tmp_path: Path
) -> None:
    complaints: list[str] = []
    with open_page(tmp_path / "p", *camera(moving_face), complaints=complaints) as page:
        start(page, service.address)
        say(page, "Remove all blemishes")
        wait_frames(page, 30)  # the encoders' start
        rate, (_, _, width, height) = wait_frames(page, 90)
        until(page, "Number(document.getElementById('fps').textContent) > 0", ANSWER_S)
        OUTPUT.mkdir(exist_ok=True)
        page.screenshot(path=str(OUTPUT / "page.png"))
    assert (width, height) == (640, 480)
    assert rate >= 20
    assert complaints == []


def test_only_the_mask_changes(still_face: Path, tmp_path: Path) -> None:
    """Mean |dY| against a pass-through run: at most 1 outside the mask, at least 3 inside.

    This is about pixels, not speed, so frames may wait for their edit as long as it takes: on a
    busy machine the edit would fade out and in, and a mean over such frames says how busy it was.
    For the same reason a mean is taken again while the service spares a busy machine some edits.
    """
    with (
        running_service(0, "--frame-budget-ms", PATIENT_MS) as service,
        open_page(tmp_path / "p", *camera(still_face)) as page,
    ):
        start(page, service.address)
        say(page, "Remove all blemishes")
        wait_frames(page, SETTLE_FRAMES)
        for _ in range(FRESH_TRIES):
            before = service.frames()
            retouched = mean_picture(page)
            after = service.frames()
            made = {result: after[result] - before[result] for result in after}
            if made["reused"] == made["late"] == made["failed"] == 0:
                break
        toggle(page, "overlay")
        tinted = mean_picture(page)
        toggle(page, "overlay")
        toggle(page, "enabled")
        passed = mean_picture(page)
    assert made["fresh"] > 0
    assert made["reused"] == made["late"] == made["failed"] == 0, made
    tint = np.abs(tinted - retouched).max(axis=2)
    inside = tint > 0.35 * float(np.percentile(tint, 99.9))
    # 8 px: the codec spreads a sharp edge over its block.
    outside = cv2.dilate((tint > 4).astype(np.uint8), np.ones((17, 17), np.uint8)) == 0
    change = np.abs(luma(retouched) - luma(passed))
    found = {"outside": float(change[outside].mean()), "inside": float(change[inside].mean())}
    print(found, "mask", int(inside.sum()), "tint", float(np.percentile(tint, 99.9)))
    assert 50 < inside.sum() < 0.25 * inside.size
    assert outside.mean() > 0.5
    assert found["outside"] <= 1, found
    assert found["inside"] >= 3, found


def test_sample_clip_runs_without_a_camera(service: RunningService, tmp_path: Path) -> None:
    with open_page(tmp_path / "p") as page:
        start(page, service.address, "sample")
        rate, (_, _, width, height) = wait_frames(page, 60)
    assert (width, height) == (640, 480)
    assert rate > 10


def test_words_become_chips_and_undo_takes_them_away(
    service: RunningService, still_face: Path, tmp_path: Path
) -> None:
    with open_page(tmp_path / "p", *camera(still_face)) as page:
        start(page, service.address)
        page.get_by_role("button", name="Everything but my freckles").click()
        until(page, "document.querySelector('#plan .keep') !== null", ANSWER_S)
        assert page.locator("#plan .edit").count() >= 1
        assert "freckles" in page.inner_text("#plan .keep").lower()
        assert page.inner_text("#reply") != ""
        page.get_by_role("button", name="Undo", exact=True).click()
        until(page, "document.querySelector('#plan .chip') === null", ANSWER_S)
        page.fill("#words", "order a pizza")
        page.press("#words", "Enter")
        until(page, "document.querySelector('#turns li[data-status=refused]') !== null", ANSWER_S)
        assert page.locator("#plan .chip").count() == 0


def test_cross_of_a_chip_takes_only_this_one_away(
    service: RunningService, still_face: Path, tmp_path: Path
) -> None:
    with open_page(tmp_path / "p", *camera(still_face)) as page:
        start(page, service.address)
        for words in ("Remove the spots on my forehead", "Remove my dark circles", "fewer pores"):
            say(page, words)
        assert page.locator("#plan .edit").count() == 3
        page.get_by_role("button", name="Take away: Spots · forehead").click()
        until(page, "document.querySelectorAll('#plan .chip').length === 2", ANSWER_S)
        assert "Spots" not in page.inner_text("#plan")


def test_divider_follows_arrow_keys_and_pointer(
    service: RunningService, still_face: Path, tmp_path: Path
) -> None:
    with open_page(tmp_path / "p", *camera(still_face)) as page:
        start(page, service.address)
        divider = page.get_by_role("slider", name="Divider between original and retouched")
        divider.focus()
        for key, value in (("ArrowRight", "52"), ("PageDown", "42"), ("Home", "0"), ("End", "100")):
            divider.press(key)
            assert divider.get_attribute("aria-valuenow") == value
        box = page.locator("#pictures").bounding_box()
        grip = page.locator(".grip").bounding_box()
        assert box is not None and grip is not None
        y = grip["y"] + grip["height"] / 2
        page.mouse.move(box["x"] + box["width"] - 2, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 4, y)
        page.mouse.up()
        assert divider.get_attribute("aria-valuenow") == "25"


def test_leaving_the_page_ends_the_session_at_once(
    service: RunningService, still_face: Path, tmp_path: Path
) -> None:
    def open_sessions() -> str:
        text = httpx.get(service.address + "/metrics").text
        return next(line for line in text.splitlines() if line.startswith(SESSIONS))

    with open_page(tmp_path / "p", *camera(still_face)) as page:
        start(page, service.address)
        before = open_sessions()
        page.goto("about:blank")
        deadline = time.monotonic() + ANSWER_S
        while open_sessions() == before:
            assert time.monotonic() < deadline
            page.wait_for_timeout(100)


@pytest.mark.parametrize("width", [360, 1440])
def test_page_fits_its_width(service: RunningService, tmp_path: Path, width: int) -> None:
    with open_page(tmp_path / "p", width=width, height=740) as page:
        page.goto(service.address)
        until(page, "document.body.dataset.state === 'idle'", ANSWER_S)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_refused_camera_is_said_with_its_remedy(
    service: RunningService, still_face: Path, tmp_path: Path
) -> None:
    with open_page(tmp_path / "p", FAKE_CAMERA) as page:
        page.goto(f"{service.address}/?autostart=camera")
        until(page, "document.body.dataset.notice === 'camera-refused'", ANSWER_S)
        assert page.inner_text("#notice-title") == "The camera is not allowed"
        assert "Allow it" in page.inner_text("#notice-text")
        assert page.get_by_role("button", name="Try the sample clip").is_visible()


def test_missing_camera_is_said(service: RunningService, tmp_path: Path) -> None:
    with open_page(tmp_path / "p", ALLOW_CAMERA) as page:
        page.goto(f"{service.address}/?autostart=camera")
        until(page, "document.body.dataset.notice === 'camera-missing'", ANSWER_S)
        assert page.inner_text("#notice-title") == "No camera found"


def test_page_survives_the_service_and_says_the_words_again(
    still_face: Path, tmp_path: Path
) -> None:
    """Killed while running: the page says so, reconnects by itself and brings the look back."""
    with running_service() as first, open_page(tmp_path / "p", *camera(still_face)) as page:
        start(page, first.address)
        say(page, "Remove all blemishes")
        first.kill()
        until(page, "document.body.dataset.notice === 'server-gone'", CONNECT_S)
        assert page.inner_text("#notice-title") == "The service does not answer"
        page.fill("#words", "but keep my freckles")
        page.press("#words", "Enter")
        with running_service(first.port):
            until(page, "document.body.dataset.state === 'live'", CONNECT_S)
            until(page, "document.querySelector('#plan .keep') !== null", ANSWER_S)
            assert page.locator("#plan .edit").count() >= 1
            assert page.evaluate("document.body.dataset.notice") == ""


def test_after_a_reload_the_look_is_back_and_can_be_undone(
    service: RunningService, still_face: Path, tmp_path: Path
) -> None:
    with open_page(tmp_path / "p", *camera(still_face)) as page:
        start(page, service.address)
        say(page, "Remove all blemishes")
        page.reload()
        assert page.inner_text("#notice-title") == "Reconnecting…"
        until(page, "document.body.dataset.state === 'live'", CONNECT_S)
        until(page, "document.querySelector('#plan .edit') !== null", ANSWER_S)
        assert page.inner_text("#reply") == "Your look is back."
        page.click("#undo")
        until(page, "document.querySelector('#plan .edit') === null", ANSWER_S)
        # Stop is for good: there is nothing left to come back to.
        page.click("#stop")
        assert page.evaluate("sessionStorage.length") == 0


def test_a_lost_connection_comes_back_by_itself_with_its_look(
    service: RunningService, still_face: Path, tmp_path: Path
) -> None:
    with open_page(tmp_path / "p", *camera(still_face)) as page:
        start(page, service.address)
        say(page, "Remove all blemishes")
        page.evaluate("window.connections.at(-1).close()")  # as a network that changes does
        until(page, "document.body.dataset.notice === 'reconnecting'", ANSWER_S)
        until(page, "document.body.dataset.state === 'live'", CONNECT_S)
        assert page.evaluate("window.connections.length") == 2
        assert page.inner_text("#reply") == "Your look is back."
        assert page.locator("#plan .edit").count() >= 1
