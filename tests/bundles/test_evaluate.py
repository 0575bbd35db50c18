"""A bundle is judged on images that it has not seen."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart import Bundle, Dataset, Prediction, Predictor, evaluate
from tellapart.bundles import evaluate as module
from tellapart.bundles.evaluate import FILE
from tellapart.errors import BundleError, DatasetError, RunError
from tellapart.training.final_evaluation import UNCALIBRATED
from tellapart.training.run import Run


def numbers(facts: Mapping[str, Any]) -> dict[str, float]:
    """Each number of some metrics under a name of its own, but for the one that only training knows."""
    result = {name: facts[name] for name in facts if name == "n"}
    for metric, estimate in facts.items():
        if metric not in ("n", UNCALIBRATED):
            result |= {f"{metric} {part}": value for part, value in estimate.items()}
    return result


def approximately(facts: Mapping[str, Any]) -> Any:  # noqa: ANN401  pytest has no type for it
    """The same but for the rounding of the temperature, which training applies outside the graph."""
    return pytest.approx(numbers(facts), rel=1e-3, abs=1e-5)


def test_the_test_split_of_a_flat_folder_is_the_one_that_training_left_out(trained: Run, tiny: Path) -> None:
    result = evaluate(trained.bundle, Dataset.open(tiny))
    assert numbers(result.as_json()) == approximately(trained.metrics["test"])
    again = evaluate(trained.bundle, Dataset.open(tiny), split="validation")
    assert numbers(again.as_json()) == approximately(trained.metrics["validation"])


def test_the_splits_of_a_flat_folder_share_no_image_and_leave_none_out(trained: Run, tiny: Path) -> None:
    dataset = Dataset.open(tiny)
    counts = {split: evaluate(trained.bundle, dataset, split=split).n for split in ("train", "validation", "test")}
    assert counts == trained.environment["dataset"]["pictures"]
    assert sum(counts.values()) == 36


def test_the_split_is_found_again_when_the_folder_is_renamed_and_its_files_too(
    trained: Run, tiny: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "elsewhere"))
    for number, path in enumerate(sorted(folder.rglob("*.png"), reverse=True)):
        path.rename(path.with_name(f"x{number}.png"))
    assert numbers(evaluate(trained.bundle, Dataset.open(folder)).as_json()) == approximately(trained.metrics["test"])


def test_accuracy_and_confusion_are_those_of_the_predictions(
    trained: Run, tmp_path: Path, coloured: Callable[..., Path]
) -> None:
    folder = coloured(tmp_path / "new", seed=8)
    wrong = Path(shutil.copy(folder / "red" / "00.png", folder / "blue" / "wrong.png"))
    wrong.write_bytes(wrong.read_bytes() + b"\0")  # other bytes, the same image
    result = evaluate(trained.bundle, Dataset.open(folder))
    expected = np.zeros((3, 3), int)
    names = trained.bundle.classes
    for path in folder.rglob("*.png"):
        (answer,) = Predictor(trained.bundle).predict([path])
        assert isinstance(answer, Prediction)
        expected[names.index(path.parent.name), names.index(answer.label)] += 1
    assert result.confusion.tolist() == expected.tolist()
    assert result.confusion.sum() == result.n == 37
    assert result.accuracy.value == pytest.approx(np.trace(expected) / 37)
    assert result.confusion[0, 2] >= 1  # a row is a true class: blue, predicted as red


def test_the_detailed_json_has_the_shape_of_the_contract(trained: Run, tiny: Path) -> None:
    result = json.loads(json.dumps(evaluate(trained.bundle, Dataset.open(tiny)).as_json(detailed=True)))
    assert {"n", "accuracy", "macro_f1", "log_loss", "confusion", "classes"} <= result.keys()
    assert result["classes"] == ["blue", "green", "red"]
    assert [len(row) for row in result["confusion"]] == [3, 3, 3]
    assert sum(map(sum, result["confusion"])) == result["n"] == trained.metrics["test"]["n"]
    assert result["accuracy"].keys() == {"value", "low", "high"}


def test_images_that_training_saw_are_left_out_of_a_test_folder_by_content(
    trained: Run, tiny: Path, tmp_path: Path, coloured: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    coloured(tmp_path / "data" / "test", each=4, seed=8)
    coloured(tmp_path / "data" / "train", each=2, seed=9)
    for number, path in enumerate(sorted(tiny.rglob("*.png"))):
        shutil.copy(path, tmp_path / "data" / "test" / path.parent.name / f"seen{number}.png")
    result = evaluate(trained.bundle, Dataset.open(tmp_path / "data"))
    left_out = trained.metrics["test"]["n"]
    assert result.n == 12 + left_out  # the new ones, and those of the old that training had left out
    assert f"left out {36 - left_out} images of test that were used in training" in capsys.readouterr().err


def test_a_data_set_of_nothing_but_seen_images_is_refused(trained: Run, tiny: Path, tmp_path: Path) -> None:
    seen = json.loads((trained.bundle.folder / "splits.json").read_text())["train"]
    dataset = Dataset.open(tiny)
    images = dataset.splits["all"].images
    for number, digest in enumerate(images.digests):
        if digest[:16] in seen:
            source = Path(images.name(number))
            (tmp_path / "seen" / source.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(source, tmp_path / "seen" / source.parent.name)
    with pytest.raises(
        DatasetError, match=rf"no images for test: all {len(seen)} were used in training\. Evaluate on other images"
    ):
        evaluate(trained.bundle, Dataset.open(tmp_path / "seen"))


def test_an_empty_test_folder_is_not_replaced_by_training_images(
    trained: Run, tmp_path: Path, coloured: Callable[..., Path]
) -> None:
    coloured(tmp_path / "data" / "train", seed=9)
    (tmp_path / "data" / "test" / "red").mkdir(parents=True)
    with pytest.raises(DatasetError):
        evaluate(trained.bundle, Dataset.open(tmp_path / "data"))


def test_an_unknown_class_is_refused_by_name(trained: Run, tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "data"))
    (folder / "blue").rename(folder / "azure")
    with pytest.raises(DatasetError, match="classes that the bundle lacks: azure; it has blue, green, red"):
        evaluate(trained.bundle, Dataset.open(folder))


def test_a_data_set_may_lack_classes_and_their_order_may_differ(
    trained: Run, tmp_path: Path, coloured: Callable[..., Path]
) -> None:
    folder = coloured(tmp_path / "data", colours=("red", "green"), seed=8)
    result = evaluate(trained.bundle, Dataset.open(folder))
    assert result.classes == ("blue", "green", "red")
    assert result.confusion.sum(axis=1).tolist() == [0, 12, 12]
    assert result.accuracy.value > 0.5


def test_an_unreadable_image_is_left_out_and_named(
    trained: Run, tmp_path: Path, coloured: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = coloured(tmp_path / "data", seed=8)
    (folder / "red" / "00.png").write_bytes(b"broken")
    assert evaluate(trained.bundle, Dataset.open(folder)).n == 35
    assert str(folder / "red" / "00.png") in capsys.readouterr().err


def test_nothing_but_unreadable_images_is_refused(trained: Run, tmp_path: Path) -> None:
    for colour in ("red", "blue"):
        (tmp_path / "data" / colour).mkdir(parents=True)
        (tmp_path / "data" / colour / "a.png").write_bytes(colour.encode())
    with pytest.raises(DatasetError, match="none of the 2 images of test can be read"):
        evaluate(trained.bundle, Dataset.open(tmp_path / "data"))


def test_a_damaged_bundle_is_refused(trained: Run, tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained.bundle.folder, tmp_path / "bundle"))
    (folder / "model.bin").write_bytes(b"")
    with pytest.raises(BundleError):
        evaluate(folder, Dataset.open(tiny))
    evaluate(Bundle.open(trained.bundle.folder), Dataset.open(tiny))


def test_a_run_counts_its_own_evaluation(run: Run) -> None:
    assert module.test_set_uses(run.folder) == 1


def test_each_evaluation_on_its_test_images_is_counted_and_reported(
    run: Run, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(run.bundle, Dataset.open(tiny))
    assert "evaluated" not in capsys.readouterr().err  # it repeats what the training printed
    evaluate(run.bundle.folder, Dataset.open(tiny))
    assert "the test images of mine have now been evaluated 3 times" in capsys.readouterr().err
    assert module.test_set_uses(run.folder) == 3


def test_other_splits_and_other_images_are_not_counted(
    run: Run, tiny: Path, coloured: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "validation"):
        evaluate(run.bundle, Dataset.open(tiny), split=split)
    evaluate(run.bundle, Dataset.open(coloured(tmp_path / "new", seed=8)))
    assert module.test_set_uses(run.folder) == 1
    assert not (run.folder / FILE).exists()
    assert "have now been evaluated" not in capsys.readouterr().err


def test_a_mix_with_other_images_is_counted(
    run: Run, tiny: Path, coloured: Callable[..., Path], tmp_path: Path
) -> None:
    mixed = coloured(tmp_path / "mixed", seed=8)
    for path in tiny.rglob("*.png"):
        shutil.copy(path, mixed / path.parent.name / f"old-{path.name}")
    evaluate(run.bundle, Dataset.open(mixed))
    assert module.test_set_uses(run.folder) == 2


def test_a_bundle_outside_its_run_is_not_counted(run: Run, tiny: Path, tmp_path: Path) -> None:
    away = Bundle.open(shutil.copytree(run.bundle.folder, tmp_path / "away" / "bundle"))
    evaluate(away, Dataset.open(tiny))
    assert [path.name for path in (tmp_path / "away").iterdir()] == ["bundle"]


def test_a_bundle_reached_through_a_link_is_counted_in_its_run(run: Run, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run.bundle.folder, target_is_directory=True)
    evaluate(tmp_path / "link", Dataset.open(tiny))
    assert module.test_set_uses(run.folder) == 2


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"evaluations": "often"}', '{"evaluations": null}', "\x00"])
def test_a_damaged_count_is_refused_with_what_to_do(run: Run, tiny: Path, content: str) -> None:
    (run.folder / FILE).write_text(content)
    for look in (lambda: module.test_set_uses(run.folder), lambda: evaluate(run.bundle, Dataset.open(tiny))):
        with pytest.raises(RunError, match="remove it to restart the count at one"):
            look()


def test_the_file_has_the_number_of_later_evaluations(run: Run, tiny: Path) -> None:
    evaluate(run.bundle, Dataset.open(tiny))
    assert json.loads((run.folder / FILE).read_text()) == {"evaluations": 1}


def test_intervals_know_the_groups_of_a_table(trained: Run, tiny: Path, tmp_path: Path) -> None:
    table = tmp_path / "senders.csv"
    rows = [(path, path.parent.name, int(path.stem) // 4) for path in sorted(tiny.glob("*/*.png"))]
    table.write_text("path,label,group\n" + "".join(f"{path},{label},{sender}\n" for path, label, sender in rows))
    plain = evaluate(trained.bundle, Dataset.open(tiny), split="train")
    grouped = evaluate(trained.bundle, Dataset.open(table), split="train")
    found = grouped.as_json(detailed=True)
    assert (found["n"], found["groups"]) == (plain.n, 3)
    assert str(found["warning"]).endswith("so add images of other groups")
    assert grouped.accuracy.value == plain.accuracy.value
    assert grouped.accuracy.low < plain.accuracy.low
    assert [scores.groups for scores in grouped.per_class] == [3, 3, 3]


def test_a_source_may_be_named_and_paths_name_the_images(trained: Run, tiny: Path) -> None:
    result = evaluate(str(trained.bundle.folder), str(tiny))
    assert result.paths is not None
    names = [Path(path).parent.name for path in result.paths]
    assert names == [result.classes[label] for label in result.labels]
    assert all(Path(path).is_file() for path in result.paths)
