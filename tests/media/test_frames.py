"""Pictures and crops: what is taken from the planes is what is in them."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from stream_retouch.media.affine import compose, crop_from_grid, luma_from_chroma
from stream_retouch.media.colour import coding
from stream_retouch.media.frames import frame_with, luma_full, picture_of, take_crop, usual_crop
from tests.fakes import (
    make_frame,
    make_picture,
    make_planes,
    make_scene,
    make_transform,
    planes_copy,
)

CODINGS = list(product(("bt601", "bt709"), (False, True)))
SKIN = (200.0, 140.0, 110.0)


def flat(width, height, colour=SKIN):
    return np.broadcast_to(np.array(colour), (height, width, 3)).copy()


@pytest.mark.parametrize("matrix, full_range", CODINGS)
@pytest.mark.parametrize("scale, degrees", [(0.5, 0.0), (1.0, 20.0), (1.6, -35.0), (2.3, 90.0)])
def test_a_flat_patch_comes_back_as_its_rgb(matrix, full_range, scale, degrees):
    for colour in (SKIN, (30.0, 60.0, 200.0), (255.0, 255.0, 255.0), (0.0, 0.0, 0.0)):
        picture = make_picture(rgb=flat(320, 240, colour), matrix=matrix, full_range=full_range)
        crop = take_crop(picture, make_transform((160, 120), scale, degrees))
        assert crop.shape == (256, 256, 3) and crop.dtype == np.uint8
        assert np.abs(crop.astype(float) - colour).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (3, 5), (2, 2), (33, 17)])
@pytest.mark.parametrize("scale", [0.01, 0.3, 3.0, 40.0])
def test_pictures_of_any_size_give_a_crop(size, scale):
    picture = make_picture(rgb=flat(*size))
    crop = take_crop(picture, make_transform((0.5, 0.5), scale, 10.0))
    assert np.abs(crop.astype(float) - SKIN).max() <= 2


@pytest.mark.parametrize("centre", [(0, 0), (319, 120), (-100, -80), (900, 700), (160, -300)])
@pytest.mark.parametrize("scale", [0.7, 1.6, 2.1])
def test_faces_cut_by_the_edge_or_outside_see_the_mirrored_picture(centre, scale):
    crop = take_crop(make_picture(rgb=flat(320, 240)), make_transform(centre, scale, 15.0))
    assert np.abs(crop.astype(float) - SKIN).max() <= 2


def test_shrinking_sees_the_same_mirrored_edge_as_sampling():
    scene = make_scene(320, 240)
    picture = make_picture(rgb=scene)
    cut = make_transform((30, 40), 1.49)
    shrunk = make_transform((30, 40), 1.51)
    difference = take_crop(picture, cut).astype(float) - take_crop(picture, shrunk)
    assert np.abs(difference).max() <= 5


@pytest.mark.parametrize("siting", ["left", "center"])
@pytest.mark.parametrize("scale", [0.4, 0.8, 1.3, 1.6, 1.9, 2.6, 3.4])
@pytest.mark.parametrize("degrees", [0.0, 33.0])
def test_every_pixel_of_the_crop_is_where_the_transform_says(siting, scale, degrees):
    """The crop of a picture whose colours are ramps is that ramp, luma and chroma alike."""
    width, height = 1248, 1240
    transform = make_transform((624, 620), scale, degrees)
    y, x = np.mgrid[:height, :width].astype(float)
    reach = 190 * scale + 60
    ramp = np.stack(((x - 624) / reach, (y - 620) / reach, (x + y - 1244) / reach / 2), axis=-1)
    scene = np.clip(128 + 90 * ramp, 0, 255)
    picture = make_picture(rgb=scene, full_range=True, siting=siting)
    crop = take_crop(picture, transform).astype(float)
    cy, cx = np.mgrid[:256, :256].astype(float)
    fx, fy = (
        np.einsum("ij,jhw->ihw", transform[:, :2], np.stack((cx, cy))) + transform[:, 2, None, None]
    )
    expected = 128 + 90 * np.stack(
        ((fx - 624) / reach, (fy - 620) / reach, (fx + fy - 1244) / reach / 2), axis=-1
    )
    assert np.abs(crop - expected).max() <= 3.5
    assert np.abs((crop - expected).mean(axis=(0, 1))).max() <= 0.35


def test_the_wrong_siting_is_seen_in_the_crop():
    """Half a luma pixel of chroma: the test above would notice if siting were ignored."""
    x = np.arange(256.0)[None, :, None] * np.ones((256, 1, 3))
    scene = 128 + (x - 128) * np.array([0.0, 0.0, 0.9])
    planes = make_picture(rgb=scene, full_range=True, siting="left")
    other = make_picture(rgb=scene, full_range=True, siting="center")
    transform = make_transform((127.5, 127.5), 0.1)
    assert (
        np.abs(take_crop(planes, transform).astype(float) - take_crop(other, transform)).max() <= 2
    )
    assert not np.array_equal(planes.u, other.u)


def test_large_faces_are_averaged_and_not_skipped_over():
    """One-pixel stripes become grey: sampling without shrinking would show them as false waves."""
    scene = np.zeros((800, 800, 3))
    scene[:, ::2] = 200.0
    for scale in (1.6, 1.9, 2.2, 3.0):
        crop = take_crop(
            make_picture(rgb=scene, full_range=True), make_transform((400, 400), scale)
        )
        assert abs(crop.mean() - 100) < 2
        assert crop.std() < 30  # 3-pixel means of 2-pixel stripes; unshrunk it is 60 to 100


def test_a_crop_of_another_size_shows_the_same_part():
    picture = make_picture(640, 480)
    transform = make_transform((320, 240), 1.2, 5.0)
    small = take_crop(picture, transform).astype(float)
    large = take_crop(picture, transform, 512).astype(float)
    mean = large.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(mean - small).max() <= 3
    assert np.abs((mean - small).mean()) < 0.1


def test_a_picture_is_the_frames_own_memory_without_its_padding():
    frame = make_frame(5, 3)
    assert frame.planes[0].line_size > 5
    picture = picture_of(frame)
    for plane, expected in zip(
        (picture.y, picture.u, picture.v), make_planes(make_scene(5, 3)), strict=True
    ):
        np.testing.assert_array_equal(plane, expected)
        assert not plane.flags.writeable
    assert (picture.width, picture.height) == (5, 3)
    assert np.shares_memory(picture.y, np.frombuffer(frame.planes[0], np.uint8))


@pytest.mark.parametrize(
    "lines, colorspace, webrtc, expected",
    [
        (576, 2, False, "bt601"),
        (578, 2, False, "bt709"),
        (578, 2, True, "bt601"),
        (240, 1, False, "bt709"),
        (240, 1, True, "bt709"),
        (720, 5, False, "bt601"),
        (720, 6, False, "bt601"),
        (720, 9, False, "bt709"),
    ],
)
def test_the_matrix_is_what_the_frame_says_or_goes_by_its_size(lines, colorspace, webrtc, expected):
    frame = av.VideoFrame(32, lines, "yuv420p")
    frame.colorspace = colorspace
    assert picture_of(frame, webrtc=webrtc).matrix == expected


def test_range_and_siting_are_those_of_the_frame():
    limited = make_frame(16, 16)
    full = make_frame(16, 16, full_range=True)
    jpeg = av.VideoFrame(16, 16, "yuvj420p")
    assert (picture_of(limited).full_range, picture_of(limited).siting) == (False, "left")
    assert (picture_of(full).full_range, picture_of(full).siting) == (True, "center")
    assert (picture_of(jpeg).full_range, picture_of(jpeg).siting) == (True, "center")
    assert picture_of(limited, webrtc=True).siting == "center"


@pytest.mark.parametrize(
    "format_name, lines",
    [("rgb24", 64), ("rgb24", 600), ("bgra", 64), ("yuv420p10le", 64), ("nv12", 64), ("gray", 64)]
    + [("yuv444p", 600), ("yuvj422p", 64), ("gbrp", 64), ("yuv422p10le", 600)],
)
def test_other_formats_are_converted_with_their_colours(format_name, lines):
    grey = format_name == "gray"
    colour = (128.0, 128.0, 128.0) if grey else SKIN
    rgb = av.VideoFrame.from_ndarray(flat(64, lines, colour).astype(np.uint8), format="rgb24")
    jpeg = format_name.startswith("yuvj")
    matrix = 1 if lines > 576 else 5
    frame = rgb.reformat(
        format=format_name, dst_colorspace=matrix, dst_color_range=2 if jpeg else 1
    )
    frame.pts, frame.time_base = 7, Fraction(1, 30)
    reformatter = VideoReformatter()
    picture = picture_of(frame, reformatter=reformatter)
    assert picture.matrix == ("bt709" if lines > 576 else "bt601")
    assert picture.full_range is jpeg
    crop = take_crop(picture, make_transform((32, lines / 2), 0.2))
    assert np.abs(crop.astype(float) - colour).max() <= 3
    new = frame_with(picture.y, picture.u, picture.v, frame, matrix=picture.matrix)
    assert new.format.name == "yuv420p" and (new.pts, new.time_base) == (7, Fraction(1, 30))
    again = picture_of(new)
    assert (again.matrix, again.full_range) == (picture.matrix, picture.full_range)


def test_converted_rgb_has_its_chroma_where_the_picture_says():
    """A chroma ramp does not shift: swscale centres chroma, and so does the picture."""
    x = np.arange(64.0)[None, :, None] * np.ones((64, 1, 3))
    scene = 100 + x * np.array([0.0, 0.0, 2.0])
    frame = av.VideoFrame.from_ndarray(np.rint(scene).astype(np.uint8), format="rgb24")
    picture = picture_of(frame)
    transform = make_transform((32, 32), 0.15)
    crop = take_crop(picture, transform).astype(float)
    place = transform[0, 0] * np.arange(256) + transform[0, 2]
    assert abs((crop[..., 2] - (100 + 2 * place)).mean()) < 0.6


@pytest.mark.parametrize("format_name", ["yuv420p", "yuvj420p"])
def test_a_new_frame_keeps_times_and_colour_attributes(format_name):
    like = av.VideoFrame(35, 17, format_name)
    like.pts, like.time_base = 12345, Fraction(1, 90000)
    like.color_range, like.colorspace = 2, 1
    like.color_primaries, like.color_trc = 9, 13
    planes = make_planes(make_scene(35, 17))
    frame = frame_with(*planes, like)
    assert frame is not like
    assert (frame.width, frame.height, frame.format.name) == (35, 17, format_name)
    assert (frame.pts, frame.time_base) == (12345, Fraction(1, 90000))
    assert (int(frame.color_range), int(frame.colorspace)) == (2, 1)
    assert (int(frame.color_primaries), int(frame.color_trc)) == (9, 13)
    for got, expected in zip(planes_copy(frame), planes, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_frame_without_times_gives_one_without_times():
    like = av.VideoFrame(4, 4, "yuv420p")
    frame = frame_with(*make_planes(make_scene(4, 4)), like)
    assert frame.pts is None and frame.time_base is None


@pytest.mark.parametrize("full_range", [False, True])
def test_luma_is_full_range_and_shrinks_on_request(full_range):
    scene = np.repeat(np.linspace(0, 255, 64)[None, :, None], 48, 0) * np.ones(3)
    picture = make_picture(rgb=scene, full_range=full_range)
    luma = luma_full(picture)
    assert luma.shape == (48, 64)
    assert np.abs(luma - scene[..., 0]).max() <= 1.1
    assert luma_full(picture, 32).shape == (24, 32)
    assert luma_full(picture, 500).shape == (48, 64)
    assert luma_full(make_picture(1, 1), 1).shape == (1, 1)


@pytest.mark.parametrize("matrix, full_range", CODINGS)
def test_a_coding_goes_to_bt601_and_back(matrix, full_range):
    """media.colour's a, b and A agree with going through RGB."""
    code, plain = coding(matrix, full_range), coding("bt601", True)
    rgb = np.array(SKIN)
    ours = code.codes[:, :3] @ rgb + code.codes[:, 3]
    y = (ours[0] - code.luma_zero) / code.luma_scale
    c = (ours[1:] - 128) / code.chroma_scale
    base = plain.codes[:, :3] @ rgb + plain.codes[:, 3] - [0, 128, 128]
    assert y + code.luma601_of_chroma @ c == pytest.approx(base[0])
    assert base[0] + code.luma_of_chroma @ base[1:] == pytest.approx(y)
    np.testing.assert_allclose(code.chroma_of_chroma @ base[1:], c)


def test_grids_over_the_crop_have_their_centres_where_the_notes_say():
    layer = crop_from_grid(128)
    cell = crop_from_grid(32)
    assert (layer @ [3, 5, 1]).tolist() == [2 * 3 + 0.5, 2 * 5 + 0.5]
    assert (cell @ [3, 5, 1]).tolist() == [8 * 3 + 3.5, 8 * 5 + 3.5]
    assert (luma_from_chroma("left") @ [3, 5, 1]).tolist() == [6.0, 10.5]
    assert (luma_from_chroma("center") @ [3, 5, 1]).tolist() == [6.5, 10.5]
    both = compose(layer, cell)
    assert (both @ [1, 2, 1]).tolist() == (layer @ [*(cell @ [1, 2, 1]), 1]).tolist()


def test_a_large_crop_at_the_usual_size_is_its_2x2_means_and_a_usual_one_is_itself():
    large = np.random.default_rng(3).integers(0, 256, (512, 512, 3)).astype(np.uint8)
    means = large.reshape(256, 2, 256, 2, 3).mean((1, 3))
    small = usual_crop(large)
    assert small.shape == (256, 256, 3) and small.dtype == np.uint8
    assert np.abs(small - means).max() <= 0.5
    assert usual_crop(small) is small
