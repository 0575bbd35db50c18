"""Files that pose as models: what is refused before Keras sees it, and what is handed on."""

import json
import os
import pickle
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from tellapart.errors import WeightsError, require
from tellapart.models.importing.archive import ARRAYS, CONFIG, Group, inspect_archive

h5py = require("h5py", extra="train")  # it has no types


@pytest.fixture(scope="module")
def network() -> keras.Model:
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    network = keras.Sequential(layers)
    network.compile("adam", "categorical_crossentropy")
    return network


@pytest.fixture(scope="module")
def saved(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("models") / "good.keras"
    network.save(file)
    return file


@pytest.fixture
def h5(network: keras.Model, tmp_path: Path) -> Path:
    file = tmp_path / "good.h5"
    network.save(file)
    return file


def refusal(file: Path) -> str:
    with pytest.raises(WeightsError) as caught, inspect_archive(file):
        pytest.fail("it was handed on")
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rewritten(saved: Path, to: Path, **members: bytes | None) -> Path:
    """The good file with other or further members; None leaves one out."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(to, "w") as new:
        for name, content in {**{n: old.read(n) for n in old.namelist()}, **members}.items():
            if content is not None:
                new.writestr(name, content)
    return to


def test_a_good_file_is_copied_without_its_optimizer(saved: Path, network: keras.Model) -> None:
    with inspect_archive(saved) as copy:
        assert sorted(path.name for path in copy.iterdir()) == sorted([CONFIG, ARRAYS])
        assert "Adam" not in (copy / CONFIG).read_text()
        loaded = keras.saving.load_model(copy, compile=False, safe_mode=True)
    assert not copy.exists()
    for mine, theirs in zip(loaded.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_good_h5_file_is_copied(h5: Path, network: keras.Model) -> None:
    with inspect_archive(h5) as copy:
        loaded = keras.saving.load_model(copy, compile=False, safe_mode=True)
    np.testing.assert_array_equal(loaded.get_weights()[0], network.get_weights()[0])


def test_a_link_to_a_good_file_is_followed_once(saved: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.keras"
    link.symlink_to(saved)
    with inspect_archive(link) as copy:
        assert not any(path.is_symlink() for path in copy.iterdir())


def test_a_file_that_is_not_regular_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "dangling.keras").symlink_to("nowhere")
    assert "does not exist" in refusal(tmp_path / "gone.keras")
    assert "does not exist" in refusal(tmp_path / "dangling.keras")
    assert "is a folder" in refusal(tmp_path)
    assert "is not a regular file" in refusal(tmp_path / "pipe.keras")


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "model.pkl"])
def test_a_pickle_is_refused_and_not_run(tmp_path: Path, name: str) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "owned"),)

    (tmp_path / name).write_bytes(pickle.dumps(Evil()))
    assert "pickles" in refusal(tmp_path / name)
    assert not (tmp_path / "owned").exists()


def test_a_layer_with_code_is_refused_by_name(tmp_path: Path) -> None:
    layer = keras.layers.Lambda(lambda x: x, name="innocent")
    network = keras.Sequential([keras.Input((8, 8, 3)), layer, keras.layers.Flatten(), keras.layers.Dense(3)])
    network.save(tmp_path / "evil.keras")
    network.save(tmp_path / "evil.h5")
    for name in ("evil.keras", "evil.h5"):
        said = refusal(tmp_path / name)
        assert "'innocent'" in said
        assert "'Lambda'" in said


def test_a_custom_layer_is_refused_even_when_registered_in_this_process(tmp_path: Path) -> None:
    own = keras.saving.register_keras_serializable("theirs")(type("Mine", (keras.layers.Dense,), {}))
    network = keras.Sequential([keras.Input((8,)), own(3, name="odd")])
    network.save(tmp_path / "mine.keras")
    network.save(tmp_path / "mine.h5")
    assert "'odd'" in refusal(tmp_path / "mine.keras")
    assert "'theirs>Mine'" in refusal(tmp_path / "mine.h5")


@pytest.mark.parametrize("length", [0, 3, 8, 100, -100, -1])
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_truncated_file_is_refused(saved: Path, h5: Path, tmp_path: Path, length: int, ending: str) -> None:
    whole = (saved if ending == ".keras" else h5).read_bytes()
    file = tmp_path / f"short{ending}"
    file.write_bytes(whole[:length])
    refusal(file)


def test_damaged_weights_are_refused(saved: Path, tmp_path: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-3000] ^= 0xFF  # within the weights: the archive's checksum tells
    (tmp_path / "flipped.keras").write_bytes(content)
    assert "damaged" in refusal(tmp_path / "flipped.keras")


@pytest.mark.parametrize("name", ["assets/vocabulary.txt", "../../outside.txt", "/absolute.txt", "evil.py"])
def test_further_files_in_the_archive_are_refused(saved: Path, tmp_path: Path, name: str) -> None:
    file = rewritten(saved, tmp_path / "more.keras", **{name: b"hello"})
    assert repr(name) in refusal(file)


@pytest.mark.parametrize("name", [CONFIG, ARRAYS])
def test_a_missing_member_is_named(saved: Path, tmp_path: Path, name: str) -> None:
    assert f"contains no {name}" in refusal(rewritten(saved, tmp_path / "less.keras", **{name: None}))


def test_two_members_of_one_name_are_refused(saved: Path, tmp_path: Path) -> None:
    file = rewritten(saved, tmp_path / "twice.keras")
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(CONFIG, b"{}")
    assert "two files of the same name" in refusal(file)


@pytest.mark.parametrize("name", [CONFIG, ARRAYS])
def test_a_zip_bomb_is_refused_by_its_header(saved: Path, tmp_path: Path, name: str) -> None:
    file = rewritten(saved, tmp_path / "bomb.keras", **{name: None})
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as stream:
        for _ in range(30):
            stream.write(bytes(1_000_000))
    assert "30,000,000 bytes" in refusal(file)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[]", "is not one of Keras"),
        (b"{}", "is not one of Keras"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"class_name": "Lambda", "class_name": "Sequential", "module": "keras", "config": {}}', "a field twice"),
        (b'{"class_name": "Model", "module": "os", "config": {}}', "'Model' ('os')"),
    ],
)
def test_an_invalid_configuration_is_refused(saved: Path, tmp_path: Path, config: bytes, said: str) -> None:
    assert said in refusal(rewritten(saved, tmp_path / "odd.keras", **{CONFIG: config}))


def test_an_h5_file_of_weights_is_refused_with_its_use(network: keras.Model, tmp_path: Path) -> None:
    network.save_weights(tmp_path / "only.weights.h5")
    assert "weights, but no model" in refusal(tmp_path / "only.weights.h5")


def spoil(file: Group, how: str, folder: Path) -> None:
    """Put something into an HDF5 file that reaches beyond it, or claims to be what it is not."""
    if how == "external link":
        file["out"] = h5py.ExternalLink(str(folder / "secret.h5"), "/data")
    elif how == "soft link":
        file["out"] = h5py.SoftLink("/model_weights")
    elif how == "external data":
        (folder / "secret.bin").write_bytes(bytes(80))
        file.create_dataset("out", (10,), "f8", external=[(str(folder / "secret.bin"), 0, 80)])
    elif how == "virtual data":
        layout = h5py.VirtualLayout((10,), "f8")
        layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "data", (10,))
        file.create_virtual_dataset("out", layout)
    elif how == "claimed size":
        file.create_dataset("out", (10**6, 10**6), "f8", chunks=(100, 100))
    elif how == "objects":
        file.create_dataset("out", (2,), h5py.string_dtype())
    elif how == "cycle":
        file["model_weights/again"] = file["model_weights"]


SPOILED = ["external link", "soft link", "external data", "virtual data", "claimed size", "objects", "cycle"]


@pytest.mark.parametrize("how", SPOILED)
@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_arrays_outside_the_file_are_refused(saved: Path, h5: Path, tmp_path: Path, how: str, ending: str) -> None:
    file = h5
    if ending == ".keras":
        file = tmp_path / "weights.h5"
        with zipfile.ZipFile(saved) as archive:
            file.write_bytes(archive.read(ARRAYS))
        with h5py.File(file, "a") as opened:
            opened.create_group("model_weights").create_group("dense")
    with h5py.File(file, "a") as opened:
        spoil(opened, how, tmp_path)
    if ending == ".keras":
        file = rewritten(saved, tmp_path / "spoiled.keras", **{ARRAYS: file.read_bytes()})
    said = refusal(file)
    expected = {"cycle": "more", "claimed size": "claim more bytes"}  # of a cycle either sum tells
    assert expected.get(how, "plain") in said


@pytest.mark.parametrize("config", ["{", '{"class_name": "Lambda", "config": {"name": "x"}}', "x" * 21_000_000])
def test_an_h5_file_with_an_invalid_configuration_is_refused(h5: Path, config: str) -> None:
    with h5py.File(h5, "a") as file:
        del file.attrs["model_config"]
        file.attrs["model_config"] = config
    refusal(h5)


def test_the_checked_copy_does_not_change_with_the_file(saved: Path, tmp_path: Path) -> None:
    file = rewritten(saved, tmp_path / "swapped.keras")
    with inspect_archive(file) as copy:
        rewritten(saved, file, **{CONFIG: b'{"class_name": "Lambda"}'})
        assert json.loads((copy / CONFIG).read_text())["class_name"] == "Sequential"
