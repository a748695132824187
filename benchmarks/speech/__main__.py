"""Spoken instructions in synthetic voices through Opus, end-pointing and the recogniser.

    python -m benchmarks.speech

`slot_accuracy` is the share of clips that keep every keyword (see slots.py); its ceiling is 1, reached only when every
sentence is made of words that the recogniser knows. `wer` is the word error rate, `rtf` processor time per time of
sound, `false_triggers` counts sentences heard while the button is not held. Needs espeak-ng, and the extra `speech`.

``--voice`` names other voices of espeak-ng in place of the usual four. Those of MBROLA, `mb-us1` and so on, were made
from recordings of people, and are packages of their own.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import file_path, hardware, versions
from benchmarks.speech.measure import CONDITIONS, Sums, clips, held, timed
from benchmarks.speech.report import last_line, table, write
from benchmarks.speech.said import HELD_OUT, MEETING, SEED, instructions
from benchmarks.speech.voices import HEARD_HZ, VOICES, Voice, can_speak
from engines.transcriber import RECOGNISERS
from stream_retouch.errors import SpeechError


def _voice(text: str) -> Voice:
    name, _, pace = text.rpartition(":")
    if not name or not pace.isdigit():
        raise argparse.ArgumentTypeError(
            f"{text} is no voice; give its name and words a minute, as en-us:165"
        )
    return Voice(name, int(pace))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints a table and, last, one line of JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.speech", description=__doc__)
    parser.add_argument("--instructions", type=Path, default=HELD_OUT, metavar="JSONL")
    parser.add_argument("--sentences", type=int, default=60, metavar="N")
    parser.add_argument("--voices", type=int, default=len(VOICES), metavar="N")
    parser.add_argument(
        "--voice",
        type=_voice,
        action="append",
        metavar="NAME:WPM",
        help="another voice, such as mb-us1:165",
    )
    parser.add_argument("--seed", type=int, default=SEED, metavar="N")
    parser.add_argument("--speech", choices=sorted(RECOGNISERS), default="embedded")
    parser.add_argument("--speech-dir", type=Path, metavar="PATH")
    parser.add_argument("--show", action="store_true", help="print what was heard otherwise")
    parser.add_argument("--out", type=file_path, metavar="FILE", help="result file")
    args = parser.parse_args(arguments)
    if not can_speak():
        print("espeak-ng is not installed; apt-get install espeak-ng", file=sys.stderr)
        return 1
    try:
        transcriber = RECOGNISERS[args.speech](args.speech_dir)
    except SpeechError as problem:
        print(problem, file=sys.stderr)
        return 1
    voices = args.voice or VOICES[: args.voices]
    texts = instructions(args.instructions, args.sentences, args.seed)
    sums: dict[str, Sums] = defaultdict(Sums)
    cpu_s = sound_s = 0.0
    for clip in clips(texts, voices):
        whole = held(clip.samples)
        text, took_s = ("", 0.0) if whole is None else timed(transcriber, whole)
        cpu_s, sound_s = cpu_s + took_s, sound_s + len(clip.samples) / HEARD_HZ
        for row in ("all", clip.condition, clip.voice):
            sums[row].add(clip.text, text)
        if args.show and text != clip.text:
            print(f"{clip.voice} {clip.condition}: {clip.text} | {text}", flush=True)
    meeting = [clip for clip in clips(MEETING, voices) if clip.condition == CONDITIONS[0]]
    triggers = sum(held(clip.samples, is_held=False) is not None for clip in meeting)
    rows = {name: found.figures() for name, found in sums.items()}
    values = {
        **rows["all"],
        "rtf": round(cpu_s / sound_s, 4),
        "false_triggers": triggers,
        "meeting_clips": len(meeting),
        "sentences": len(texts),
        "seed": args.seed,
        "recogniser": args.speech,
        "rows": rows,
        "hardware": hardware(),
        "versions": versions(),
    }
    print(table(rows))
    print(f"rtf {values['rtf']}, false triggers {triggers} of {len(meeting)}")
    given = sys.argv[1:] if arguments is None else list(arguments)
    print(
        f"written to {write(args.out, ' '.join(['python -m benchmarks.speech', *given]), values)}"
    )
    print(last_line(values))
    return 0


if __name__ == "__main__":
    sys.exit(main())
