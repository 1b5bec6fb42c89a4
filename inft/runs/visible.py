"""Makes text of unknown origin safe to print on one line of a terminal."""

from __future__ import annotations

import unicodedata

# Embeddings, overrides and isolates reorder the rest of the line. The plain direction marks and the joiners stay:
# Urdu, Sinhala and emoji need them.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""`text` with control characters, escape sequences and reordering marks written out.

    >>> visible("a\x1b[31mred\nb")
    'a\\x1b[31mred\\nb'
    """
    if text.isprintable() and text.isascii():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN_CATEGORIES and character not in _REORDERING:
        return character
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
