"""From what a person names to a Dataset: every layout that is meant, and a sentence for every other."""

import os
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data import sources
from tellapart.data.picture import SUFFIXES
from tellapart.data.sources import open_source
from tellapart.errors import DatasetError

numbers = count()


def put(*paths: Path) -> None:
    """Put a small picture, unlike every other, at each path."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 3), (next(numbers) % 256, next(numbers) // 256 % 256, 7)).save(path, "PNG")


def classes(root: Path, names: Iterable[str] = ("cat", "dog"), *, each: int = 2) -> Path:
    for name in names:
        put(*(root / name / f"{number}.png" for number in range(each)))
    return root


def names_of(source: Path, split: str = "all") -> list[str]:
    pictures = open_source(str(source)).splits[split].pictures
    return [str(Path(pictures.name(i)).relative_to(source)) for i in range(len(pictures))]


def test_folders_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    dataset = open_source(str(classes(tmp_path / "pets", ["dog", "cat", "Ant", "10", "9"])))
    assert dataset.name == "pets"
    assert dataset.classes == ("10", "9", "Ant", "cat", "dog")
    assert dataset.splits["all"].labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert dataset.skipped == ()


def test_the_digest_is_that_of_the_files_bytes(tmp_path: Path) -> None:
    from tellapart.files import sha256

    pictures = open_source(str(classes(tmp_path / "pets"))).splits["all"].pictures
    assert pictures.digests == tuple(sha256(Path(pictures.name(i))) for i in range(4))


@pytest.mark.parametrize("slash", ["", "/", "/.", "/../pets"])
def test_however_the_folder_is_spelled_its_name_is_the_same(
    tmp_path: Path, slash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = classes(tmp_path / "pets")
    assert open_source(f"{root}{slash}").name == "pets"
    monkeypatch.chdir(root)
    assert open_source(".").name == "pets"


@pytest.mark.parametrize("validation", ["validation", "valid", "val", "dev", "Val"])
@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("training", "testing"), ("Train", "TEST")])
def test_splits_may_go_by_several_names(tmp_path: Path, train: str, validation: str, test: str) -> None:
    for number, part in enumerate((train, validation, test)):
        classes(tmp_path / part, each=number + 1)
    dataset = open_source(str(tmp_path))
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 2, "validation": 4, "test": 6}
    assert list(dataset.splits) == ["train", "validation", "test"]
    assert dataset.classes == ("cat", "dog")


def test_two_folders_for_one_split_are_refused_since_one_would_be_lost(tmp_path: Path) -> None:
    for part in ("train", "val", "validation"):
        classes(tmp_path / part)
    with pytest.raises(DatasetError, match="has train, val, validation, of which some mean the same split"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("name", ["test", "Test", "val", "train", "training"])
def test_a_class_may_be_called_as_a_split_is(tmp_path: Path, name: str) -> None:
    dataset = open_source(str(classes(tmp_path, ["bus", "car", name])))
    assert set(dataset.classes) == {"bus", "car", name}
    assert dataset.splits.keys() == {"all"}


def test_beside_a_divided_train_folder_others_do_not_count(tmp_path: Path) -> None:
    classes(tmp_path / "train")
    classes(tmp_path / "originals", ["elephant"])
    dataset = open_source(str(tmp_path))
    assert dataset.splits.keys() == {"train"}
    assert dataset.classes == ("cat", "dog")


def test_a_class_of_one_split_alone_is_a_class(tmp_path: Path) -> None:
    classes(tmp_path / "train", ["cat", "dog"])
    classes(tmp_path / "test", ["cat", "eel"])
    dataset = open_source(str(tmp_path))
    assert dataset.classes == ("cat", "dog", "eel")
    assert dataset.counts("test").tolist() == [2, 0, 2]


def test_what_is_hidden_or_no_picture_does_not_count(tmp_path: Path) -> None:
    root = classes(tmp_path, each=1)
    put(root / "__MACOSX" / "cat" / "0.png", root / ".thumbnails" / "0.png", root / "cat" / "._0.png")
    put(root / "cat" / ".hidden" / "1.png", root / "dog" / "__MACOSX" / "1.png", root / ".DS_Store.png")
    (root / "cat" / "Thumbs.db").write_bytes(b"x")
    (root / "cat" / "notes.txt").write_text("x")
    (root / "labels.csv").write_text("x")
    assert names_of(root) == ["cat/0.png", "dog/0.png"]
    assert open_source(str(root)).classes == ("cat", "dog")


def test_pictures_may_lie_deeper_and_their_suffix_in_any_case(tmp_path: Path) -> None:
    root = classes(tmp_path, each=1)
    put(*(root / "cat" / f"a{suffix}" for suffix in SUFFIXES), root / "dog" / "2021" / "may" / "B.JPG")
    put(root / "dog" / "folder.jpg" / "c.Png")
    found = names_of(root)
    assert set(found) == {"cat/0.png", "dog/0.png", "dog/2021/may/B.JPG", "dog/folder.jpg/c.Png"} | {
        f"cat/a{suffix}" for suffix in SUFFIXES
    }


def test_the_order_of_files_is_that_of_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = classes(tmp_path, each=12)
    assert names_of(root)[:4] == ["cat/0.png", "cat/1.png", "cat/10.png", "cat/11.png"]


def test_an_unreadable_file_is_skipped_and_listed(tmp_path: Path) -> None:
    root = classes(tmp_path)
    (root / "cat" / "1a.jpg").symlink_to(tmp_path / "nowhere")
    (root / "dog" / "loop.jpg").symlink_to(root / "dog" / "loop.jpg")
    dataset = open_source(str(root))
    assert names_of(root) == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert dataset.splits["all"].labels.tolist() == [0, 0, 1, 1]
    assert [(Path(one.path).name, one.reason) for one in dataset.skipped] == [
        ("1a.jpg", "cannot be read: No such file or directory"),
        ("loop.jpg", "cannot be read: Too many levels of symbolic links"),
    ]


def test_a_folder_that_leads_back_to_itself_ends(tmp_path: Path) -> None:
    root = classes(tmp_path)
    (root / "cat" / "again").symlink_to(root)
    assert len(names_of(root)) == 4


@pytest.mark.parametrize("source", ["no/such/folder", "./absent", "../absent"])
def test_a_missing_folder_says_where_it_was_looked_for(source: str) -> None:
    with pytest.raises(DatasetError, match=f"there is no folder {source}: check the path .now in {Path.cwd()}"):
        open_source(source)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        DatasetError, match="no folder fashion_mnist, and no data set of that name: did you mean fashion-"
    ):
        open_source("fashion_mnist")


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "cat.png")
    with pytest.raises(DatasetError, match=r"cat.png is a file; expected a folder of class folders or an .npz file"):
        open_source(str(tmp_path / "cat.png"))


EMPTY = "found no pictures in .*; expected one folder per class with its pictures in it, such as .*/cat/1.jpg"


@pytest.mark.parametrize("folders", [[], ["cat"], ["cat", "dog"], ["train"], ["train/cat", "test/cat"], [".git"]])
def test_a_folder_without_pictures_is_refused(tmp_path: Path, folders: list[str]) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(DatasetError, match=f"{EMPTY}|has one class folder"):
        open_source(str(tmp_path))


def test_pictures_without_class_folders_are_counted(tmp_path: Path) -> None:
    put(tmp_path / "1.png", tmp_path / "2.JPG")
    with pytest.raises(DatasetError, match=f"found 2 pictures directly in {tmp_path}; expected one folder per class"):
        open_source(str(tmp_path))


def test_one_class_is_refused(tmp_path: Path) -> None:
    classes(tmp_path, ["cat"])
    with pytest.raises(DatasetError, match="has one class folder, 'cat': telling apart needs at least two"):
        open_source(str(tmp_path))


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    classes(tmp_path)
    (tmp_path / "eel").mkdir()
    (tmp_path / "eel" / "notes.txt").write_text("none yet")
    with pytest.raises(
        DatasetError, match=r"class folder 'eel' of .* has no picture \(.jpg, .*: add some, or remove it"
    ):
        open_source(str(tmp_path))


def test_a_class_name_that_is_no_text_is_refused_before_any_work(tmp_path: Path) -> None:
    # It could be stored in no bundle and printed on no screen.
    classes(tmp_path)
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    with pytest.raises(DatasetError, match=r"class folder 'caf\\udce9' of .* has a name that cannot be printed"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("name", ["naïve", "猫", 'it\'s, "quoted"', "a b"])
def test_class_names_may_be_in_any_language(tmp_path: Path, name: str) -> None:
    assert set(open_source(str(classes(tmp_path, ["dog", name]))).classes) == {"dog", name}


ARRAY = np.zeros((4, 3, 3), np.uint8)


def stored(path: Path, **arrays: object) -> str:
    with path.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    return str(path)


@pytest.mark.parametrize("ending", [".npz", ".NPZ"])
def test_npz_files_are_data_sets(tmp_path: Path, ending: str) -> None:
    dataset = open_source(stored(tmp_path / f"set{ending}", x=ARRAY, y=[0, 2, 1, 2]))
    assert dataset.name == "set"
    assert dataset.classes == ("0", "1", "2")
    named = open_source(stored(tmp_path / f"set{ending}", x=ARRAY, y=[0, 2, 1, 2], classes=list("abcd")))
    assert named.classes == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("labels", "names", "sentence"),
    [
        ([0, 0, 0, 0], None, "has 1 class names for labels up to 0; expected at least 2"),
        ([0, 1, 2, 2], ["a", "b"], "has 2 class names for labels up to 2"),
        ([0, 1, 0, 1], ["a"], "has 1 class names for labels up to 1"),
        ([0, 1, 0, 1], ["a", "a"], "has class names that are not distinct: a, a"),
        ([0, 1, 2, 2**30], None, "has labels up to 1,073,741,824; expected classes numbered from 0 up"),
    ],
)
def test_labels_and_class_names_must_fit(
    tmp_path: Path, labels: list[int], names: list[str] | None, sentence: str
) -> None:
    more = {} if names is None else {"classes": names}
    with pytest.raises(DatasetError, match=f"^set {sentence}"):
        open_source(stored(tmp_path / "set.npz", x=ARRAY, y=labels, **more))


def test_a_folder_of_idx_files_is_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = b"\0\0\x08\x03\0\0\0\x04\0\0\0\x03\0\0\0\x03"
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(header + ARRAY.tobytes())
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x04\0\x01\x01\0")
    monkeypatch.chdir(tmp_path)
    for source in (str(tmp_path), "."):
        dataset = open_source(source)
        assert dataset.name == tmp_path.name
        assert dataset.classes == ("0", "1")
        assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 4, "test": 4}


def test_a_folder_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert open_source("digits").classes == ("cat", "dog")


def test_the_split_names_are_the_three(tmp_path: Path) -> None:
    assert set(sources.SPLIT_FOLDERS.values()) == {"train", "validation", "test"}
