"""`tellapart predict`: which images, in which form, with which status."""

import csv
import io
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tellapart.training.run import Run

from .conftest import Said

FORBIDDEN = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"tensorflow", "keras", "sklearn", "scipy", "h5py"}:
            raise ImportError(f"{name} was imported")
sys.meta_path.insert(0, Refuse())
from tellapart.cli import main
main()
"""


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_predicting_needs_neither_tensorflow_nor_keras_nor_scikit_learn(bundle: Path, images: list[Path]) -> None:
    words = [sys.executable, "-c", FORBIDDEN, "predict", str(bundle), str(images[0]), "--json"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["label"] == "blue"


def test_json_lines_come_in_the_order_asked_with_unreadable_ones_in_their_place(
    said: Said, bundle: Path, images: list[Path], tmp_path: Path
) -> None:
    corrupt = tmp_path / "corrupt.png"
    corrupt.write_bytes(b"corrupt")
    asked = [images[30], corrupt, images[0], tmp_path / "absent.png", images[15]]
    answer = said("predict", bundle, *asked, "--json")
    assert answer.status == 1
    assert [line["path"] for line in lines(answer.out)] == [str(path) for path in asked]
    assert [line.get("label") for line in lines(answer.out)] == ["red", None, "blue", None, "green"]
    readable, unreadable, *_ = map(list, lines(answer.out))
    assert (readable, unreadable) == (["path", "label", "probability", "unknown", "top"], ["path", "error"])


def test_all_readable_is_status_0(said: Said, bundle: Path, images: list[Path]) -> None:
    answer = said("predict", bundle, images[0], images[0])
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.splitlines()[0] == answer.out.splitlines()[1]
    assert answer.out.startswith(f"{images[0]}: blue ")


def test_a_folder_stands_for_all_images_below_it_by_name(
    said: Said, bundle: Path, tiny: Path, images: list[Path]
) -> None:
    answer = said("predict", bundle, tiny, "--json")
    assert [line["path"] for line in lines(answer.out)] == [str(path) for path in images]


def test_a_glob_stands_for_what_it_matches_by_name(said: Said, bundle: Path, tiny: Path, images: list[Path]) -> None:
    answer = said("predict", bundle, tiny / "*" / "0[3-5].png", "--json")
    expected = [str(path) for path in images if path.name in ("03.png", "04.png", "05.png")]
    assert [line["path"] for line in lines(answer.out)] == expected


def test_a_dash_stands_for_the_paths_on_standard_input(
    said: Said, bundle: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{images[3]}\n\n{images[1]}"))
    answer = said("predict", bundle, images[5], "-", images[7], "--json")
    assert [line["path"] for line in lines(answer.out)] == [str(images[i]) for i in (5, 3, 1, 7)]


def test_csv_has_a_row_for_each_image(said: Said, bundle: Path, images: list[Path], tmp_path: Path) -> None:
    odd = Path(shutil.copy(images[0], tmp_path / 'a, "b".png'))
    answer = said("predict", bundle, odd, "absent.png", "--csv")
    assert answer.status == 1
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert list(rows[0]) == ["path", "label", "probability", "unknown", "error"]
    assert (rows[0]["path"], rows[0]["label"], rows[0]["error"]) == (str(odd), "blue", "")
    assert 0 < float(rows[0]["probability"]) <= 1
    assert (rows[1]["path"], rows[1]["label"], rows[1]["probability"]) == ("absent.png", "", "")
    assert "No such file" in rows[1]["error"]


@pytest.mark.parametrize(("top", "given"), [(1, 1), (2, 2), (9, 3)])
def test_top_is_how_many_classes_are_named(said: Said, bundle: Path, images: list[Path], top: int, given: int) -> None:
    (line,) = lines(said("predict", bundle, images[0], "--top", top, "--json").out)
    assert isinstance(line["top"], list)
    assert len(line["top"]) == given
    assert said("predict", bundle, images[0], "--top", top).out.count("%") == given


def test_no_image_named_is_refused(said: Said, bundle: Path) -> None:
    assert said("predict", bundle).error.startswith("no image was named; expected files, folders, globs")


@pytest.mark.parametrize("words", [[], ["--json"], ["--csv"], ["--out"]])
def test_what_a_folder_has_beside_images_is_counted(
    said: Said, bundle: Path, images: list[Path], tmp_path: Path, words: list[str]
) -> None:
    folder = tmp_path / "phone"
    folder.mkdir()
    (folder / "notes.txt").write_text("x")
    words = [*words, *([str(tmp_path / "out.csv")] if "--out" in words else [])]
    error = said("predict", bundle, folder, *words).error
    assert error.startswith(f"{folder} has no image, only 1 file (.txt 1); expected files that end in .jpg, ")
    assert not list(tmp_path.glob("out.csv*"))
    partly = said("predict", bundle, images[0], folder, *words)
    assert partly.status == 1
    assert f"warning: {folder} has no image, only 1 file (.txt 1)" in partly.err
    if "--out" in words:
        (tmp_path / "out.csv").unlink()
    shutil.copy(images[0], folder)
    answer = said("predict", bundle, folder, *words)
    assert answer.status == 0
    assert "left out: 1 file (.txt 1)" in answer.err
    if words == ["--json"]:
        assert lines(answer.out)[1:] == [{"skipped": {".txt": 1}}]


def test_a_run_is_taken_for_its_bundle(said: Said, trained: Run, bundle: Path, images: list[Path]) -> None:
    assert said("predict", trained.folder, images[0]).out == said("predict", bundle, images[0]).out


def test_a_web_address_is_said_not_to_be_fetched(said: Said, bundle: Path) -> None:
    done = said("predict", bundle, "https://example.org/cat.jpg")
    assert done.status == 1
    assert "https://example.org/cat.jpg: error: is a web address, and nothing is fetched: download" in done.out


def test_options_that_exclude_each_other_are_refused(said: Said, bundle: Path, images: list[Path]) -> None:
    assert "--json and --csv are two formats" in said("predict", bundle, images[0], "--json", "--csv").error
    assert "--top is 0; expected 1 or more" in said("predict", bundle, images[0], "--top", 0).error


def test_what_is_no_bundle_is_refused(said: Said, images: list[Path]) -> None:
    assert "is an image, not a bundle" in said("predict", images[0], images[0]).error


def test_a_name_that_is_not_text_is_answered_all_the_same(bundle: Path, images: list[Path], tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    shutil.copy(images[0], os.fsdecode(name))
    for words, stdin in (([tmp_path, "--json"], b""), (["-", "--json"], name + b"\n"), ([tmp_path, "--csv"], b"")):
        command = [sys.executable, "-m", "tellapart", "predict", str(bundle), *map(str, words)]
        done = subprocess.run(
            command, input=stdin, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
        )
        assert (done.returncode, done.stderr) == (0, b"")
        if "--json" in words:
            assert os.fsencode(json.loads(done.stdout)["path"]) == name


def test_a_reader_that_goes_away_is_no_error(bundle: Path, tiny: Path) -> None:
    command = [sys.executable, "-m", "tellapart", "predict", str(bundle), *[str(tiny)] * 50]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


def test_memory_does_not_grow_with_the_number_of_images(bundle: Path, images: list[Path]) -> None:
    code = (
        "import resource, sys; from tellapart import Predictor; predictor = Predictor(sys.argv[1]);"
        "paths = (sys.argv[2] for _ in range(int(sys.argv[3])));"
        "print(sum(1 for _ in predictor.predict(paths)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )

    def peak_mb(count: int) -> float:
        words = [sys.executable, "-c", code, str(bundle), str(images[0]), str(count)]
        answered, kilobytes = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
        assert int(answered) == count
        return int(kilobytes) / 1e3

    assert peak_mb(5000) - peak_mb(300) < 20


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_file_of_answers_has_a_row_for_each_image(
    said: Said, bundle: Path, tiny: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"answers.{ending}"
    answer = said("predict", bundle, tiny, "absent.png", "--out", out, "--top", 2)
    assert (answer.status, answer.err) == (1, "")
    assert answer.out == f"{out}: 37 images, 0 unknown, 1 unreadable\n"
    assert said("predict", bundle, tiny, "--out", out).error.startswith(f"{out} already exists")
    assert said("predict", bundle, tiny, "--out", out, "--fresh").status == 0


def test_the_file_holds_what_json_lines_say(said: Said, bundle: Path, tiny: Path, tmp_path: Path) -> None:
    said("predict", bundle, tiny, "--out", tmp_path / "answers.jsonl")
    assert (tmp_path / "answers.jsonl").read_text() == said("predict", bundle, tiny, "--json").out


def test_a_folder_gets_a_table(said: Said, bundle: Path, tiny: Path, tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "results"):
        assert said("predict", bundle, tiny, "--out", out).out.startswith(f"{out / 'predictions.parquet'}: 36 images")


def test_a_list_on_standard_input_is_read_once(
    said: Said, bundle: Path, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{images[3]}\n{images[1]}\n"))
    said("predict", bundle, "-", "--out", tmp_path / "answers.jsonl")
    found = lines((tmp_path / "answers.jsonl").read_text())
    assert [line["path"] for line in found] == [str(images[i]) for i in (3, 1)]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "a.txt"], "a.txt has the suffix '.txt', expected .parquet or .csv or .jsonl"),
        (["--out", "a.csv", "--json"], "--out chooses its format by the file's ending, here '.csv': leave --json and"),
        (["--fresh"], "--fresh is about an earlier --out, which is not named"),
        (["--on", "ray"], "--on is for predictions that are written into a file: name one with --out"),
        (["--out", "a.csv", "--on", "dask"], "--on is 'dask'; expected ray, or ray://HOST:PORT"),
        (["--out", "a.csv", "--workers", "2"], "--workers is about a cluster, which is not named: add --on ray"),
    ],
)
def test_an_output_that_cannot_be_is_refused(
    said: Said, bundle: Path, tiny: Path, words: list[str], sentence: str
) -> None:
    assert said("predict", bundle, tiny, *words).error.startswith(sentence)


def test_a_file_of_answers_needs_no_tensorflow_either(bundle: Path, tiny: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", FORBIDDEN, "predict", bundle, tiny, "--out", tmp_path / "answers.parquet"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_memory_does_not_grow_with_the_rows_of_a_file(bundle: Path, tiny: Path, tmp_path: Path) -> None:
    code = (
        "import resource, sys; from tellapart.cli.run_command import run; status = run(sys.argv[1:]);"
        "print(status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )

    def peak_mb(times: int) -> float:
        out = tmp_path / f"{times}.parquet"
        words = [sys.executable, "-c", code, "predict", bundle, *[tiny] * times, "--out", out]
        said = subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True).stdout
        answered, status, kilobytes = said.split()[1], *said.split()[-2:]
        assert (answered, status) == (f"{36 * times:,}", "0")
        return int(kilobytes) / 1e3

    assert peak_mb(200) - peak_mb(10) < 25


def test_logits_are_printed_beside_the_probabilities(said: Said, bundle: Path, images: list[Path]) -> None:
    (line,) = lines(said("predict", bundle, images[0], "--json", "--logits").out)
    top = line["top"]
    assert isinstance(top, list)
    weights = [math.exp(choice["logit"]) for choice in top]
    assert [weight / sum(weights) for weight in weights] == pytest.approx([choice["probability"] for choice in top])
    text = said("predict", bundle, images[0], "--logits", "--top", 1).out
    assert f"(logit {top[0]['logit']:.2f})" in text
    (row,) = csv.DictReader(io.StringIO(said("predict", bundle, images[0], "--csv", "--logits").out))
    assert float(row["logit"]) == pytest.approx(top[0]["logit"], abs=1e-5)
    assert "logit" not in json.loads(said("predict", bundle, images[0], "--json").out)["top"][0]


def test_logits_and_figures_are_not_for_files_of_answers(said: Said, bundle: Path, images: list[Path]) -> None:
    for option in (["--logits"], ["--save", "bars.png"]):
        assert option[0] in said("predict", bundle, images[0], "--out", "answers.csv", *option).error


def test_an_image_of_a_data_set_has_its_true_label_and_bars(
    said: Said, bundle: Path, tiny: Path, tmp_path: Path
) -> None:
    file = tmp_path / "bars.png"
    answer = said("predict", bundle, f"{tiny}:all[0]", f"{tiny}:all[99]", "--top", 1, "--save", file)
    assert answer.status == 1
    first, second = answer.out.splitlines()
    assert first.startswith(f"{tiny}:all[0]: blue ")
    assert first.endswith("% (correct)")
    assert second == f"{tiny}:all[99]: error: there is no image [99] in {tiny}:all: its images are 0 to 35"
    with Image.open(file) as drawn:
        assert drawn.width > 600
    (line,) = lines(said("predict", bundle, f"{tiny}:all[0]", "--json").out)
    assert line["true"] == "blue"


def test_other_commands_take_the_same_image(said: Said, bundle: Path, tiny: Path, tmp_path: Path) -> None:
    name = f"{tiny}:all[0]"
    assert said("show", name, "--save", tmp_path / "a.png").out.startswith("label: blue\narray (20, 20, 3)")
    assert said("evaluate", bundle, name).out == said("predict", bundle, name).out
    assert "(the true label is blue)" in said("explain", bundle, name, "--save", tmp_path / "b.png").out
    assert "is one image: leave --mistakes" in said("evaluate", bundle, name, "--mistakes", 3).error
    for words in (("show",), ("evaluate", bundle)):
        assert "there is no image [36]" in said(*words, f"{tiny}:all[36]").error


def test_evaluate_names_the_incorrect_images(said: Said, bundle: Path, tiny: Path) -> None:
    result = json.loads(said("evaluate", bundle, tiny, "--split", "train", "--mistakes", 100, "--json").out)
    wrong = sum(map(sum, result["confusion"])) - sum(row[index] for index, row in enumerate(result["confusion"]))
    assert len(result["mistakes"]) == wrong
    for mistake in result["mistakes"]:
        assert Path(mistake["path"]).parent.name == mistake["true"] != mistake["predicted"]
    text = said("evaluate", bundle, tiny, "--split", "train", "--mistakes", 1).out
    assert f"incorrect: 1 of {wrong}" in text if wrong else "every image is predicted correctly" in text
    assert "mistakes is 0; expected 1 or more" in said("evaluate", bundle, tiny, "--mistakes", 0).error
