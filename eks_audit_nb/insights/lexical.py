"""The words of the language that hold any signs, for what reads a text before the parser does."""

from __future__ import annotations

# Patterns for `re` with DOTALL and IGNORECASE.
QUOTED = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
NAME_IN_BACKTICKS = r"`[^`\n]*`"
COMMENT = r"\#[^\n]*"
# A regular expression, with what stands before it: elsewhere a slash divides.
SEARCHED = r"(?:like|=~|parse(?:\s+[\w@.]+)?)\s*/(?:\\.|[^/\\\n])+/"
