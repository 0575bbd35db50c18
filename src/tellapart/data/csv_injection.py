"""Cells of a table that a spreadsheet may open: none is run as a formula, and each is read back as it was."""

import re

FORMULA = re.compile(r"[' ]*[=+\-@\t\r\n＝＋－＠]")
"""What some spreadsheet takes for a formula, and what was guarded against that before. Source: OWASP, CSV Injection."""


def escape_formula(text: str) -> str:
    """A cell's text, after an apostrophe where a spreadsheet would else compute it."""
    return f"'{text}" if FORMULA.match(text) else text


def unescape_formula(text: str) -> str:
    """The text that was `guarded`. Another text that begins with an apostrophe stays as it is."""
    return text[1:] if text.startswith("'") and FORMULA.match(text[1:]) else text
