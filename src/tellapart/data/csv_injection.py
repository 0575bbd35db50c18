"""Escape CSV cells so that no spreadsheet runs them as formulas; unescaping restores them exactly."""

import re

FORMULA = re.compile(r"[' ]*[=+\-@\t\r\n＝＋－＠]")
"""Text that some spreadsheet reads as a formula, or that is escaped already. Source: OWASP, CSV Injection."""


def escape_formula(text: str) -> str:
    """Prefix a cell with an apostrophe if a spreadsheet would run it as a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def unescape_formula(text: str) -> str:
    """Undo `escape_formula`. Other text that begins with an apostrophe is left as it is."""
    return text[1:] if text.startswith("'") and FORMULA.match(text[1:]) else text
