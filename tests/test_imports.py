"""Imports form no circle: not at the top of modules, not inside functions, and not behind TYPE_CHECKING."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"


def modules() -> Mapping[str, Path]:
    """Return the files of all modules by their dotted names."""
    paths = sorted((SOURCE / "tellapart").rglob("*.py"))
    names = (".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for path in paths)
    return dict(zip(names, paths, strict=True))


def imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules of tellapart that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module in known:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the modules of a circle of imports, the first one also at the end; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) in (["a", "b", "c", "a"], ["a", "c", "b", "a"])
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_imports_form_no_circle() -> None:
    known = modules()
    assert len(known) > 200
    public = {"tellapart"}  # its names are imported when they are used: tellapart/__init__.py
    graph = {name: {*imported(path, known)} - {name} for name, path in known.items() if name not in public}
    assert circle({name: imports - public for name, imports in graph.items()}) == []
