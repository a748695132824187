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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

# Before anything imports numpy: each library's second thread spins and takes a core from the video
# (147 % against 73 % CPU for one 720p stream, measured). A user's own setting holds.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from stream_retouch.arguments import USAGE, build_parser  # noqa: E402
from stream_retouch.errors import EngineError, SettingsError, SpeechError, StreamRetouchError  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from stream_retouch.engine import Conditioner, FaceFinder, Planner, RetouchEngine, Transcriber
    from stream_retouch.service.parts import Parts
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
    """A function of the planner's name or address, the model and the secret of an endpoint."""
    transcriber: str = "engines.transcriber:load"
    """A function of a recogniser's name and its folder or None."""
    problem: str = "engines.choice:problem"
    """A function of an engine's name: why this machine cannot use it, or None."""
    guard: str = "engines.choice:guard"
    """A function of an engine, the weights file and the threads it was loaded with: the engine that is followed by the
    next best one, should it fail."""
    sharing: str = "engines.batching:shared"
    """A function of an engine, the cores that the service may use and its processes: the engine for many users."""
    processes: str = "engines.choice:processes"
    """A function of an engine's name and the cores that the service may use: in how many processes it serves best."""
    weights: str = "engines.weights_file:chosen"
    """A function of the weights file and the size that are asked for, either None: the file to load, None for the
    usual one."""


NAMES = Names(
    engines={
        "auto": "engines.choice:BestEngine",
        "tensorrt": "engines.tensorrt:TensorRTEngine",
        "inductor": "engines.inductor:InductorEngine",
        "openvino": "engines.openvino:OpenVINOEngine",
        "eager": "engines.eager:EagerEngine",
    },
    finder="engines.face_finder:NetFinder",
    conditioner="engines.conditioner:LanguageConditioner",
    planner="engines.planners:chosen",
)

OK, FAILED, INTERRUPTED = 0, 1, 128 + signal.SIGINT
"""Exit codes, beside USAGE."""
AUTO_SPEECH = ("embedded", "pocketsphinx")
"""Recognisers that ``--speech auto`` tries, the better one first."""
REPLY_TIMEOUT_S = 30.0
"""How long ``say`` waits for the plan, seconds."""
APPLIED_TIMEOUT_S = 5.0
"""How long ``say`` then waits for the first frame that shows it: there may be no face in view."""


def main(argv: Sequence[str] | None = None, names: Names = NAMES) -> int:
    """Runs one command and returns its exit code. Prints one sentence, not a traceback, when it
    fails."""
    with contextlib.suppress(
        AttributeError, ValueError
    ):  # names and words on consoles of any encoding
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        sys.stderr.reconfigure(errors="replace")  # type: ignore[union-attr]
    parser = build_parser(names.engines)
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return USAGE
    try:
        return COMMANDS[args.command](args, names)
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


# Subcommands


def _serve(args: argparse.Namespace, names: Names) -> int:
    from stream_retouch.service.load import usable_cores
    from stream_retouch.service.running import serve

    settings = _settings(args, names)
    try:
        settings.check_exposure()
    except SettingsError as problem:
        raise _UsageError(str(problem)) from problem
    load_weights(settings, names)  # what is wrong with them is told before an address is

    processes = settings.processes
    if processes is None:
        # On this machine only, it is one person's: a second process would cost them half a gigabyte for nothing.
        alone = settings.is_loopback
        processes = 1 if alone else _load(names.processes)(settings.engine, usable_cores())
    return serve(settings, _PartsLoader(settings, names, processes), processes)


@dataclass(frozen=True, slots=True)
class _PartsLoader:
    """Loads what the service is made of. Can be pickled, for each of its processes loads its own."""

    settings: Settings
    names: Names
    processes: int

    def __call__(self) -> Parts:
        from stream_retouch.service.load import usable_cores
        from stream_retouch.service.parts import Parts

        settings, names = self.settings, self.names
        finder = _load(names.finder)
        transcriber, no_speech = load_transcriber(settings, names)
        engine = load_engine(settings, names)
        return Parts(
            transcriber=transcriber,
            no_speech=no_speech,
            engine=_load(names.sharing)(engine, usable_cores(), self.processes),
            finder=finder.load,
            conditioner=load_conditioner(settings, names),
            planner=load_planner(settings, names),
        )


def _file(args: argparse.Namespace, names: Names) -> int:
    from stream_retouch.outputs.file import check_paths, retouch_file
    from stream_retouch.outputs.look import LookRetoucher, plan_of
    from stream_retouch.outputs.progress import Progress

    settings = _settings(args, names)
    # What can be refused at once is refused before the network is loaded.
    check_paths(args.input, args.output, args.overwrite)
    plan, replies = plan_of(args.say, load_planner(settings, names))
    tell = _silent if args.quiet else _tell
    for reply in replies:
        tell(reply)
    engine = load_engine(settings, names)
    with contextlib.closing(engine), _ended_by_sigterm():
        retoucher = LookRetoucher(
            plan,
            finder=load_finder(names),
            conditioner=load_conditioner(settings, names),
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

    checks = doctor.examine(names.engines, args.weights, names.problem)
    print(doctor.as_json(checks) if args.json else doctor.as_text(checks))
    return OK if doctor.can_run(checks) else FAILED


COMMANDS: Mapping[str, Callable[[argparse.Namespace, Names], int]] = {
    "serve": _serve,
    "file": _file,
    "say": _say,
    "doctor": _doctor,
}

# Parts


def load_engine(settings: Settings, names: Names) -> RetouchEngine:
    """The engine of that name.

    Raises:
        EngineError: a package that it needs is missing.
        WeightsError: the weights cannot be used.
    """
    name = settings.engine
    try:
        weights = load_weights(settings, names)
        engine: RetouchEngine = _load(names.engines[name]).load(weights, settings.threads)
        engine = _load(names.guard)(engine, weights, settings.threads)
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


def load_conditioner(settings: Settings, names: Names) -> Conditioner:
    """What turns a plan into a conditioning, of the same weights as the engine."""
    conditioner: Conditioner = _load(names.conditioner).load(load_weights(settings, names))
    return conditioner


def load_weights(settings: Settings, names: Names) -> Path | None:
    """The weights file of that name or size, None for the usual one.

    Raises:
        WeightsError: no network of that size ships, or the file that is named is of another.
    """
    weights: Path | None = _load(names.weights)(settings.weights, settings.size)
    return weights


def load_planner(settings: Settings, names: Names) -> Planner:
    """What turns words into a plan.

    Raises:
        SettingsError: there is no planner of that name.
        WeightsError: its weights cannot be used.
    """
    make = _load(names.planner)
    planner: Planner = make(settings.planner, settings.planner_model, settings.planner_key)
    return planner


def load_transcriber(settings: Settings, names: Names) -> tuple[Transcriber | None, str]:
    """What recognises speech; or None and why there is none, ending with the remedy.

    Raises:
        SpeechError: the recogniser that was asked for by name cannot be used.
    """
    if settings.speech == "off":
        return None, "speech is switched off; start the service with --speech auto"
    make = _load(names.transcriber)
    if settings.speech != "auto":
        return make(settings.speech, settings.speech_dir), ""
    problems = []
    for name in AUTO_SPEECH:
        try:
            transcriber: Transcriber = make(name, settings.speech_dir)
        except SpeechError as problem:
            problems.append(str(problem))
            continue
        if problems:
            print(f"{name} alone listens: {problems[0]}", file=sys.stderr)
        return transcriber, ""
    return None, problems[0]


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
