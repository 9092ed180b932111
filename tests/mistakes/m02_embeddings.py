"""Mistakes that the checks of chapter 02 must recognise."""

MISTAKES = [
    ("1", "check.lookup_shapes([3, 10], None, 2)", "one is still None"),
    ("1", "check.lookup_shapes([10, 3], [3, 4], 2)", "what comes first in their shapes"),
    ("1", "check.lookup_shapes([3, 10], [4, 3], 2)", "what comes first in their shapes"),
    ("1", "check.lookup_shapes([2, 10], [2, 4], 2)", "where does its row go"),
    ("1", "check.lookup_shapes([3, 10], [3, 10], 2)", "The shape of x is not right"),
    ("1", "check.lookup_shapes([3, 4], [3, 4], 2)", "how long is it"),
    ("1", "check.lookup_shapes([2, 10], [3, 4], 2)", "how many such rows"),
    ("1", "check.lookup_shapes([8, 10], [3, 4], 2)", "how many such rows"),
    ("1", "check.lookup_shapes([3, 10], [3, 4], 3)", "three different ones"),
    ("1", "check.lookup_shapes([3, 10], [3, 4], [3, 7])", "how many are there"),
    ("2", "check.read_bits(6.5)", "What does the first bit say"),
    ("2", "check.read_bits(-(80 / 128) * 2**2)", "What stands before its point"),
    ("2", "check.read_bits(-(1 + 80 / 128))", "What does the middle part, 129, multiply"),
    ("2", "check.read_bits(-(1 + 80 / 128) * 2**1)", "Is 127 or 128 taken off"),
    ("2", "check.read_bits(-(1 + 80 / 128) * 2)", "a factor, or a power of 2"),
    ("2", "check.read_bits(-(1 + 80 / 128) * 2 ** (127 - 129))", "Which is taken off which"),
    ("2", "check.read_bits(-(1 + 80) * 2**2)", "counts steps of 1/128"),
    ("2", "check.read_bits(-1.80 * 2**2)", "not hundredths"),
    ("2", "check.read_bits('minus six')", "Begin with the middle part"),
    (
        "3",
        """
def to_bf16_bits(x):
    return (x.view(np.uint32) >> 16).astype(np.uint16)


check.to_bf16_bits(to_bf16_bits)
""",
        "No number came out larger",
    ),
    (
        "3",
        """
def to_bf16_bits(x):
    return ((x.view(np.uint32) + 0xFFFF) >> 16).astype(np.uint16)


check.to_bf16_bits(to_bf16_bits)
""",
        "No number came out smaller",
    ),
    (
        "3",
        """
def to_bf16_bits(x):
    return ((x.view(np.uint32) + 0x8000) >> 16).astype(np.uint16)


check.to_bf16_bits(to_bf16_bits)
""",
        "wrong: (1 + 1/256) became",
    ),
    (
        "3",
        """
def to_bf16_bits(x):
    return ((x.view(np.uint32) + 0x7FFF) >> 16).astype(np.uint16)


check.to_bf16_bits(to_bf16_bits)
""",
        "wrong: (1 + 3/256) became",
    ),
    (
        "3",
        """
def to_bf16_bits(x):
    return (x.view(np.uint32) + 0x8000) >> 16


check.to_bf16_bits(to_bf16_bits)
""",
        "got uint32",
    ),
    (
        "3",
        """
def to_bf16_bits(x):
    return x >> 16


check.to_bf16_bits(to_bf16_bits)
""",
        "stopped with TypeError",
    ),
    (
        "3",
        """
def to_bf16_bits(x):
    bits = x.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16) & 1) >> 16).astype(np.uint16)


check.to_bf16_bits(to_bf16_bits)
""",
        "became 0.000000. Which two",
    ),
    (
        "3",
        """
def to_bf16_bits(x):
    bits = x.view(np.uint32)
    bits += 0x7FFF + ((bits >> 16) & 1)
    return (bits >> 16).astype(np.uint16)


check.to_bf16_bits(to_bf16_bits)
""",
        "changed an array",
    ),
    (
        "3",
        """
def to_bf16_bits(x):
    bits = x.view(np.uint32)
    return (np.where(x < 0, bits + 0x8000, bits + 0x7FFF) >> 16).astype(np.uint16)


check.to_bf16_bits(to_bf16_bits)
""",
        "wrong: -(1 + 1/256) became",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    similarities = cosines(table, table)[i]
    similarities[i] = -2
    return np.argpartition(-similarities, n)[:n]  # the n best, in no order


check.nearest(nearest)
""",
        "Not yet",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return sorted(row for row in np.argsort(-cosines(table, table)[i]) if row != i)[:n]


check.nearest(nearest)
""",
        "in the order of their numbers",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return np.argsort(-(table @ table[i]))[:n]


check.nearest(nearest)
""",
        "row 0 itself is in the list",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return [row for row in np.argsort(-(table @ table[i])) if row != i][:n]


check.nearest(nearest)
""",
        "What takes the lengths out",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return np.argsort(-(table @ table[i]) / np.linalg.norm(table, axis=1))[:n]


check.nearest(nearest)
""",
        "Row 0 is in its own list",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return [row for row in np.argsort(np.linalg.norm(table - table[i], axis=1)) if row != i][:n]


check.nearest(nearest)
""",
        "nearest by distance",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return np.argsort(table @ table[i] / np.linalg.norm(table, axis=1))[:n]


check.nearest(nearest)
""",
        "least similar rows",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return np.argsort(-cosines(table, table)[i])[1 : n + 1]


check.nearest(nearest)
""",
        "Does row i always come first",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    similarities = cosines(table, table)[i]
    similarities[i] = 0
    return np.argsort(-similarities)[:n]


check.nearest(nearest)
""",
        "every row but row 0 belongs in the list",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return np.argsort(-np.delete(cosines(table, table)[i], i))[:n]


check.nearest(nearest)
""",
        "what number does row 1 get",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return np.sort(cosines(table, table)[i])[::-1][1 : n + 1]


check.nearest(nearest)
""",
        "Those are similarities",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return [row for row in np.argsort(-cosines(table, table[i : i + 1])) if row != i][:n]


check.nearest(nearest)
""",
        "What shape have the similarities",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return [row for row in np.argsort(-cosines(table, table)[i]) if row != i]


check.nearest(nearest)
""",
        "and n asks for 3",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return [2, 3, 1]


check.nearest(nearest)
""",
        "What is written in",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return [row for row in np.argsort(-np.corrcoef(table)[i]) if row != i][:n]


check.nearest(nearest)
""",
        "of the rows as they are",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    return [row for row in np.argsort(-(table @ table[i])) if row != i][:n]


check.nearest(nearest)
""",
        "changed an array",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return [row for row in np.argsort(-(table @ table[i]) / np.linalg.norm(table, axis=1) ** 2) if row != i][:n]


check.nearest(nearest)
""",
        "what is each dot product divided by",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return [row for row in np.argsort(-cosines(table, table)[i])[:n] if row != i]


check.nearest(nearest)
""",
        "What is done first",
    ),
    (
        "4",
        """
def nearest(table, i, n):
    return [(row, cosines(table, table)[i, row]) for row in np.argsort(-cosines(table, table)[i]) if row != i][:n]


check.nearest(nearest)
""",
        "has shape [3, 2]",
    ),
    (
        "5",
        """
def column_lookup(columns, ids):
    D, V = columns.shape
    return columns.reshape(V, D)[ids]


check.column_lookup(column_lookup)
""",
        "What order does reshape read in",
    ),
    (
        "5",
        """
def column_lookup(columns, ids):
    return columns[:, ids]


check.column_lookup(column_lookup)
""",
        "a column per token, not a row",
    ),
    (
        "5",
        """
def column_lookup(columns, ids):
    return columns[ids]


check.column_lookup(column_lookup)
""",
        "which axis is that long",
    ),
    (
        "5",
        """
def column_lookup(columns, ids):
    return columns.T[:, ids]


check.column_lookup(column_lookup)
""",
        "which axis is that long",
    ),
    (
        "5",
        """
def column_lookup(columns, ids):
    return columns[:, ids].reshape(len(ids), -1)


check.column_lookup(column_lookup)
""",
        "The right columns are picked",
    ),
    (
        "5",
        """
def column_lookup(columns, ids):
    return np.array([[2, 12, 22], [0, 10, 20], [2, 12, 22], [3, 13, 23], [1, 11, 21]])


check.column_lookup(column_lookup)
""",
        "Right at first",
    ),
    (
        "5",
        """
def column_lookup(columns, ids):
    columns *= 2
    return columns.T[ids] / 2


check.column_lookup(column_lookup)
""",
        "changed an array",
    ),
    (
        "5",
        """
def column_lookup(columns, ids):
    return columns.T[np.array(ids) % 3]


check.column_lookup(column_lookup)
""",
        "Row 3 of x is",
    ),
]
