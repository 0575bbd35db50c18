"""Models and bundles that mean ill are refused before anything of them is loaded; nothing starts, none writes."""

import hashlib
import io
import json
import pickle
import re
import resource
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from tellapart import Bundle, Dataset, Predictor, Recipe, train
from tellapart.bundles.bundle import write_manifest
from tellapart.bundles.manifest import MANIFEST
from tellapart.engine import core, write_graph
from tellapart.errors import BundleError, WeightsError, require
from tellapart.models.importing.archive import ARRAYS, CONFIG, METADATA, inspect_archive
from tellapart.training.run import Run

h5py = require("h5py", extra="train")  # it has no types
Described = dict[str, object]


class Evil:
    """What a pickle does when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return __import__("os").mkdir, ("owned",)


def layer(kind: str = "Dense", module: str = "keras.layers", name: str = "suspect", **config: object) -> Described:
    described = {"name": name, "units": 3, **config}
    return {"module": module, "class_name": kind, "config": described, "registered_name": None}


def function(name: object, module: str = "builtins") -> Described:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def config(*layers: Described) -> bytes:
    first = layer("InputLayer", name="pictures", batch_shape=[None, 8, 8, 3])
    whole = {"name": "whole", "layers": [first, layer("Flatten", name="flat"), *layers]}
    return json.dumps(
        {"module": "keras", "class_name": "Sequential", "config": whole, "registered_name": None}
    ).encode()


def arrays() -> bytes:
    """The weights of one dense layer, as Keras stores them."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((192, 3), np.float32)
        file["layers/dense/vars/1"] = np.zeros(3, np.float32)
    return stream.getvalue()


def archive(*layers: Described, **more: bytes) -> bytes:
    """A .keras file of these layers, and further members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in {CONFIG: config(*layers), METADATA: b"{}", ARRAYS: arrays(), **more}.items():
            file.writestr(name, content)
    return stream.getvalue()


def h5(*layers: Described) -> bytes:
    stream = io.BytesIO(arrays())
    with h5py.File(stream, "a") as file:
        file.attrs["model_config"] = config(*layers).decode()
    return stream.getvalue()


def linked() -> bytes:
    """An archive whose weights are a symbolic link: an attribute of the member, and where it points as its content."""
    stream = io.BytesIO(archive(layer()))
    with zipfile.ZipFile(stream) as old:
        members = {name: old.read(name) for name in old.namelist()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            if name == ARRAYS:
                member.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(member, b"/etc/passwd" if name == ARRAYS else content)
    return stream.getvalue()


def pickled_array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([Evil()], dtype=object), allow_pickle=True)
    return stream.getvalue()


LAMBDA = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
CALLED = (
    "load_model",
    "get_file",
    "enable_unsafe_deserialization",
    "run_command",
    "eval",
    "exec",
    "system",
    "__import__",
)
HOMES = ("builtins", "keras.saving", "keras.utils", "keras.config", "keras.src.saving.saving_lib", "os")

MODELS: dict[str, tuple[Callable[[], bytes], str]] = {
    "lambda.keras": (lambda: archive(layer("Lambda", function=LAMBDA)), "'Lambda'"),
    "lambda.h5": (lambda: h5(layer("Lambda", function=["4wEAAAA=", None, None])), "'Lambda'"),
    "saved-model.keras": (lambda: archive(layer("TFSMLayer", filepath="/tmp/x")), "'TFSMLayer'"),  # noqa: S108
    "torch.keras": (lambda: archive(layer("TorchModuleWrapper", module="UEsDBA==")), "'TorchModuleWrapper'"),
    "h5-lambda.keras": (lambda: h5(layer("Lambda", function=["4wEAAAA=", None, None])), "'Lambda'"),
    "path.keras": (lambda: archive(layer(name="../../x")), "a name like a path"),
    "path.h5": (lambda: h5(layer(name="../../x")), "a name like a path"),
    "backslash.keras": (lambda: archive(layer(name="..\\..\\x")), "a name like a path"),
    "units.keras": (lambda: archive(layer(units=10**12)), "has the number 1,000,000,000,000"),
    "member-backslash.keras": (lambda: archive(layer(), **{"..\\..\\x": b"x"}), "which is not part"),
    "member-up.keras": (lambda: archive(layer(), **{"../../x": b"x"}), "which is not part"),
    "member-absolute.keras": (lambda: archive(layer(), **{"/x": b"x"}), "which is not part"),
    "member-folder.keras": (lambda: archive(layer(), **{"assets/": b""}), "which is not part"),
    "member-pickle.keras": (lambda: archive(layer(), **{"x.npy": pickled_array()}), "which is not part"),
    "link.keras": (linked, "damaged"),
    "pickled-weights.keras": (lambda: archive(layer(), **{ARRAYS: pickle.dumps(Evil())}), "damaged"),
    "pickled-array.keras": (lambda: archive(layer(), **{ARRAYS: pickled_array()}), "damaged"),
    "pickle.keras": (lambda: pickle.dumps(Evil()), "pickles"),
    **{
        f"{name}-{home}.keras": (
            lambda name=name, home=home: archive(layer(activation=function(name, home))),  # type: ignore[misc]
            f"'{name}'",
        )
        for name in CALLED
        for home in HOMES
    },
    **{
        f"{name}-config.keras": (
            lambda name=name: archive(layer(activation=function({"config": name}))),  # type: ignore[misc]
            f"'{name}'",
        )
        for name in CALLED
    },
}

# Runs the given code and records what Python audits: files opened to write, processes, sockets, pickles.
WATCHED = """
import json, os, sys, tempfile
told = json.load(sys.stdin)
tempfile.tempdir = told["temporary"]
noted = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
          "socket.connect", "socket.bind", "socket.getaddrinfo", "pickle.find_class", "ctypes.dlopen", "exec.code",
          "marshal.loads.code", "webbrowser.open", "os.symlink", "os.link")
MAKES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.copyfile", "shutil.move", "shutil.rmtree")

def inside(path):
    return isinstance(path, int) or os.path.abspath(os.fsdecode(path)).startswith((told["temporary"], "/dev/null"))

def hook(event, arguments):
    if event == "open" and (arguments[2] or 0) & WRITES and not str(arguments[0]).endswith(".pyc") \\
            and not inside(arguments[0]):
        noted.append([event, str(arguments[0])])
    elif event in STARTS or (event in MAKES and arguments[-1] in (-1, None) and not inside(arguments[0])):
        noted.append([event, str(arguments)])

%s
sys.addaudithook(hook)
said = {}
for name in told["files"]:
    try:
        load(name)
        said[name] = None
    except TellapartError as error:
        said[name] = str(error)
print(json.dumps({"said": said, "noted": noted, "left": os.listdir(told["temporary"]),
                  "loaded": [name for name in ("keras", "tensorflow", "sklearn", "torch") if name in sys.modules]}))
"""
ADOPT = """
import h5py
from pathlib import Path
from tellapart.errors import TellapartError
from tellapart.training.import_model import import_model
def load(name):
    import_model(Path(name), classes=Path(told["classes"]), preprocess="unit", out=Path(told["temporary"]) / "bundle")
"""
PREDICT = """
import numpy, ctypes
from tellapart import Predictor
from tellapart.bundles import bundle, sandbox_worker
from tellapart.engine import core
from tellapart.errors import BundleError, TellapartError
core()
class Watchable:
    "Does what the sandbox's process does, in this one."
    def __init__(self, folder, limits):
        self.folder = folder
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def require_sound(self):
        if found := sandbox_worker.problem(self.folder):
            raise BundleError(found["message"])
bundle.Sandbox = Watchable
if told["forest"]:
    import sklearn.ensemble, skops.io
def load(name):
    Predictor(name)
"""


@dataclass(frozen=True)
class Watched:
    """What was said of each file, and what else happened meanwhile."""

    said: dict[str, str | None]
    noted: list[tuple[str, str]]
    left: list[str]
    loaded: list[str]


def watched(code: str, folder: Path, files: list[Path], *, forest: bool = False) -> Watched:
    """Load each, all in one process of its own."""
    (folder / "temporary").mkdir()
    (folder / "classes.txt").write_text("a\nb\nc\n")
    told = {"files": [*map(str, files)], "temporary": str(folder / "temporary"), "forest": forest}
    told["classes"] = str(folder / "classes.txt")
    done = subprocess.run(
        [sys.executable, "-c", WATCHED % code], input=json.dumps(told), capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return Watched(**json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """All hostile models, offered to import_model."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (make, _) in MODELS.items():
        (folder / name).write_bytes(make())
    found = watched(ADOPT, folder, [folder / name for name in MODELS])
    assert not (folder / "owned").exists()
    return replace(found, said={Path(name).name: said for name, said in found.said.items()})


@pytest.mark.parametrize("name", MODELS)
def test_a_hostile_model_is_refused(refusals: Watched, name: str) -> None:
    said = refusals.said[name]
    assert said is not None
    assert MODELS[name][1] in said
    assert said.isprintable()


def test_refusing_models_loads_nothing_starts_nothing_and_writes_nothing_outside(refusals: Watched) -> None:
    assert refusals.noted == []
    assert refusals.loaded == []
    assert refusals.left == []


def claiming(file: Path, units: int) -> Path:
    """The same .keras or .h5 file, whose description asks for more than its weights are."""
    if file.suffix == ".h5":
        with h5py.File(file, "a") as opened:
            text = opened.attrs["model_config"]
            del opened.attrs["model_config"]
            opened.attrs["model_config"] = text.replace('"units": 3', f'"units": {units}')
        return file
    with zipfile.ZipFile(file) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(file, "w") as new:
        for name, content in members.items():
            new.writestr(name, content.replace(b'"units": 3', b'"units": %d' % units) if name == CONFIG else content)
    return file


def peak() -> int:
    """The most bytes that this process held at once so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is reported in other units")
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_model_that_claims_more_than_it_holds_is_refused_without_taking_the_memory(
    ending: str, tmp_path: Path
) -> None:
    import keras

    from tellapart.models.importing.keras_import import load_model

    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    network.save(tmp_path / f"bomb{ending}")
    with inspect_archive(tmp_path / f"bomb{ending}") as copy:
        assert load_model(copy).count_params() == 193 * 3
    before = peak()
    bomb = claiming(tmp_path / f"bomb{ending}", 1_000_000)  # 772 MB
    with inspect_archive(bomb) as copy, pytest.raises(WeightsError, match="cannot rebuild the model"):
        load_model(copy)
    assert peak() - before < 256_000_000


@pytest.fixture
def folder(trained: Run, tmp_path: Path, sandbox_here: None) -> Path:
    """A bundle to be altered."""
    return Path(shutil.copytree(trained.bundle.folder, tmp_path / "bundle"))


def refused(folder: Path) -> str:
    with pytest.raises(BundleError) as refusal:
        Predictor(folder)
    assert str(refusal.value).isprintable()
    return str(refusal.value)


def sealed(folder: Path) -> None:
    """Seal what was altered, as one who means ill can."""
    write_manifest(folder, Bundle.open(folder).manifest)


def altered(folder: Path, pattern: str, by: str) -> None:
    xml = (folder / "model.xml").read_text()
    offset = max(re.findall(r'offset="\d+" size="(\d+)"', xml), key=int)
    changed, count = re.subn(pattern.replace("SIZE", offset), by.replace("SIZE", offset), xml, count=1)
    assert count == 1
    (folder / "model.xml").write_text(changed)
    sealed(folder)


@pytest.mark.parametrize(
    "by",
    [
        'offset="99999999999" size="SIZE"',
        'offset="0" size="99999999999"',
        'offset="18446744073709551608" size="SIZE"',
        'offset="-8" size="SIZE"',
        'offset="0" size="0"',
        'offset="" size=""',
        'offset="0x0" size="SIZE"',
    ],
)
def test_a_graph_whose_weights_lie_elsewhere_is_refused(folder: Path, by: str) -> None:
    altered(folder, r'offset="\d+" size="SIZE"', by)
    assert "is not a graph that can be read" in refused(folder)


@pytest.mark.parametrize(
    ("pattern", "by"),
    [
        (r'type="MatMul"', 'type="Evil"'),
        (r"<net ", "<net><net "),
        (r'from-layer="\d+"', 'from-layer="99999"'),
        (r"</net>", ""),
        (r'version="1[01]"', 'version="-1"'),
    ],
)
def test_a_graph_that_is_none_is_refused(folder: Path, pattern: str, by: str) -> None:
    altered(folder, pattern, by)
    assert "is not a graph that can be read" in refused(folder)


@pytest.mark.parametrize("shape", [[-1], [-1, -1], [], None])
def test_a_graph_of_another_kind_is_refused(folder: Path, shape: list[int] | None) -> None:
    core()
    import openvino
    from openvino import opset13 as op

    images = op.parameter(openvino.PartialShape.dynamic() if shape is None else shape, np.uint8)
    write_graph(openvino.Model([op.result(images)], [images], "odd"), folder / "model.xml")
    sealed(folder)
    assert "is not a graph from images to (n, classes)" in refused(folder)


def spoil(weights: Path) -> None:
    """Put a NaN into the middle of the file, where the largest array lies."""
    content, middle = weights.read_bytes(), weights.stat().st_size // 8 * 4
    weights.write_bytes(content[:middle] + np.float32(np.nan).tobytes() + content[middle + 4 :])


def test_weights_that_are_no_numbers_are_refused(folder: Path) -> None:
    spoil(folder / "model.bin")
    sealed(folder)
    assert "not numbers (NaN)" in refused(folder)


def test_a_formula_with_weights_that_are_no_numbers_is_refused(tiny: Path, tmp_path: Path) -> None:
    recipe = Recipe(model="logistic", features="pixels", size=20, precision="float32")
    folder = train(Dataset.open(tiny), recipe, out=tmp_path / "run").bundle.folder
    spoil(folder / "head.bin")
    sealed(folder)
    assert "not numbers (NaN)" in refused(folder)


def forest_with(folder: Path, to: Path, member: str, content: bytes) -> Path:
    """A copy of a forest's bundle with another member in its archive, sealed."""
    shutil.copytree(folder, to)
    with zipfile.ZipFile(folder / "estimator.skops") as old, zipfile.ZipFile(to / "estimator.skops", "w") as new:
        name = next(iter(sorted(n for n in old.namelist() if n.endswith(member))))
        for other in old.namelist():
            new.writestr(other, content if other == name else old.read(other))
    sealed(to)
    return to


def test_hostile_bundles_start_nothing_and_write_nothing(tiny: Path, trained: Run, tmp_path: Path) -> None:
    recipe = Recipe(model="forest", features="pixels", size=20, trees=5, precision="float32")
    forest = train(Dataset.open(tiny), recipe, out=tmp_path / "run").bundle.folder
    good = trained.bundle
    bundles = {
        "pickled array": forest_with(forest, tmp_path / "array", ".npy", pickled_array()),
        "pickled schema": forest_with(forest, tmp_path / "schema", "schema.json", pickle.dumps(Evil())),
        "other classes": Path(shutil.copytree(good.folder, tmp_path / "classes")),
        "other hash": Path(shutil.copytree(good.folder, tmp_path / "hash")),
        "pickled weights": Path(shutil.copytree(good.folder, tmp_path / "pickle")),
        "names outside": Path(shutil.copytree(good.folder, tmp_path / "outside")),
    }
    write_manifest(bundles["other classes"], replace(good.manifest, classes=("a", "b")))
    (bundles["other hash"] / "model.bin").write_bytes(b"x")
    (bundles["pickled weights"] / "model.bin").write_bytes(pickle.dumps(Evil()))
    sealed(bundles["pickled weights"])
    _name_outside(bundles["names outside"])
    found = watched(PREDICT, tmp_path, [*bundles.values()], forest=True)
    assert [name for name, path in bundles.items() if found.said[str(path)] is None] == []
    assert found.noted == []
    assert not (tmp_path / "owned").exists()


def _name_outside(folder: Path) -> None:
    restated(folder, "files", {**Bundle.open(folder).hashes, "../../etc/passwd": "0" * 64})


def restated(folder: Path, field: str, value: object) -> None:
    """Let a sealed manifest say something else."""
    fields = {**json.loads((folder / MANIFEST).read_text()), field: value}
    del fields["sha256"]
    seal = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps({**fields, "sha256": seal}))


GEOMETRY = {"height": 20, "width": 20, "channels": 3, "fit": "crop"}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("classes", ["a", "a", "b"], "misstates the names of its classes"),
        *[("classes", one, "is not that of a bundle: classes") for one in ("abc", [1, 2, 3], None)],
        *[("recipe", {"precision": one}, "misstates the precision") for one in ("evil", 3, None, [1])],
        *[
            ("preprocessing", {**GEOMETRY, key: value}, "misstates the geometry")
            for key, value in (
                ("height", -1),
                ("height", 0),
                ("width", "20"),
                ("width", 20.5),
                ("fit", "evil"),
                ("resize", "lanczos"),
                ("range", [5, 2]),
                ("range", [0, 1e300]),
                ("range", 7),
                ("alpha", "red"),
                ("resize", [1]),
            )
        ],
        *[
            ("preprocessing", {**GEOMETRY, key: value}, "its graph expects [20,20,3]")
            for key, value in (("height", 21), ("width", 1_000_000), ("channels", 1))
        ],
    ],
)
def test_a_sealed_manifest_that_its_graph_belies_is_refused(folder: Path, field: str, value: object, said: str) -> None:
    restated(folder, field, value)
    assert said in refused(folder)


def test_what_watches_would_have_noticed(tmp_path: Path) -> None:
    code = PREDICT.replace(
        "Predictor(name)", "open('owned.txt', 'w').close(); os.system('true'); numpy.load(name, allow_pickle=True)"
    )
    (tmp_path / "x.npy").write_bytes(pickled_array())
    noted = watched(code, tmp_path, [tmp_path / "x.npy"]).noted
    assert {event for event, _ in noted} >= {"open", "os.system", "pickle.find_class", "os.mkdir"}
