"""Measures how long the rows are, as batches will hold them, without decoding a picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pickle import UnpicklingError

from inft.data.collators import CaptionCollator
from inft.data.encoding import RowTooLong
from inft.data.images import upright_size
from inft.data.rows import UnusableRow
from inft.data.workers import WorkerContext
from inft.errors import DataError, InftError
from inft.forecast.row_lengths import UNKNOWN, RowLengths
from inft.forecast.statistics import longest_needed

MeasureProgress = Callable[[int, int], None]
"""Called with (rows done, rows in all)."""

CHUNK_ROWS = 256
"""Rows measured at a time: neighbours, since those of a parquet file are read in groups."""


def measure_rows(
    collator: CaptionCollator, languages: Sequence[str], *, workers: int, on_progress: MeasureProgress
) -> RowLengths:
    """The lengths of every row of the collator's corpus.

    They are what `RowEncoder.encode` would give, except that a picture whose header is good and whose pixels are
    damaged counts as usable.

    Args:
        collator: whose batches the rows will be in.
        languages: what the rows' languages are numbered by.
        workers: processes besides this one; they are forked, so nothing may be on a GPU yet. 0 = this one does it.
        on_progress: told at the beginning and after every chunk.

    Raises:
        DataError: no row can be used.
        ConfigError: the chat template cannot be trained on.
    """
    total = len(collator.corpus)
    chunks = [range(start, min(start + CHUNK_ROWS, total)) for start in range(0, total, CHUNK_ROWS)]
    codes = {language: code for code, language in enumerate(languages)}
    measured: dict[int, RowLengths] = {}
    done = 0
    on_progress(done, total)
    # A worker that ends early, for whatever reason, leaves its chunks to this process.
    for number, lengths in _all(collator, codes, chunks, min(workers, len(chunks))):
        measured[number] = lengths
        done += len(lengths)
        on_progress(done, total)
    together = RowLengths()
    for number in range(len(chunks)):
        together.extend(measured.pop(number))
    if next(together.usable(), None) is None:
        raise _nothing_usable(collator, longest_needed(together))
    return together


def _all(
    collator: CaptionCollator, codes: dict[str, int], chunks: Sequence[range], workers: int
) -> Iterator[tuple[int, RowLengths]]:
    left = set(range(len(chunks)))
    if workers > 1 or (workers == 1 and len(chunks) > 1):
        for number, lengths in _by_workers(collator, codes, chunks, workers):
            left.discard(number)
            yield number, lengths
    for number in sorted(left):
        yield number, _measure(collator, codes, chunks[number])


def _by_workers(
    collator: CaptionCollator, codes: dict[str, int], chunks: Sequence[range], workers: int
) -> Iterator[tuple[int, RowLengths]]:
    """What the workers measure; chunks of one that ends early are missing."""
    context = WorkerContext()
    processes: list[BaseProcess] = []
    ours: list[Connection] = []
    try:
        for worker in range(workers):
            receiver, sender = context.Pipe(duplex=False)
            ours.append(receiver)
            process = context.Process(
                target=_work, args=(collator, codes, chunks, range(worker, len(chunks), workers), sender, tuple(ours))
            )
            process.start()
            processes.append(process)
            sender.close()
        open_ends = list(ours)
        while open_ends:
            for ready in wait(open_ends):
                assert isinstance(ready, Connection)
                try:
                    number, lengths = ready.recv()
                except (EOFError, OSError, UnpicklingError):  # killed, it may be in the middle of a word
                    open_ends.remove(ready)
                    continue
                yield number, lengths
    finally:
        for receiver in ours:
            receiver.close()
        for started in processes:
            started.kill()
            started.join()


def _work(
    collator: CaptionCollator,
    codes: dict[str, int],
    chunks: Sequence[range],
    mine: Sequence[int],
    sender: Connection,
    inherited: Sequence[Connection],
) -> None:
    """A worker's whole life; it ends with its parent."""
    for receiver in inherited:
        receiver.close()  # else a dead parent's pipes would still have a reader
    parent = os.getppid()
    try:
        for number in mine:
            if os.getppid() != parent:
                return
            sender.send((number, _measure(collator, codes, chunks[number])))
    except BrokenPipeError:
        return
    except InftError:
        return  # the parent meets it, too, and says so


def _measure(collator: CaptionCollator, codes: dict[str, int], rows: range) -> RowLengths:
    lengths = RowLengths()
    for number in rows:
        code = UNKNOWN
        try:
            row = collator.corpus[number]
            code = codes.get(row.language, UNKNOWN)
            length = collator.encoder.measure(row, *upright_size(row.image))
        except UnusableRow as error:
            lengths.add_unusable(error.cause, code, error.needed if isinstance(error, RowTooLong) else 0)
            continue
        lengths.add(
            tokens=length.tokens,
            tiles=length.tiles,
            supervised=length.supervised,
            cut=length.article_cut,
            language=code,
        )
    return lengths


def _nothing_usable(collator: CaptionCollator, needed: int) -> DataError:
    try:
        row = collator.corpus[0]
        collator.encoder.measure(row, *upright_size(row.image))
        reason = "it was mended meanwhile"
    except UnusableRow as error:
        reason = str(error)
    return DataError(
        f"None of the {len(collator.corpus):,} rows can be used; the first, {reason}.",
        f"Raise basic.max_length to at least {needed:,}." if needed else "Mend the rows and their pictures.",
    )
