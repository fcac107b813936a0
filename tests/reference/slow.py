"""The numerics page in plain Python integers and loops: shares nothing with what it tests but the parameters."""


def rsr(v, n):
    return (v + (1 << (n - 1))) >> n if n else v


def requantize(a, layer, c, shift):
    q = layer.requantize
    t = min(max(rsr(a, q.pre_shift), -(2**17)), 2**17 - 1)
    p = rsr(t * int(q.multiplier[c]), shift)
    if p < 0 and q.leak:
        p = rsr(p * q.leak, 16)
    return min(max(p + int(q.offset[c]), q.clip[0]), q.clip[1])


def conv2d(layer, x):
    """Sum tap by tap; `x` is nested lists [channel][row][column]."""
    height, width = len(x[0]), len(x[0][0])
    k, s, p = layer.kernel, layer.stride, layer.padding
    if layer.transposed:
        out_height = (height - 1) * s - 2 * p + k + layer.output_padding
        out_width = (width - 1) * s - 2 * p + k + layer.output_padding
    else:
        out_height, out_width = (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1
    weight = layer.weight.tolist()
    sums = [[[int(layer.bias[c])] * out_width for _ in range(out_height)] for c in range(layer.out_channels)]
    sums = [[list(row) for row in plane] for plane in sums]
    for c in range(layer.out_channels):
        for i in range(layer.in_channels):
            for ky in range(k):
                for kx in range(k):
                    if layer.transposed:
                        w = weight[i][c][ky][kx]
                        for y in range(height):
                            for z in range(width):
                                row, column = y * s + ky - p, z * s + kx - p
                                if 0 <= row < out_height and 0 <= column < out_width:
                                    sums[c][row][column] += w * x[i][y][z]
                    else:
                        w = weight[c][i][ky][kx]
                        for y in range(out_height):
                            for z in range(out_width):
                                row, column = y * s + ky - p, z * s + kx - p
                                if 0 <= row < height and 0 <= column < width:
                                    sums[c][y][z] += w * x[i][row][column]
    return [
        [[requantize(a, layer, c, int(layer.requantize.shift[c])) for a in row] for row in plane]
        for c, plane in enumerate(sums)
    ]


def gdn_factor(layer, v):
    """Return r and the exponent, by bit strings."""
    table = layer.table
    bits = bin(v)[2:]
    e = len(bits) - 1
    mantissa = bits[1:] + "0" * (table.index_bits + table.fraction_bits)
    k = int(mantissa[: table.index_bits], 2)
    f = int("0" + mantissa[table.index_bits : table.index_bits + table.fraction_bits], 2)
    if layer.root:
        k += (e & 1) << table.index_bits
    r = int(table.value[k]) + ((int(table.slope[k]) * f) >> table.fraction_bits)
    assert 0 <= r < 2**17
    exponent = e >> 1 if layer.root else e
    return r, exponent if layer.inverse else -exponent


def gdn(layer, x):
    channels, height, width = len(x), len(x[0]), len(x[0][0])
    gamma, beta = layer.gamma.tolist(), layer.beta.tolist()
    out = [[[0] * width for _ in range(height)] for _ in range(channels)]
    for y in range(height):
        for z in range(width):
            pixel = [x[c][y][z] for c in range(channels)]
            m = [v * v if layer.square else abs(v) for v in pixel]
            n = [min(rsr(v, layer.norm_shift), 2**layer.norm_bits - 1) for v in m]
            for i in range(channels):
                v = beta[i] + sum(g * norm for g, norm in zip(gamma[i], n))
                r, exponent = gdn_factor(layer, v)
                out[i][y][z] = requantize(pixel[i] * r, layer, i, int(layer.requantize.shift[i]) - exponent)
    return out
