"""Chips and turns: a look is changed by hand, followed live, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import chromium
from benchmarks.chromium import open_page, until
from tests.browser.ears import SERVICE_LISTENS
from tests.browser.running_service import RunningService, running_service

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(chromium.missing() is not None, reason=str(chromium.missing()))

CONNECT_S = 30.0
ANSWER_S = 20.0
SENT = "window.ears.plans"
AMOUNTS = "[...document.querySelectorAll('#plan .edit b')].map((one) => one.textContent)"
SETTLED = "!document.querySelector('#turns li:is([data-status=waiting], [data-status=asked])')"


@pytest.fixture(scope="module")
def service() -> Iterator[RunningService]:
    with running_service() as running:
        yield running


def start(page: Page, address: str, *sentences: str) -> None:
    """Opens the page with the sample clip and says these sentences."""
    page.add_init_script(SERVICE_LISTENS)  # it tells which plans were sent, and when
    page.goto(f"{address}/?autostart=sample")
    until(page, "document.body.dataset.state === 'live'", CONNECT_S)
    for words in sentences:
        page.fill("#words", words)
        page.press("#words", "Enter")
        until(page, SETTLED, ANSWER_S)


def test_a_dragged_chip_sends_its_newest_amount_at_most_five_times_a_second(
    service: RunningService, tmp_path: Path
) -> None:
    with open_page(tmp_path / "p") as page:
        start(page, service.address, "Remove the spots on my forehead", "less shine")
        chip = page.get_by_role("slider", name="Spots · forehead")
        before, rest = page.evaluate(AMOUNTS)
        box, whole = chip.bounding_box(), page.locator("#plan .edit").first.bounding_box()
        assert box is not None and whole is not None
        x, y = box["x"] + box["width"] - 4, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        for step in range(30):
            page.mouse.move(x - step * whole["width"] / 60, y)
            page.wait_for_timeout(30)
        page.mouse.up()
        until(page, SETTLED, ANSWER_S)
        sent = page.evaluate(SENT)
        now = page.evaluate(AMOUNTS)[0]
        assert int(now.split()[0]) < int(before.split()[0]) - 30
        assert sent[-1][1]["edits"][0]["amount"] == int(now.split()[0]) / 100
        assert page.evaluate(AMOUNTS)[1] == rest
        gaps = [later[0] - sooner[0] for sooner, later in zip(sent, sent[1:], strict=False)]
        assert len(sent) >= 2 and min(gaps) >= 195, gaps
        # The drag is one turn, and one undo takes all of it back.
        assert page.locator("#turns li[data-kind=hand]").count() == 1
        page.get_by_role("button", name="Undo", exact=True).click()
        until(page, f"{AMOUNTS}[0] === {before!r}", ANSWER_S)
        page.get_by_role("button", name="Redo", exact=True).click()
        until(page, f"{AMOUNTS}[0] === {now!r}", ANSWER_S)


def test_a_chip_follows_the_keys_and_says_its_amount(
    service: RunningService, tmp_path: Path
) -> None:
    with open_page(tmp_path / "p") as page:
        start(page, service.address, "Remove the spots on my forehead")
        chip = page.get_by_role("slider", name="Spots · forehead")
        chip.focus()
        for key, value in (("Home", "0"), ("ArrowRight", "5"), ("PageUp", "25"), ("End", "100")):
            chip.press(key)
            assert chip.get_attribute("aria-valuenow") == value
            assert chip.get_attribute("aria-valuetext") == f"{value} %"
        until(page, f"{SETTLED} && {SENT}.at(-1)[1].edits[0].amount === 1", ANSWER_S)
        chip.press("Delete")
        until(page, "document.querySelector('#plan .chip') === null", ANSWER_S)
        until(page, f"{SETTLED} && {SENT}.at(-1)[1].edits.length === 0", ANSWER_S)
        assert page.inner_text("#reply") == "Everything is off; this is your own face."


def test_a_keep_is_taken_away_by_its_cross(service: RunningService, tmp_path: Path) -> None:
    with open_page(tmp_path / "p") as page:
        start(page, service.address, "Remove all blemishes but keep my freckles")
        assert page.locator("#plan .keep").count() == 1
        page.get_by_role("button", name="Take away: Keep freckles").click()
        until(page, SETTLED, ANSWER_S)
        assert page.locator("#plan .keep").count() == 0
        assert page.locator("#plan .edit").count() == 1
        assert page.inner_text("#reply") == "No longer keeping freckles as they are."


def test_the_newest_turn_is_at_the_bottom_and_fifty_are_kept(
    service: RunningService, tmp_path: Path
) -> None:
    with open_page(tmp_path / "p") as page:
        start(page, service.address, "less shine", "order a pizza")
        said = page.locator("#turns .said").all_inner_texts()
        assert said == ["less shine", "order a pizza"]
        assert page.locator("#turns li").last.get_attribute("data-status") == "refused"
        page.evaluate(
            """() => {
              const say = (text) => {
                document.getElementById("words").value = text;
                document.getElementById("say").requestSubmit();
              };
              for (let count = 0; count < 52; count += 1) say("order a pizza");
              say("fewer pores");
            }"""
        )
        until(page, SETTLED, 3 * ANSWER_S)
        page.fill("#words", "Undo")
        page.press("#words", "Enter")
        until(page, SETTLED, ANSWER_S)
        assert page.locator("#turns li").count() == 50
        assert page.locator("#turns .said").last.inner_text() == "Undo"
        low = "(list) => list.scrollHeight - list.scrollTop - list.clientHeight < 50"
        assert page.locator("#turns").evaluate(low)


def test_examples_to_tap_fit_what_is_on(service: RunningService, tmp_path: Path) -> None:
    with open_page(tmp_path / "p") as page:
        start(page, service.address)
        page.get_by_role("button", name="Soften the dark circles a little").click()
        until(page, f"{SETTLED} && document.querySelector('#plan .edit') !== null", ANSWER_S)
        before = page.evaluate(AMOUNTS)
        page.get_by_role("button", name="A bit stronger").click()
        until(page, SETTLED, ANSWER_S)
        assert page.evaluate(AMOUNTS) > before
        page.get_by_role("button", name="Start over").click()
        until(page, "document.querySelector('#plan .chip') === null", ANSWER_S)
        assert page.get_by_role("button", name="Everything but my freckles").is_visible()
