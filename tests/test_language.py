"""The words that the project uses, and those that it does not.

One word per thing, the one that a reader of this field expects. `BANNED` lists the words to avoid, each with what to
write instead. Docstrings, comments, messages, templates and documents are read, and so are the names in the code.
"""

import ast
import io
import json
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

BANNED: Mapping[str, str] = {
    r"pictures?": "image",
    r"(told|tells?) (right|wrong)|told as": "correct, incorrect, predicted as",
    r"(is|are|was|were|be) taken for": "predicted as",
    r"in truth": "true",
    r"(?<!make )(?<!makes )(?<!making )(?<!be )(?<!not )sure(r|st|ness)?": "confident, most confident, confidence",
    r"strange(r|rs|ness|st)?": "outlier, OOD score",
    r"near-cop(y|ies)|alike": "near-duplicate, the same",
    r"(stands?|standing|stood) (on|upon)": "is built on, uses",
    r"(a|the|its|their|frozen|pre-trained|pretrained|each|every|no|one) bases?(?! class| rate| url| path| address)":
        "backbone",
    r"(goes|gone|go|going|went) on(?! to)": "resumes, continues",
    r"anew": "again",
    r"(is|are|was|were) told": "is reported",
    r"who(so)?ever": "anyone who, the caller",
    r"lest": "so that ... not",
    r"of late": "recently",
    r"nobody's": "not ... any",
    r"evidence": "saliency, explanation",
    r"climb(s|ed|ing)?": "ladder step, ladder",
    r"(the|an|its|standard|quick|best) effort": "budget",
    r"by heart": "memorize",
    r"looked at": "examined, checked",
    r"born (deaf|blind)": "plain words",
}  # fmt: skip
"""Regular expressions, matched as whole words in any case, and what to write instead."""

CONTRACTS = (
    "pictures", "picture", "pictures.jsonl", "test_pictures_left_alone", "tellapart_queue_pictures", "--picture",
    "picture-as-array", "picture-size-and-time", "strangeness", "near-copies", "#near-copies", "#near-copies li",
    "near-copy.jpg", "effort", "--effort", "base",
)  # fmt: skip
"""Whole strings that files, graphs, HTTP and the command line have kept: formats outlive words."""

NAMES = ("one", "found", "told", "said", "facts")
"""Names of variables that do not say what they hold. (In `checking`, `facts` are `ImageFacts`.)"""

FIRST_WORDS = ("what", "how", "whether", "who", "whoever", "where", "why", "which", "whose")
"""Words that no docstring begins with: it begins with a verb, or with the noun that it describes."""

DOCUMENTS = (
    "*.md", "docs/**/*.md", "docs/**/*.ipynb", "examples/**/*", "src/**/*.jinja", "src/**/*.html", "src/**/*.js",
    "src/**/*.template", "src/**/*.md",
)  # fmt: skip

_BANNED = re.compile("|".join(rf"(?P<w{i}>\b(?:{word})\b)" for i, word in enumerate(BANNED)), re.IGNORECASE)
_INSTEAD = tuple(BANNED.values())


def python_files(*roots: str) -> list[Path]:
    return sorted(path for root in roots for path in (ROOT / root).rglob("*.py") if path.resolve() != Path(__file__))


def documents() -> list[Path]:
    found = {path for pattern in DOCUMENTS for path in ROOT.glob(pattern)}
    return sorted(path for path in found if path.is_file() and path.suffix != ".py" and ".cache" not in path.parts)


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments and strings of a Python file with the lines they begin at; contracts are left out."""
    source = path.read_text()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip() not in CONTRACTS:
            yield node.lineno, re.sub(r"--(picture|effort)\b", "", node.value)


def assigned_names(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the names that a Python file gives to variables and parameters."""
    for node in ast.walk(ast.parse(path.read_text())):
        name = node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None
        name = node.arg if isinstance(node, ast.arg) else name
        if name and not (name == "facts" and "checking" in path.parts):
            yield node.lineno, name  # type: ignore[attr-defined]


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def document_text(path: Path) -> str:
    text = path.read_text()
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return re.sub(
        r"`[^`\n]*`",
        lambda code: "" if set(re.findall(r"[\w.-]+", code.group(0))) & {*CONTRACTS} else code.group(0),
        text,
    )


def banned(text: str) -> Iterator[str]:
    """Yield what is wrong with a text, a sentence for each banned word."""
    for match in _BANNED.finditer(text):
        index = next(int(name[1:]) for name, value in match.groupdict().items() if value)
        yield f"{match.group(0)!r}: write {_INSTEAD[index]}"


def places(path: Path, lines: Iterator[tuple[int, str]], check: Callable[[str], Iterator[str]]) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{line}: {wrong}" for line, text in lines for wrong in check(text)]


@pytest.mark.parametrize("word", ["picture", "Pictures", "strangers", "goes on", "the base", "surest", "a frozen base"])
def test_a_banned_word_is_found(word: str) -> None:
    assert list(banned(f"There {word} is."))


@pytest.mark.parametrize(
    "text", ["make sure", "the base class", "baseline", "base64", "an image", "a stored prediction"]
)
def test_other_words_pass(text: str) -> None:
    assert not list(banned(text))


@pytest.mark.parametrize("root", ["src", "tests", "benchmarks", "examples"])
def test_python_files_use_the_words_of_the_field(root: str) -> None:
    wrong = [place for path in python_files(root) for place in places(path, prose(path), banned)]
    assert not wrong, "\n".join(wrong)


def test_documents_and_templates_use_the_words_of_the_field() -> None:
    wrong = [place for path in documents() for place in places(path, iter([(1, document_text(path))]), banned)]
    assert not wrong, "\n".join(wrong)


def test_variables_say_what_they_hold() -> None:
    def vague(name: str) -> Iterator[str]:
        if name in NAMES:
            yield f"{name!r} does not say what it holds"

    wrong = [place for path in python_files("src") for place in places(path, assigned_names(path), vague)]
    assert not wrong, "\n".join(wrong)


def test_docstrings_begin_with_a_verb_or_a_noun() -> None:
    def question(text: str) -> Iterator[str]:
        first = re.sub(r"'s$|\W", "", text.split(maxsplit=1)[0])
        if first.lower() in FIRST_WORDS:
            yield f"a docstring begins with {first!r}"

    wrong = [place for path in python_files("src") for place in places(path, docstrings(path), question)]
    assert not wrong, "\n".join(wrong)
