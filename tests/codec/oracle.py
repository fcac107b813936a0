"""A range coder in plain Python, after the published algorithm: the other side of the comparison."""

FULL = (1 << 64) - 1


def encode(shares):
    """Return the 32-bit words that code a list of (left, width) in units of 2**-24."""
    lower, span, words, held, count = 0, FULL, [], 0, 0

    def release(carry):
        words.append((held + carry) & 0xFFFFFFFF)
        words.extend([0 if carry else 0xFFFFFFFF] * (count - 1))

    for left, width in shares:
        scale = span >> 24
        span = scale * width
        lower, before = (lower + scale * left) & FULL, lower
        if count and (lower + span) & FULL > lower:
            release(lower < before)
            count = 0
        if span < 1 << 32:
            word, lower, span = lower >> 32, (lower << 32) & FULL, span << 32
            if count:
                count += 1
            elif (lower + span) & FULL > lower:
                words.append(word)
            else:
                held, count = word, 1
    if span != FULL:
        point = (lower + (1 << 32) - 1) & FULL
        if count:
            release(point < lower)
        words.append(point >> 32)
        if ((lower + span) & FULL) >> 32 == point >> 32:
            words.append(0)
    return words


def decode(words, tables):
    """Return one entry for each cumulative table of 2**24; zeros follow the words."""
    words = iter(words)
    lower, span, point = 0, FULL, (next(words, 0) << 32) | next(words, 0)
    entries = []
    for table in tables:
        scale = span >> 24
        quantile = ((point - lower) & FULL) // scale
        assert quantile < 1 << 24
        entry = max(k for k in range(len(table) - 1) if table[k] <= quantile)
        lower, span = (lower + scale * table[entry]) & FULL, scale * (table[entry + 1] - table[entry])
        if span < 1 << 32:
            lower, span, point = (lower << 32) & FULL, span << 32, ((point << 32) & FULL) | next(words, 0)
        entries.append(entry)
    return entries


def escapes(excess):
    """Return the bits of Exp-Golomb codes as a text of 0 and 1."""
    return "".join("0" * ((e + 1).bit_length() - 1) + f"{e + 1:b}" for e in excess)
