"""Formats: each is recognised by its first bytes, and what is not read is named, with the way out."""

import io

import pytest
from PIL import Image

from tellapart.data.decoding.decode import decode
from tellapart.data.decoding.formats import (
    FORMATS,
    HEIC,
    OTHER_FORMATS,
    SUFFIXES,
    SUFFIXES_BY_FORMAT,
    format_of,
    other_format,
    other_format_of,
    ways_out,
)
from tellapart.errors import ImageError


def saved(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "HEIF"])
def test_a_format_is_told_by_its_first_bytes(kind: str) -> None:
    assert format_of(saved(kind)) == kind
    assert other_format_of(saved(kind)) is None


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        (b"heic\0\0\0\0mif1heic", "HEIF"),
        (b"mif1\0\0\0\0mif1heic", "HEIF"),
        (b"mif1\0\0\0\0mif1avif", "AVIF"),
        (b"isom\0\0\0\0isommp41", None),
    ],
)
def test_kin_of_heif_are_told_by_their_brands(brands: bytes, kind: str | None) -> None:
    assert format_of((8 + len(brands)).to_bytes(4) + b"ftyp" + brands) == kind


def test_no_suffix_means_two_things() -> None:
    read = [suffix for suffixes in SUFFIXES_BY_FORMAT.values() for suffix in suffixes]
    others = [suffix for other in OTHER_FORMATS if other is not HEIC for suffix in other.suffixes]
    assert len(set(read)) == len(read)
    assert len(set(others)) == len(others)
    assert not {*others} & {*SUFFIXES}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/IMG_1.CR2", "a camera RAW file"),
        ("scan.dcm", "a DICOM file"),
        ("logo.svg", "an SVG drawing"),
        ("clip.MOV", "a video"),
        ("slide.svs", "a microscope's own file"),
        ("a.jpg", None),
        ("notes.txt", None),
        ("README", None),
    ],
)
def test_what_is_not_read_is_named_by_its_suffix(path: str, name: str | None) -> None:
    other = other_format(path)
    assert (other.name if other else None) == name


@pytest.mark.parametrize(
    ("content", "way_out"),
    [
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(99), "a camera RAW file, which is not read: develop it to JPEG or TIFF"),
        (bytes(128) + b"DICM" + bytes(9), "a DICOM file, which is not read: export it to PNG or TIFF"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a -->\n<svg>", "an SVG drawing, which is not read: render it"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a video, which is not read: save some of its frames"),
        (b"\x1aE\xdf\xa3" + bytes(9), "a video, which"),
        (b"\xff\x0a" + bytes(9), "a JPEG XL image, which is not read: convert it to PNG"),
        (b"8BPS" + bytes(9), "a Photoshop file"),
    ],
)
def test_what_is_not_read_is_refused_by_name_with_the_way_out(content: bytes, way_out: str) -> None:
    with pytest.raises(ImageError, match=way_out):
        decode(content)


@pytest.mark.skipif("HEIF" in FORMATS, reason="pillow-heif is installed")
def test_heic_without_its_extra_names_the_extra() -> None:
    with pytest.raises(ImageError, match=r"is an HEIC photo, which is not read: install tellapart\[heif\]"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    assert other_format("IMG_1.HEIC") is HEIC
    assert ".heic" not in SUFFIXES


def test_ways_out_are_given_once() -> None:
    assert ways_out([".txt", "hidden", ""]) == ""
    assert ways_out([".psd", ".ico", ".txt", ".svg"]) == (
        ".psd, .ico: convert it to PNG or TIFF, as with `magick IN OUT.png`; "
        ".svg: render it to PNG, as with `rsvg-convert IN -o OUT.png`"
    )
