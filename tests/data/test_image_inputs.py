"""Each image is taken as what it is, and what is no image is refused with a sentence."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.decoding.decode import decode
from tellapart.data.image_inputs import NamedImage, named_image, named_images
from tellapart.errors import DatasetError, ImageError


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)


@pytest.fixture
def file(pixels: NDArray[np.uint8], tmp_path: Path) -> Path:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def only(images: object) -> NamedImage:
    (named,) = named_images(images)  # type: ignore[arg-type]
    return named


class Upload:
    """A file as web frameworks give it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self) -> bytes:
        """Return the content."""
        return self._content


class OpenFile(io.BytesIO):
    """A file that knows its name, as one opened with 'rb' does."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.read_bytes())
        self.name = str(path)


FORMS: dict[str, Callable[[Path], object]] = {
    "text": str,
    "path": lambda file: file,
    "bytes": Path.read_bytes,
    "bytearray": lambda file: bytearray(file.read_bytes()),
    "memoryview": lambda file: memoryview(file.read_bytes()),
    "file object": OpenFile,
    "file in memory": lambda file: io.BytesIO(file.read_bytes()),
    "upload": lambda file: Upload(file.read_bytes()),
    "Pillow image": Image.open,
    "array": lambda file: np.asarray(Image.open(file)),
    "view of an array": lambda file: np.flip(np.flip(np.asarray(Image.open(file)), 1), 1),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_image_is_read_the_same_in_every_form_alone_and_in_a_list(
    form: str, file: Path, pixels: NDArray[np.uint8]
) -> None:
    for named in (only(FORMS[form](file)), only([FORMS[form](file)]), named_image(FORMS[form](file))):  # type: ignore[arg-type]
        np.testing.assert_array_equal(named.read(), pixels)


def test_names_are_paths_where_there_are_any(file: Path, pixels: NDArray[np.uint8]) -> None:
    with Image.open(file) as image, file.open("rb") as opened:
        forms: list[Any] = [str(file), file, image, opened, file.read_bytes(), pixels]
        assert [named.name for named in named_images(forms)] == [str(file)] * 4 + ["image 5", "image 6"]
    assert only(pixels).name == only(file.read_bytes()).name == "image"
    assert named_image(pixels, "kitchen").name == "kitchen"


def test_a_folder_and_a_glob_are_listed_and_what_is_left_out_is_reported(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file.parent / "notes.txt").write_text("x")
    (file.parent / "b.png").write_bytes(file.read_bytes())
    expected = [str(file), str(file.parent / "b.png")]
    assert [named.name for named in named_images(file.parent)] == expected
    assert ".txt 1" in capsys.readouterr().err
    assert [named.name for named in named_images(str(file.parent / "*.png"))] == expected
    (file.parent / "empty").mkdir()
    with pytest.raises(DatasetError, match="has no image"):
        list(named_images(file.parent / "empty"))


def test_a_missing_file_is_unreadable_and_a_hyphen_is_no_standard_input(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.png", "-"):
        with pytest.raises(ImageError, match="No such file"):
            only(path).read()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_a_pillow_image_gives_what_its_file_gives(mode: str) -> None:
    ramp = np.arange(24 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3
    image = Image.fromarray(np.arange(24, dtype=np.uint16).reshape(4, 6) * 2700) if mode == "I;16" else None
    image = image or Image.fromarray(ramp).convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(ramp[:, :, 0]))
    stream = io.BytesIO()
    image.save(stream, "JPEG" if mode == "CMYK" else "PNG")
    stored = Image.open(io.BytesIO(stream.getvalue()))
    np.testing.assert_array_equal(only(stored).read(), decode(stream.getvalue()))
    if mode != "CMYK":
        np.testing.assert_array_equal(only(image).read(), decode(stream.getvalue()))


def test_a_pillow_image_is_turned_upright(pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    turned = only(Image.open(tmp_path / "turned.png")).read()
    np.testing.assert_array_equal(turned, np.rot90(pixels, -1))


def test_arrays_of_one_image_and_of_several() -> None:
    grey = np.arange(20, dtype=np.uint8).reshape(4, 5)
    np.testing.assert_array_equal(only(grey).read(), grey[:, :, np.newaxis])
    clear = np.zeros((4, 5, 4), np.uint8)
    np.testing.assert_array_equal(only(clear).read(), np.full((4, 5, 3), 255))
    several = np.stack([np.full((4, 5, 3), value, np.uint8) for value in (1, 2)])
    assert [int(named.read()[0, 0, 0]) for named in named_images(several)] == [1, 2]
    assert [named.name for named in named_images(np.array(["a.png", "b.png"]))] == ["a.png", "b.png"]


def test_an_image_is_taken_when_it_comes_though_its_memory_is_used_again(file: Path) -> None:
    frame = np.zeros((4, 5, 3), np.uint8)
    first, frame[:] = only(frame), 9
    assert first.read().max() == 0
    with Image.open(file) as image:
        named = only(image)
    assert named.read().shape == (7, 5, 3)


WRONG: dict[str, tuple[object, str]] = {
    "number": (5, "the argument is an int, expected a path, .* or a list of these"),
    "nothing": (None, "the argument is a NoneType"),
    "dictionary": ({"a.png": 1}, "the argument is a dict"),
    "float array": (np.zeros((4, 5, 3)), "an array of float64 values, expected uint8 .*round"),
    "16 bits": (np.zeros((4, 5), np.uint16), r"from 0 to 65,535, convert it with \(array / 257\)"),
    "channels first": (np.zeros((3, 40, 50), np.uint8), r"shape \(3, 40, 50\), expected .*transpose"),
    "five dimensions": (np.zeros((1, 1, 3, 4, 5), np.uint8), "of shape"),
    "text file": (io.StringIO("x"), "gives str, expected bytes: open the file"),
    "numbers": ([1, 2], "image 1 is an int"),
    "nested": ([["a.png"]], "image 1 is a list"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_image_is_refused(name: str) -> None:
    images, message = WRONG[name]
    with pytest.raises(TypeError, match=message):
        list(named_images(images))  # type: ignore[arg-type]


def test_what_cannot_be_awaited_here_is_refused() -> None:
    class AsyncUpload:
        async def read(self) -> bytes:
            return b""

    with pytest.raises(TypeError, match="gives coroutine, expected bytes"):
        only(AsyncUpload())


def test_one_wrong_argument_is_refused_before_anything_is_read() -> None:
    with pytest.raises(TypeError, match="the argument is a float"):
        named_images(1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the argument is a list, expected a path"):
        named_image(["a.png"])  # type: ignore[arg-type]


def test_a_table_is_not_taken_for_its_column_names() -> None:
    class Table:
        ndim = 2

        def __iter__(self) -> object:
            return iter(["path", "label"])

    with pytest.raises(TypeError, match="the argument is a Table"):
        named_images(Table())  # type: ignore[arg-type]


def test_a_damaged_pillow_image_is_unreadable(file: Path) -> None:
    image = Image.open(io.BytesIO(file.read_bytes()[:60]))
    with pytest.raises(ImageError, match="cannot be decoded"):
        only(image).read()
    with pytest.raises(ImageError, match="empty"):
        only(Image.new("RGB", (0, 3))).read()
