"""Folders of class folders: every layout that is meant, and a sentence for every other."""

import os
import socket
import unicodedata
from pathlib import Path

import pytest

from tellapart.data.dataset import Dataset, ReadOptions
from tellapart.data.decoding.formats import SUFFIXES
from tellapart.data.sources.folder import SPLIT_FOLDERS
from tellapart.data.sources.open_source import open_source
from tellapart.errors import DatasetError

from ..making import classes, names_of, put


def test_folders_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    dataset = open_source(str(classes(tmp_path / "pets", ["dog", "cat", "Ant", "10", "9"])))
    assert dataset.name == "pets"
    assert dataset.classes == ("10", "9", "Ant", "cat", "dog")
    assert dataset.splits["all"].labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert dataset.skipped == ()


def test_the_digest_is_that_of_the_files_bytes(tmp_path: Path) -> None:
    from tellapart.files import sha256

    images = open_source(str(classes(tmp_path / "pets"))).splits["all"].images
    assert images.digests == tuple(sha256(Path(images.name(i))) for i in range(4))


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


def test_what_is_hidden_or_no_image_does_not_count(tmp_path: Path) -> None:
    root = classes(tmp_path, each=1)
    put(root / "__MACOSX" / "cat" / "0.png", root / ".thumbnails" / "0.png", root / "cat" / "._0.png")
    put(root / "cat" / ".hidden" / "1.png", root / "dog" / "__MACOSX" / "1.png", root / ".DS_Store.png")
    (root / "cat" / "Thumbs.db").write_bytes(b"x")
    (root / "cat" / "notes.txt").write_text("x")
    (root / "labels.csv").write_text("x")
    assert names_of(root) == ["cat/0.png", "dog/0.png"]
    assert open_source(str(root)).classes == ("cat", "dog")


def test_images_may_lie_deeper_and_their_suffix_in_any_case(tmp_path: Path) -> None:
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


EMPTY = "found no images in .*; expected one folder per class with its images in it, such as .*/cat/1.jpg"


@pytest.mark.parametrize("folders", [[], ["cat"], ["cat", "dog"], ["train"], ["train/cat", "test/cat"], [".git"]])
def test_a_folder_without_images_is_refused(tmp_path: Path, folders: list[str]) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(DatasetError, match=f"{EMPTY}|has one class folder"):
        open_source(str(tmp_path))


def test_images_without_class_folders_are_counted(tmp_path: Path) -> None:
    put(tmp_path / "1.png", tmp_path / "2.JPG")
    with pytest.raises(DatasetError, match=f"found 2 images directly in {tmp_path}; expected one folder per class"):
        open_source(str(tmp_path))


def test_one_class_is_refused(tmp_path: Path) -> None:
    classes(tmp_path, ["cat"])
    with pytest.raises(DatasetError, match="has one class folder, 'cat': telling apart needs at least two"):
        open_source(str(tmp_path))


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    classes(tmp_path)
    (tmp_path / "eel").mkdir()
    (tmp_path / "eel" / "notes.txt").write_text("none yet")
    with pytest.raises(DatasetError, match=r"class folder 'eel' of .* has no image \(.jpg, .*: add some, or remove it"):
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


def test_the_split_names_are_the_three(tmp_path: Path) -> None:
    assert set(SPLIT_FOLDERS.values()) == {"train", "validation", "test"}


def opened(root: Path, *exclude: str) -> Dataset:
    return open_source(str(root), ReadOptions(exclude_label=exclude))


def left_out(root: Path) -> dict[str, str]:
    return {str(Path(one.path).relative_to(root)): one.reason for one in open_source(str(root)).skipped}


def test_files_that_are_no_images_are_collected(tmp_path: Path) -> None:
    root = classes(tmp_path, each=1)
    names = (".gitignore", "README.md", "__MACOSX/cat", "cat/Thumbs.db", "cat/notes.txt", "dog/deep/song.mp3")
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    dataset = open_source(str(root))
    told = (name.replace("/cat", "") if "MACOSX" in name else name for name in names)  # not looked into
    assert dataset.others == tuple(str(root / name) for name in told)
    assert dataset.skipped == ()


def test_images_beside_class_folders_are_named(tmp_path: Path) -> None:
    put(tmp_path / "loose.png")
    assert left_out(classes(tmp_path)) == {"loose.png": "lies beside the class folders: move it into one of them"}


def test_beside_split_folders_too(tmp_path: Path) -> None:
    classes(tmp_path / "train")
    classes(tmp_path / "test")
    put(tmp_path / "1.png", tmp_path / "test" / "2.png", tmp_path / "originals" / "3.png")
    reasons = left_out(tmp_path)
    assert list(reasons) == ["1.png", "originals", "test/2.png"]
    assert reasons["originals"] == "lies beside train and test, and is not read"


def test_images_directly_in_a_split_folder_are_counted(tmp_path: Path) -> None:
    put(tmp_path / "train" / "1.png", tmp_path / "test" / "2.png")
    with pytest.raises(DatasetError, match=f"found 1 images directly in {tmp_path}/train; expected one folder per"):
        open_source(str(tmp_path))


def test_a_table_that_lies_there_is_pointed_at(tmp_path: Path) -> None:
    put(tmp_path / "images" / "1.png")
    (tmp_path / "labels.csv").write_text("path,label")
    with pytest.raises(DatasetError, match=f"; or name the table that has the labels, such as {tmp_path}/labels.csv"):
        open_source(str(tmp_path))


def test_what_is_no_file_is_named_and_never_opened(tmp_path: Path) -> None:
    root = classes(tmp_path)
    os.mkfifo(root / "cat" / "pipe.png")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(root / "cat" / "socket.png"))
    (root / "dog" / "zero.png").symlink_to("/dev/zero")
    assert left_out(root) == {
        "cat/pipe.png": "is a FIFO, not a file",
        "cat/socket.png": "is a socket, not a file",
        "dog/zero.png": "is a device, not a file",
        "pipe": "is a FIFO, not a file",
    }


def test_links_to_files_and_to_class_folders_are_followed(tmp_path: Path) -> None:
    elsewhere = classes(tmp_path / "elsewhere")
    root = tmp_path / "photos"
    root.mkdir()
    (root / "cat").symlink_to(elsewhere / "cat")
    put(root / "dog" / "0.png")
    (root / "dog" / "1.png").symlink_to(elsewhere / "dog" / "1.png")
    assert names_of(root) == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]


def test_links_that_lead_out_of_the_folder_are_followed_within_a_class_too(tmp_path: Path) -> None:
    root = classes(tmp_path / "photos", each=1)
    (root / "cat" / "album").symlink_to(classes(tmp_path / "elsewhere", ["cat"]) / "cat")
    assert names_of(root) == ["cat/0.png", "cat/album/0.png", "cat/album/1.png", "dog/0.png"]


def test_links_within_the_folder_are_named_and_not_followed_within_a_class(tmp_path: Path) -> None:
    root = classes(tmp_path)
    (root / "cat" / "again").symlink_to(root)
    (root / "cat" / "album.png").symlink_to(root / "dog")
    assert names_of(root) == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert set(left_out(root)) == {"cat/again", "cat/album.png"}
    assert "is a link to a folder, which is not followed" in left_out(root)["cat/again"]


@pytest.mark.parametrize("there", [".", "..", "itself"])
def test_a_link_among_the_class_folders_that_leads_back_is_no_class(tmp_path: Path, there: str) -> None:
    root = classes(tmp_path / "photos")
    (root / "itself").symlink_to(there)
    assert open_source(str(root)).classes == ("cat", "dog")
    assert list(left_out(root)) == ["itself"]


TWINS = ("caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9"))


def test_two_spellings_of_unicode_in_two_splits_are_one_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part, name in zip(("train", "test"), TWINS, strict=True):
        classes(tmp_path / part, ["dog", name])
    dataset = open_source(str(tmp_path))
    assert dataset.classes == ("caf\u00e9", "dog")
    assert [dataset.counts(name).tolist() for name in ("train", "test")] == [[2, 2], [2, 2]]
    assert r"folders spelled 'cafe\u0301' and 'caf\xe9' are one class, caf" in capsys.readouterr().err


def test_two_spellings_of_unicode_in_one_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"two folders whose names look the same, 'cafe\\u0301' and 'caf\\xe9': put"):
        open_source(str(classes(tmp_path, TWINS)))


def test_classes_that_differ_in_case_are_refused_even_across_splits(tmp_path: Path) -> None:
    classes(tmp_path / "train", ["cat", "dog"])
    classes(tmp_path / "test", ["Cat", "dog"])
    with pytest.raises(DatasetError, match=f"{tmp_path} has the classes 'Cat' and 'cat', which differ in case alone"):
        open_source(str(tmp_path))


def test_excluded_classes_do_not_count_be_they_empty_or_odd(tmp_path: Path) -> None:
    classes(tmp_path, ["cat", "dog", "Skip", "skip"])
    (tmp_path / "Not sure").mkdir()
    dataset = opened(tmp_path, "Not sure,Skip,skip")
    assert dataset.classes == ("cat", "dog")
    assert dataset.counts("all").tolist() == [2, 2]
    assert dataset.skipped == ()


@pytest.mark.parametrize(
    ("exclude", "sentence"), [("Cat", "has no class 'Cat' to exclude: did you mean cat?"), ("dog", "one class folder")]
)
def test_only_what_is_there_and_can_be_spared_is_excluded(tmp_path: Path, exclude: str, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        opened(classes(tmp_path), exclude)


@pytest.mark.parametrize(
    ("train", "test", "names"),
    [
        ("seg_train/seg_train", "seg_test/seg_test", "train and test"),
        ("train_images", "test_images", "train and test"),
        ("Training_set", "Val", "train and validation"),
        ("fold1", "fold2", "train, validation and test"),
    ],
)
def test_folders_of_splits_are_not_taken_for_classes(tmp_path: Path, train: str, test: str, names: str) -> None:
    classes(tmp_path / train, ["forest", "sea"])
    classes(tmp_path / test, ["forest", "sea"])
    tops = [Path(part).parts[0] for part in (train, test)]
    with pytest.raises(DatasetError) as refused:
        open_source(str(tmp_path))
    assert str(refused.value) == (
        f"{tops[0]} and {tops[1]} of {tmp_path} have folders of the same names (forest and sea): are they splits? Name "
        f"them {names}, or pass {tmp_path / train}"
    )


def test_a_training_folder_named_right_may_still_be_doubled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classes(tmp_path / "train" / "seg_train", each=3)
    classes(tmp_path / "test" / "seg_test")
    dataset = open_source(str(tmp_path))
    assert dataset.classes == ("cat", "dog")
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 6, "test": 4}
    assert f"the classes of {tmp_path}/train are read from {tmp_path}/train/seg_train" in capsys.readouterr().err


def test_folders_below_the_classes_may_have_the_same_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cat", "dog"):
        classes(tmp_path / name, ["monday", "tuesday"], each=1)
    assert open_source(str(tmp_path)).classes == ("cat", "dog")
    err = capsys.readouterr().err
    assert "cat and dog of" in err
    assert f"(monday and tuesday), and become the classes: are those the classes? Then pass {tmp_path}/cat" in err


def test_a_class_may_have_folders_whatever_it_is_called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classes(tmp_path / "train", ["monday", "tuesday"])
    put(tmp_path / "bus" / "1.png", tmp_path / "car" / "may" / "1.png", tmp_path / "car" / "june" / "1.png")
    (tmp_path / "train").rename(tmp_path / "steam train")
    assert open_source(str(tmp_path)).classes == ("bus", "car", "steam train")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("inside", ["dataset", "archive/dataset"])
def test_of_a_folder_one_too_high_the_one_to_name_is_said(tmp_path: Path, inside: str) -> None:
    classes(tmp_path / inside, ["forest", "sea"])
    with pytest.raises(DatasetError) as refused:
        open_source(str(tmp_path))
    assert str(refused.value) == (
        f"{tmp_path} has one folder, {inside.partition('/')[0]!r}, and no images in it: did you mean "
        f"{tmp_path}/{inside}, which has the folders forest and sea?"
    )
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "1.xml").write_text("x")
    with pytest.raises(DatasetError) as refused:
        open_source(str(tmp_path))
    assert "class folder 'annotations' of" in str(refused.value)
    assert f"; there are 1 file (.xml 1); did you mean {tmp_path}/{inside}, which has" in str(refused.value)


@pytest.mark.parametrize("unlabelled", ["test/1.png", "test/unknown/1.png", "test/images/deep/1.png"])
def test_test_images_without_labels_are_set_aside(
    tmp_path: Path, unlabelled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    classes(tmp_path / "train")
    put(tmp_path / unlabelled)
    (tmp_path / "test" / "notes.txt").write_text("x")
    dataset = open_source(str(tmp_path))
    assert (dataset.classes, list(dataset.splits)) == (("cat", "dog"), ["train"])
    assert (dataset.unlabelled, dataset.skipped) == ((str(tmp_path / unlabelled),), ())
    assert dataset.others == (str(tmp_path / "test" / "notes.txt"),)
    assert "so its 1 image cannot be used for test: another test split is drawn" in capsys.readouterr().err


def test_a_test_folder_of_empty_classes_is_refused(tmp_path: Path) -> None:
    classes(tmp_path / "train")
    (tmp_path / "test" / "cat").mkdir(parents=True)
    with pytest.raises(DatasetError, match=f"{tmp_path}/test has no images: add some, or remove the folder"):
        open_source(str(tmp_path))


def test_what_an_empty_class_has_instead_of_images_is_counted(tmp_path: Path) -> None:
    classes(tmp_path)
    (tmp_path / "cat" / "0.png").rename(tmp_path / "cat" / "0.xyz")
    (tmp_path / "cat" / "1.png").rename(tmp_path / "cat" / "1.xyz")
    with pytest.raises(DatasetError, match=r"class folder 'cat' of .* has no image .*; there are 2 files \(.xyz 2\)"):
        open_source(str(tmp_path))
    (tmp_path / "dog" / "0.png").rename(tmp_path / "dog" / "0.abc")
    (tmp_path / "dog" / "1.png").unlink()
    with pytest.raises(DatasetError, match=r"found no images in .*; there are 3 files \(.xyz 2, .abc 1\)"):
        open_source(str(tmp_path))
