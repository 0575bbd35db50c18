"""Fixtures that many tests share."""

import ctypes
import gc
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

import hypothesis
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

import tellapart.backend  # noqa: F401  settles Keras's backend before any test imports Keras
from tellapart.bundles.bundle import write_manifest
from tellapart.bundles.manifest import KERAS, SEEN, Manifest
from tellapart.bundles.sandbox import VERIFIED, SandboxLimits
from tellapart.bundles.sandbox_worker import problem
from tellapart.data.dataset import Dataset
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import core, write_graph
from tellapart.errors import BundleError
from tellapart.recipe import Recipe
from tellapart.training.run import Run, train

if TYPE_CHECKING:
    import keras

# A process started in the background ignores Ctrl-C, and so do its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
hypothesis.settings.register_profile("any machine", deadline=None)  # a case may take long where others work too
hypothesis.settings.load_profile("any machine")
CHROMIUM = Path("/usr/bin/chromium")
TESTS = Path(__file__).parent
TOGETHER = {"lessons", "scale"}  # fixtures shared by these folders take long to make
MOST_HELD = 3_000_000_000  # bytes of memory that a process which tests may hold
COLOURS = {"blue": (60, 60, 180), "green": (60, 180, 60), "red": (180, 60, 60)}


def place(nodeid: str) -> str:
    """Name the file of a test, or the folder of files whose tests share much."""
    file = nodeid.partition("::")[0]
    folder = Path(file).parts[1]
    return folder if folder in TOGETHER else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Where several processes test, send the tests of a place to one: what they share is made once.

    The mark `xdist_group` does nothing here: pytest-xdist 3.8 sets a private field that pytest 9.2 no longer has.
    """
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = place
    return scheduler


def pytest_collection_finish() -> None:
    """Spare later garbage collections the modules that are imported by now: they stay, and take most of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _memory_is_given_back() -> Iterator[None]:
    """After each file of tests free the networks that it made, and fail where the process still holds too much.

    Networks hold themselves in cycles. Python seldom looks for those, since it counts objects and not what they hold;
    and glibc keeps what is freed between blocks that are in use.
    """
    before = held_memory()
    yield
    if "keras" in sys.modules:
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL("libc.so.6").malloc_trim(0)
    held = held_memory()
    assert held <= MOST_HELD or held <= before, f"this process holds {held / 1e9:.1f} GB; {before / 1e9:.1f} before"


def held_memory() -> int:
    """Bytes of memory that this process holds: its resident set, 0 where there is no /proc."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * resource.getpagesize() if statm.exists() else 0


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the cache of the person who runs it.

    Which bundles are sound is shared: the tests' own bundles, such as `shades`, are not run again for each test.
    """
    cache = tmp_path_factory.mktemp("cache")
    verified = tmp_path_factory.getbasetemp() / VERIFIED
    verified.mkdir(exist_ok=True)
    (cache / VERIFIED).symlink_to(verified)
    monkeypatch.setenv("TELLAPART_CACHE", str(cache))


class _Here:
    """Does what the sandbox's process does, in this one: a process takes a second to start."""

    def __init__(self, folder: Path, _: SandboxLimits) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing runs."""

    def require_sound(self) -> None:
        """See Sandbox."""
        if found := problem(self._folder):
            raise BundleError(found["message"])


@pytest.fixture
def sandbox_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles are run for the first time in this process: for tests whose graphs do no harm."""
    monkeypatch.setattr("tellapart.bundles.bundle.Sandbox", _Here)


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of clothing photos, or a skip that says why."""
    folder = Path(os.environ.get("TELLAPART_DATA", "no such folder")) / "clothing"
    if not folder.is_dir():
        pytest.skip("real photos are absent: set TELLAPART_DATA to the folder that has clothing/")
    return folder


@pytest.fixture(scope="session")
def xception_weights() -> Path:
    """Real ImageNet weights of Xception, or a skip that says why."""
    file = Path(os.environ.get("TELLAPART_WEIGHTS", "no such folder")) / "xception.weights.h5"
    if not file.is_file():
        pytest.skip("real weights are absent: set TELLAPART_WEIGHTS to the folder that has xception.weights.h5")
    return file


@pytest.fixture(scope="session")
def coloured() -> Callable[..., Path]:
    """Make folders of noisy 20-px images, a folder for each colour: easily learned, all different."""

    def make(folder: Path, *, each: int = 12, colours: tuple[str, ...] = tuple(COLOURS), seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        for colour in colours:
            (folder / colour).mkdir(parents=True)
            for number in range(each):
                pixels = np.clip(rng.normal(COLOURS[colour], 60, (20, 20, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / colour / f"{number:02}.png")
        return folder

    return make


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, coloured: Callable[..., Path]) -> Path:
    """Three classes of twelve images, without splits."""
    return coloured(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="session")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A finished run on the tiny images. Tests read it and change copies only."""
    recipe = Recipe(model="mlp", size=20, epochs=4, batch_size=8, precision="float32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield train(Dataset.open(tiny), recipe, out=tmp_path_factory.mktemp("runs") / "tiny")


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def command() -> Command:
    """Run tellapart as a person does: in a process of its own."""

    def run(*words: object, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-m", "tellapart", *map(str, words)]
        settings = {**os.environ, **environment}
        return subprocess.run(whole, input=stdin, capture_output=True, text=True, env=settings, timeout=300)

    return run


@pytest.fixture(scope="session")
def awaken() -> "Callable[[keras.Model], None]":
    """Give a network of random weights outputs that depend on the image: they fade to 1e-20 in a deep one."""

    def awake(network: "keras.Model") -> None:
        layers = [layer for layer in network._flatten_layers() if layer.weights]
        for layer in layers:
            if type(layer).__name__ == "BatchNormalization":
                layer.momentum = 0.0  # the stored statistics become those of the next batch
            if type(layer).__name__ == "LayerScale":
                layer.gamma.assign(0.3 + 0 * layer.gamma)
        images = np.random.default_rng(9).integers(0, 256, (16, *network.input_shape[1:]), dtype=np.uint8)
        network(images, training=True)
        for layer in layers:
            if type(layer).__name__ == "BatchNormalization":  # a channel that hardly varied is not blown up
                variance = layer.moving_variance.numpy()
                layer.moving_variance.assign(np.maximum(variance, variance.mean()))

    return awake


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or a skip that says what to install. Not for longer: it leaves an event loop running."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: install Debian's chromium to test the page")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def random_weights(monkeypatch: pytest.MonkeyPatch, awaken: "Callable[[keras.Model], None]") -> None:
    """Let pre-trained weights be random ones, the same each time, that make features depend on the image."""
    import keras

    from tellapart.models.networks import load_backbone
    from tellapart.training import tasks

    def build(name: str, size: int, _: str) -> keras.Model:
        keras.utils.set_random_seed(3)
        network = load_backbone(name, size, "none")
        awaken(network)
        return network

    monkeypatch.setattr(tasks, "build_backbone", build)


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """A copy of the run that may be changed, as it was right after training: other tests have judged the first."""
    uncounted = shutil.ignore_patterns("test-uses.json", "report.html", "baselines.json")
    return Run(Path(shutil.copytree(trained.folder, tmp_path / "mine", ignore=uncounted)))


@pytest.fixture
def mean_mobilenet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A backbone that gives the mean colour stands in for mobilenet, whose weights are a file."""
    import keras

    from tellapart.models import networks

    images = keras.Input((224, 224, 3), dtype="uint8")
    means = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(images))
    monkeypatch.setattr(networks, "backbone_network", lambda *_: keras.Model(images, means))
    (tmp_path / "mobilenet.weights.h5").write_bytes(b"weights")
    monkeypatch.setenv("TELLAPART_WEIGHTS", str(tmp_path))


@pytest.fixture(scope="session")
def shades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two classes, dark and light, made by hand."""
    folder = tmp_path_factory.mktemp("bundles") / "shades"
    folder.mkdir()
    core()
    import openvino
    from openvino import opset13 as ops

    images = ops.parameter([-1, 4, 4, 1], np.uint8, name="pictures")
    flat = ops.reshape(ops.convert(images, "f32"), np.array([0, -1], np.int64), special_zero=True)
    weights = np.tile(np.array([-0.001, 0.001], np.float32), (16, 1))
    shifted = ops.subtract(flat, np.float32(128))
    answer = ops.softmax(ops.matmul(shifted, weights, transpose_a=False, transpose_b=False), axis=1)
    write_graph(openvino.Model([answer], [images], "shades"), folder / "model.xml")
    (folder / KERAS).write_bytes(b"not needed to predict")
    (folder / SEEN).write_text("{}")
    facts = Manifest("shades", ("dark", "light"), Preprocessing(4, 4, 1), {"precision": "float32"}, {}, "0" * 64, None)
    write_manifest(folder, facts)
    return folder
