"""Every store keeps the same promises, and an overlay shows a transaction its own writes until it is settled (ER-9, ER-26)."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.state.memory import MemoryStore
from processors.state.overlay import Overlay
from processors.state.rows import Damaged, Position, Store, Unwritable
from processors.state.store import DiskStore, Label

PARTITIONS = 3
KEYS = st.binary(max_size=3).map(lambda key: bytes(byte % 4 or 0xFF for byte in key))  # short and alike, so that they meet
ROWS = st.dictionaries(KEYS, st.none() | st.binary(max_size=3), max_size=80)
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "commit", "abort", "drop"]), st.integers(0, PARTITIONS - 1), ROWS), max_size=12
)


@pytest.fixture(scope="module", params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples; each begins by dropping what the one before left."""
    if request.param == "memory":
        yield MemoryStore()
        return
    disk = DiskStore(tmp_path_factory.mktemp("disk") / "store", Label("app", PARTITIONS))
    yield disk
    disk.close()


@given(steps=STEPS, prefixes=st.lists(KEYS, max_size=5))
def test_stores_and_overlays_behave_like_a_dict(store: Store, steps: list, prefixes: list[bytes]) -> None:
    for partition in range(PARTITIONS):
        store.drop_partition(partition)
    overlays = [Overlay(store, partition) for partition in range(PARTITIONS)]
    committed: list[dict[bytes, bytes | None]] = [{} for _ in range(PARTITIONS)]
    seen: list[dict[bytes, bytes | None]] = [{} for _ in range(PARTITIONS)]
    for number, (what, partition, rows) in enumerate(steps):
        overlay = overlays[partition]
        if what == "put":
            overlay.put(rows)
            seen[partition] = seen[partition] | rows
        elif what == "commit":
            store.apply({partition: overlay.pending}, {partition: Position(number, 1.5)})
            overlay.clear()
            committed[partition] = seen[partition]
            assert store.position(partition) == Position(number, 1.5)
        elif what == "abort":
            overlay.clear()
            seen[partition] = committed[partition]
        else:
            store.drop_partition(partition)
            overlay.clear()
            committed[partition] = seen[partition] = {}
            assert store.position(partition) is None
        for each, model in zip(overlays, seen, strict=True):
            for prefix in (b"", *prefixes):
                wanted = sorted((key, value) for key, value in model.items() if value is not None and key.startswith(prefix))
                assert list(each.scan(prefix)) == wanted
                for start in prefixes:
                    assert list(each.scan(prefix, start)) == [row for row in wanted if row[0] >= start]
            assert all(each.get(key) == value for key, value in model.items())
            assert each.get(b"never written") is None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    store = DiskStore(tmp_path / "store", Label("app", PARTITIONS))
    store.apply({1: {b"a": b"1"}}, {1: Position(7, 2.0)})
    store.close()
    return tmp_path / "store"


def test_er26_rows_survive_and_a_broken_store_begins_empty(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = DiskStore(path, Label("app", PARTITIONS))
    assert (store.get(1, b"a"), store.position(1)) == (b"1", Position(7, 2.0))
    store.close()
    for file in path.glob("*"):
        file.write_bytes(b"?")
    store = DiskStore(path, Label("app", PARTITIONS))
    assert (store.get(1, b"a"), store.position(1)) == (None, None)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


LABELS = (
    Label("other", PARTITIONS),
    Label("app", PARTITIONS + 1),
    Label("app", PARTITIONS, "anew"),
    Label("app", PARTITIONS, format=99),
)


@pytest.mark.parametrize("label", LABELS)
def test_er26_a_store_of_something_else_begins_empty(path: Path, label: Label) -> None:
    assert DiskStore(path, label).position(1) is None


def test_a_store_that_is_opened_again_keeps_its_cache_and_its_filters(path: Path) -> None:
    """Without them a row of a store that is read on after a restart costs forty times as much, as RocksDB's own log tells."""
    for _ in range(2):
        DiskStore(path, Label("app", PARTITIONS)).close()
        said = (path / "LOG").read_text()
        assert "filter_policy: bloomfilter" in said
        assert "block_cache_name: AutoHyperClockCache" in said
        assert "capacity : 50331648" in said


def test_er26_an_opened_store_that_breaks_says_so(path: Path) -> None:
    """It is not taken for a bug of the topology that asked for the row."""
    store = DiskStore(path, Label("app", PARTITIONS))
    store.close()
    shutil.rmtree(path)
    uses = (
        lambda: store.get(1, b"a"),
        lambda: list(store.scan(1, b"")),
        lambda: store.apply({1: {b"a": b"2"}}, {}),
        lambda: store.position(1),
        lambda: store.drop_partition(1),
    )
    for use in uses:
        with pytest.raises(Damaged):
            use()
    store.delete()


def test_er26_a_store_whose_label_cannot_be_read_begins_empty(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens, and the first block that is read is corrupt."""

    def corrupt(_: object) -> None:
        raise Exception("Corruption: block checksum mismatch")

    monkeypatch.setattr("processors.state.store._label_of", corrupt)
    assert DiskStore(path, Label("app", PARTITIONS)).position(1) is None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EMFILE])
def test_er26_a_disk_that_cannot_be_written_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """RocksDB passes the system's words on; a store is deleted for what is wrong with its files, not with its disk."""

    def fails(*_: object, **__: object) -> None:
        raise Exception(f"IO error: While appending to file: {tmp_path}/000004.log: {os.strerror(code)}")

    store = DiskStore(tmp_path / "store", Label("app", PARTITIONS))
    store.close()
    monkeypatch.setattr(store, "_get", fails)
    with pytest.raises(Unwritable, match=os.strerror(code)):
        store.get(0, b"key")
    monkeypatch.setattr("processors.state.store.Rdict", fails)
    with pytest.raises(OSError, match=os.strerror(code)):
        DiskStore(tmp_path / "store", Label("app", PARTITIONS))
    assert (tmp_path / "store" / "CURRENT").exists(), "it was deleted"


def test_er26_damage_is_no_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise Exception("Corruption: block checksum mismatch")

    store = DiskStore(tmp_path / "store", Label("app", PARTITIONS))
    monkeypatch.setattr(store, "_get", fails)
    with pytest.raises(Damaged) as damage:
        store.get(0, b"key")
    assert not isinstance(damage.value, Unwritable)
    store.close()
