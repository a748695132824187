"""The microphone button: held it listens, let go it understands, and it says why when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import chromium
from benchmarks.chromium import ALLOW_CAMERA, FAKE_CAMERA, open_page, until
from tests.browser.ears import BROWSER_LISTENS, HEARD, NO_MICROPHONE, SERVICE_LISTENS
from tests.browser.running_service import RunningService, running_service

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.skipif(chromium.missing() is not None, reason=str(chromium.missing()))

CONNECT_S = 30.0
ANSWER_S = 20.0
SPEECH = "document.getElementById('speak').dataset.speech"
FLAGS = (FAKE_CAMERA, ALLOW_CAMERA)
"""Chromium's fake devices hold a microphone that beeps."""
LIVE_TRACKS = (
    "window.connections.at(-1).getSenders().filter((one) => one.track?.kind === 'audio').length"
)


@pytest.fixture(scope="module")
def service() -> Iterator[RunningService]:
    with running_service() as running:
        yield running


def start(page: Page, address: str, *scripts: str) -> Locator:
    """Opens the page with the sample clip and returns the microphone button once it is connected."""
    for script in scripts:
        page.add_init_script(script)
    page.goto(f"{address}/?autostart=sample")
    until(page, "document.body.dataset.state === 'live'", CONNECT_S)
    return page.locator("#speak")


def turn(page: Page, text: str = HEARD) -> Locator:
    """The turn that holds these words, once it has been carried out."""
    found = "[...document.querySelectorAll('#turns li[data-kind=spoken]')].at(-1)"
    until(page, f"['done', 'shown'].includes({found}?.dataset.status)", ANSWER_S)
    return page.locator("#turns li[data-kind=spoken]", has_text=text).last


def test_what_is_said_while_the_button_is_held_becomes_chips_that_one_tap_takes_back(
    service: RunningService, tmp_path: Path
) -> None:
    complaints: list[str] = []
    with open_page(tmp_path / "p", *FLAGS, complaints=complaints) as page:
        button = start(page, service.address, SERVICE_LISTENS)
        until(page, f"{SPEECH} === 'ready'", ANSWER_S)
        assert page.evaluate(LIVE_TRACKS) == 0  # nothing is asked for before the first use
        button.hover()
        page.mouse.down()
        until(page, f"{SPEECH} === 'listening'", ANSWER_S)
        assert page.evaluate(LIVE_TRACKS) == 1
        assert page.inner_text("#heard") == "remove the spots"
        loud = "Number(document.getElementById('meter').style.getPropertyValue('--level')) > 0.1"
        until(page, loud, ANSWER_S)
        page.mouse.up()
        said = turn(page)
        assert "spoken" in said.inner_text()
        assert page.evaluate("window.ears.listens") == [False, True, False]
        until(page, f"{LIVE_TRACKS} === 0", ANSWER_S)
        assert "Spots · forehead" in page.inner_text("#plan")
        said.get_by_role("button", name=f"Undo what was heard: {HEARD}").click()
        until(page, "document.querySelector('#plan .chip') === null", ANSWER_S)
        assert said.get_by_role("button").count() == 0
    assert complaints == []


def test_the_space_bar_and_a_click_without_pointer_work_as_holding_does(
    service: RunningService, tmp_path: Path
) -> None:
    with open_page(tmp_path / "p", *FLAGS) as page:
        button = start(page, service.address, SERVICE_LISTENS)
        until(page, f"{SPEECH} === 'ready'", ANSWER_S)
        button.focus()
        page.keyboard.down("Space")
        until(page, f"{SPEECH} === 'listening'", ANSWER_S)
        page.keyboard.up("Space")
        turn(page)
        until(page, f"{SPEECH} === 'ready'", ANSWER_S)
        click = "document.getElementById('speak').click()"
        page.evaluate(click)
        until(page, f"{SPEECH} === 'listening'", ANSWER_S)
        page.evaluate(click)
        until(
            page, "document.querySelectorAll('#turns li[data-kind=spoken]').length === 2", ANSWER_S
        )


@pytest.mark.parametrize(
    ("flags", "scripts", "reason"),
    [
        (FLAGS, ("window.noEars = 'speech is not installed; type'",), "speech is not installed"),
        (FLAGS, (NO_MICROPHONE,), "No microphone found"),
        ((FAKE_CAMERA, "--deny-permission-prompts"), (), "The microphone is not allowed"),
    ],
    ids=["service", "missing", "refused"],
)
def test_a_button_that_cannot_work_is_off_and_says_why(
    service: RunningService,
    tmp_path: Path,
    flags: tuple[str, ...],
    scripts: tuple[str, ...],
    reason: str,
) -> None:
    with open_page(tmp_path / "p", *flags) as page:
        button = start(page, service.address, SERVICE_LISTENS, *scripts)
        if not scripts:  # the person is asked on first use
            until(page, f"{SPEECH} === 'ready'", ANSWER_S)
            button.click()
        until(page, f"{SPEECH} === 'off'", ANSWER_S)
        note = "document.getElementById('speech-note').textContent"
        until(page, f"{note}.startsWith({reason!r})", ANSWER_S)
        assert button.is_disabled()


def test_the_browsers_own_recogniser_is_used_only_when_switched_on(
    service: RunningService, tmp_path: Path
) -> None:
    """It works even where the service takes no speech, and sends its words as typed ones."""
    refuses = "window.noEars = 'speech is not installed; type'"
    with open_page(tmp_path / "p", *FLAGS) as page:
        button = start(page, service.address, SERVICE_LISTENS, BROWSER_LISTENS, refuses)
        until(page, f"{SPEECH} === 'off'", ANSWER_S)
        assert "sends what you say to the browser's maker" in page.inner_text("#own-row")
        page.locator("#own-row").click()
        until(page, f"{SPEECH} === 'ready'", ANSWER_S)
        button.hover()
        page.mouse.down()
        until(page, f"document.getElementById('heard').textContent === {HEARD!r}", ANSWER_S)
        page.mouse.up()
        turn(page)
        assert "Spots · forehead" in page.inner_text("#plan")
        assert page.evaluate("window.ears.listens") == [False]
