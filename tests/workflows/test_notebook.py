"""The notebook in docs/ runs from its first cell to its last, and what it shows is there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"
# In a process of its own, away from the event loops of other tests. The kernel's sockets are files, not ports, in a
# folder with a short name: such a path may have 100 characters at most.
EXECUTE = """
import sys, tempfile
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=nbformat.NO_CONVERT)
nbformat.validate(notebook)
with tempfile.TemporaryDirectory() as sockets:
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/k")
    NotebookClient(notebook, km=manager, timeout=120).execute(cleanup_kc=True)
nbformat.write(notebook, sys.argv[2])
"""
PRIVATE = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "TELLAPART_CACHE")

Notebook = dict[str, Any]


def code(notebook: Notebook) -> dict[str, dict[str, Any]]:
    return {cell["id"]: cell for cell in notebook["cells"] if cell["cell_type"] == "code"}


def html(notebook: Notebook, cell: str) -> list[str]:
    shown = [output["data"].get("text/html") for output in code(notebook)[cell]["outputs"] if "data" in output]
    return ["".join(one) for one in shown if one]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Notebook:
    """The notebook with its outputs, run in a folder of its own, by this Python, with nothing of the person's."""
    home = tmp_path_factory.mktemp("home")
    settings = {name: str(home / name) for name in PRIVATE} | {"JUPYTER_PREFER_ENV_PATH": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXECUTE, str(NOTEBOOK), str(home / "done.ipynb")],
        capture_output=True,
        text=True,
        env={**os.environ, **settings},
        cwd=tmp_path_factory.mktemp("work"),
        timeout=240,
    )
    assert (done.returncode, done.stderr) == (0, "")
    notebook: Notebook = json.loads((home / "done.ipynb").read_text(encoding="utf-8"))
    return notebook


def test_it_is_stored_without_outputs() -> None:
    stored = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (stored["nbformat"], stored["nbformat_minor"]) == (4, 5)
    assert stored["metadata"]["kernelspec"]["name"] == "python3"
    assert code(stored)
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code(stored).values())


def test_every_cell_ran_and_none_warned(executed: Notebook) -> None:
    cells = list(code(executed).values())
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    said = ["".join(output["text"]) for cell in cells for output in cell["outputs"] if "text" in output]
    assert any("training: at most" in words for words in said)
    assert not any("warning" in words.lower() for words in said)


def test_the_data_set_shows_a_digit_of_each_kind_and_counts(executed: Notebook) -> None:
    (shown,) = html(executed, "open")
    assert shown.count("data:image/png;base64,") == 10
    assert "digits: 1,797 images in 10 classes" in shown
    (output,) = code(executed)["open"]["outputs"]
    assert len("".join(output["data"]["text/plain"])) < 200


def test_the_run_shows_validation_and_test_in_tables_of_their_own(executed: Notebook) -> None:
    (shown,) = html(executed, "train")
    sizes = re.findall(r"(validation|test) \(n = (\d+)\)", shown)
    assert [name for name, _ in sizes] == ["validation", "test"]
    assert all(200 < int(size) < 340 for _, size in sizes)  # 15 % of 1,797
    validation, _, test = shown.partition("test (n = ")
    assert validation.count("<table") == test.count("<table") == 1
    assert str(Path("runs/digits/bundle")) in test


def test_the_evaluation_shows_metrics_and_the_table_of_classes(executed: Notebook) -> None:
    (shown,) = html(executed, "judge")
    (judged,) = re.findall(r"Evaluated on (\d+) images", shown)
    for part in ("95 % interval", "True class (row) and predicted class (column)"):
        assert part in shown
    (told,) = code(executed)["numbers"]["outputs"]
    assert f"of {judged} test images, between" in "".join(told["data"]["text/plain"])


def test_predictions_show_image_and_bars_and_what_is_no_image(executed: Notebook) -> None:
    three, eight, neither = html(executed, "predict")
    for shown, name in ((three, "digit-3.png"), (eight, "digit-8.png")):
        assert "data:image/png;base64," in shown
        assert name in shown
        assert shown.count("rgb(0, 114, 178)") == 3
    assert "notes.png: not an image" in neither
    assert "<img" not in neither
