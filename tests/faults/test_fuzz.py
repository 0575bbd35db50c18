"""Mutated bytes: an image or an ImageError, a model or a WeightsError, a bundle or a BundleError; nothing else, soon.

By hand, for longer: `make test-long`, or `fuzz_decoder.py` where atheris is installed.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tellapart import Bundle
from tellapart.bundles.bundle import write_manifest
from tellapart.bundles.manifest import MANIFEST
from tellapart.data.decoding.decode import decode
from tellapart.data.decoding.decode_limits import Limits
from tellapart.errors import BundleError, ImageError, WeightsError
from tellapart.models.importing.archive import inspect_archive
from tellapart.training.run import Run

from .hostile import REFUSED, TAKEN
from .test_hostile_bundles import MODELS, archive, h5, layer

SOON_S = 2.0  # of one core
LARGEST = 20_000  # bytes of a file to be altered: more would only slow the search down
Bytes = st.binary(max_size=12)
Edits = st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 12), Bytes), min_size=1, max_size=8)
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
quick = settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
thorough = settings(max_examples=5_000, deadline=None, suppress_health_check=SLOW)
few, many = settings(quick, max_examples=10), settings(thorough, max_examples=300)  # with a process for each
IMAGES = [content for make, _ in {**REFUSED, **TAKEN}.values() if len(content := make()) < LARGEST]
FILES = [archive(layer()), h5(layer()), *(content for make, _ in MODELS.values() if len(content := make()) < LARGEST)]


def edited(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Cut bytes out and put others in, at some places."""
    changed = bytearray(content)
    for at, cut, more in edits:
        start = at % (len(changed) + 1)
        changed[start : start + cut] = more
    return bytes(changed)


def require_image_or_refusal(content: bytes) -> None:
    started = time.process_time()
    try:
        image = decode(content, limits=Limits(pixels=4_000_000))
    except ImageError as error:
        assert str(error)  # noqa: PT017  both ends are right, and each is examined
    else:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.size > 0
        assert image.shape[2] in (1, 3)
    assert time.process_time() - started < SOON_S


def require_model_or_refusal(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.h5"
        file.write_bytes(content)
        started = time.process_time()
        try:
            with inspect_archive(file) as copy:
                assert copy.exists()
        except WeightsError as error:
            assert str(error).isprintable()  # noqa: PT017
        assert time.process_time() - started < SOON_S


def require_bundle_or_refusal(folder: Path) -> None:
    started = time.process_time()
    try:
        Bundle.open(folder).verify()
    except BundleError as error:
        assert str(error)  # noqa: PT017
    assert time.process_time() - started < SOON_S


def require_two_equal_decodings(content: bytes) -> None:
    """What is accepted is a fact of the bytes: the same each time."""
    try:
        once = decode(content, limits=Limits(pixels=1_000_000))
    except ImageError:
        return
    np.testing.assert_array_equal(once, decode(content, limits=Limits(pixels=1_000_000)))


def images_altered(content: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    changed = edited(content, edits)
    require_image_or_refusal(changed)
    require_two_equal_decodings(changed)


def models_altered(content: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    require_model_or_refusal(edited(content, edits))


FUZZED: list[tuple[Callable[..., None], dict[str, st.SearchStrategy[object]]]] = [
    (images_altered, {"content": st.sampled_from(IMAGES), "edits": Edits}),
    (models_altered, {"content": st.sampled_from(FILES), "edits": Edits}),
]


@pytest.mark.parametrize("effort", [quick, pytest.param(thorough, marks=pytest.mark.long)], ids=["quick", "thorough"])
@pytest.mark.parametrize(("check", "drawn"), FUZZED, ids=["images", "models"])
def test_altered_files_have_a_defined_end(
    check: Callable[..., None], drawn: dict[str, st.SearchStrategy[object]], effort: settings
) -> None:
    effort(given(**drawn)(check))()


@pytest.fixture(scope="module")
def copy(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(trained.bundle.folder, tmp_path_factory.mktemp("bundle") / "copy"))


@pytest.mark.parametrize("effort", [few, pytest.param(many, marks=pytest.mark.long)], ids=["few", "many"])
@pytest.mark.parametrize("name", ["model.xml", "model.bin", MANIFEST])
def test_an_altered_bundle_is_whole_or_refused_though_it_is_sealed_again(
    trained: Run, copy: Path, name: str, effort: settings
) -> None:
    """An altered graph may crash OpenVINO, and so the process of the sandbox, but never this one."""
    content = (trained.bundle.folder / name).read_bytes()

    def altered(edits: list[tuple[int, int, bytes]]) -> None:
        (copy / name).write_bytes(edited(content, edits))
        if name != MANIFEST:
            write_manifest(copy, trained.bundle.manifest)
        require_bundle_or_refusal(copy)

    try:
        effort(given(edits=Edits)(altered))()
    finally:
        shutil.rmtree(copy)
        shutil.copytree(trained.bundle.folder, copy)


Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.usefixtures("sandbox_here")
@pytest.mark.parametrize("effort", [quick, pytest.param(thorough, marks=pytest.mark.long)], ids=["quick", "thorough"])
def test_any_fields_in_a_sealed_manifest_make_a_bundle_or_a_refusal(trained: Run, copy: Path, effort: settings) -> None:
    fields = json.loads((trained.bundle.folder / MANIFEST).read_text())
    del fields["sha256"]
    names = [*fields, "calibration", "reject"]

    def altered(name: str, value: object) -> None:
        changed = {**fields, name: value}
        seal = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()
        (copy / MANIFEST).write_text(json.dumps({**changed, "sha256": seal}))
        require_bundle_or_refusal(copy)

    effort(given(name=st.sampled_from(names), value=Json)(altered))()
