"""The command: what it accepts, what it says when something is wrong, and its exit codes."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from stream_retouch import __version__
from stream_retouch.arguments import build_parser
from stream_retouch.cli import (
    COMMANDS,
    NAMES,
    Names,
    load_conditioner,
    load_engine,
    load_transcriber,
    main,
)
from stream_retouch.engine import RetouchEngine
from stream_retouch.errors import SpeechError
from stream_retouch.say import chips_of, socket_url
from stream_retouch.settings import Settings
from tests.outputs.clips import (
    FRAMES,
    CountingConditioner,
    LiftingEngine,
    decoded,
    left_behind,
    write_clip,
)

ROOT = Path(__file__).parents[1]
FAKES = Names(
    engines={
        "lifting": "tests.outputs.clips:LiftingEngine",
        "failing": "tests.test_cli:FailingEngine",
        "stopped": "tests.test_cli:StoppedEngine",
        "needy": "no_such_package:Engine",
    },
    finder="tests.outputs.clips:UprightFinder",
    conditioner="tests.outputs.clips:CountingConditioner",
    planner="tests.outputs.clips:TwoWordPlanner",
    guard="tests.test_cli:unguarded",
)


def unguarded(engine: RetouchEngine, *_: object) -> RetouchEngine:
    return engine


def whole_cores(name: str, cores: float) -> int:
    assert name == "lifting"
    return int(cores)


def until_ready(address: str) -> None:
    """Waits until a session can be opened."""
    while True:
        try:
            with urllib.request.urlopen(address + "/readyz", timeout=30):
                return
        except urllib.error.HTTPError as error:
            with error:
                assert error.code == HTTPStatus.SERVICE_UNAVAILABLE
        threading.Event().wait(0.05)


class FailingEngine(LiftingEngine):
    """Raises what nobody expects."""

    def __init__(self) -> None:
        super().__init__(fails_at=3, failure=RuntimeError("out of luck"))


class StoppedEngine(LiftingEngine):
    """Stands for Ctrl+C in the middle."""

    def __init__(self) -> None:
        super().__init__(fails_at=3, failure=KeyboardInterrupt())


class ListeningEngine(LiftingEngine):
    """Remembers the weights it was loaded with."""

    loaded: Path | None = None

    @classmethod
    def load(cls, weights: Path | None = None, threads: int = 1) -> ListeningEngine:
        engine = cls()
        engine.loaded = weights
        return engine


class ListeningConditioner(CountingConditioner):
    """As the engine."""

    loaded: Path | None = None

    @classmethod
    def load(cls, weights: Path | None = None) -> ListeningConditioner:
        conditioner = cls()
        conditioner.loaded = weights
        return conditioner


def chosen_weights(weights: Path, size: int) -> Path:
    return Path(f"{weights}-{size}")


def commands() -> dict[str, argparse.ArgumentParser]:
    """The parsers of all subcommands."""
    actions = build_parser(NAMES.engines)._actions
    (action,) = (a for a in actions if isinstance(a, argparse._SubParsersAction))
    assert set(action.choices) == set(COMMANDS)
    return dict(action.choices)


def usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed for arguments that argparse refuses."""
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    return capsys.readouterr().err


class TestHelp:
    def test_the_reference_holds_every_option_with_its_meaning(self) -> None:
        text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").replace("\\|", "|")
        sections = text.split("\n## `stream-retouch ")
        for name, parser in commands().items():
            (section,) = (s for s in sections[1:] if s.startswith(name))
            for action in parser._actions:
                if action.dest == "help":
                    continue
                flag = " ".join([*action.option_strings, str(action.metavar or "")]).strip()
                assert f"| `{flag}` | {action.help} |" in section, (name, flag)

    def test_the_reference_shows_every_example_of_the_help(self) -> None:
        text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
        for parser in commands().values():
            examples = [line.strip() for line in str(parser.epilog).splitlines()[1:]]
            assert examples and all(example in text for example in examples)

    @pytest.mark.parametrize("name", [None, "serve", "file", "say", "doctor"])
    def test_help_is_printed(self, name: str | None, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main([*([name] if name else []), "--help"])
        assert caught.value.code == 0
        printed = capsys.readouterr().out
        assert "examples:\n  stream-retouch " in printed
        assert max(map(len, printed.splitlines())) <= 100

    def test_no_command_prints_the_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([]) == 2
        assert "usage: stream-retouch" in capsys.readouterr().out

    def test_the_version_is_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["--version"])
        assert capsys.readouterr().out == f"stream-retouch {__version__}\n"

    def test_every_setting_is_an_option_of_serve(self) -> None:
        flags = {flag for a in commands()["serve"]._actions for flag in a.option_strings}
        for field in fields(Settings):
            assert "--" + field.name.replace("_", "-") in flags

    def test_the_help_of_serve_names_the_true_defaults(self) -> None:
        texts = {a.dest: str(a.help) for a in commands()["serve"]._actions}
        for field in fields(Settings):
            default = getattr(Settings(), field.name)
            if default is not None and default != ():
                shown = f"{default:g}" if isinstance(default, float) else str(default)
                shown = {"True": "on", "False": "off"}.get(shown, shown)
                assert f"default {shown})" in texts[field.name], field.name


class TestUsage:
    @pytest.mark.parametrize(
        "argv, words",
        [
            (["fiel"], "(did you mean file?)"),
            (["serve", "--prot", "1"], "(did you mean --port?)"),
            (["file", "a.mp4", "b.mp4"], "the following arguments are required: --say"),
            (["file", "a.mp4", "--say", "x"], "the following arguments are required: OUT"),
            (
                ["file", "a", "b", "--say", "x", "--strength", "2"],
                "must be a number from 0 to 1, not '2'",
            ),
            (
                ["file", "a", "b", "--say", "x", "--crf", "0"],
                "must be a whole number from 1 to 51, not '0'",
            ),
            (["say", "hello"], "the following arguments are required: --session"),
            (["doctor", "--jsn"], "(did you mean --json?)"),
        ],
    )
    def test_wrong_arguments_say_what_is_right(
        self, argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        printed = usage_error(argv, capsys)
        assert words in printed
        assert "--help" in printed.splitlines()[-1]

    @pytest.mark.parametrize(
        "argv, words",
        [
            (
                ["serve", "--engine", "opnvino"],
                "no engine is named 'opnvino' (did you mean openvino?); "
                "use one of: auto, tensorrt, inductor, openvino, eager",
            ),
            (["serve", "--port", "70000"], "--port must be a whole number from 0 to 65535"),
            (["serve", "--host", "0.0.0.0"], "so a token is needed"),
        ],
    )
    def test_wrong_settings_are_usage_errors(
        self, argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(argv) == 2
        assert words in capsys.readouterr().err

    def test_threads_of_the_libraries_are_set_before_numpy_is_there(self) -> None:
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
        environ = {k: v for k, v in os.environ.items() if k not in names}
        script = (
            "import sys, os, stream_retouch.cli; assert 'numpy' not in sys.modules;"
            "print(os.environ['OPENBLAS_NUM_THREADS'], os.environ['OMP_NUM_THREADS'])"
        )
        for own, wanted in (({}, "1 1"), ({"OMP_NUM_THREADS": "3"}, "1 3")):
            done = subprocess.run(
                [sys.executable, "-c", script],
                env={**environ, **own},
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            )
            assert done.stdout.strip() == wanted

    def test_the_weights_are_chosen_by_file_and_size_for_engine_and_conditioner(self) -> None:
        names = replace(
            FAKES,
            engines={"listening": "tests.test_cli:ListeningEngine"},
            conditioner="tests.test_cli:ListeningConditioner",
            weights="tests.test_cli:chosen_weights",
        )
        settings = Settings(engine="listening", weights=Path("my.safetensors"), size=512)
        loaded = load_engine(settings, names), load_conditioner(settings, names)
        assert [part.loaded for part in loaded] == [Path("my.safetensors-512")] * 2

    def test_the_module_is_the_command(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "stream_retouch", "file", "none.mp4", "out.mp4", "--say", "x"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert done.stderr == "stream-retouch: none.mp4: no such file; check the name\n"


class TestFile:
    def run(self, source: Path, target: Path, *more: str, names: Names = FAKES) -> int:
        given = ["file", str(source), str(target), "--say", "clean", *more]
        return main([*given, *([] if "--engine" in more else ["--engine", "lifting"])], names)

    @pytest.fixture
    def clip(self, tmp_path: Path) -> Path:
        (tmp_path / "in").mkdir()
        (tmp_path / "out").mkdir()
        return write_clip(tmp_path / "in" / "in.mp4")

    def test_a_video_is_retouched_and_reported(
        self, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        target = tmp_path / "out" / "out.mp4"
        assert self.run(clip, target) == 0
        printed = capsys.readouterr()
        assert printed.out.startswith(
            f"wrote {target}: {FRAMES} frames, 1 face retouched in {FRAMES}"
        )
        lines = printed.err.splitlines()
        assert lines[0] == "taking away all blemishes."
        assert lines[-1].startswith("[========================] 100 %  12 frames")
        assert len(decoded(target)) == FRAMES

    def test_quiet_prints_nothing(
        self, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(clip, tmp_path / "out" / "out.mp4", "--quiet", "--compare") == 0
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize(
        "engine, code, words",
        [
            ("failing", 1, "something went wrong (RuntimeError: out of luck); --debug shows where"),
            ("stopped", 130, "stopped"),
            (
                "needy",
                1,
                "the engine needy cannot be used: No module named 'no_such_package'; install what "
                "is missing or choose another engine (see stream-retouch doctor)",
            ),
        ],
    )
    def test_what_goes_wrong_is_one_sentence_and_leaves_nothing(
        self,
        clip: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        engine: str,
        code: int,
        words: str,
    ) -> None:
        target = tmp_path / "out" / "out.mp4"
        assert self.run(clip, target, "--engine", engine, "--quiet") == code
        assert capsys.readouterr().err == f"stream-retouch: {words}\n"
        assert left_behind(tmp_path / "out") == []

    def test_debug_shows_the_traceback(self, clip: Path, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError, match="out of luck"):
            self.run(clip, tmp_path / "out" / "out.mp4", "--engine", "failing", "--debug")

    def test_words_that_cannot_be_carried_out_write_nothing(
        self, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(clip, tmp_path / "out" / "out.mp4", "--say", "order a pizza") == 1
        assert capsys.readouterr().err == (
            "stream-retouch: --say 'order a pizza': I can't do that; "
            "say what to change on the face\n"
        )
        assert left_behind(tmp_path / "out") == []

    def test_a_missing_part_names_the_doctor(
        self, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        names = replace(FAKES, finder="no_such_package:Finder")
        assert self.run(clip, tmp_path / "out" / "out.mp4", "--quiet", names=names) == 1
        assert capsys.readouterr().err == (
            "stream-retouch: No module named 'no_such_package'; "
            "run stream-retouch doctor to see what is missing\n"
        )

    @pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
    def test_sigterm_leaves_nothing_behind(self, clip: Path, tmp_path: Path) -> None:
        script = (
            "import os, signal, sys; from tests import test_cli as t\n"
            "class Engine(t.LiftingEngine):\n"
            "    def retouch(self, *given):\n"
            "        os.kill(os.getpid(), signal.SIGTERM); return super().retouch(*given)\n"
            "sys.modules['fake_engine'] = sys.modules['__main__']\n"
            "names = t.replace(t.FAKES, engines={'killed': 'fake_engine:Engine'})\n"
            "given = ['file', *sys.argv[1:], '--say', 'clean', '--engine', 'killed']\n"
            "sys.exit(t.main(given, names))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(clip), str(tmp_path / "out" / "out.mp4")],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 143, done.stderr
        assert left_behind(tmp_path / "out") == []

    def test_the_real_parts_are_named_where_they_are(self) -> None:
        assert set(NAMES.engines) == {"auto", "tensorrt", "inductor", "openvino", "eager"}
        others = (
            "finder",
            "conditioner",
            "planner",
            "transcriber",
            "problem",
            "guard",
            "sharing",
            "processes",
            "weights",
        )
        places = [getattr(NAMES, name) for name in others]
        for place in (*NAMES.engines.values(), *places):
            module, attribute = place.split(":")
            source = ROOT / (module.replace(".", "/") + ".py")
            assert re.search(rf"\n(class|def) {attribute}\b", source.read_text(encoding="utf-8"))


class TestServe:
    def test_an_encoder_that_cannot_be_had_is_told_at_once(self) -> None:
        lines = (
            "from stream_retouch.rtc import nvenc\n"
            "nvenc._tried = lambda: 'cannot be used (no GPU)'\n"
            "from stream_retouch.cli import main\n"
            "raise SystemExit(main(['serve', '--port', '0', '--video-encoder', 'nvenc']))"
        )
        done = subprocess.run(
            [sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last.startswith("stream-retouch: --video-encoder nvenc: h264_nvenc cannot be used (")
        assert last.endswith("choose auto or x264")

    def test_weights_that_are_not_there_are_told_before_an_address_is(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "gone.safetensors"
        assert main(["serve", "--port", "0", "--weights", str(path)]) == 1
        told = capsys.readouterr()
        assert (told.out, "gone.safetensors: no such file" in told.err) == ("", True)

    @pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
    @pytest.mark.parametrize("processes", [1, 2])
    def test_starts_answers_and_ends_with_sigterm(self, processes: int) -> None:
        script = (
            "import sys; from tests import test_cli as t\n"
            "argv = ['serve', '--port', '0', '--engine', 'lifting', '--speech', 'off']\n"
            "sys.exit(t.main([*argv, '--processes', sys.argv[1]], t.FAKES))\n"
        )
        with subprocess.Popen(
            [sys.executable, "-u", "-c", script, str(processes)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as service:
            assert service.stdout is not None
            try:
                address = service.stdout.readline().split()[3]
                with urllib.request.urlopen(address + "/healthz", timeout=30) as answer:
                    assert answer.status == HTTPStatus.OK
                until_ready(address)
            finally:
                service.terminate()
        assert service.returncode == 0

    @pytest.mark.parametrize(
        ("argv", "expected"),
        [
            ([], 1),
            (["--host", "0.0.0.0", "--token", "0123456789abcdef"], 3),
            (["--host", "0.0.0.0", "--token", "0123456789abcdef", "--processes", "2"], 2),
            (["--processes", "4"], 4),
        ],
    )
    def test_sessions_are_spread_over_processes_where_a_network_can_come_in(
        self, argv: list[str], expected: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []

        def serve(settings: Settings, load_parts: object, processes: int) -> int:
            pickle.loads(pickle.dumps(load_parts))
            asked.append(processes)
            return 0

        monkeypatch.setattr("stream_retouch.service.running.serve", serve)
        monkeypatch.setattr("stream_retouch.service.load.usable_cores", lambda: 3.0)
        names = replace(FAKES, processes="tests.test_cli:whole_cores")
        assert main(["serve", "--engine", "lifting", *argv], names) == 0
        assert asked == [expected]


PLAN_MESSAGE = {
    "type": "plan",
    "id": "say",
    "version": 3,
    "plan": {
        "action": "apply",
        "edits": [{"category": "dark_circle", "regions": ["left_under_eye"], "amount": 0.75}],
        "keep": [{"category": "mole", "regions": ["face"]}],
    },
    "reply": "Lessening dark circles.",
}
APPLIED_MESSAGE = {"type": "applied", "version": 3, "first_pts": 12.5, "took_ms": 140.4}


class TestSay:
    """Against a WebSocket server on the loopback that plays the service."""

    @contextmanager
    def service(
        self, *answers: dict[str, Any], status: HTTPStatus | None = None
    ) -> Iterator[tuple[str, list[Any]]]:
        seen: list[Any] = []

        def check(connection: ServerConnection, request: Request) -> Response | None:
            seen.append((request.path, request.headers.get("Authorization")))
            if status is None:
                return None
            body = json.dumps({"detail": "no such session"}).encode()
            response = connection.respond(status, "")
            response.body = body
            del response.headers["Content-Length"]
            response.headers["Content-Length"] = str(len(body))
            return response

        def handle(connection: ServerConnection) -> None:
            seen.append(json.loads(connection.recv()))
            for answer in answers:
                connection.send(json.dumps(answer))

        with serve(handle, "127.0.0.1", 0, process_request=check) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.socket.getsockname()[1]}", seen
            finally:
                server.shutdown()
                thread.join()

    def test_prints_the_reply_the_plan_and_the_moment(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stats = {"type": "stats", "fps": 30.0}
        earlier = {**APPLIED_MESSAGE, "version": 2}
        with self.service(stats, PLAN_MESSAGE, earlier, stats, APPLIED_MESSAGE) as (url, seen):
            argv = ["say", "less dark circles", "--url", url, "--session", "a/b"]
            assert main([*argv, "--token", "sixteen-letters-at-least"]) == 0
        assert seen[0] == ("/ws?session=a%2Fb", "Bearer sixteen-letters-at-least")
        assert seen[1] == {"type": "instruct", "id": "say", "text": "less dark circles"}
        assert capsys.readouterr().out.splitlines() == [
            "Lessening dark circles.",
            "  less dark circle (left under eye), 75 %",
            "  keep mole (face)",
            "shown from 12.500 s of the stream on (140 ms)",
        ]

    def test_without_a_frame_that_shows_it_says_when_it_will(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with self.service(PLAN_MESSAGE) as (url, _):
            assert main(["say", "x", "--url", url, "--session", "a"]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "it shows as soon as a face is in view"

    @pytest.mark.parametrize("kind", ["rejected", "error"])
    def test_a_refusal_is_told_and_fails(
        self, kind: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with self.service({"type": kind, "id": "say", "reason": "I can't do that"}) as (url, _):
            assert main(["say", "order a pizza", "--url", url, "--session", "a"]) == 1
        assert capsys.readouterr().err == "stream-retouch: I can't do that\n"

    def test_a_closed_door_gives_the_services_own_words(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with self.service(status=HTTPStatus.NOT_FOUND) as (url, _):
            assert main(["say", "x", "--url", url, "--session", "a"]) == 1
        assert capsys.readouterr().err == f"stream-retouch: {url}: no such session\n"

    def test_an_ended_session_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        with self.service() as (url, _):
            assert main(["say", "x", "--url", url, "--session", "a"]) == 1
        assert "the session has ended" in capsys.readouterr().err

    def test_nobody_there_says_how_to_start_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        with self.service() as (url, _):
            pass  # the port was free a moment ago, and is again
        assert main(["say", "x", "--url", url, "--session", "a"]) == 1
        assert capsys.readouterr().err == (
            f"stream-retouch: no service answers at {url}; "
            "start it with stream-retouch serve, or name another --url\n"
        )

    @pytest.mark.parametrize("url", ["ftp://host", "127.0.0.1:8080", "http://"])
    def test_an_address_that_is_none_says_what_is(
        self, url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["say", "x", "--url", url, "--session", "a"]) == 1
        assert "--url must be like http://127.0.0.1:8080" in capsys.readouterr().err

    def test_https_becomes_wss_and_paths_stay(self) -> None:
        assert socket_url("https://host:8/base/", "s s") == "wss://host:8/base/ws?session=s%20s"

    def test_an_empty_plan_has_a_chip_too(self) -> None:
        assert chips_of({"edits": [], "keep": []}) == ("nothing is changed",)


def deaf(name: str, folder: Path | None) -> object:
    """A recogniser that cannot be loaded."""
    raise SpeechError(f"{name} is not installed; install it")


def attentive(name: str, folder: Path | None) -> object:
    """A recogniser that is its own name and folder."""
    return (name, folder)


def simple(name: str, folder: Path | None) -> object:
    """Only pocketsphinx can be loaded."""
    return attentive(name, folder) if name == "pocketsphinx" else deaf(name, folder)


def test_speech_that_is_off_says_how_to_switch_it_on() -> None:
    names = replace(FAKES, transcriber="tests.test_cli:attentive")
    found, reason = load_transcriber(Settings(speech="off"), names)
    assert found is None and reason.endswith("--speech auto")


def test_the_recogniser_that_is_named_is_loaded_from_its_folder() -> None:
    names = replace(FAKES, transcriber="tests.test_cli:attentive")
    settings = Settings(speech="whisper", speech_dir=Path("models"))
    assert load_transcriber(settings, names) == (("whisper", Path("models")), "")
    assert load_transcriber(Settings(), names) == (("embedded", None), "")


def test_where_the_better_recogniser_is_missing_the_simpler_one_listens_and_that_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = replace(FAKES, transcriber="tests.test_cli:simple")
    assert load_transcriber(Settings(), names) == (("pocketsphinx", None), "")
    told = capsys.readouterr().err
    assert told == "pocketsphinx alone listens: embedded is not installed; install it\n"
    with pytest.raises(SpeechError, match="embedded is not installed"):
        load_transcriber(Settings(speech="embedded"), names)


def test_without_a_recogniser_the_service_runs_unless_one_was_named() -> None:
    names = replace(FAKES, transcriber="tests.test_cli:deaf")
    assert load_transcriber(Settings(), names) == (
        None,
        "embedded is not installed; install it",
    )
    with pytest.raises(SpeechError, match="pocketsphinx is not installed"):
        load_transcriber(Settings(speech="pocketsphinx"), names)
