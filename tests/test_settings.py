"""Settings: flag, then variable, then default; and what is wrong is told with what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_retouch.errors import SettingsError
from stream_retouch.settings import Settings, is_loopback


def test_the_defaults_stay_on_this_machine() -> None:
    settings = Settings.resolve({}, {})
    assert (settings.host, settings.port, settings.token) == ("127.0.0.1", 8080, None)
    assert settings.is_loopback and settings.ice_servers == ()
    settings.check_exposure()


def test_a_flag_goes_before_a_variable_and_a_variable_before_the_default() -> None:
    environ = {"STREAM_RETOUCH_PORT": "9000", "STREAM_RETOUCH_THREADS": "2", "PORT": "1"}
    settings = Settings.resolve({"port": "0", "threads": None, "command": "serve"}, environ)
    assert (settings.port, settings.threads) == (0, 2)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.resolve({}, {"STREAM_RETOUCH_TOKEN": ""}).token is None


def test_texts_become_values_of_the_right_type() -> None:
    environ = {
        "STREAM_RETOUCH_WEIGHTS": "my/weights.safetensors",
        "STREAM_RETOUCH_SIZE": "512",
        "STREAM_RETOUCH_FRAME_BUDGET_MS": "12.5",
        "STREAM_RETOUCH_ICE_SERVERS": "stun:a.example:3478, turn:b.example",
        "STREAM_RETOUCH_LOG_LEVEL": "DEBUG",
        "STREAM_RETOUCH_HOST": "::1",
        "STREAM_RETOUCH_RELAY_AUDIO": "ON",
        "STREAM_RETOUCH_VIDEO_ENCODER": "x264",
    }
    settings = Settings.resolve({}, environ)
    assert settings.weights == Path("my/weights.safetensors")
    assert settings.size == 512
    assert settings.frame_budget_ms == 12.5
    assert settings.ice_servers == ("stun:a.example:3478", "turn:b.example")
    assert (settings.log_level, settings.host) == ("debug", "::1")
    assert (settings.relay_audio, settings.video_encoder) == (True, "x264")
    assert Settings.resolve({"relay_audio": "off"}, environ).relay_audio is False


@pytest.mark.parametrize(
    ("args", "environ", "sentence"),
    [
        ({"port": "http"}, {}, "--port must be a whole number from 0 to 65535, not 'http'"),
        ({"port": 65536}, {}, "--port must be a whole number from 0 to 65535, not 65536"),
        ({"port": True}, {}, "--port must be a whole number from 0 to 65535, not True"),
        ({"relay_audio": "yes"}, {}, "--relay-audio must be on or off, not 'yes'"),
        (
            {"video_encoder": "qsv"},
            {},
            "--video-encoder must be one of auto, x264, nvenc, not 'qsv'",
        ),
        (
            {},
            {"STREAM_RETOUCH_FRAME_BUDGET_MS": "nan"},
            "STREAM_RETOUCH_FRAME_BUDGET_MS must be a number from 0 to 1000, not 'nan'",
        ),
        (
            {"host": "example.org"},
            {},
            "--host must be an IP address of this machine, for example 127.0.0.1, "
            "not 'example.org'",
        ),
        (
            {"log_level": "loud"},
            {},
            "--log-level must be one of debug, info, warning, error, not 'loud'",
        ),
        (
            {"ice_servers": "example.org"},
            {},
            "--ice-servers must be addresses like stun:host:3478, separated by commas, "
            "not 'example.org'",
        ),
        (
            {"engine": "a b"},
            {},
            "--engine must be the name of an engine (see stream-retouch doctor), not 'a b'",
        ),
        ({"weights": 3}, {}, "--weights must be the path of a weights file, not 3"),
        ({"size": "384"}, {}, "--size must be 256 or 512, not '384'"),
        ({}, {"STREAM_RETOUCH_SIZE": "big"}, "STREAM_RETOUCH_SIZE must be 256 or 512, not 'big'"),
        (
            {"max_bitrate_bps": 400_000},
            {},
            "bit rates must rise from --min-bitrate-bps over --start-bitrate-bps to "
            "--max-bitrate-bps, not 300000, 2500000, 400000",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_name_and_what_is_right(
    args: dict[str, object], environ: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.resolve(args, environ)
    assert str(raised.value) == sentence


def test_a_bad_token_is_never_repeated() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.resolve({}, {"STREAM_RETOUCH_TOKEN": "hunter2"})
    assert "hunter2" not in str(raised.value)
    assert "at least 16 letters, digits" in str(raised.value)


def test_a_value_given_in_code_is_checked_too() -> None:
    with pytest.raises(SettingsError, match="setting threads must be a whole number from 1 to 64"):
        Settings(threads=0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_an_open_address_needs_a_token(host: str) -> None:
    with pytest.raises(SettingsError, match="so a token is needed: set STREAM_RETOUCH_TOKEN"):
        Settings(host=host).check_exposure()
    Settings(host=host, token="0123456789abcdef").check_exposure()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LocalHost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("::1", True),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org", False),
        ("0.0.0.0", False),
        ("192.0.2.7", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "planner", ["grammar", "https://example.org/v1", "/models/llama 3", "models/llama", "parrot"]
)
def test_the_planner_is_a_name_a_url_or_a_path(planner: str) -> None:
    assert Settings(planner=planner).planner == planner


@pytest.mark.parametrize("planner", ["", " ", "ftp://example.org", "http://", "http://a b"])
def test_what_can_be_no_planner_is_refused(planner: str) -> None:
    with pytest.raises(SettingsError, match="must be embedded, grammar, a URL like .* or a folder"):
        Settings(planner=planner)


def test_a_secret_in_a_planners_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="not what was given") as caught:
        Settings.resolve({"planner": "https://me:hush@example.org/v1"}, {})
    assert "hush" not in str(caught.value)


def test_a_wrong_key_of_an_endpoint_is_not_repeated() -> None:
    with pytest.raises(SettingsError, match="not what was given") as caught:
        Settings.resolve({}, {"STREAM_RETOUCH_PLANNER_KEY": "hush hush"})
    assert "hush" not in str(caught.value)


def test_speech_is_one_of_the_known_recognisers() -> None:
    assert Settings(speech="Whisper").speech == "whisper"
    with pytest.raises(SettingsError, match="must be one of off, auto, embedded"):
        Settings(speech="parrot")


def test_ports_addresses_and_proxies_are_read_from_texts() -> None:
    environ = {
        "STREAM_RETOUCH_UDP_PORTS": "50000-50199",
        "STREAM_RETOUCH_ADVERTISE": "203.0.113.7",
        "STREAM_RETOUCH_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1 ::1",
        "STREAM_RETOUCH_REQUESTS_PER_S": "0",
    }
    settings = Settings.resolve({}, environ)
    assert settings.udp_ports == (50_000, 50_199)
    assert settings.advertise == "203.0.113.7"
    assert settings.trusted_proxies == ("10.0.0.0/8", "192.0.2.1/32", "::1/128")
    assert settings.requests_per_s == 0
    nothing = Settings()
    assert (nothing.udp_ports, nothing.advertise, nothing.trusted_proxies) == (None, None, ())


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"udp_ports": "50000"}, "--udp-ports must be two ports from 1024 to 65535"),
        ({"udp_ports": "50199-50000"}, "--udp-ports must be two ports from 1024 to 65535"),
        ({"udp_ports": "80-90"}, "--udp-ports must be two ports from 1024 to 65535"),
        ({"udp_ports": "1-2-3"}, "like 50000-50199, not '1-2-3'"),
        ({"advertise": "host.example"}, "--advertise must be an IP address"),
        ({"advertise": "0.0.0.0"}, "--advertise must be an IP address"),
        ({"trusted_proxies": "*"}, "--trusted-proxies must be addresses or networks"),
        ({"requests_per_s": "-1"}, "--requests-per-s must be a number from 0 to 1000"),
        (
            {"turn_secret": "a b"},
            "--turn-secret must be a secret without spaces, not what was given",
        ),
    ],
)
def test_what_the_network_settings_cannot_take_is_told(
    args: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SettingsError) as told:
        Settings.resolve(args, {})
    assert sentence in str(told.value)
    assert "a b" not in str(told.value)
