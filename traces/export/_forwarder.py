"""Sending journals to a destination, from where their checkpoints stand."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from .._errors import StoreError
from .._reader import is_live
from ._batches import Line, in_batches
from ._checkpoint import Checkpoint, file_id
from ._dead_letters import read_request
from ._delivery import Delivered, Delivery, Outcome
from ._destination import Destination
from ._lines import FromBytes, parsed, read_lines, sendable
from ._profile import TracesData
from ._state import DestinationState, journal_key

__all__ = ["Forwarder", "Sent"]


@dataclass(slots=True, kw_only=True)
class Sent:
    """What a forwarder did so far."""

    spans: int = 0
    """Accepted."""
    rejected_spans: int = 0
    """Of those, rejected by the collector in partial successes."""
    dead_lines: int = 0
    """Refused for good, now dead letters."""
    bytes: int = 0
    """Of journals, behind which the checkpoints are now."""


def _nobody(sent: Sent) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarder:
    """Sends journals to one destination, whose state it holds."""

    state: DestinationState
    destination: Destination
    delivery: Delivery
    sent: Sent = field(default_factory=Sent)
    watch: Callable[[Sent], None] = _nobody
    """Told after each batch."""

    def forward(self, journal: Path) -> Checkpoint | None:
        """Send what a journal holds and its checkpoint does not cover; None while its first line is not whole.

        Raises:
            GaveUpError: not all of it could be sent; what was is in the checkpoint.
            StoreError: the journal cannot be read, or the state not written.
        """
        return self._forward(journal, lambda text: (parsed(text), journal.parent))

    def forward_left_open(self, folder: Path) -> None:
        """Send what the profile wants of a run that was left open and that nobody has open. To be asked after `forward`.

        No checkpoint tells of it: each time it is the same spans.

        Raises:
            GaveUpError, StoreError: as `forward`.
        """
        if is_live(folder):
            return
        line = sendable(self.destination.profile.left_open(folder), folder, 0, self.destination)
        if line.fault is not None:
            self._bury(line, line.fault)
        for outcome in self.delivery.deliver((line,)) if line.payload else ():
            if isinstance(outcome, Delivered):
                self.sent.spans += line.spans
                self.delivery.tell(None)
            else:
                self._bury(line, outcome.reason)

    def _bury(self, line: Line, reason: str) -> None:
        self.state.dead_letters.keep([line], reason)
        self.sent.dead_lines += 1
        self.delivery.tell(reason)

    def forward_dead_letters(self) -> None:
        """Send the dead letters again. Those that are refused again are new dead letters.

        Raises:
            GaveUpError, StoreError: as `forward`.
        """
        letters = self.state.dead_letters
        # What an interrupted command left goes before what came since.
        for _ in range(1 + letters.sending.exists()):
            if path := letters.take():
                self._forward(path, self._read_letter)
                path.unlink()
                self.state.forget(journal_key(self.state.store, path))

    def _forward(self, journal: Path, read: FromBytes) -> Checkpoint | None:
        try:
            with journal.open("rb") as file:
                checkpoint = self._start(journal, file)
                if checkpoint is None:
                    return None
                for batch in in_batches(read_lines(file, checkpoint.offset, self.destination, read)):
                    for outcome in self.delivery.deliver(batch):
                        checkpoint = self._settled(checkpoint, outcome)
                return checkpoint
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{error.filename or journal}: cannot be read or written: {error.strerror}") from error

    def _start(self, journal: Path, file: BinaryIO) -> Checkpoint | None:
        identity = file_id(file)
        if identity is None:
            return None
        key = journal_key(self.state.store, journal)
        known = self.state.read(key)
        # A file that was replaced, or is shorter than what was read of it, begins anew.
        if known is not None and known.file == identity and known.offset <= file.seek(0, 2):
            return known
        return Checkpoint(journal=key, file=identity)

    def _settled(self, checkpoint: Checkpoint, outcome: Outcome) -> Checkpoint:
        """Move the checkpoint behind what is settled, with the dead letters on disk before it."""
        begin, unread = checkpoint.offset, sum(line.recorded is None for line in outcome.batch)
        sendable = [line for line in outcome.batch if line.payload]
        faulty = [line for line in outcome.batch if line.fault is not None]
        for line in faulty:
            self.state.dead_letters.keep([line], line.fault or "")
        if isinstance(outcome, Delivered):
            for refused in outcome.refused_requests:
                self.state.dead_letters.keep_request(refused.request, refused.reason)
            spans, dead = sum(line.spans for line in sendable), 0
            rejected = outcome.accepted.rejected_spans
            if outcome.accepted.message or rejected:
                checkpoint = replace(checkpoint, rejected_message=outcome.accepted.message)
        else:
            self.state.dead_letters.keep(sendable, outcome.reason)
            spans, rejected, dead = 0, 0, len(sendable)
        dead += len(faulty)
        checkpoint = checkpoint.advanced(
            outcome.batch[-1].end, spans=spans, rejected_spans=rejected, dead_lines=dead, unread_lines=unread
        )
        self.state.write(checkpoint)
        self.delivery.tell(None if isinstance(outcome, Delivered) else outcome.reason)
        self.sent.spans += spans
        self.sent.rejected_spans += rejected
        self.sent.dead_lines += dead
        self.sent.bytes += checkpoint.offset - begin
        self.watch(self.sent)
        return checkpoint

    def _read_letter(self, text: bytes) -> tuple[TracesData, Path]:
        """What a dead letter holds; a request is made at once, since it is in no batch."""
        letter: dict[str, Any] = orjson.loads(text)
        if (request := read_request(letter)) is None:
            return letter["traces"], Path(letter["run_folder"])
        if refused := self.delivery.ask(request):
            self.state.dead_letters.keep_request(request, refused.reason)
        return {"resourceSpans": []}, Path()
