"""Orders of values, against loops."""

import numpy as np
import pytest

from licgate.program.depthform import depth_form, from_depth_form
from licgate.program.order import from_stream, stream_order


@pytest.mark.parametrize("rows", [1, 3, 8])
@pytest.mark.parametrize(("shape", "skip"), [((1, 1, 1), 0), ((2, 3, 7), 0), ((3, 2, 7), 2), ((2, 2, 9), 5)])
def test_the_stream_goes_by_rows_groups_channels_and_columns(shape, skip, rows):
    channels, height, width = shape
    values = np.arange(channels * height * width).reshape(shape)
    expected = []
    for y in range(height):
        for start in range(0, skip + width, rows):
            for c in range(channels):
                columns = range(max(start, skip), min(start + rows, skip + width))
                expected += [values[c, y, x - skip] for x in columns]
    stream = stream_order(values, skip, rows)
    assert stream.tolist() == expected
    np.testing.assert_array_equal(from_stream(stream, shape, skip, rows), values)


def test_depth_form_puts_row_parity_before_column_parity_before_channel():
    x = np.random.default_rng(0).integers(0, 99, (3, 4, 6))
    deep = depth_form(x)
    for c, p, q, i, j in np.ndindex(3, 2, 2, 2, 3):
        assert deep[(2 * p + q) * 3 + c, i, j] == x[c, 2 * i + p, 2 * j + q]
    np.testing.assert_array_equal(from_depth_form(deep), x)
