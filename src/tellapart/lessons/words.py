"""The texts of lessons: paragraphs of words, some of which are terms of the glossary or code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MARKED = re.compile(r"\[([^\[\]|]+)(?:\|([^\[\]|]+))?\]|`([^`]+)`")


@dataclass(frozen=True)
class Words:
    """A stretch of text, and the term of the glossary that it is, if it is one, or whether it is code."""

    text: str
    term: str | None = None
    code: bool = False

    @property
    def anchor(self) -> str:
        """Where the glossary has the term."""
        return anchor(self.term or "")


def anchor(term: str) -> str:
    """`bias and variance` is found at `bias-and-variance`."""
    return re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")


def paragraphs(text: str) -> list[list[Words]]:
    """Split a text at its empty lines, and each paragraph into words and terms."""
    return [list(_words(" ".join(part.split()))) for part in re.split(r"\n\s*\n", text.strip())]


def plain(text: str) -> list[str]:
    """The paragraphs of a text without marks, but those of code."""
    return ["".join(f"`{one.text}`" if one.code else one.text for one in paragraph) for paragraph in paragraphs(text)]


def terms(text: str) -> list[str]:
    """The terms that a text names, each once, in their order."""
    return list(dict.fromkeys(words.term for part in paragraphs(text) for words in part if words.term))


def _words(paragraph: str) -> Iterator[Words]:
    end = 0
    for found in MARKED.finditer(paragraph):
        if found.start() > end:
            yield Words(paragraph[end : found.start()])
        yield Words(found[3], code=True) if found[3] else Words(found[1], found[2] or found[1])
        end = found.end()
    if end < len(paragraph):
        yield Words(paragraph[end:])
