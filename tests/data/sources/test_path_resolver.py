"""From what a table calls an image to the file that is meant."""

import os
import unicodedata
from pathlib import Path

import pytest

from tellapart.data.sources.path_resolver import PathResolver
from tellapart.errors import DatasetError


@pytest.fixture
def finder(tmp_path: Path) -> PathResolver:
    for name in ("1.jpg", "sub/2.png", "v1.2.jpg", "notes.txt", "3", "4/x.png", "4.jpg", " 5.jpg", "6.jpg", "6.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / unicodedata.normalize("NFD", "café.jpg")).write_bytes(b"x")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    return PathResolver(str(tmp_path), "labels.csv")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("1.jpg", "1.jpg"),
        ("1", "1.jpg"),
        ("./1", "1.jpg"),
        (" 1.jpg ", "1.jpg"),
        (" 5.jpg", " 5.jpg"),
        ("sub/2", "sub/2.png"),
        ("sub\\2.png", "sub/2.png"),
        ("sub/../1.jpg", "1.jpg"),
        ("v1.2", "v1.2.jpg"),
        ("v1.2.JPG", "v1.2.jpg"),
        ("sub/2.Png", "sub/2.png"),
        ("1.png", None),
        ("3", "3"),
        ("4", "4.jpg"),
        ("6.png", "6.png"),
        ("gone.jpg", "gone.jpg"),
        ("café.jpg", unicodedata.normalize("NFD", "café.jpg")),
        ("café", unicodedata.normalize("NFD", "café.jpg")),
        ("2", None),
        ("notes", None),
        ("nowhere/1.jpg", None),
        ("1.jpg\0", None),
        ("v1", None),
    ],
)
def test_a_name_is_a_path_that_may_lack_its_suffix(
    finder: PathResolver, tmp_path: Path, name: str, meant: str | None
) -> None:
    found = finder.in_folder(name)
    assert (None if found is None else Path(found).resolve()) == (meant and (tmp_path / meant).resolve())


def test_an_absolute_path_is_itself(finder: PathResolver, tmp_path: Path) -> None:
    assert finder.in_folder(str(tmp_path / "1")) == str(tmp_path / "1.jpg")


def test_a_name_that_may_mean_two_is_refused_with_both(finder: PathResolver, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as refused:
        finder.in_folder("6")
    assert str(refused.value) == (
        f"labels.csv names '6', which may be {tmp_path}/6.jpg or {tmp_path}/6.png: write more of the "
        f"path, and the suffix"
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("2.png", "sub/2.png"), ("2", "sub/2.png"), ("sub/2", "sub/2.png"), ("ub/2", None), ("x.png", "4/x.png"),
        ("notes.txt", None), ("../1", None),
    ],
)  # fmt: skip
def test_below_a_path_is_the_end_of_one(finder: PathResolver, tmp_path: Path, name: str, meant: str | None) -> None:
    assert finder.below(name) == (meant and str(tmp_path / meant))


def test_below_two_of_a_name_are_refused(finder: PathResolver, tmp_path: Path) -> None:
    (tmp_path / "sub" / "1.jpg").write_bytes(b"x")
    with pytest.raises(DatasetError, match=f"names '1', which may be {tmp_path}/1.jpg or {tmp_path}/sub/1.jpg"):
        finder.below("1")
    assert finder.below("sub/1") == f"{tmp_path}/sub/1.jpg"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("/home/anna/photos/sub/2.png", "sub/2.png"),
        ("C:\\photos\\sub\\2.PNG", "sub/2.png"),
        ("/data/1", "1.jpg"),
        ("/data/sub/1.jpg", "1.jpg"),
        ("/data/../1.jpg", None),
        ("/data/7.jpg", None),
        ("/", None),
    ],
)
def test_of_a_path_from_elsewhere_the_longest_end_that_is_there_is_meant(
    finder: PathResolver, tmp_path: Path, name: str, meant: str | None
) -> None:
    for _ in range(2):  # what was found before changes nothing
        found = finder.from_elsewhere(name)
        assert (found and Path(found)) == (meant and tmp_path / meant)
        finder.from_elsewhere("/a/b/c/d/1.jpg")


def test_a_file_name_may_be_bytes_in_the_tables_encoding(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    path.write_bytes(b"x")
    assert PathResolver(str(tmp_path), "labels.csv").in_folder("café.jpg") is None
    assert PathResolver(str(tmp_path), "labels.csv", "cp1252").in_folder("café.jpg") == str(path)
