"""Which images a person means."""

import io
import os
from pathlib import Path

import pytest

from tellapart.data.sources.listing import Item, images_under, is_hidden, list_images, walk_items
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
        Item("more/up", "skipped", "is a link to a folder, which is not followed: move the images here"),
    ]
