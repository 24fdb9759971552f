"""Plain tables for a terminal."""

from collections.abc import Iterable, Sequence

__all__ = ["format_row", "print_table"]


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> None:
    """Print rows below their headings, columns as wide as their widest cell; `right` are columns set to the right."""
    table = [list(headings), *map(list, rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(headings))]
    aligned_right = set(right)
    for row in table:
        print(format_row(row, widths, aligned_right))


def format_row(row: Sequence[str], widths: Sequence[int], right: set[int]) -> str:
    """One row, without blanks at its end."""
    cells = (
        cell.rjust(width) if column in right else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()
