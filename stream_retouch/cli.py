"""The ``stream-retouch`` command: argv and environment become settings, settings become parts,
parts run.

The only file that names concrete engines. It imports nothing heavy by itself: each subcommand
imports what it needs, so that ``--help`` is instant and a broken package is reported by the command
that needs it.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

# Before anything imports numpy: each library's second thread spins and takes a core from the video
# (147 % against 73 % CPU for one 720p stream, measured). A user's own setting holds.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from stream_retouch import __version__  # noqa: E402
from stream_retouch.errors import EngineError, SettingsError, StreamRetouchError  # noqa: E402

if TYPE_CHECKING:
    from stream_retouch.engine import Conditioner, FaceFinder, Planner, RetouchEngine
    from stream_retouch.settings import Settings


@dataclass(frozen=True, slots=True)
class Names:
    """Where the concrete parts are, as "module:attribute", imported when they are needed."""

    engines: Mapping[str, str]
    """How the network can be run: classes with ``load(weights=None, threads=1)``."""
    finder: str
    """A class with ``load()``."""
    conditioner: str
    """A class with ``load()``."""
    planner: str
    """A class without arguments."""


NAMES = Names(
    engines={
        "openvino": "engines.openvino:OpenVINOEngine",
        "eager": "engines.eager:EagerEngine",
    },
    finder="engines.face_finder:CascadeFinder",
    conditioner="engines.conditioner:LanguageConditioner",
    planner="stream_retouch.language.grammar:GrammarPlanner",
)

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 128 + signal.SIGINT
"""Exit codes."""
REPLY_TIMEOUT_S = 30.0
"""How long ``say`` waits for the plan, seconds."""
APPLIED_TIMEOUT_S = 5.0
"""How long ``say`` then waits for the first frame that shows it: there may be no face in view."""

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

# What a Settings field means as an option of `serve`: metavar and help. `engine`, `weights` and
# `threads` also serve `file`.
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
    "max_sessions": ("N", "video sessions at one time (default 4)"),
    "frame_budget_ms": ("MS", "how long a frame waits for its retouching (default 20)"),
    "min_bitrate_bps": (
        "N",
        "least bit rate of the returned video, bits per second (default 300000)",
    ),
    "start_bitrate_bps": ("N", "bit rate of the first seconds (default 2500000)"),
    "max_bitrate_bps": ("N", "greatest bit rate of the returned video (default 3000000)"),
    "google_min_bitrate_bps": (
        "N",
        "bit rate below which Chromium is told never to go (default none)",
    ),
    "ice_servers": (
        "URLS",
        "STUN and TURN servers, comma-separated, as stun:host:3478 (default none)",
    ),
    "max_text_chars": ("N", "longest instruction, characters (default 2000)"),
    "max_message_bytes": ("N", "longest control message, bytes (default 65536)"),
    "max_sdp_bytes": ("N", "longest SDP offer, bytes (default 65536)"),
    "connect_timeout_s": ("S", "a session that does not connect for so long is ended (default 30)"),
    "shutdown_timeout_s": ("S", "how long stopping may take (default 5)"),
    "log_level": ("LEVEL", "debug, info, warning or error (default info)"),
}


def main(argv: Sequence[str] | None = None, names: Names = NAMES) -> int:
    """Runs one command and returns its exit code. Prints one sentence, not a traceback, when it
    fails."""
    with contextlib.suppress(
        AttributeError, ValueError
    ):  # names and words on consoles of any encoding
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        sys.stderr.reconfigure(errors="replace")  # type: ignore[union-attr]
    parser = build_parser(names)
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return USAGE
    try:
        return int(args.run(args, names))
    except KeyboardInterrupt:
        if args.debug:
            raise
        return _failed("stopped", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as problem:  # a border: people get a sentence, --debug the traceback
        if args.debug:
            raise
        if isinstance(problem, StreamRetouchError):
            return _failed(str(problem), USAGE if isinstance(problem, _UsageError) else FAILED)
        if isinstance(problem, ImportError):
            return _failed(f"{problem}; run stream-retouch doctor to see what is missing", FAILED)
        kind = type(problem).__name__
        return _failed(f"something went wrong ({kind}: {problem}); --debug shows where", FAILED)


def _failed(sentence: str, code: int) -> int:
    print(f"stream-retouch: {sentence}", file=sys.stderr)
    return code


class _UsageError(SettingsError):
    """An argument that argparse let pass."""


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


def build_parser(names: Names = NAMES) -> argparse.ArgumentParser:
    """The parser of all subcommands; docs/cli.md is checked against it."""
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
        _add_serve(commands, names),
        _add_file(commands, names),
        _add_say(commands),
        _add_doctor(commands),
    ):
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _command(
    commands: Any, name: str, run: Any, about: str, examples: str
) -> argparse.ArgumentParser:
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
    command.set_defaults(run=run)
    return command


def _add_serve(commands: Any, names: Names) -> argparse.ArgumentParser:
    command = _command(
        commands,
        "serve",
        _serve,
        "run the service: a page in the browser, WebRTC in and out",
        "\n--port 9000\n--host 0.0.0.0 --token A-LONG-SECRET-OF-YOURS",
    )
    _add_engine_options(command, names)
    for field, (metavar, about) in _SERVE_OPTIONS.items():
        command.add_argument("--" + field.replace("_", "-"), metavar=metavar, help=about)
    return command


def _add_file(commands: Any, names: Names) -> argparse.ArgumentParser:
    command = _command(
        commands,
        "file",
        _file,
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
    _add_engine_options(command, names)
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
        _say,
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
        _doctor,
        "show what this machine has for the filter and what is missing",
        "\n--json",
    )
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.add_argument("--weights", metavar="PATH", type=Path, help="look at this weights file")
    return command


def _add_engine_options(command: argparse.ArgumentParser, names: Names) -> None:
    known = " or ".join(names.engines)
    command.add_argument(
        "--engine", metavar="NAME", help=f"how the network is run: {known} (default openvino)"
    )
    command.add_argument(
        "--weights", metavar="PATH", help="weights file (default: those in the package)"
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


# Subcommands


def _serve(args: argparse.Namespace, names: Names) -> int:
    from stream_retouch.service.running import serve
    from stream_retouch.service.parts import Parts

    settings = _settings(args, names)
    try:
        settings.check_exposure()
    except SettingsError as problem:
        raise _UsageError(str(problem)) from problem

    def load_parts() -> Parts:
        finder = _load(names.finder)
        return Parts(
            engine=load_engine(settings, names),
            finder=finder.load,
            conditioner=load_conditioner(names),
            planner=load_planner(names),
        )

    return serve(settings, load_parts)


def _file(args: argparse.Namespace, names: Names) -> int:
    from stream_retouch.outputs.file import check_paths, retouch_file
    from stream_retouch.outputs.look import LookRetoucher, plan_of
    from stream_retouch.outputs.progress import Progress

    settings = _settings(args, names)
    # What can be refused at once is refused before the network is loaded.
    check_paths(args.input, args.output, args.overwrite)
    plan, replies = plan_of(args.say, load_planner(names))
    tell = _silent if args.quiet else _tell
    for reply in replies:
        tell(reply)
    engine = load_engine(settings, names)
    with contextlib.closing(engine), _ended_by_sigterm():
        retoucher = LookRetoucher(
            plan,
            finder=load_finder(names),
            conditioner=load_conditioner(names),
            engine=engine,
            strength=args.strength,
        )
        progress = None if args.quiet else Progress(sys.stderr)
        try:
            report = retouch_file(
                args.input,
                args.output,
                retoucher,
                compare=args.compare,
                overwrite=args.overwrite,
                crf=args.crf,
                on_frame=progress.update if progress else None,
            )
        finally:
            if progress:
                progress.close()
    for note in report.notes:
        tell(f"note: {note}")
    if not args.quiet:
        print(report)
    return OK


def _say(args: argparse.Namespace, names: Names) -> int:
    from stream_retouch.say import say

    token = args.token or os.environ.get("STREAM_RETOUCH_TOKEN") or None
    answer = say(args.url, args.session, args.words, token, REPLY_TIMEOUT_S, APPLIED_TIMEOUT_S)
    if answer.refusal is not None:
        print(f"stream-retouch: {answer.refusal}", file=sys.stderr)
        return FAILED
    print(answer.reply)
    for chip in answer.chips:
        print(f"  {chip}")
    if answer.first_pts_s is None:
        print("it shows as soon as a face is in view")
    else:
        print(f"shown from {answer.first_pts_s:.3f} s of the stream on ({answer.took_ms:.0f} ms)")
    return OK


def _doctor(args: argparse.Namespace, names: Names) -> int:
    from stream_retouch import doctor

    checks = doctor.examine(names.engines, args.weights)
    print(doctor.as_json(checks) if args.json else doctor.as_text(checks))
    return OK if doctor.can_run(checks) else FAILED


# Parts


def load_engine(settings: Settings, names: Names) -> RetouchEngine:
    """The engine of that name.

    Raises:
        EngineError: a package that it needs is missing.
        WeightsError: the weights cannot be used.
    """
    name = settings.engine
    try:
        engine: RetouchEngine = _load(names.engines[name]).load(settings.weights, settings.threads)
    except ImportError as problem:
        raise EngineError(
            f"the engine {name} cannot be used: {problem}; install what is missing "
            "or choose another engine (see stream-retouch doctor)"
        ) from problem
    return engine


def load_finder(names: Names) -> FaceFinder:
    """The face finder."""
    finder: FaceFinder = _load(names.finder).load()
    return finder


def load_conditioner(names: Names) -> Conditioner:
    """What turns a plan into a conditioning."""
    conditioner: Conditioner = _load(names.conditioner).load()
    return conditioner


def load_planner(names: Names) -> Planner:
    """What turns words into a plan."""
    planner: Planner = _load(names.planner)()
    return planner


def _load(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


# Helpers of the commands


def _settings(args: argparse.Namespace, names: Names) -> Settings:
    from stream_retouch.settings import Settings

    try:
        settings = Settings.resolve(vars(args), os.environ)
    except SettingsError as problem:
        raise _UsageError(str(problem)) from problem
    if settings.engine not in names.engines:
        near = difflib.get_close_matches(settings.engine, names.engines, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        known = ", ".join(names.engines)
        raise _UsageError(f"no engine is named {settings.engine!r}{hint}; use one of: {known}")
    return settings


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Lets SIGTERM clean up as Ctrl+C does."""

    def stop(*_: object) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread: somebody else owns the signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _silent(sentence: str) -> None:
    pass
