"""The store on disk: one RocksDB per worker instance, every key prefixed with its partition (two bytes, big endian).

It is a cache of the changelog (ER-26): when it cannot be opened, or was written for another application or partition count, it is
deleted and restored. Not so on a disk that is full or read-only: deleting would mend nothing, so it stays for when there is room.
The write-ahead log is on but never synced to disk: after a kill nothing is lost, and after a power loss RocksDB comes back to an
earlier write batch, whose changelog position says where to go on.
"""

import errno
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from struct import Struct
from types import TracebackType

import msgspec
from rocksdict import AccessType, BlockBasedOptions, Cache, Options, Rdict, ReadOptions, WriteBatch

from processors.state.rows import Damaged, Position, Unwritable

log = logging.getLogger(__name__)

FORMAT = 1
MOST_PARTITIONS = 0xFFFF
"""The prefix of this number holds the store's own rows."""

_PREFIX = Struct(">H")
_OWN = _PREFIX.pack(MOST_PARTITIONS)
_LABEL = _OWN + b"label"
_POSITION = Struct(">qd")
_MEMTABLE = 16 << 20
_CACHE = 48 << 20

_UNWRITABLE = [
    os.strerror(code)
    for code in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EMFILE,
        errno.ENFILE,
    )
]
"""What RocksDB passes on of the system's own words when nothing is wrong with the files."""


class Label(msgspec.Struct, frozen=True):
    """What a store was written for; one with another label is of no use."""

    application: str
    partitions: int
    """Partition count of the facts topic: with another one, the keys live elsewhere."""
    changelog: str = ""
    """Kafka's id of the changelog topic: in one that was made anew, offsets say nothing of what this store holds."""
    format: int = FORMAT


class _Guard:
    """Makes `Damaged` of the plain exceptions of the binding, so that nobody takes a broken disk for a bug (ER-26)."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(why, Exception):
            raise _broken(why) from why


_GUARDED = _Guard()
"""Written as a class, which costs a row less than half of what a generator would."""


class DiskStore:
    """Implements `Store` on RocksDB, whose binding raises plain `Exception` for whatever goes wrong.

    Every method raises `Damaged` when the database cannot be used any more.
    """

    def __init__(self, path: Path, label: Label) -> None:
        """Open the store at `path`, or delete what is there and begin an empty one.

        Raises:
            OSError: The folder cannot be written at all.
        """
        if label.partitions >= MOST_PARTITIONS:
            raise ValueError(f"{label.partitions} partitions: a store can tell {MOST_PARTITIONS - 1} apart")
        self._path = path
        self._db = _open(path, label)
        self._get = self._db.get
        self._prefixes = [_PREFIX.pack(partition) for partition in range(label.partitions)]

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The row's value, or None."""
        try:  # not `with _GUARDED`, which costs as much as the row: this is called for every row of every fact
            value: bytes | None = self._get(self._prefixes[partition] + key)
        except Exception as why:
            raise _broken(why) from why
        return value

    def scan(self, partition: int, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All rows whose key starts with `prefix`, in key order from `start` on: rows deleted before it are not waded through."""
        first = self._prefixes[partition] + max(prefix, start)
        options = ReadOptions()
        options.set_iterate_upper_bound(_after(self._prefixes[partition] + prefix))
        with _GUARDED:
            rows: Iterator[tuple[bytes, bytes]] = self._db.items(from_key=first, read_opt=options)  # type: ignore[assignment]  # raw mode
            for key, value in rows:
                yield key[2:], value

    def apply(self, writes: Mapping[int, Mapping[bytes, bytes | None]], positions: Mapping[int, Position]) -> None:
        """Put rows (None: delete) and set positions, in one write batch."""
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for partition, rows in writes.items():
            prefix = self._prefixes[partition]
            for key, value in rows.items():
                if value is None:
                    delete(prefix + key)
                else:
                    put(prefix + key, value)
        for partition, position in positions.items():
            put(_OWN + self._prefixes[partition], _POSITION.pack(*position))
        with _GUARDED:
            self._db.write(batch)

    def position(self, partition: int) -> Position | None:
        """How far this partition's rows reach; None when nothing is known of it."""
        with _GUARDED:
            packed = self._get(_OWN + self._prefixes[partition])
            return None if packed is None else Position(*_POSITION.unpack(packed))

    def drop_partition(self, partition: int) -> None:
        """Forget all rows and the position of a partition: the position first, so that a crash in between leaves no lie."""
        prefix = self._prefixes[partition]
        with _GUARDED:
            self._db.delete(_OWN + prefix)
            self._db.delete_range(prefix, _after(prefix))

    def close(self) -> None:
        """Close the database; the store cannot be used after it."""
        with _GUARDED:
            self._db.close()

    def delete(self) -> None:
        """Close the database and delete its folder: the next start restores from the changelog."""
        with suppress(Exception):  # a damaged one may not even close
            self._db.close()
        shutil.rmtree(self._path, ignore_errors=True)


def rows_at_rest(path: Path, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The rows of a store that nobody writes, whose key starts with `prefix`, in key order; nothing is changed on disk.

    Raises:
        Damaged: There is no store, or it cannot be read.
    """
    if not path.is_dir():
        raise Damaged(f"{path} is no store")
    first = _PREFIX.pack(partition) + prefix
    with _GUARDED:
        db = _database(path, AccessType.read_only())
        rows: Iterator[tuple[bytes, bytes]] = db.items(from_key=first)  # type: ignore[assignment]  # raw mode
        yield from ((key[2:], value) for key, value in takewhile(lambda row: row[0].startswith(first), rows))
        db.close()


def _open(path: Path, label: Label) -> Rdict:
    """A database with this label: the one on disk when it opens and fits, else a new one (ER-26).

    Raises:
        OSError: The folder cannot be written, so neither could a new one be; what is there stays.
    """
    if path.exists():
        db = None
        try:
            db = _database(path)
            found = _label_of(db)
        except Exception as why:
            if _unwritable(why):
                raise OSError(_first_line(why)) from why
            log.warning("store %s cannot be opened (%s): deleted, restoring from the changelog", path, _first_line(why))
        else:
            if found == label:
                return db
            log.warning("store %s is of %s, wanted %s: deleted, restoring from the changelog", path, found, label)
        if db is not None:
            with suppress(Exception):
                db.close()
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        db = _database(path)
        db.put(_LABEL, msgspec.json.encode(label))
    except Exception as why:
        raise OSError(_first_line(why)) from why
    return db


def _database(path: Path, access: AccessType | None = None) -> Rdict:
    """The database at `path` with our options.

    They are given twice: of one that exists the binding takes cache and filters from those of its column family, or its defaults.
    """
    options = _options()
    return Rdict(str(path), options, column_families={"default": options}, access_type=access or AccessType.read_write())


def _label_of(db: Rdict) -> Label | None:
    written = db.get(_LABEL)
    try:
        return None if written is None else msgspec.json.decode(written, type=Label)
    except msgspec.DecodeError:
        return None


def _options() -> Options:
    """Bounded memory whatever the number of leads: two memtables and a block cache; filters answer for keys that are new."""
    table = BlockBasedOptions()
    # In one piece: the index of a large file has a megabyte, which none of the many parts of an LRU cache holds, so that it would
    # be read again for every row.
    table.set_block_cache(Cache.new_hyper_clock_cache(_CACHE, 0))
    table.set_bloom_filter(10, False)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    options = Options(raw_mode=True)
    options.set_memtable_whole_key_filtering(True)  # most keys that are looked for are those of new facts
    options.set_memtable_prefix_bloom_ratio(0.1)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(_MEMTABLE)
    options.set_max_write_buffer_number(2)
    options.set_keep_log_file_num(2)
    options.set_max_total_wal_size(4 * _MEMTABLE)
    return options


def _after(prefix: bytes) -> bytes:
    """The first key after all keys that start with `prefix`; a partition's prefix is never all ones."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1])


def _broken(why: Exception) -> Damaged:
    return Unwritable(_first_line(why)) if _unwritable(why) else Damaged(_first_line(why))


def _unwritable(why: Exception) -> bool:
    return any(reason in str(why) for reason in _UNWRITABLE)


def _first_line(why: Exception) -> str:
    return str(why).partition("\n")[0]
