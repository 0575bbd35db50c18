"""Which images a person means."""

import io
import os
from pathlib import Path

import pytest

from tellapart.data.sources.listing import Item, images_under, is_hidden, kinds_text, list_images, walk_items
from tellapart.errors import DatasetError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "more/c.webp", "more/deep/d.bmp", "more/.x/e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*words: str, stdin: str = "") -> list[str]:
    return list(list_images(words, io.StringIO(stdin)))


def test_words_are_answered_in_their_order() -> None:
    assert found("b.png", "a.JPG", "b.png") == ["b.png", "a.JPG", "b.png"]


def test_a_folder_means_its_images_at_any_depth_by_name() -> None:
    assert found("more") == ["more/c.webp", "more/deep/d.bmp"]
    assert found(".") == ["./a.JPG", "./b.png", "./more/c.webp", "./more/deep/d.bmp"]


def test_a_fifo_in_a_folder_is_passed_over(here: Path) -> None:
    os.mkfifo(here / "more" / "pipe.png")
    assert found("more") == ["more/c.webp", "more/deep/d.bmp"]


def test_a_file_that_is_named_is_taken_whatever_its_suffix() -> None:
    assert found("notes.txt", ".hidden.png") == ["notes.txt", ".hidden.png"]


def test_what_is_not_there_is_passed_on_to_be_reported() -> None:
    assert found("absent.png", "*.tiff", "b.png") == ["absent.png", "*.tiff", "b.png"]


def test_a_glob_in_quotes_is_expanded_by_name() -> None:
    assert found("*.png") == ["b.png"]
    assert found("?.*") == ["a.JPG", "b.png"]
    assert found("**/*.bmp") == ["more/deep/d.bmp"]


def test_a_file_whose_name_looks_like_a_glob_is_itself(here: Path) -> None:
    (here / "photo[1].png").write_bytes(b"x")
    assert found("photo[1].png") == ["photo[1].png"]


def test_a_dash_means_the_lines_of_standard_input() -> None:
    assert found("b.png", "-", "a.JPG", stdin="one\n\n two.png\nthree") == [
        "b.png",
        "one",
        " two.png",
        "three",
        "a.JPG",
    ]


def test_an_empty_standard_input_is_refused() -> None:
    with pytest.raises(DatasetError, match="standard input names no image; expected a path on each line"):
        found("-", stdin="\n")
    assert found("-", "b.png") == ["b.png"]


def test_standard_input_is_read_as_the_lines_are_asked_for() -> None:
    stdin = io.StringIO("".join(f"{number}.png\n" for number in range(1000)))
    answers = list_images(["-"], stdin)
    assert [next(answers) for _ in range(3)] == ["0.png", "1.png", "2.png"]
    assert stdin.readline() == "3.png\n"


def test_nothing_named_is_refused() -> None:
    with pytest.raises(DatasetError, match="no image was named; expected files, folders, globs in quotes, or -"):
        found()


def test_a_folder_that_cannot_be_listed_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DatasetError, match="folder more cannot be listed: Permission denied"):
        list(images_under("more"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in (".git", "._1.png", "__MACOSX", "Thumbs.db", "desktop.ini", "Icon\r", "@eaDir")),
        *((name, False) for name in ("cat", "_x", "..\\cat", "...", "thumbs", "a.b")),
    ],
)
def test_hidden_is_what_is_not_meant_for_people(name: str, expected: bool) -> None:
    assert is_hidden(name) is expected


def test_all_that_a_folder_holds_is_told_apart_without_opening_it(here: Path) -> None:
    os.mkfifo(here / "more" / "pipe.png")
    (here / "more" / "a link.png").symlink_to("c.webp")
    (here / "more" / "gone").symlink_to("nowhere")
    (here / "more" / "up").symlink_to("..")
    (here / "more" / "read me").write_text("x")
    assert list(walk_items("more")) == [
        Item("more/.x", "other"),
        Item("more/a link.png", "image"),
        Item("more/c.webp", "image"),
        Item("more/deep/d.bmp", "image"),
        Item("more/gone", "skipped", "cannot be read: No such file or directory"),
        Item("more/pipe.png", "skipped", "is a FIFO, not a file"),
        Item("more/read me", "other"),
        Item("more/up", "skipped", "is a link to a folder, which is not followed: it leads back to a folder above it"),
    ]


def test_what_is_left_out_is_counted_by_kind(here: Path) -> None:
    os.mkfifo(here / "more" / "pipe.png")
    (here / "more" / "up").symlink_to("..")
    (here / "more" / "gone.txt").symlink_to("nowhere")
    for name in ("IMG_1.XYZ", "IMG_2.xyz", "README"):
        (here / "more" / name).write_bytes(b"x")
    listed = list_images(["b.png", "more"], io.StringIO())
    assert list(listed) == ["b.png", "more/c.webp", "more/deep/d.bmp"]
    expected = {".xyz": 2, "hidden": 1, "link to a folder": 1, "no extension": 1, "not a file": 1, "unreadable": 1}
    assert listed.skipped == expected
    assert listed.empty == []
    assert kinds_text(listed.skipped, most=2) == "7 files (.xyz 2, hidden 1, 4 more kinds)"


def test_an_image_that_cannot_be_read_is_listed_so_that_it_is_reported(here: Path) -> None:
    (here / "more" / "gone.png").symlink_to("nowhere")
    (here / "more" / "loop.png").symlink_to("loop.png")
    assert found("more")[-2:] == ["more/gone.png", "more/loop.png"]


def test_a_folder_without_an_image_is_named_and_refused_where_nothing_else_is_asked(here: Path) -> None:
    (here / "phone").mkdir()
    (here / "empty").mkdir()
    (here / "phone" / "IMG.xyz").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"phone has no image, only 1 file \(.xyz 1\); expected files that end in"):
        found("phone", "empty")
    listed = list_images(["phone", "b.png", "empty"], io.StringIO())
    assert list(listed) == ["b.png"]
    assert listed.empty == ["phone has no image, only 1 file (.xyz 1)", "empty has no image"]


def test_links_to_folders_are_followed_once(here: Path) -> None:
    (here / "album").mkdir()
    for name, target in (("a", "../more"), ("b", "../more/deep"), ("c", ".."), ("d", "own"), ("e", "e")):
        (here / "album" / name).symlink_to(target)
    (here / "album" / "own").mkdir()
    (here / "album" / "own" / "x.png").write_bytes(b"x")
    (here / "more" / "back").symlink_to("../album")
    listed = list_images(["album"], io.StringIO())
    assert list(listed) == ["album/a/c.webp", "album/a/deep/d.bmp", "album/own/x.png"]
    assert listed.skipped == {"link to a folder": 4, "hidden": 1, "unreadable": 1}
