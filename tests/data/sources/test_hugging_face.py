"""Folders as Hugging Face's data sets are downloaded."""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tellapart.data.dataset import Dataset, ReadOptions
from tellapart.errors import DatasetError

pyarrow = pytest.importorskip("pyarrow")
pyarrow_parquet = pytest.importorskip("pyarrow.parquet")
FEATURES = {
    "image": {"_type": "Image"},
    "label": {"_type": "ClassLabel", "names": ["cat", "dog"]},
}


def png(shade: int) -> bytes:
    stream = BytesIO()
    Image.new("RGB", (4, 4), (shade, 0, 0)).save(stream, "png")
    return stream.getvalue()


def put(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(shade))


def shard(path: Path, shades: Sequence[int], labels: Sequence[int]) -> Path:
    """Write a shard as `datasets` does: images as bytes, classes as numbers, their names in the schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": png(shade), "path": None} for shade in shades]
    table = pyarrow.table({"image": images, "label": labels})
    described = {"huggingface": json.dumps({"info": {"features": FEATURES}})}
    pyarrow_parquet.write_table(table.replace_schema_metadata(described), path)
    return path


def lines(path: Path, *rows: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def labels(dataset: Dataset) -> dict[str, list[str]]:
    return {name: [dataset.classes[label] for label in split.labels] for name, split in dataset.splits.items()}


@pytest.mark.parametrize(
    ("first", "second", "test"),
    [
        (
            "data/train-00000-of-00002.parquet",
            "data/train-00001-of-00002.parquet",
            "data/test-00000-of-00001.parquet",
        ),
        ("plain_text/train/0000.parquet", "plain_text/train/0001.parquet", "plain_text/test/0000.parquet"),
        ("train.parquet", "training-2.parquet", "evaluation.parquet"),
    ],
)
def test_shards_are_one_data_set_with_their_splits(tmp_path: Path, first: str, second: str, test: str) -> None:
    shard(tmp_path / first, [0, 50], [0, 1])
    shard(tmp_path / second, [100, 150], [1, 1])
    shard(tmp_path / test, [200, 250], [1, 0])
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    dataset = Dataset.open(tmp_path)
    assert dataset.name == tmp_path.name
    assert dataset.classes == ("cat", "dog")
    assert labels(dataset) == {"train": ["cat", "dog", "dog", "dog"], "test": ["dog", "cat"]}
    assert [int(dataset.splits["test"].images.read(i)[0, 0, 0]) for i in (0, 1)] == [200, 250]
    (reopened,) = {Dataset.open(tmp_path).fingerprint}
    assert reopened == dataset.fingerprint


def test_shards_of_no_split_are_all_of_it_and_beside_splits_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard(tmp_path / "0000.parquet", [0, 50], [0, 1])
    shard(tmp_path / "0001.parquet", [100], [1])
    assert labels(Dataset.open(tmp_path)) == {"all": ["cat", "dog", "dog"]}
    shard(tmp_path / "extra.parquet", [1], [1])
    shard(tmp_path / "train.parquet", [200, 250], [0, 1])
    capsys.readouterr()
    assert labels(Dataset.open(tmp_path)) == {"train": ["cat", "dog"]}
    assert "3 Parquet files of no split, not read: 0000.parquet, 0001.parquet and extra.parquet" in (
        capsys.readouterr().err
    )


def test_a_test_split_without_labels_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard(tmp_path / "data" / "train-0.parquet", [0, 50], [0, 1])
    test = shard(tmp_path / "data" / "test-0.parquet", [100, 150], [-1, -1])
    dataset = Dataset.open(tmp_path)
    assert labels(dataset) == {"train": ["cat", "dog"]}
    assert "none of the 2 rows of test has a label" in capsys.readouterr().err
    assert [skip.reason for skip in dataset.skipped] == [f"has no label (row {row} of {test})" for row in (1, 2)]


def test_several_subsets_are_refused(tmp_path: Path) -> None:
    shard(tmp_path / "full" / "train-0.parquet", [0, 50], [0, 1])
    shard(tmp_path / "small" / "train-0.parquet", [0, 50], [0, 1])
    with pytest.raises(DatasetError, match=r"of several data sets, in .*full and .*small: pass the folder of one"):
        Dataset.open(tmp_path)
    assert labels(Dataset.open(tmp_path / "small")) == {"train": ["cat", "dog"]}


def test_metadata_of_each_split(tmp_path: Path) -> None:
    for split, shades in {"train": [0, 50, 100], "test": [150, 200]}.items():
        rows = [{"file_name": f"{s}.png", "label": "dog" if s else "cat", "boxes": [1, 2]} for s in shades]
        lines(tmp_path / split / "metadata.jsonl", *rows)
        for shade in shades:
            put(tmp_path / split / f"{shade}.png", shade)
    put(tmp_path / "test" / "unnamed.png", 7)
    dataset = Dataset.open(tmp_path)
    assert labels(dataset) == {"train": ["cat", "dog", "dog"], "test": ["dog", "dog"]}
    assert dataset.unlabelled == (str(tmp_path / "test" / "unnamed.png"),)


def test_other_folders_beside_the_splits_are_no_classes(tmp_path: Path) -> None:
    for split, shade in (("train", 0), ("test", 9)):
        for name in ("cat", "dog"):
            put(tmp_path / split / f"{name}.png", shade + len(name) + ord(name[0]))
        rows = [{"file_name": f"{name}.png", "label": name} for name in ("cat", "dog")]
        lines(tmp_path / split / "metadata.jsonl", *rows)
    for name in ("docs", "scripts"):
        (tmp_path / name).mkdir()
    assert labels(Dataset.open(tmp_path)) == {"train": ["cat", "dog"], "test": ["cat", "dog"]}


def test_one_metadata_file_for_all(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file_name,kind\nimages/0.png,cat\nimages/1.png,dog\n")
    for shade in (0, 1):
        put(tmp_path / "images" / f"{shade}.png", shade)
    assert labels(Dataset.open(tmp_path, ReadOptions(label_column="kind"))) == {"all": ["cat", "dog"]}
    with pytest.raises(DatasetError, match=r"no column of .* is called label or the like: .* 'file_name', 'kind'"):
        Dataset.open(tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,label\nimages/0.png,cat\nimages/1.png,dog,mouse\n")
    with pytest.raises(DatasetError, match=r"line 3 of .*metadata.csv has 3 cells"):
        Dataset.open(tmp_path)


def test_class_folders_go_before_tables_beside_them(tmp_path: Path) -> None:
    lines(tmp_path / "metadata.jsonl", {"file_name": "cat/0.png", "text": "a cat"})
    for name in ("cat", "dog"):
        put(tmp_path / name / "0.png", len(name) + ord(name[0]))
    shard(tmp_path / "train.parquet", [0, 50], [0, 1])
    assert labels(Dataset.open(tmp_path)) == {"all": ["cat", "dog"]}
