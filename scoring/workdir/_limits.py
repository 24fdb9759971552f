"""How far a snapshot goes."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a snapshot keeps and reads at most. Whatever a limit leaves out says so."""

    kept_of_a_file: int = 1_000_000
    """Bytes; of larger files there is a hash and no content."""
    kept_in_all: int = 512 * 2**20
    """Bytes; once they are reached, there are hashes only."""
    read_of_a_file: int = 8 * 2**30
    """Bytes, a dozen seconds of hashing; a larger file is not read, and its entry says so."""
    depth: int = 128
    """Folders within one another; what lies deeper is not looked at, and the entry of the folder says so."""
