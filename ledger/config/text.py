"""Text that people will read on a terminal: short, and without characters that move the cursor or turn the line."""

from __future__ import annotations

import re
from typing import Final

MAX_TEXT_BYTES: Final = 255

# C0, DEL, C1, line and paragraph separators, marks that reverse or embed directions. A fixed list: Unicode's
# tables differ between versions of Python.
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def is_plain(text: str) -> bool:
    """Whether the text may be stored as a title or a name."""
    return len(text.encode()) <= MAX_TEXT_BYTES and _FORBIDDEN.search(text) is None
