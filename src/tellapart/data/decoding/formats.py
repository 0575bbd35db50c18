"""Image formats: those that are read, told by their first bytes, and others by name, with the way out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from PIL import features

SUFFIXES_BY_FORMAT = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "JPEG2000": (".jp2", ".j2k", ".jpf", ".jpx", ".j2c"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
"""File name suffixes, in lower case, by the names that Pillow gives the formats."""
INSTALLED = {
    "AVIF": features.check("avif"),
    "JPEG2000": features.check("jpg_2000"),
    "HEIF": find_spec("pillow_heif") is not None,  # imported when the first such file is read
}
FORMATS = tuple(name for name in SUFFIXES_BY_FORMAT if INSTALLED.get(name, True))
"""The formats that are read here."""
SUFFIXES = tuple(suffix for name in FORMATS for suffix in SUFFIXES_BY_FORMAT[name])
"""The suffixes of files that are listed as images."""

HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
AVIF_BRANDS = frozenset((b"avif", b"avis"))
MAX_BRANDS = 16
FIRST_BYTES = (
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("WEBP", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("GIF", re.compile(rb"GIF8[79]a")),
    ("BMP", re.compile(rb"BM")),
    ("TIFF", re.compile(rb"II[*+]\0|MM\0[*]")),
    ("JPEG2000", re.compile(rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n")),
    ("PPM", re.compile(rb"P[1-6][\s#]")),
)


def format_of(content: bytes) -> str | None:
    """Return the format that a file's first bytes declare, installed or not; None if it is no format read here."""
    if content[4:8] == b"ftyp":
        brands = _brands(content)
        return "AVIF" if brands & AVIF_BRANDS else "HEIF" if brands & HEIF_BRANDS else None
    return next((name for name, pattern in FIRST_BYTES if pattern.match(content)), None)


def _brands(content: bytes) -> set[bytes]:
    """Return the brands of an ISO base media file. Source: ISO/IEC 14496-12, 4.3."""
    end = min(int.from_bytes(content[:4]), 16 + 4 * MAX_BRANDS, len(content))
    return {content[8:12], *(content[at : at + 4] for at in range(16, end, 4))}


@dataclass(frozen=True)
class OtherFormat:
    """A kind of file that shows images elsewhere but is not read here."""

    name: str
    """With its article, such as `a camera RAW file`."""
    advice: str
    """How to turn it into images that are read."""
    suffixes: tuple[str, ...]
    first_bytes: re.Pattern[bytes] | None = None

    @property
    def refusal(self) -> str:
        """The sentence in which a file of this kind is refused."""
        return f"is {self.name}, which is not read: {self.advice}"


CONVERT = "convert it to PNG or TIFF, as with `magick IN OUT.png`"
HEIC = OtherFormat(
    "an HEIC photo",
    "install tellapart[heif], or convert it to JPEG",
    SUFFIXES_BY_FORMAT["HEIF"],
    re.compile(rb"....ftyp(hei|hev|mif1|msf1)", re.DOTALL),
)
RAW = OtherFormat(
    "a camera RAW file",
    "develop it to JPEG or TIFF, as with `darktable-cli IN OUT.jpg`",
    (".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".3fr",
     ".iiq", ".erf", ".x3f", ".rwl"),
    re.compile(rb"....ftypcrx|II\*\0....CR|IIR[OS]|MMOR|IIU\0|FUJIFILMCCD-RAW|FOVb", re.DOTALL),
)  # fmt: skip
OTHER_FORMATS = (
    *(() if "HEIF" in FORMATS else (HEIC,)),
    RAW,
    OtherFormat(
        "a DICOM file",
        "export it to PNG or TIFF with the window that shows what matters, as with `dcm2img IN OUT.png`",
        (".dcm", ".dicom", ".ima"),
        re.compile(rb".{128}DICM", re.DOTALL),
    ),
    OtherFormat(
        "an SVG drawing",
        "render it to PNG, as with `rsvg-convert IN -o OUT.png`",
        (".svg", ".svgz"),
        re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml.{0,500})?(<!DOCTYPE.{0,500})?<svg[\s>]", re.DOTALL | re.IGNORECASE),
    ),
    OtherFormat(
        "a video",
        "save some of its frames as JPEG, as with `ffmpeg -i IN -r 1 %04d.jpg`",
        (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".3gp", ".mts"),
        re.compile(
            rb"....ftyp(iso[m2-9]|mp4|qt  |M4V|3g[p2]|avc1|dash|MSNV)|\x1aE\xdf\xa3|RIFF....AVI |\0\0\1[\xb3\xba]",
            re.DOTALL,
        ),
    ),
    OtherFormat(
        "a microscope's own file",
        "export its regions as TIFF or PNG, as with QuPath or Fiji",
        (".svs", ".ndpi", ".mrxs", ".scn", ".czi", ".nd2", ".lif", ".oib", ".vsi"),
    ),
    OtherFormat("a PDF document", "save its pages as PNG, as with `pdftoppm -png IN OUT`", (), re.compile(rb"%PDF-")),
    OtherFormat("a JPEG XL image", CONVERT, (".jxl",), re.compile(rb"\xff\x0a|\0\0\0\x0cJXL ")),
    OtherFormat("a Photoshop file", CONVERT, (".psd", ".psb"), re.compile(rb"8BPS")),
    OtherFormat("an icon file", CONVERT, (".ico", ".icns", ".cur"), re.compile(rb"\0\0[\1\2]\0[^\0]\0|icns")),
    OtherFormat("a PostScript file", CONVERT, (".eps",), re.compile(rb"%!PS")),
    OtherFormat("a GIMP file", CONVERT, (".xcf",), re.compile(rb"gimp xcf")),
    OtherFormat(
        "an image of measured values",
        "scale them to 8 or 16 bits and save them as PNG or TIFF",
        (".fits", ".fit", ".exr", ".hdr", ".pfm", ".nii", ".mha", ".nrrd"),
        re.compile(rb"SIMPLE  =|\x76\x2f\x31\x01|#\?RADIANCE|P[fF]\s"),
    ),
    OtherFormat("a Targa or PCX image", CONVERT, (".tga", ".pcx")),
    *(
        OtherFormat(f"a {name} image", "install a Pillow that has this format, or " + CONVERT, SUFFIXES_BY_FORMAT[name])
        for name in ("AVIF", "JPEG2000")
        if name not in FORMATS
    ),
)
"""Formats that people take for images, in the order in which they are recognised."""


def other_format(path: str) -> OtherFormat | None:
    """Return the format that a file's suffix names, where it is an image elsewhere but is not read here."""
    return _by_suffix().get(suffix_of(path))


def suffix_of(path: str) -> str:
    """Return the suffix of a file name in lower case, also of a name that is nothing else."""
    return path[path.rfind(".") :].lower() if "." in path[path.rfind("/") + 1 :] else ""


@cache
def _by_suffix() -> dict[str, OtherFormat]:
    return {suffix: other for other in OTHER_FORMATS for suffix in other.suffixes}


def ways_out(suffixes: Iterable[str], most: int = 3) -> str:
    """Say how files with these suffixes become images that are read: `.heic: install ...; .dcm: export ...`, or "".

    A way out that several suffixes share is given once.
    """
    advice: dict[str, list[str]] = {}
    for suffix in suffixes:
        if other := other_format(suffix):
            advice.setdefault(other.advice, []).append(suffix)
    return "; ".join(f"{', '.join(names[:most])}: {way}" for way, names in [*advice.items()][:most])


def other_format_of(content: bytes) -> OtherFormat | None:
    """Return the format that a file's first bytes declare, where it is not read here; None if they say nothing."""
    known = (other for other in OTHER_FORMATS if other.first_bytes and other.first_bytes.match(content))
    return next(known, None)
