"""``outputs.file``: whatever goes in comes out retouched, with its times, turn, colours and sound;
or a clear no."""

from __future__ import annotations

import errno
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stream_retouch.errors import MediaError, SettingsError
from stream_retouch.outputs.file import Report, check_paths, retouch_file
from stream_retouch.outputs.look import LookRetoucher, plan_of
from stream_retouch.outputs.orientation import Orientation
from stream_retouch.outputs.sink import writing
from tests.outputs.clips import (
    FACE_CENTRE,
    FRAMES,
    HEIGHT,
    LIFT,
    PLAN,
    QUARTER_TURN,
    RATE,
    WIDTH,
    BlindFinder,
    CountingConditioner,
    LiftingEngine,
    TwoWordPlanner,
    UprightFinder,
    add_sound,
    decoded,
    left_behind,
    lift,
    planes_from,
    retoucher,
    scene,
    sound_packets,
    times,
    write_clip,
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain clip with sound."""
    return write_clip(tmp_path_factory.mktemp("clip") / "in.mp4", sound="aac")


def done(source: Path, target: Path, **options: object) -> Report:
    """The file retouched at nearly lossless quality."""
    return retouch_file(source, target, retoucher(), **{"crf": 1, **options})  # type: ignore[arg-type]


class TestVideo:
    def test_every_frame_is_kept_at_its_time_and_retouched_from_the_first_on(
        self, clip: Path, tmp_path: Path
    ) -> None:
        report = done(clip, tmp_path / "out.mp4")
        assert (report.frames, report.with_face, report.faces) == (FRAMES, FRAMES, 1)
        assert report.notes == ()
        assert times(tmp_path / "out.mp4") == times(clip)
        with av.open(str(tmp_path / "out.mp4")) as result, av.open(str(clip)) as given:
            assert result.streams.video[0].duration == given.streams.video[0].duration
        for before, after in zip(decoded(clip), decoded(tmp_path / "out.mp4"), strict=True):
            source, result = planes_from(before)[0], planes_from(after)[0]
            assert lift(source, result, *FACE_CENTRE) == pytest.approx(LIFT * 219 / 255, abs=2.5)
            assert np.abs(source[:30].astype(int) - result[:30]).mean() < 0.5

    def test_sound_is_copied_untouched(self, clip: Path, tmp_path: Path) -> None:
        done(clip, tmp_path / "out.mp4")
        assert sound_packets(tmp_path / "out.mp4") == sound_packets(clip)
        assert len(sound_packets(clip)) > 10

    def test_sound_survives_a_change_of_container(self, clip: Path, tmp_path: Path) -> None:
        done(clip, tmp_path / "out.mkv")
        kept = [data for data, _ in sound_packets(tmp_path / "out.mkv")]
        assert kept == [data for data, _ in sound_packets(clip)]

    def test_a_variable_frame_rate_is_kept_to_the_tick(self, tmp_path: Path) -> None:
        pts = [0, 100, 3100, 3200, 9000, 9001, 12_345, 20_000, 20_500, 21_000, 40_000, 41_000]
        source = write_clip(tmp_path / "in.mp4", pts=pts, base=Fraction(1, 90_000))
        done(source, tmp_path / "out.mp4")
        assert times(tmp_path / "out.mp4") == [Fraction(p, 90_000) for p in pts]
        with av.open(str(tmp_path / "out.mp4")) as result, av.open(str(source)) as given:
            assert result.streams.video[0].time_base == given.streams.video[0].time_base

    def test_a_late_first_frame_stays_late(self, tmp_path: Path) -> None:
        pts = list(range(2, 2 + FRAMES))
        source = write_clip(tmp_path / "in.mkv", pts=pts, base=Fraction(1, 30), sound="aac")
        done(source, tmp_path / "out.mp4")
        assert times(source)[0] > 0
        assert times(tmp_path / "out.mp4") == times(source)

    def test_reordered_frames_and_negative_decoding_times_are_no_matter(
        self, tmp_path: Path
    ) -> None:
        source = write_clip(
            tmp_path / "in.mp4", options={"preset": "medium", "x264-params": "bframes=3:b-adapt=0"}
        )
        with av.open(str(source)) as container:
            assert min(p.dts for p in container.demux(video=0) if p.dts is not None) < 0
        done(source, tmp_path / "out.mp4")
        assert times(tmp_path / "out.mp4") == times(source)

    @pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
    def test_a_face_is_found_in_a_turned_video_and_the_turn_is_kept(
        self, tmp_path: Path, suffix: str
    ) -> None:
        # Stored sideways: what is shown, turned back by 90 degrees.
        turned = [tuple(np.ascontiguousarray(np.rot90(p)) for p in scene(320, 400))] * 4
        source = write_clip(tmp_path / "in.mp4", pictures=turned, matrix=QUARTER_TURN)  # type: ignore[arg-type]
        assert decoded(source)[0].rotation == -90
        target = tmp_path / f"out{suffix}"
        assert done(source, target).with_face == 4
        frame = decoded(target)[0]
        assert frame.rotation == -90
        assert (frame.width, frame.height) == (400, 320)
        before, after = (np.rot90(planes_from(f)[0], -1) for f in (decoded(source)[0], frame))
        assert lift(before, after, *FACE_CENTRE) > LIFT * 0.6
        assert abs(lift(before, after, 20, 380)) < 2

    def test_the_same_file_without_its_turn_has_no_upright_face(self, tmp_path: Path) -> None:
        turned = [tuple(np.ascontiguousarray(np.rot90(p)) for p in scene(320, 400))] * 2
        source = write_clip(tmp_path / "in.mp4", pictures=turned)  # type: ignore[arg-type]
        assert done(source, tmp_path / "out.mp4").with_face == 0

    def test_compare_of_a_turned_video_is_before_and_after_as_shown(self, tmp_path: Path) -> None:
        turned = [tuple(np.ascontiguousarray(np.rot90(p)) for p in scene(320, 400))] * 2
        source = write_clip(tmp_path / "in.mp4", pictures=turned, matrix=QUARTER_TURN)  # type: ignore[arg-type]
        done(source, tmp_path / "out.mp4", compare=True)
        frame = decoded(tmp_path / "out.mp4")[0]
        shown = np.rot90(planes_from(frame)[0], -1)
        assert frame.rotation == -90
        assert shown.shape == (400, 640)
        assert lift(shown[:, :320], shown[:, 320:], *FACE_CENTRE) > LIFT * 0.6

    def test_compare_is_twice_as_wide_with_the_source_on_the_left(
        self, clip: Path, tmp_path: Path
    ) -> None:
        done(clip, tmp_path / "out.mp4", compare=True)
        before, after = (
            planes_from(decoded(clip)[5])[0],
            planes_from(decoded(tmp_path / "out.mp4")[5])[0],
        )
        assert after.shape == (HEIGHT, 2 * WIDTH)
        assert np.abs(before.astype(int) - after[:, :WIDTH]).mean() < 0.7
        assert lift(before, after[:, WIDTH:], *FACE_CENTRE) > LIFT * 0.6

    @pytest.mark.parametrize("full", [False, True])
    @pytest.mark.parametrize("suffix", [".mp4", ".webm"])
    def test_range_matrix_primaries_and_transfer_are_kept(
        self, tmp_path: Path, full: bool, suffix: str
    ) -> None:
        def tune(context: av.VideoCodecContext) -> None:
            context.color_range = 2 if full else 1
            context.colorspace, context.color_primaries, context.color_trc = 1, 9, 14

        source = write_clip(tmp_path / "in.mp4", tune=tune)
        done(source, tmp_path / f"out{suffix}")
        before, after = decoded(source)[0], decoded(tmp_path / f"out{suffix}")[0]
        kept = ("color_range", "colorspace", "color_primaries", "color_trc")
        assert [getattr(after, k) for k in kept] == [2 if full else 1, 1, 9, 14]
        levels = [planes_from(f)[0][:20].mean() for f in (before, after)]
        assert levels[0] == pytest.approx(levels[1], abs=0.7)

    def test_the_shape_of_pixels_is_kept(self, tmp_path: Path) -> None:
        def tune(context: av.VideoCodecContext) -> None:
            context.sample_aspect_ratio = Fraction(4, 3)

        source = write_clip(tmp_path / "in.mp4", tune=tune)
        done(source, tmp_path / "out.mp4")
        with av.open(str(tmp_path / "out.mp4")) as container:
            assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)

    def test_webm_says_that_it_loses_the_shape_of_pixels(self, tmp_path: Path) -> None:
        def tune(context: av.VideoCodecContext) -> None:
            context.sample_aspect_ratio = Fraction(4, 3)

        source = write_clip(tmp_path / "in.mp4", tune=tune)
        report = done(source, tmp_path / "out.webm")
        assert any("the pixels are not square and .webm does not say so" in n for n in report.notes)

    def test_an_odd_size_keeps_every_column_and_says_that_one_was_added(
        self, tmp_path: Path
    ) -> None:
        pictures = [scene(321, 241)] * 3
        source = write_clip(tmp_path / "in.webm", pictures=pictures, codec="libvpx-vp9")
        report = done(source, tmp_path / "out.mp4")
        frame = decoded(tmp_path / "out.mp4")[0]
        assert (frame.width, frame.height) == (322, 242)
        assert report.notes == (
            "321x241 is odd, which the encoder cannot store; "
            "the last column or row was repeated: 322x242",
        )

    def test_webm_stores_odd_sizes_as_they_are(self, tmp_path: Path) -> None:
        source = write_clip(
            tmp_path / "in.webm", pictures=[scene(321, 241)] * 3, codec="libvpx-vp9"
        )
        report = done(source, tmp_path / "out.webm")
        frame = decoded(tmp_path / "out.webm")[0]
        assert (frame.width, frame.height, report.notes) == (321, 241, ())

    @pytest.mark.parametrize("size", [(1, 1), (2, 2), (17, 3)])
    def test_tiny_pictures_pass(self, tmp_path: Path, size: tuple[int, int]) -> None:
        tiny = tuple(
            p[: (size[1] + i) // (1 + i), : (size[0] + i) // (1 + i)]
            for p, i in zip(scene(), (0, 1, 1), strict=True)
        )
        source = write_clip(tmp_path / "in.webm", pictures=[tiny] * 2, codec="libvpx-vp9")  # type: ignore[list-item]
        assert done(source, tmp_path / "out.mp4").frames == 2

    def test_ten_bits_become_eight_with_a_note(self, tmp_path: Path) -> None:
        source = write_clip(tmp_path / "in.mp4", pix_fmt="yuv420p10le")
        report = done(source, tmp_path / "out.mp4")
        assert decoded(tmp_path / "out.mp4")[0].format.name == "yuv420p"
        assert report.notes == ("the source has 10 bits a sample; the output has 8",)
        assert report.with_face == FRAMES

    @pytest.mark.parametrize(
        "codec, pix_fmt", [("ffv1", "bgr0"), ("ffv1", "gray"), ("libx264", "yuv444p")]
    )
    def test_other_pixel_formats_keep_their_brightness(
        self, tmp_path: Path, codec: str, pix_fmt: str
    ) -> None:
        source = write_clip(tmp_path / "in.mkv", codec=codec, pix_fmt=pix_fmt)
        report = done(source, tmp_path / "out.mkv")
        assert report.with_face == FRAMES
        before, after = decoded(source)[0], decoded(tmp_path / "out.mkv")[0]
        levels = [f.to_ndarray(format="rgb24")[:20].mean() for f in (before, after)]
        assert levels[0] == pytest.approx(levels[1], abs=1.5)

    def test_without_a_face_the_look_is_unchanged_and_the_report_says_so(
        self, clip: Path, tmp_path: Path
    ) -> None:
        report = retouch_file(clip, tmp_path / "out.mp4", retoucher(BlindFinder()), crf=1)
        assert str(report).startswith(
            f"wrote {tmp_path / 'out.mp4'}: 12 frames, no face was found, so nothing was changed, "
        )
        before, after = (
            planes_from(decoded(clip)[3])[0],
            planes_from(decoded(tmp_path / "out.mp4")[3])[0],
        )
        assert np.abs(before.astype(int) - after).mean() < 0.5

    def test_broadcast_times_begin_at_zero_with_sound_in_step(self, tmp_path: Path) -> None:
        pts = [90_000 * 7 + 3600 * i for i in range(FRAMES)]
        base = Fraction(1, 90_000)
        source = write_clip(tmp_path / "in.ts", pts=pts, base=base, sound="aac", sound_start_s=7)
        given = times(source)
        assert given[0] > 6
        done(source, tmp_path / "out.mp4")
        kept = times(tmp_path / "out.mp4")
        assert [t - kept[0] for t in kept] == [t - given[0] for t in given]
        assert kept[0] < 0.2
        gap = sound_packets(source)[0][1] - float(given[0])
        assert sound_packets(tmp_path / "out.mp4")[0][1] - float(kept[0]) == pytest.approx(
            gap, abs=1e-3
        )

    def test_subtitles_are_copied_where_the_container_holds_them(self, tmp_path: Path) -> None:
        source = write_clip(tmp_path / "in.mkv", subtitles=True)
        assert done(source, tmp_path / "out.mkv").notes == ()
        with av.open(str(tmp_path / "out.mkv")) as container:
            (packet,) = (p for p in container.demux(subtitles=0) if p.size)
            assert bytes(packet) == b"hello"

    def test_subtitles_that_do_not_fit_are_left_out_with_a_note(self, tmp_path: Path) -> None:
        source = write_clip(tmp_path / "in.mkv", subtitles=True)
        assert done(source, tmp_path / "out.mp4").notes == (
            ".mp4 cannot hold the subtitle stream (subrip), which was left out; "
            "write .mkv to keep it",
        )

    def test_sound_that_does_not_fit_is_an_error_before_anything_is_written(
        self, clip: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(MediaError) as caught:
            done(clip, tmp_path / "out.webm")
        assert str(caught.value).endswith(
            "out.webm: .webm cannot hold its aac sound unchanged; write .mkv instead"
        )
        assert left_behind(tmp_path) == []

    def test_fonts_for_subtitles_stay_attached(self, tmp_path: Path) -> None:
        with (
            av.open(str(write_clip(tmp_path / "plain.mkv"))) as given,
            av.open(str(tmp_path / "in.mkv"), "w") as container,
        ):
            stream = container.add_stream_from_template(given.streams.video[0], opaque=True)
            container.add_attachment("a.ttf", "font/ttf", b"letters")
            for packet in given.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
        assert done(tmp_path / "in.mkv", tmp_path / "out.mkv").notes == ()
        with av.open(str(tmp_path / "out.mkv")) as container:
            (font,) = container.streams.attachments
            assert (font.name, font.data) == ("a.ttf", b"letters")
        report = done(tmp_path / "in.mkv", tmp_path / "out.mp4")
        assert report.notes == ("attached files were left out; write .mkv to keep them",)

    def test_avi_with_reordered_frames_has_rising_times(self, tmp_path: Path) -> None:
        source = write_clip(
            tmp_path / "in.avi", options={"preset": "medium", "x264-params": "bframes=3:b-adapt=0"}
        )
        report = done(source, tmp_path / "out.mp4")
        assert (report.frames, report.notes) == (FRAMES, ())
        kept = times(tmp_path / "out.mp4")
        assert {b - a for a, b in zip(kept, kept[1:], strict=False)} == {Fraction(1, RATE)}

    def test_rounded_times_are_told(self, tmp_path: Path) -> None:
        source = write_clip(
            tmp_path / "in.mp4", base=Fraction(1, 90_000), pts=[i * 3001 for i in range(FRAMES)]
        )
        report = done(source, tmp_path / "out.mkv")
        assert report.notes == (
            "times are rounded to 1/1000 s, as .mkv stores them; "
            "write .mp4 or .mov to keep them exactly",
        )

    def test_title_and_language_are_kept(self, tmp_path: Path) -> None:
        with (
            av.open(str(write_clip(tmp_path / "plain.mkv"))) as given,
            av.open(str(tmp_path / "in.mkv"), "w") as container,
        ):
            container.metadata["title"] = "holiday"
            stream = container.add_stream_from_template(given.streams.video[0], opaque=True)
            stream.metadata["language"] = "deu"
            for packet in given.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
        done(tmp_path / "in.mkv", tmp_path / "out.mkv")
        with av.open(str(tmp_path / "out.mkv")) as container:
            assert container.metadata["title"] == "holiday"
            assert container.streams.video[0].language == "deu"

    def test_the_share_that_is_done_rises_to_one(self, clip: Path, tmp_path: Path) -> None:
        seen: list[tuple[int, float | None]] = []
        done(clip, tmp_path / "out.mp4", on_frame=lambda n, share: seen.append((n, share)))
        shares = [share for _, share in seen]
        assert [n for n, _ in seen] == list(range(1, FRAMES + 1))
        assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)  # type: ignore[type-var]


class TestConditioning:
    def test_one_face_has_one_conditioning_from_its_first_crop_on(
        self, clip: Path, tmp_path: Path
    ) -> None:
        engine = LiftingEngine()
        retouch_file(clip, tmp_path / "out.mp4", retoucher(engine=engine))
        assert [c.f_txt[0] for c in engine.conditionings] == [1.0] * FRAMES

    def test_strength_scales_the_change(self, clip: Path, tmp_path: Path) -> None:
        half = LookRetoucher(
            PLAN,
            finder=UprightFinder(),
            conditioner=CountingConditioner(),
            engine=LiftingEngine(),
            strength=0.5,
        )
        retouch_file(clip, tmp_path / "out.mp4", half, crf=1)
        before, after = (
            planes_from(decoded(clip)[5])[0],
            planes_from(decoded(tmp_path / "out.mp4")[5])[0],
        )
        assert lift(before, after, *FACE_CENTRE) == pytest.approx(LIFT * 219 / 255 / 2, abs=2.5)

    def test_turns_add_up_to_a_plan_and_its_replies(self) -> None:
        plan, replies = plan_of(["clean", "clean"], TwoWordPlanner())
        assert plan.edits == PLAN.edits
        assert replies == ["taking away all blemishes."] * 2

    def test_a_turn_that_cannot_be_done_is_refused(self) -> None:
        with pytest.raises(SettingsError) as caught:
            plan_of(["clean", "order a pizza"], TwoWordPlanner())
        assert str(caught.value) == (
            "--say 'order a pizza': I can't do that; say what to change on the face"
        )


class TestBadInput:
    def test_a_truncated_mp4_is_kept_as_far_as_it_goes(self, tmp_path: Path) -> None:
        whole = write_clip(
            tmp_path / "whole.mp4",
            container_options={"movflags": "+faststart"},
            options={"x264-params": "keyint=2"},
        )
        source = tmp_path / "in.mp4"
        data = whole.read_bytes()
        source.write_bytes(data[: len(data) - (len(data) - data.index(b"mdat")) // 2])
        report = done(source, tmp_path / "out.mp4")
        assert 2 <= report.frames < FRAMES
        assert report.notes[0] == (
            f"{source} ends early: it is cut off; {report.frames} frames could be read and are kept"
        )
        assert times(tmp_path / "out.mp4") == times(whole)[: report.frames]

    def test_an_mp4_without_its_index_is_refused(self, clip: Path, tmp_path: Path) -> None:
        source = tmp_path / "in.mp4"
        source.write_bytes(clip.read_bytes()[:2000])
        with pytest.raises(MediaError) as caught:
            done(source, tmp_path / "out.mp4")
        assert str(caught.value) == (
            f"{source}: this is not a media file that can be read, or it is damaged or cut off; "
            "try to play it, or copy it again from where it came"
        )
        assert left_behind(tmp_path) == ["in.mp4"]

    def test_a_damaged_middle_loses_those_frames_only(self, tmp_path: Path) -> None:
        source = write_clip(tmp_path / "in.mov", codec="png", pix_fmt="rgb24")
        with av.open(str(source)) as container:
            place = [p.pos for p in container.demux(video=0) if p.size][6]
        given = times(source)
        data = bytearray(source.read_bytes())
        data[place : place + 40] = bytes(40)  # the signature of the PNG and its header
        source.write_bytes(data)
        report = done(source, tmp_path / "out.mp4")
        assert report.frames == FRAMES - 1
        assert report.notes == (f"1 damaged packet of {source} could not be decoded",)
        assert times(tmp_path / "out.mp4") == given[:6] + given[7:]

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(MediaError, match=r"none\.mp4: no such file; check the name$"):
            done(tmp_path / "none.mp4", tmp_path / "out.mp4")

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(MediaError, match="this is a folder; name a file"):
            done(tmp_path, tmp_path / "out.mp4")

    @pytest.mark.parametrize("name", ["notes.txt", "in.mp4", "in.jpg"])
    def test_what_is_no_media_is_refused(self, tmp_path: Path, name: str) -> None:
        source = tmp_path / name
        source.write_text("remember the milk\n" * 50)
        with pytest.raises(
            MediaError, match="this is (not a media file|a text file)|this picture is damaged"
        ):
            done(source, tmp_path / ("out.jpg" if name == "in.jpg" else "out.mp4"))
        assert left_behind(tmp_path) == [name]

    def test_an_empty_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "in.mp4").touch()
        with pytest.raises(MediaError, match="not a media file"):
            done(tmp_path / "in.mp4", tmp_path / "out.mp4")

    def test_a_file_with_sound_only_has_no_video(self, tmp_path: Path) -> None:
        with av.open(str(tmp_path / "in.m4a"), "w") as container:
            add_sound(container, "aac")
        with pytest.raises(
            MediaError, match=r"in\.m4a: this file has no video \(sound or subtitles only\)"
        ):
            done(tmp_path / "in.m4a", tmp_path / "out.mp4")

    def test_the_input_is_never_overwritten(self, clip: Path, tmp_path: Path) -> None:
        source = tmp_path / "in.mp4"
        source.write_bytes(clip.read_bytes())
        (tmp_path / "link.mp4").symlink_to(source)
        for target in (source, tmp_path / "link.mp4"):
            with pytest.raises(MediaError, match="input and output are the same file"):
                done(source, target, overwrite=True)
        assert source.read_bytes() == clip.read_bytes()

    def test_an_existing_output_needs_permission(self, clip: Path, tmp_path: Path) -> None:
        target = tmp_path / "out.mp4"
        target.write_text("mine")
        with pytest.raises(MediaError, match="exists already; add --overwrite to replace it"):
            done(clip, target)
        assert target.read_text() == "mine"
        assert done(clip, target, overwrite=True).frames == FRAMES
        assert len(decoded(target)) == FRAMES

    def test_an_unknown_extension_lists_the_known(self, clip: Path, tmp_path: Path) -> None:
        with pytest.raises(MediaError) as caught:
            check_paths(clip, tmp_path / "out.xyz", False)
        assert str(caught.value).endswith(
            "out.xyz: the extension '.xyz' is not known; use one of .mp4 .m4v .mov .mkv .webm "
            ".jpg .jpeg .png .webp .bmp .tif .tiff"
        )
        with pytest.raises(MediaError, match="the name has no extension"):
            check_paths(clip, tmp_path / "out", False)

    def test_a_video_does_not_become_a_picture_nor_a_picture_a_video(
        self, clip: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(MediaError, match=r"the input is a video; name the output \.mp4"):
            check_paths(clip, tmp_path / "out.png", False)
        cv2.imwrite(str(tmp_path / "in.png"), np.zeros((8, 8, 3), np.uint8))
        with pytest.raises(MediaError, match=r"the input is a picture; name the output \.jpg"):
            check_paths(tmp_path / "in.png", tmp_path / "out.mp4", False)

    def test_a_missing_or_unwritable_folder_is_told(self, clip: Path, tmp_path: Path) -> None:
        with pytest.raises(MediaError, match="the folder does not exist; make it first"):
            done(clip, tmp_path / "nowhere" / "out.mp4")

    @pytest.mark.skipif(
        not Path("/proc/self").is_dir(), reason="needs /proc, which nobody can write"
    )
    def test_an_unwritable_folder_is_told(self, clip: Path) -> None:
        with pytest.raises(MediaError, match=r"^/proc/self/out\.mp4: .*folder"):
            done(clip, Path("/proc/self/out.mp4"))

    @pytest.mark.parametrize("failure", [RuntimeError("engine"), KeyboardInterrupt()])
    def test_whatever_stops_the_work_leaves_nothing_behind(
        self, clip: Path, tmp_path: Path, failure: BaseException
    ) -> None:
        engine = LiftingEngine(fails_at=6, failure=failure)
        with pytest.raises(type(failure)):
            retouch_file(clip, tmp_path / "out.mp4", retoucher(engine=engine))
        assert left_behind(tmp_path) == []

    @pytest.mark.skipif(sys.platform == "win32", reason="needs setrlimit")
    def test_a_full_disk_leaves_nothing_behind(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(3)
        y, u, v = scene()
        pictures = [(rng.integers(0, 255, y.shape, np.uint8), u, v) for _ in range(FRAMES)]
        source = write_clip(tmp_path / "in.mp4", pictures=pictures)
        (tmp_path / "out").mkdir()
        # In a process of its own: the limit on the size of files would hold for the test run, too.
        script = (
            "import resource, sys; from pathlib import Path\n"
            "from tests.outputs.clips import retoucher\n"
            "from stream_retouch.outputs.file import retouch_file\n"
            "from stream_retouch.errors import MediaError\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
            "try: retouch_file(Path(sys.argv[1]), Path(sys.argv[2]), retoucher(), crf=1)\n"
            "except MediaError as problem: print(problem.reason)\n"
        )
        done_ = subprocess.run(
            [sys.executable, "-c", script, str(source), str(tmp_path / "out" / "out.mp4")],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        wanted = "the file would be larger than allowed here; choose another folder"
        assert done_.stdout.strip() == wanted, done_.stderr
        assert left_behind(tmp_path / "out") == []

    @pytest.mark.parametrize(
        "number, words",
        [
            (errno.ENOSPC, "the disk is full; free some space or choose another folder"),
            (
                errno.EACCES,
                "the folder may not be written; choose another one, or change its rights",
            ),
            (errno.EROFS, "the folder is read-only; choose another one"),
            (errno.ENXIO, "cannot be written (No such device or address); choose another name"),
        ],
    )
    def test_system_errors_become_sentences(self, number: int, words: str) -> None:
        with pytest.raises(MediaError) as caught, writing(Path("out.mp4")):
            raise OSError(number, "No such device or address")
        assert str(caught.value) == f"out.mp4: {words}"


class TestPicture:
    def write(self, path: Path, pixels: NDArray[np.generic], exif: bytes = b"") -> Path:
        kinds = [cv2.IMAGE_METADATA_EXIF] if exif else []
        chunks = [np.frombuffer(exif, np.uint8)] if exif else []
        ok, data = cv2.imencodeWithMetadata(path.suffix, pixels, kinds, chunks, [])
        assert ok
        path.write_bytes(data.tobytes())
        return path

    def face(self, channels: int = 3, dtype: type = np.uint8) -> NDArray[np.generic]:
        """The painted face in colour, full range, with noise around it."""
        luma = scene()[0]
        rng = np.random.default_rng(2)
        pixels = np.repeat(luma[..., None], channels, axis=2).astype(np.int64)
        pixels[:, :100] += rng.integers(-9, 9, pixels[:, :100].shape)
        if channels == 4:
            pixels[..., 3] = rng.integers(0, 255, luma.shape)
        return (pixels * (257 if dtype is np.uint16 else 1)).astype(dtype)

    @pytest.mark.parametrize("channels", [3, 4])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_a_png_changes_inside_the_face_only_and_keeps_alpha_and_depth(
        self, tmp_path: Path, channels: int, dtype: type
    ) -> None:
        given = self.face(channels, dtype)
        source = self.write(tmp_path / "in.png", given)
        report = done(source, tmp_path / "out.png")
        result = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
        assert (report.frames, report.faces, report.notes) == (1, 1, ())
        assert result.dtype == dtype and result.shape == given.shape
        assert np.array_equal(result[:, :60], given[:, :60])
        assert np.array_equal(result[:20], given[:20])
        x, y = FACE_CENTRE
        scale = 257 if dtype is np.uint16 else 1
        change = (result[y, x, :3].astype(int) - given[y, x, :3]) / scale
        assert change == pytest.approx([LIFT] * 3, abs=1.5)
        if channels == 4:
            assert np.array_equal(result[..., 3], given[..., 3])

    def test_without_a_face_a_png_comes_out_bit_for_bit(self, tmp_path: Path) -> None:
        given = np.random.default_rng(4).integers(0, 255, (51, 37, 3), np.uint8)
        source = self.write(tmp_path / "in.png", given)
        report = done(source, tmp_path / "out.png")
        assert np.array_equal(cv2.imread(str(tmp_path / "out.png")), given)
        assert "1 picture, no face was found" in str(report)

    @pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (8, 1), (5, 5)])
    def test_tiny_and_grey_pictures_pass(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        given = np.full(shape, 77, np.uint8)
        done(self.write(tmp_path / "in.png", given), tmp_path / "out.png")
        assert np.array_equal(cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED), given)

    @pytest.mark.parametrize("turn", range(1, 9))
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_a_turned_jpeg_is_written_upright_with_its_exif_data(
        self, tmp_path: Path, turn: int, order: str
    ) -> None:
        head = b"II*\0" if order == "<" else b"MM\0*"
        exif = head + struct.pack(order + "IHHHIHHI", 8, 1, 0x112, 3, 1, turn, 0, 0)
        upright = self.face()
        stored = {
            1: lambda p: p,
            2: lambda p: p[:, ::-1],
            3: lambda p: p[::-1, ::-1],
            4: lambda p: p[::-1],
            5: lambda p: p.transpose(1, 0, 2),
            6: lambda p: np.rot90(p),
            7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
            8: lambda p: np.rot90(p, -1),
        }[turn](upright)
        source = self.write(tmp_path / "in.jpg", np.ascontiguousarray(stored), exif)
        assert np.abs(cv2.imread(str(source)).astype(int) - upright).mean() < 3  # OpenCV agrees
        report = done(source, tmp_path / "out.jpg")
        assert report.faces == 1
        result = cv2.imread(str(tmp_path / "out.jpg"))
        assert result.shape == upright.shape
        assert lift(upright[..., 1], result[..., 1], *FACE_CENTRE) > LIFT * 0.7
        _, kinds, chunks = cv2.imdecodeWithMetadata(
            np.fromfile(tmp_path / "out.jpg", np.uint8), flags=cv2.IMREAD_UNCHANGED
        )
        assert kinds[0] == cv2.IMAGE_METADATA_EXIF
        kept = bytes(np.asarray(chunks[0]).ravel())
        assert kept[18:20] == struct.pack(order + "H", 1)

    def test_damaged_exif_data_is_no_reason_to_refuse(self, tmp_path: Path) -> None:
        exif = b"II*\0" + struct.pack("<IH", 8, 500)
        source = self.write(tmp_path / "in.jpg", self.face(), exif)
        assert done(source, tmp_path / "out.jpg").faces == 1

    def test_compare_puts_the_pictures_side_by_side(self, tmp_path: Path) -> None:
        given = self.face()
        done(self.write(tmp_path / "in.png", given), tmp_path / "out.png", compare=True)
        result = cv2.imread(str(tmp_path / "out.png"))
        assert np.array_equal(result[:, :WIDTH], given)
        assert lift(given[..., 0], result[:, WIDTH:, 0], *FACE_CENTRE) > LIFT * 0.9

    def test_what_a_type_cannot_keep_is_told(self, tmp_path: Path) -> None:
        source = self.write(tmp_path / "in.png", self.face(4, np.uint16))
        assert done(source, tmp_path / "out.jpg").notes == (
            ".jpg has no transparency, which was left out; write .png to keep it",
            ".jpg has 8 bits a sample; write .png to keep 16",
        )

    def test_a_truncated_picture_is_refused(self, tmp_path: Path) -> None:
        source = self.write(tmp_path / "in.jpg", self.face())
        source.write_bytes(source.read_bytes()[:300])
        with pytest.raises(MediaError):
            done(source, tmp_path / "out.jpg")
        assert left_behind(tmp_path) == ["in.jpg"]


class TestOrientation:
    @pytest.mark.parametrize(
        "a, b, c, d",
        [
            *[(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)],
            *[(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)],
        ],
    )
    def test_upright_follows_the_matrix_and_stored_is_its_inverse(
        self, a: int, b: int, c: int, d: int
    ) -> None:
        one = 1 << 16
        turn = Orientation.from_matrix((a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30))
        y = np.arange(24, dtype=np.uint8).reshape(4, 6)
        planes = (y, y[:2, :3], y[2:, 3:])
        shown = turn.upright(planes)
        places = [(a * p + c * q, b * p + d * q) for q in range(4) for p in range(6)]
        left, top = min(x for x, _ in places), min(y_ for _, y_ in places)
        for (x, y_), (q, p) in zip(places, np.ndindex(4, 6), strict=True):
            assert shown[0][y_ - top, x - left] == y[q, p]
        for kept, plane in zip(turn.stored(shown), planes, strict=True):
            assert np.array_equal(kept, plane)

    def test_a_slanted_matrix_turns_nothing_but_is_written(self) -> None:
        turn = Orientation.from_matrix((46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30))
        assert not turn.turns and turn.is_written
