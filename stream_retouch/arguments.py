"""The arguments of the ``stream-retouch`` command and its subcommands. docs/cli.md is their
reference.

Only what argparse itself can judge is judged here; settings are checked by ``settings.Settings``.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, NoReturn

from stream_retouch import __version__

USAGE = 2
"""Exit code for arguments that are not right."""

EXAMPLES = """\
examples:
  stream-retouch serve
  stream-retouch file in.mp4 out.mp4 --say "remove the spots on my forehead, keep my freckles"
  stream-retouch file me.jpg better.jpg --say "less shine on my nose" --compare
  stream-retouch say "a bit stronger" --url http://127.0.0.1:8080 --session ID
  stream-retouch doctor

Every option of serve can also be set in the environment, as STREAM_RETOUCH_PORT and so on. A flag
comes first, then the environment, then the default. Exit codes: 0 done, 1 failed (one sentence says
why), 2 wrong usage, 130 Ctrl+C.
"""

# What a Settings field means as an option of `serve`: metavar and help. `engine`, `weights`, `size`
# and `threads` also serve `file`.
_SERVE_OPTIONS: dict[str, tuple[str, str]] = {
    "host": (
        "ADDRESS",
        "address to bind; other machines can reach any but 127.0.0.1 (default 127.0.0.1)",
    ),
    "port": ("N", "port of the page and the endpoints, 0 for any free one (default 8080)"),
    "token": (
        "TEXT",
        "secret that clients must send, at least 16 characters; prefer STREAM_RETOUCH_TOKEN",
    ),
    "max_sessions": ("N", "video sessions at one time (default as many as the machine carries)"),
    "processes": (
        "N",
        "processes that sessions are spread over (default 1 on loopback or with a GPU, else one per core, 4 at most)",
    ),
    "frame_budget_ms": ("MS", "how long a frame waits for its retouching at most (default 40)"),
    "min_bitrate_bps": (
        "N",
        "least bit rate of the returned video, bits per second (default 300000)",
    ),
    "start_bitrate_bps": ("N", "bit rate of the first seconds (default 2500000)"),
    "max_bitrate_bps": ("N", "greatest bit rate of the returned video (default 3000000)"),
    "video_encoder": ("NAME", "who makes H.264: auto, x264 or nvenc (default auto)"),
    "relay_audio": (
        "on|off",
        "send a session's sound back to it, as late as its video (default off)",
    ),
    "google_min_bitrate_bps": (
        "N",
        "bit rate below which Chromium is told never to go (default none)",
    ),
    "ice_servers": (
        "URLS",
        "STUN and TURN servers, comma-separated, as stun:host:3478 (default none)",
    ),
    "turn_secret": (
        "TEXT",
        "secret shared with the TURN servers; prefer STREAM_RETOUCH_TURN_SECRET",
    ),
    "udp_ports": ("FIRST-LAST", "UDP ports of the video, as 50000-50199 (default any)"),
    "advertise": (
        "ADDRESS",
        "IP address at which clients reach the video (default the one that is bound)",
    ),
    "requests_per_s": (
        "N",
        "requests a second that one address may make, ten times as many at once; 0: any (default 5)",
    ),
    "trusted_proxies": (
        "ADDRESSES",
        "proxies whose X-Forwarded-For tells who asks, comma-separated (default none)",
    ),
    "max_viewers": ("N", "viewers of published streams at one time (default 50)"),
    "allow_origins": (
        "ORIGINS",
        "web pages that may publish and watch, as https://example.org, comma-separated (default none)",
    ),
    "max_text_chars": ("N", "longest instruction, characters (default 2000)"),
    "max_message_bytes": ("N", "longest control message, bytes (default 65536)"),
    "max_sdp_bytes": ("N", "longest SDP offer, bytes (default 65536)"),
    "connect_timeout_s": ("S", "a session that does not connect for so long is ended (default 30)"),
    "shutdown_timeout_s": ("S", "how long stopping may take (default 5)"),
    "planner_key": ("TEXT", "the endpoint's secret; prefer STREAM_RETOUCH_PLANNER_KEY"),
    "speech": (
        "NAME",
        "who hears speech: off, auto, embedded, pocketsphinx, moonshine, faster-whisper, whisper, "
        "sherpa-onnx (default auto)",
    ),
    "speech_dir": ("PATH", "folder with the recogniser's model (default: the one in the package)"),
    "log_level": ("LEVEL", "debug, info, warning or error (default info)"),
}


class _Parser(argparse.ArgumentParser):
    """Says what would be right when a word is nearly a known one."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        hint = self._hint(message)
        self.exit(USAGE, f"{self.prog}: {message}{hint}\nTry: {self.prog} --help\n")

    def _hint(self, message: str) -> str:
        known = [*self._option_string_actions]
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, command in action.choices.items():
                    known += [name, *command._option_string_actions]
        wrong = (
            message.split("unrecognized arguments: ")[-1].split()
            if "unrecognized" in message
            else []
        )
        if "invalid choice: " in message:
            wrong = [message.split("invalid choice: ")[1].split("'")[1]]
        for word in wrong:
            near = difflib.get_close_matches(word.split("=")[0], known, n=1)
            if near:
                return f" (did you mean {near[0]}?)"
        return ""


def build_parser(engines: Collection[str]) -> argparse.ArgumentParser:
    """The parser of all subcommands; docs/cli.md is checked against it.

    The result has ``command``, None when no subcommand is named.
    """
    parser = _Parser(
        prog="stream-retouch",
        description="A real-time face-retouch filter steered by words.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"stream-retouch {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for command in (
        _add_serve(commands, engines),
        _add_file(commands, engines),
        _add_say(commands),
        _add_doctor(commands),
    ):
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _command(commands: Any, name: str, about: str, examples: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + ".",
        epilog="examples:\n"
        + "".join(
            f"  stream-retouch {name} {line}".rstrip() + "\n" for line in examples.splitlines()
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return command


def _add_serve(commands: Any, engines: Collection[str]) -> argparse.ArgumentParser:
    command = _command(
        commands,
        "serve",
        "run the service: a page in the browser, WebRTC in and out",
        "\n--port 9000\n--host 0.0.0.0 --token A-LONG-SECRET-OF-YOURS",
    )
    _add_engine_options(command, engines)
    _add_planner_options(command)
    for field, (metavar, about) in _SERVE_OPTIONS.items():
        command.add_argument("--" + field.replace("_", "-"), metavar=metavar, help=about)
    return command


def _add_file(commands: Any, engines: Collection[str]) -> argparse.ArgumentParser:
    command = _command(
        commands,
        "file",
        "retouch a video or a picture",
        'in.mp4 out.mp4 --say "remove the spots on my forehead, keep my freckles"\n'
        'in.mov out.mp4 --say "remove all blemishes" --say "but keep my mole" --compare\n'
        'me.jpg better.jpg --say "take away the dark circles" --strength 0.7',
    )
    command.add_argument(
        "input", metavar="IN", type=Path, help="any video or picture that FFmpeg reads"
    )
    command.add_argument(
        "output",
        metavar="OUT",
        type=Path,
        help="the file to write: .mp4 .m4v .mov .mkv .webm, or .jpg .png .webp .bmp .tif",
    )
    command.add_argument(
        "--say",
        metavar="WORDS",
        action="append",
        required=True,
        help="what to change on the face; again for a further turn of the dialogue",
    )
    command.add_argument("--compare", action="store_true", help="write before | after side by side")
    command.add_argument(
        "--strength",
        metavar="0..1",
        type=_share,
        default=1.0,
        help="how much of the change is shown (default 1)",
    )
    _add_engine_options(command, engines)
    _add_planner_options(command)
    command.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    command.add_argument(
        "--crf",
        metavar="N",
        type=_crf,
        help="quality of the video, 1 (best) to 51 (default 17; 22 for .webm)",
    )
    command.add_argument("--quiet", action="store_true", help="print errors only")
    return command


def _add_say(commands: Any) -> argparse.ArgumentParser:
    command = _command(
        commands,
        "say",
        "say something to a running session",
        '"remove the spots on my left cheek" --session ID\n'
        '"undo that" --url http://127.0.0.1:9000 --session ID',
    )
    command.add_argument("words", metavar="WORDS", help="what to change on the face")
    command.add_argument(
        "--url",
        metavar="URL",
        default="http://127.0.0.1:8080",
        help="the service (default http://127.0.0.1:8080)",
    )
    command.add_argument(
        "--session",
        metavar="ID",
        required=True,
        help="the session; the page shows it, POST /session returns it",
    )
    command.add_argument(
        "--token", metavar="TEXT", help="the service's secret; prefer STREAM_RETOUCH_TOKEN"
    )
    return command


def _add_doctor(commands: Any) -> argparse.ArgumentParser:
    command = _command(
        commands,
        "doctor",
        "show what this machine has for the filter and what is missing",
        "\n--json",
    )
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.add_argument("--weights", metavar="PATH", type=Path, help="look at this weights file")
    return command


def _add_planner_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--planner",
        metavar="NAME",
        help="who reads the words: embedded, grammar, the URL of an OpenAI-compatible endpoint, or a folder with a "
        "language model (default embedded)",
    )
    command.add_argument(
        "--planner-model", metavar="NAME", help="the endpoint's model, as it names it"
    )


def _add_engine_options(command: argparse.ArgumentParser, engines: Collection[str]) -> None:
    *names, last = engines
    known = f"{', '.join(names)} or {last}" if names else last
    command.add_argument(
        "--engine", metavar="NAME", help=f"how the network is run: {known} (default openvino)"
    )
    command.add_argument(
        "--weights", metavar="PATH", help="weights file (default: those in the package)"
    )
    command.add_argument(
        "--size",
        metavar="N",
        help="size of the network: 256, for CPUs, or 512 (default: that of the weights, else 256)",
    )
    command.add_argument("--threads", metavar="N", help="CPU threads of the network (default 1)")


def _share(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, not {text!r}")


def _crf(text: str) -> int:
    with contextlib.suppress(ValueError):
        if 1 <= int(text) <= 51:
            return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 51, not {text!r}")
