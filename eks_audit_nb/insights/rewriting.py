"""A text made from another one, and the way back: an error in what was made is told in what the user wrote."""

from __future__ import annotations

from dataclasses import dataclass

from eks_audit_nb.errors import QueryError


@dataclass(frozen=True)
class Piece:
    """What stands in the place of a part of a text: offsets of the part, and the new text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Rewritten:
    """A text with some of its parts replaced; the pieces stand in the order of the text."""

    written: str
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The text that was made."""
        parts, done = [], 0
        for piece in self.pieces:
            parts += [self.written[done : piece.start], piece.text]
            done = piece.end
        return "".join(parts) + self.written[done:]

    def as_written(self, error: QueryError) -> QueryError:
        """The same error in the text as it was written; inside of what was put in, at the part that it stands for."""
        if error.query != self.text:
            return error
        start, end = self._back(error.start)[0], self._back(max(error.start, error.end - 1))[1]
        if error.end == error.start:
            end = start
        return QueryError(error.message, self.written, start, end, error.hint)

    def _back(self, place: int) -> tuple[int, int]:
        """Where one sign of the text that was made comes from."""
        shift = 0  # how much further on the signs are in the text that was made
        for piece in self.pieces:
            if place < piece.start + shift:
                break
            if place < piece.start + shift + len(piece.text):
                return piece.start, piece.end
            shift += len(piece.text) - (piece.end - piece.start)
        return place - shift, place - shift + 1
