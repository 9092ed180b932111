"""Mistakes that the checks of chapter 07 recognise."""

_SHAPES = """
my_shapes = {{
    "grouped queries": {},
    "attention weights": {},
    "concatenated": {},
    "one head's band of wo": {},
}}
check.multihead_shapes(my_shapes)
"""

_REPEAT = """
def my_repeat(k, group):
    return {}


check.repeated_heads(my_repeat)
"""

_JOIN = """
def my_concatenate(heads):
    T = heads.shape[1]
    return {}


check.joined_heads(my_concatenate)
"""

_HALF = """
def my_half_layer(x, normalise, attend):
    return {}


check.attention_residual(my_half_layer)
"""

_WRITES = """
def my_writes(heads, wo, h):
    head_dim = heads.shape[-1]
    return {}


check.one_head_writes(my_writes)
"""

MISTAKES = [
    ("1", _SHAPES.format((4, 8, 6, 128), (4, 8, 6, 6), (6, 4096), (4096, 128)), "Which number counts the groups"),
    ("1", _SHAPES.format((32, 6, 128), (32, 6, 6), (6, 4096), (4096, 128)), "one axis for all 32 heads"),
    ("1", _SHAPES.format((8, 4, 6, 128), (8, 4, 6, 128), (6, 4096), (4096, 128)), "one weight for each query"),
    ("1", _SHAPES.format((8, 4, 6, 128), (8, 4, 6, 6), (6, 4096), (128, 4096)), "lies on its side"),
    ("1", _SHAPES.format((8, 4, 6, 128), (8, 4, 6, 6), (6, 1024), (4096, 128)), "More heads than that"),
    ("1", _SHAPES.format((8, 4, 6, 128), (8, 4, 6, 6), (6, 32, 128), (4096, 128)), "Which two of these axes"),
    ("1", _SHAPES.format((8, 4, 6, 128), (8, 4, 6, 6.5), (6, 4096), (4096, 128)), "whole numbers: attention weights"),
    ("2", _REPEAT.format("np.tile(k, (group, 1, 1))"), "0, 1, 2, 0, 1, 2"),
    ("2", _REPEAT.format("np.repeat(k, group, axis=1)"), "Tokens were repeated"),
    ("2", _REPEAT.format("np.repeat(k, group, axis=2)"), "numbers inside each key"),
    ("2", _REPEAT.format("np.repeat(k[:, None], group, axis=1)"), "have to become one"),
    ("2", _REPEAT.format("np.tile(k, (group, 1, 1)).reshape(3, -1, 4, 2)"), "The shape is (3, 2, 4, 2)"),
    ("2", _REPEAT.format("np.repeat(k, 2, axis=0)"), "not for 5 key heads and groups of 3"),
    ("2", _REPEAT.format("np.stack([k[h // group] for h in range(3 * group)])"), "not for 5 key heads"),
    ("2", _REPEAT.format("np.sort(np.tile(k, (group, 1, 1)), axis=0)"), "keys stand in wrong places"),
    ("3", _JOIN.format("np.concatenate([heads[0], heads[1]], axis=1)"), "not for 3 heads and 2 tokens"),
    ("3", _JOIN.format("heads.swapaxes(0, 1).reshape(4, 6)"), "not for 3 heads and 2 tokens"),
    ("3", _JOIN.format("heads.reshape(T, -1)"), "what head 0 found for tokens 0 and 1"),
    ("3", _JOIN.format("heads.transpose(1, 2, 0).reshape(T, -1)"), "shuffled together"),
    ("3", _JOIN.format("np.concatenate(list(heads), axis=0)"), "under each other"),
    ("3", _JOIN.format("heads.swapaxes(0, 1)"), "still to be made one"),
    ("3", _JOIN.format("heads.reshape(T, len(heads), -1)"), "The shape is (4, 2, 3)"),
    ("4", _HALF.format("normalise(x) + attend(normalise(x))"), "get lost"),
    ("4", _HALF.format("attend(normalise(x))"), "in the stream before is gone"),
    ("4", _HALF.format("x + attend(x)"), "given the raw x too"),
    ("4", _HALF.format("normalise(x + attend(x))"), "the norm comes after the sum"),
    ("4", _HALF.format("x + normalise(attend(x))"), "What attention wrote is normalised"),
    ("4", _HALF.format("x.__iadd__(attend(normalise(x)))"), "changed an array it was given"),
    ("5", _WRITES.format("heads[h] @ wo[h * head_dim : (h + 1) * head_dim]"), "rows of wo were used"),
    ("5", _WRITES.format("heads[h] @ wo[:, h * head_dim : (h + 1) * head_dim]"), "do not fit"),
    ("5", _WRITES.format("heads[2] @ wo[:, 4:6].T"), "Not for head 0 of 3"),
    ("5", _WRITES.format("heads[h] @ wo[:, h * h : h * h + head_dim].T"), "Not for head 1 of 3"),
    ("5", _WRITES.format("heads[h] @ wo[:, h * len(wo) // len(heads) :][:, :head_dim].T"), "Not for head 1 of 3"),
    ("5", _WRITES.format("[heads.__setitem__(i, 0) for i in range(len(heads)) if i != h]"), "changed an array"),
    ("5", _WRITES.format("heads[h] @ wo[:, h * 16 : (h + 1) * 16].T"), "Here a head has 2 numbers"),
    ("5", _WRITES.format("heads.swapaxes(0, 1).reshape(heads.shape[1], -1) @ wo.T"), "all heads write together"),
    ("5", _WRITES.format("heads[h] @ wo[:, h :: len(heads)].T"), "lie apart"),
    ("5", _WRITES.format("heads[h] @ wo[:, h : h + head_dim].T"), "The columns begin at 2"),
    ("5", _WRITES.format("heads[h] @ wo[:, head_dim : 2 * head_dim].T"), "Where does head 2 begin"),
    (
        "5",
        _WRITES.format(
            "(heads.swapaxes(0, 1).reshape(heads.shape[1], -1) @ wo.T)[:, h * head_dim : (h + 1) * head_dim]"
        ),
        "A head writes all D numbers",
    ),
]
