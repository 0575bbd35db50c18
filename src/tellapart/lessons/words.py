"""Texts of lessons: paragraphs of plain text, glossary terms and code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MARKED = re.compile(r"\[([^\[\]|]+)(?:\|([^\[\]|]+))?\]|`([^`]+)`")


@dataclass(frozen=True)
class Words:
    """A piece of text, which may link to a term of the glossary or be code."""

    text: str
    term: str | None = None
    code: bool = False

    @property
    def anchor(self) -> str:
        """The anchor of the term in the glossary."""
        return anchor(self.term or "")


def anchor(term: str) -> str:
    """Convert a term to its anchor: `bias and variance` to `bias-and-variance`."""
    return re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")


def paragraphs(text: str) -> list[list[Words]]:
    """Split a text at empty lines, and each paragraph into plain text, terms and code."""
    return [list(_words(" ".join(part.split()))) for part in re.split(r"\n\s*\n", text.strip())]


def plain(text: str) -> list[str]:
    """Return the paragraphs of a text without the marks of terms."""
    return ["".join(f"`{words.text}`" if words.code else words.text for words in part) for part in paragraphs(text)]


def terms(text: str) -> list[str]:
    """Return the distinct terms in a text, in order."""
    return list(dict.fromkeys(words.term for part in paragraphs(text) for words in part if words.term))


def _words(paragraph: str) -> Iterator[Words]:
    end = 0
    for match in MARKED.finditer(paragraph):
        if match.start() > end:
            yield Words(paragraph[end : match.start()])
        yield Words(match[3], code=True) if match[3] else Words(match[1], match[2] or match[1])
        end = match.end()
    if end < len(paragraph):
        yield Words(paragraph[end:])
