"""The documents and the Makefile name files that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]
ROOMS = "|".join(path.name for path in (ROOT / "src" / "tellapart").iterdir() if path.is_dir())


def test_modules_that_documents_name_exist() -> None:
    named = {
        (path.name, module)
        for path in DOCUMENTS
        for module in re.findall(rf"(?<![\w/])(?:src/tellapart/|tests/)?(?:{ROOMS})/[\w/]+\.py", path.read_text())
    }
    assert len(named) > 40
    places = (ROOT, ROOT / "src" / "tellapart", ROOT / "tests")
    assert {(document, module) for document, module in named if not any((p / module).exists() for p in places)} == set()


def test_links_between_documents_lead_somewhere() -> None:
    broken = {
        (path.name, target)
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text())
        if not (path.parent / target).exists()
    }
    assert broken == set()


def test_the_files_of_make_smoke_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    files = [file for line in re.findall(r"SMOKE \+?:?= (.*)", makefile) for file in line.split()]
    assert len(files) > 4
    assert [file for file in files if not (ROOT / "tests" / file).exists()] == []
