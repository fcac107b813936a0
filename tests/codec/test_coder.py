"""The entropy coder against one in plain Python, and what lies beyond the tables."""

import numpy as np
import pytest

from licgate.codec.coder import PRECISION, SymbolReader, SymbolWriter, TableCoder
from licgate.codec.escapes import EXCESS_LIMIT, EscapeReader, write_escapes
from licgate.errors import StreamError
from licgate.manifest import CdfTables, find_model
from tests.codec import oracle


def random_tables(random, count, *, precision, entries=12):
    """Return narrow and uneven tables, some of shares as small as there are."""
    cdf = []
    for _ in range(count):
        n = int(random.integers(1, entries + 1))
        inner = random.choice((1 << precision) - 1, n - 1, replace=False) + 1
        if n > 2 and random.random() < 0.5:
            inner[: n - 1] = np.arange(1, n)
        cdf.append(np.concatenate([[0], np.sort(inner), [1 << precision]]))
    return CdfTables(precision=precision, offset=random.integers(-9, 5, count), cdf=cdf)


def slow_encode(tables, index, symbols):
    """Return words and the bits of escapes, symbol by symbol, as the page says."""
    shares, excess = [], []
    for _, place in sorted((int(table), n) for n, table in enumerate(index)):
        table, symbol = int(index[place]), int(symbols[place]) - int(tables.offset[index[place]])
        cdf = [int(v) << (24 - tables.precision) for v in tables.cdf[table]]
        last = len(cdf) - 2
        entry = min(max(symbol, 0), last)
        beyond = symbol - entry
        if last:
            shares.append((cdf[entry], cdf[entry + 1] - cdf[entry]))
        if last == 0:
            excess.append(2 * beyond if beyond >= 0 else -2 * beyond - 1)
        elif entry in (0, last):
            excess.append(abs(beyond))
    return oracle.encode(shares), oracle.escapes(excess)


def as_words(data):
    return np.frombuffer(data, dtype="<u4").tolist()


@pytest.mark.parametrize("precision", [16, 17, 20, 24])
@pytest.mark.parametrize("reach", [4, 40, 3000])
def test_the_stream_is_that_of_the_plain_coder(random, precision, reach):
    tables = random_tables(random, 9, precision=precision)
    coder = TableCoder(tables)
    index = random.integers(0, 9, 600)
    symbols = random.integers(-reach, reach + 1, 600)
    writer = SymbolWriter()
    excess = coder.encode(writer, index, symbols)
    words, bits = slow_encode(tables, index, symbols)
    assert as_words(writer.data()) == words
    packed = write_escapes(excess)
    assert packed == int(bits + "0" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8), "big")
    reader, escapes = SymbolReader(writer.data()), EscapeReader(packed)
    found = coder.decode(reader, index, escapes)
    reader.finish()
    escapes.finish()
    np.testing.assert_array_equal(found, symbols)


def test_every_entry_of_every_table_of_the_default_model(random):
    for tables in find_model(None).entropy.values():
        coder = TableCoder(tables)
        for table, cdf in enumerate(tables.cdf):
            count = len(cdf) - 1
            likely = random.choice(count, 60, p=np.diff(cdf) / cdf[-1])
            entries = np.concatenate([np.arange(count), likely])
            writer = SymbolWriter()
            index = np.full(len(entries), table)
            coder.encode(writer, index, entries + tables.offset[table])
            scaled = [int(v) << (PRECISION - tables.precision) for v in cdf]
            words = oracle.encode([(scaled[k], scaled[k + 1] - scaled[k]) for k in entries.tolist()])
            assert as_words(writer.data()) == words, f"table {table}"


def test_the_plain_decoder_reads_the_stream(random):
    tables = random_tables(random, 5, precision=18)
    index = np.sort(random.integers(0, 5, 200))
    wide = np.array([len(cdf) > 2 for cdf in tables.cdf])[index]
    entries = np.array([random.integers(0, len(tables.cdf[t]) - 1) for t in index])
    writer = SymbolWriter()
    TableCoder(tables).encode(writer, index, entries + tables.offset[index])
    scaled = [[int(v) << (PRECISION - 18) for v in tables.cdf[t]] for t in index[wide]]
    assert oracle.decode(as_words(writer.data()), scaled) == entries[wide].tolist()


def test_ideal_bits_are_those_of_the_stream(random):
    tables = random_tables(random, 9, precision=20)
    coder, index = TableCoder(tables), random.integers(0, 9, 5000)
    symbols = random.integers(-12, 12, 5000)
    writer = SymbolWriter()
    escapes = write_escapes(coder.encode(writer, index, symbols))
    size = 8 * len(writer.data()) + 8 * len(escapes)
    assert -1 < size - coder.ideal_bits(index, symbols) < 72


def test_escape_codes_of_all_sizes():
    excess = np.concatenate([np.arange(300), 2 ** np.arange(20) - 1, 2 ** np.arange(1, 20), [EXCESS_LIMIT - 1]])
    data = write_escapes(excess)
    reader = EscapeReader(data)
    np.testing.assert_array_equal(reader.read(100), excess[:100])
    np.testing.assert_array_equal(reader.read(len(excess) - 100), excess[100:])
    reader.finish()
    assert write_escapes([]) == b""
    assert write_escapes([0]) == b"\x80"
    assert write_escapes([4, 0]) == b"\x2c"


@pytest.mark.parametrize("excess", [EXCESS_LIMIT, -1])
def test_an_excess_without_a_code_is_refused(excess):
    with pytest.raises(StreamError, match="beyond its entropy table"):
        write_escapes([excess])


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\x01", b"\0\0\x04\0\0\x40", b"\0" * 40, b"\0\0\0\xff\xff\xff\xff"])
def test_escape_codes_that_end_early_or_are_too_large_are_refused(data):
    with pytest.raises(StreamError, match="escape codes end early"):
        EscapeReader(data).read(1)


@pytest.mark.parametrize(("data", "read"), [(b"\xff", 7), (b"\x80\x00", 1), (b"\x81", 1), (b"\x00", 0)])
def test_escape_codes_left_over_are_refused(data, read):
    reader = EscapeReader(data)
    reader.read(read)
    with pytest.raises(StreamError, match="left over"):
        reader.finish()


def read_whole(coder, data, index, escapes):
    reader = SymbolReader(data)
    symbols = coder.decode(reader, index, EscapeReader(escapes))
    reader.finish()
    return symbols


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-4],
        lambda data: data + bytes(4),
        lambda data: data + b"\1\2\3\4",
        lambda data: data + data,
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: b"",
    ],
)
def test_a_stream_that_ends_elsewhere_is_refused(random, change):
    coder, index = TableCoder(random_tables(random, 9, precision=16)), random.integers(0, 9, 300)
    writer = SymbolWriter()
    escapes = write_escapes(coder.encode(writer, index, random.integers(-9, 9, 300)))
    read_whole(coder, writer.data(), index, escapes)
    with pytest.raises(StreamError, match=r"symbols end elsewhere|escape codes end early"):
        read_whole(coder, change(writer.data()), index, escapes)


def test_a_stream_read_with_one_other_table_is_refused():
    tables = find_model(None).entropy["gaussian"]
    coder, random = TableCoder(tables), np.random.default_rng(0)
    index = random.integers(0, 60, 300)
    symbols = np.rint(random.normal(0, 1, 300) * np.array(tables.scales)[index]).astype(np.int64)
    writer = SymbolWriter()
    escapes = write_escapes(coder.encode(writer, index, symbols))
    np.testing.assert_array_equal(read_whole(coder, writer.data(), index, escapes), symbols)
    for place in range(0, 300, 5):
        other = index.copy()
        other[place] += 1
        with pytest.raises(StreamError, match=r"^damaged"):
            read_whole(coder, writer.data(), other, escapes)


def test_points_outside_of_every_interval_and_broken_words_are_refused():
    coder = TableCoder(CdfTables(precision=16, offset=[0], cdf=[[0, 1, 2, 1 << 16]]))
    with pytest.raises(StreamError, match="cannot have been coded"):
        coder.decode(SymbolReader(b"\xff" * 16), np.zeros(300, dtype=np.int64), EscapeReader(b"\xff" * 40))
    with pytest.raises(StreamError, match="multiple of 4"):
        SymbolReader(b"abc")
