"""Tables of paths and labels: what people have, and a sentence for every row and table that cannot be used."""

import os
import unicodedata
from pathlib import Path

import pytest

from tellapart.data.dataset import Dataset, ReadOptions
from tellapart.data.splits.draw_splits import draw_splits
from tellapart.data.splits.split_csv import save_split
from tellapart.errors import DatasetError

from ..making import classes, put


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six images, in the folder `photos`."""
    put(*(tmp_path / "photos" / f"{number}.png" for number in range(6)))
    return tmp_path / "photos"


LABELS = ("cat", "dog", "cat", "dog", "cat", "dog")


def table(folder: Path, *lines: str, header: str = "image,label", name: str = "labels.csv") -> Path:
    (folder / name).write_text("\n".join([header, *lines]), encoding="utf-8", errors="surrogateescape")
    return folder / name


def rows(dataset: Dataset, split: str = "all") -> list[tuple[str, str]]:
    part = dataset.splits[split]
    names = [Path(part.images.name(i)).name for i in range(len(part))]
    return [(name, dataset.classes[label]) for name, label in zip(names, part.labels.tolist(), strict=True)]


ALL = [(f"{number}.png", label) for number, label in enumerate(LABELS)]


@pytest.mark.parametrize("suffix", [".png", ""])
@pytest.mark.parametrize("start", ["", "{}/", "../photos/", "./"])
def test_paths_begin_at_the_tables_folder_and_may_lack_their_suffix(photos: Path, start: str, suffix: str) -> None:
    lines = [f"{start.format(photos)}{number}{suffix},{label}" for number, label in enumerate(LABELS)]
    dataset = Dataset.open(table(photos, *lines))
    assert (dataset.name, dataset.classes, dataset.skipped, dataset.others) == ("labels", ("cat", "dog"), (), ())
    assert rows(dataset) == ALL
    assert dataset.splits["all"].groups is None


def test_where_nothing_lies_beside_the_table_folders_below_are_searched(photos: Path) -> None:
    lines = [f"{number},{label}" for number, label in enumerate(LABELS)]
    put(photos.parent / "more" / "6.png")
    dataset = Dataset.open(table(photos.parent, *lines, "6,dog"))
    assert rows(dataset) == [*ALL, ("6.png", "dog")]
    put(photos.parent / "1.png")
    beside = Dataset.open(table(photos.parent, "1,cat", "2,dog", "1,dog"))
    assert rows(beside) == [("1.png", "cat"), ("1.png", "dog")]
    assert [Path(one.path).name for one in beside.skipped] == ["2"]


def test_the_same_images_make_the_same_data_set_as_in_folders(tmp_path: Path) -> None:
    classes(tmp_path)
    path = table(tmp_path, "dog/1.png,dog", "cat/0.png,cat", "cat/1.png,cat", "dog/0.png,dog")
    assert Dataset.open(path).fingerprint == Dataset.open(tmp_path).fingerprint


def test_splits_and_groups_are_columns(photos: Path) -> None:
    words = ("train", "Training", "valid", "DEV", "test", " testing ")
    lines = [f"{i};{label};{word};person {i % 2}" for i, (label, word) in enumerate(zip(LABELS, words, strict=True))]
    path = table(photos, *lines, header="image;label;fold;sender")
    dataset = Dataset.open(path, ReadOptions(split_column="fold", group_column="sender"))
    assert list(dataset.splits) == ["train", "validation", "test"]
    assert rows(dataset, "validation") == ALL[2:4]
    assert dataset.splits["test"].groups == ("person 0", "person 1")
    assert "all" in Dataset.open(path).splits


def test_paths_are_as_short_as_a_person_would_write_them(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(photos, "0,cat", "1.png,dog", "gone,dog")
    monkeypatch.chdir(photos)
    dataset = Dataset.open("labels.csv")
    assert [dataset.splits["all"].images.name(i) for i in range(2)] == ["0.png", "1.png"]
    assert [one.path for one in dataset.skipped] == ["gone"]


def test_a_image_without_a_group_is_one(photos: Path) -> None:
    path = table(photos, "0,cat,anna", "1,dog,", "2,cat,anna", "3,dog,", header="image,label,group")
    groups = Dataset.open(path).splits["all"].groups
    assert groups == ("anna", str(photos / "1.png"), "anna", str(photos / "3.png"))


def test_a_row_said_twice_counts_once(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(photos, "0,cat", "1,dog", "./0.png,cat", "0,dog", "1.png,dog")
    assert rows(Dataset.open(path)) == [("0.png", "cat"), ("1.png", "dog"), ("0.png", "dog")]
    assert "rows that repeat another row, ignored: 2" in capsys.readouterr().err
    leaking = table(photos, "0,cat,train", "0,cat,test", "1,dog,train", header="image,label,split")
    assert {name: len(split) for name, split in Dataset.open(leaking).splits.items()} == {"train": 2, "test": 1}


def test_rows_that_cannot_be_used_are_named_with_their_lines(photos: Path) -> None:
    os.mkfifo(photos / "pipe.png")
    (photos / "link.png").symlink_to("nowhere")
    lines = ["0,cat", "gone.png,cat", "1,dog", "2,", " ,cat", "3", "pipe.png,cat", "link.png,dog", "a\0b,cat"]
    path = table(photos, *lines)
    dataset = Dataset.open(path)
    assert rows(dataset) == ALL[:2]
    assert {one.reason.replace(str(path), "T"): Path(one.path).name for one in dataset.skipped} == {
        "has no label (line 5 of T)": "2",
        "has no path (line 6 of T)": "labels.csv",
        "has no label (line 7 of T)": "3",
        "cannot be read: No such file or directory (line 3 of T)": "gone.png",
        "is a FIFO, not a file (line 8 of T)": "pipe.png",
        "cannot be read: No such file or directory (line 9 of T)": "link.png",
        "cannot be read: embedded null byte (line 10 of T)": "a\0b",
    }


def test_labels_are_left_out_by_name(photos: Path) -> None:
    lines = [*(f"{number},{label}" for number, label in enumerate(LABELS)), "5,Not sure", "nowhere,Skip", "4,Other"]
    dataset = Dataset.open(table(photos, *lines), ReadOptions(exclude_label=("Not sure,Skip", "Other")))
    assert (rows(dataset), dataset.skipped) == (ALL, ())


def test_labels_that_look_the_same_are_one_class(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decomposed = unicodedata.normalize("NFD", "café")
    dataset = Dataset.open(table(photos, "0,café", f"1,{decomposed}", "2, café ", "3,dog"))
    assert dataset.classes == ("café", "dog")
    assert dataset.counts("all").tolist() == [3, 1]
    assert r"labels spelled 'cafe\u0301' and 'caf\xe9' are one class" in capsys.readouterr().err


@pytest.mark.parametrize("label", ["=1+1", "'quoted'", "<b>", "a, b", "猫", "-1", 'the "best"', "a  b"])
def test_a_label_may_be_anything_that_can_be_shown(photos: Path, label: str) -> None:
    quoted = label.replace('"', '""')
    assert Dataset.open(table(photos, f'0,"{quoted}"', "1,dog")).classes == tuple(sorted((label, "dog")))


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "has no row with a path and a label"),
        (["0,", "1,"], "has no row with a path and a label"),
        (["0,cat", "1,cat"], "has one class, 'cat': telling apart needs at least two. Name the column of the labels"),
        (["0,cat", "1,Cat"], "has the classes 'Cat' and 'cat', which differ in case alone"),
        (["0,cat", '1,"a\nb"'], r"class 'a\\nb' of .*labels.csv has a name that cannot be printed"),
        (["0,é", "1,caf\udce9"], r"class 'caf\\udce9' of .*labels.csv has a name that cannot be printed"),
        (
            ["x.png,cat", "y.png,dog"],
            "none of the 2 images that .*labels.csv names is there, such as .*/photos/x.png",
        ),
        (["0,cat", "8,dog", "9,dog"], r"class 'dog' .* none of its 2 files is there, such as 8 \(line 3 of"),
        (["0,cat,x", "1,dog"], "line 2 of .*labels.csv has 3 cells, its header 2"),
    ],
)
def test_a_table_that_makes_no_data_set_is_refused(photos: Path, lines: list[str], sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        Dataset.open(table(photos, *lines))


def test_a_name_of_two_files_is_refused_with_both(photos: Path) -> None:
    put(photos / "0.jpg")
    with pytest.raises(DatasetError, match=f"names '0', which may be {photos}/0.(png|jpg) or {photos}/0.(png|jpg)"):
        Dataset.open(table(photos, "0,cat", "1,dog"))


@pytest.mark.parametrize("word", ["holdout", "0", ""])
def test_a_split_that_is_none_is_refused_with_its_line(photos: Path, word: str) -> None:
    path = table(photos, "0,cat,train", f"1,dog,{word}", header="image,label,split")
    with pytest.raises(
        DatasetError, match=f"line 3 of .*labels.csv has '{word}' in the column 'split'; expected one of"
    ):
        Dataset.open(path)


def test_a_parquet_table_counts_rows(photos: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    paths = [*(f"{number}.png" for number in range(6)), "gone.png"]
    columns = pyarrow.table({"image": paths, "label": [*(label == "cat" for label in LABELS), True]})
    pytest.importorskip("pyarrow.parquet").write_table(columns, photos / "labels.parquet")
    dataset = Dataset.open(photos / "labels.parquet")
    assert dataset.classes == ("False", "True")
    assert len(dataset.splits["all"]) == 6
    assert [one.reason.rpartition(" (")[2] for one in dataset.skipped] == [f"row 7 of {photos / 'labels.parquet'})"]


def test_what_tellapart_split_writes_is_read_without_a_word(tmp_path: Path) -> None:
    odd = ("=1+1", "dog ", "caf\u00e9", "a, b", "'", "猫")
    root = classes(tmp_path / "photos", odd, each=6)
    put(*(root / "猫" / name for name in ("-1.png", " 2.png ", "a\nb.png", "=x.png", os.fsdecode(b"caf\xe9.png"))))
    divided = draw_splits(Dataset.open(root), validation=0.2, test=0.2, seed=1)
    (tmp_path / "elsewhere").mkdir()
    for path in (tmp_path / "split.csv", tmp_path / "elsewhere" / "split.csv", root / "split.csv"):
        save_split(divided, path)
        again = Dataset.open(path)
        assert again.skipped == ()
        assert again.fingerprint == divided.fingerprint


def test_groups_are_written_and_read_back(photos: Path, tmp_path: Path) -> None:
    lines = [f"{number},{label},{number // 2}" for number, label in enumerate(LABELS)]
    first = Dataset.open(table(photos, *lines, header="image,label,group"))
    save_split(draw_splits(first, validation=0.3, test=0.3, seed=0), tmp_path / "split.csv")
    again = Dataset.open(tmp_path / "split.csv")
    assert {group for split in again.splits.values() for group in split.groups or ()} == {"0", "1", "2"}


def test_columns_of_0_and_1_are_classes(photos: Path) -> None:
    lines = ["0,1.0,0.0", "1,0.0,1.0", "2,1.0,0.0", "3,0.0,0.0"]
    dataset = Dataset.open(table(photos, *lines, header="image,MEL,NV"))
    assert rows(dataset) == [("0.png", "MEL"), ("1.png", "NV"), ("2.png", "MEL")]
    assert "has no label (line 5 of" in dataset.skipped[0].reason
    table(photos, "0,1,0", "1,0,1", "2,1,1", header="image,MEL,NV")
    with pytest.raises(DatasetError, match=r"line 4 of .* has a 1 for 'MEL' and for 'NV'"):
        Dataset.open(photos / "labels.csv", ReadOptions(label_column="MEL,NV"))


def test_is_valid_divides(photos: Path) -> None:
    lines = [f"{number},{label},{number > 3}" for number, label in enumerate(LABELS)]
    dataset = Dataset.open(table(photos, *lines, header="fname,label,is_valid"), ReadOptions(path_column="fname"))
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 4, "validation": 2}
    with pytest.raises(
        DatasetError, match=r"line 2 of .* has 'maybe' in the column 'is_valid'; expected yes or no as 1"
    ):
        Dataset.open(table(photos, "0,cat,maybe", "1,dog,1", header="image,label,is_valid"))


def test_labels_may_be_a_part_of_the_path(photos: Path) -> None:
    for number, label in enumerate(LABELS):
        (photos / f"{number}.png").rename(photos / f"{label}_{number}.png")
    content = [f"{label}_{number}.png" for number, label in enumerate(LABELS)]
    path = table(photos, *content[1:], header=content[0], name="list.txt")
    dataset = Dataset.open(path, ReadOptions(label_from=r"^([a-z]+)_"))
    assert rows(dataset) == [(name, name[:3]) for name in content]
    with pytest.raises(DatasetError, match="has no row with a path and a label that --label-from 'fish' finds"):
        Dataset.open(path, ReadOptions(label_from="fish"))


@pytest.mark.parametrize("above", ["/home/anna/photos/", "C:\\Users\\anna\\photos\\"])
def test_paths_of_another_machine_begin_at_the_root(photos: Path, tmp_path: Path, above: str) -> None:
    lines = [f"{above}{number}.PNG,{label}" for number, label in enumerate(LABELS)]
    (tmp_path / "tables").mkdir()
    path = table(tmp_path / "tables", *lines)
    with pytest.raises(DatasetError, match="name another folder with --root"):
        Dataset.open(path)
    assert rows(Dataset.open(path, ReadOptions(root=photos))) == ALL


def test_images_that_no_row_names_are_counted(photos: Path) -> None:
    put(photos / "deep" / "new.png")
    dataset = Dataset.open(table(photos, "0,cat", "1,dog", "2,Skip", "3,"), ReadOptions(exclude_label=("Skip",)))
    assert dataset.unlabelled == tuple(str(photos / name) for name in ("4.png", "5.png", "deep/new.png"))


def test_a_split_without_labels_is_said(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["0,cat,train", "1,dog,train", "2,,test", "3,,test"]
    dataset = Dataset.open(table(photos, *lines, header="image,label,split"))
    assert list(dataset.splits) == ["train"]
    assert "none of the 2 rows of test has a label, so another test split is drawn" in capsys.readouterr().err
