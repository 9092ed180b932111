"""Mistakes that the checks of chapter 13 recognise: (exercise, code in place of the stub, words of the message)."""


def _file(size, offsets="(24000, 24160)", begins=24176):
    return f"""
my_prediction = {{"file": {size}, "offsets of norm": {offsets}, "norm begins": {begins}}}
check.size_of_file(my_prediction)
"""


def _read(body):
    return f"""
def my_read(data, name):
{body}


check.read_tensor(my_read)
"""


def _reader(length='int.from_bytes(data[:8], "little")', begin="8 + length", rest="dtype).reshape(entry['shape'])"):
    return _read(f"""    length = {length}
    entry = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])[name]
    start, end = ({begin} + offset for offset in entry["data_offsets"])
    dtype = _DTYPES[entry["dtype"]]
    return np.frombuffer(data[start:end], {rest}""")


def _places(expression):
    return f"""
def my_places(n_heads, head_dim):
    half = head_dim // 2
    return [{expression} for head in range(n_heads) for r in range(head_dim)]


check.row_places(my_places)
"""


def _convert(heads_of_k="n_kv_heads", kinds='("q_proj.weight", "k_proj.weight")', shape="n_heads, 2, -1"):
    return f"""
def my_convert(name, rows, n_heads, n_kv_heads):
    if name.endswith("k_proj.weight"):
        n_heads = {heads_of_k}
    if name.endswith({kinds}):
        n_heads = n_kv_heads if name.endswith("v_proj.weight") else n_heads
        halves = rows.reshape({shape}, rows.shape[1])
        rows = halves.swapaxes(1, 2).reshape(rows.shape)
    return rows


check.converter(my_convert)
"""


def _calls(one=None, two="os.getcwd", three=None, four="math.sqrt", refused=("two", "three", "four")):
    return f"""
my_calls = {dict(one=one, two=two, three=three, four=four)}
my_refused = {list(refused)}
check.what_is_called(my_calls, my_refused)
"""


MISTAKES = [
    ("1", _file(24160), "What stands before them?"),
    ("1", _file(24168), "What do the 8 bytes announce?"),
    ("1", _file(24328), "where the header ends"),
    ("1", _file(24256), "2 bytes a number"),
    ("1", _file(48336), "4 bytes a number"),
    ("1", _file(24336, (24176, 24336)), "From which byte on does the header count?"),
    ("1", _file(24336, (24000, 160)), "where they end"),
    ("1", _file(24336, (24000, 24159)), "It ends before 24159?"),
    ("1", _file(24336, begins=24000), "And in the file?"),
    ("2", _reader(begin="length"), "What stands before the header?"),
    ("2", _reader(begin="8"), "What do the 8 bytes say?"),
    ("2", _reader(begin="0"), "counted from the file's own first byte"),
    ("2", _reader(rest="np.float16).reshape(entry['shape'])"), "read as float16"),
    ("2", _reader(rest="dtype)"), "What does the header say of the shape?"),
    ("2", _reader(rest="dtype).reshape(entry['shape']).astype(np.float32)"), "the right numbers, but as float32"),
    ("2", _reader(rest="np.float32)"), "read as float32"),
    ("2", _reader(length="int.from_bytes(data[:8], 'big')", rest="dtype)"), "numbers come back"),
    (
        "2",
        _read("""    length = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8 : 8 + length])[name]
    size = entry["data_offsets"][1] - entry["data_offsets"][0]
    numbers = np.frombuffer(data[8 + length :][:size], _DTYPES[entry["dtype"]])
    return numbers.reshape(entry["shape"])"""),
        "Where does this one begin?",
    ),
    ("2", _reader(rest="dtype).reshape(entry['shape'], order='F')"), "not in their order"),
    (
        "2",
        _read("""    length = int.from_bytes(data[:8], "little")
    start = 8 + length
    for each, entry in json.loads(data[8:start]).items():
        size = int(np.prod(entry["shape"]))
        numbers = np.frombuffer(data, _DTYPES[entry["dtype"]], size, start)
        if each == name:
            return numbers.reshape(entry["shape"])
        start += numbers.nbytes"""),
        "At which byte of the file did you start?",
    ),
    ("3", _places("float(head * head_dim + r // 2 + r % 2 * half)"), "A whole number (int) is wanted"),
    ("3", _places("head * head_dim + 2 * (r % half) + r // half"), "the other direction"),
    ("3", _places("(head * head_dim + r) // 2 + r % 2 * (n_heads * half)"), "one order for the whole matrix"),
    ("3", _places("r // 2 + r % 2 * half"), "the rows of the first"),
    ("3", _places("head * head_dim + r // 2 + r % 2"), "follow at once"),
    ("3", _places("[head * head_dim + r // 2 + r % 2 * half]"), "in the shape [4, 1]"),
    ("3", _places("head * head_dim + r // 2 + r % 2 * head_dim / 2"), "can a row have such a number?"),
    ("4", _convert(heads_of_k="n_heads // n_kv_heads"), "heads / key/value heads. How many heads has wk"),
    ("4", _convert(heads_of_k="n_heads"), "how many has wq?"),
    ("4", _convert(kinds='("q_proj.weight", "k_proj.weight", "v_proj.weight")'), "what v_proj makes"),
    ("4", _convert(kinds='("q_proj.weight", "k_proj.weight", "o_proj.weight")'), "what o_proj makes"),
    ("4", _convert(kinds='("q_proj.weight",)'), "Whose rows are turned in pairs?"),
    ("4", _convert(shape="n_heads, -1, 2"), "from Meta's order to the file's"),
    ("4", _convert(shape="n_kv_heads, 2, -1"), "cut into 2 parts"),
    ("4", _convert().replace("rows = halves", "rows[:] = halves"), "read-only"),
    ("4", _convert().replace("return", "return rows[:, ::-1] if 'o_proj' in name else"), "what o_proj makes"),
    ("4", _convert().replace("swapaxes(1, 2)", "swapaxes(0, 1)"), "of the result should be the file's row"),
    ("5", _calls(one="None"), "without quotes"),
    ("5", _calls(one="os.exit"), "looks like a name is a text"),
    ("5", _calls(two=None), "What does R do?"),
    ("5", _calls(two="getcwd"), "Of which module?"),
    ("5", _calls(three="antigravity.geohash"), "an instruction that calls it"),
    ("5", _calls(four=None), "STACK_GLOBAL"),
    ("5", _calls(four="math.sqrt(16)", refused=()), "The calls are right."),
    ("5", _calls(refused=("two", "four")), "what happens when a module is imported?"),
    ("5", _calls(refused=("one", "two", "three", "four")), "what is there to refuse?"),
    ("5", _calls(refused=("two", "three")), "among _STAND_INS"),
    ("5", _calls(refused=()), "among _STAND_INS"),
    ("1", _file(24336.5), "a whole number of bytes is wanted"),
    (
        "2",
        _read("""    length = int.from_bytes(data[:8], "little")
    header, numbers = json.loads(data[8 : 8 + length]), data[8 + length :]
    raw = {key: numbers[slice(*entry["data_offsets"])] for key, entry in header.items()}
    return np.frombuffer(raw[name], _DTYPES[header[name]["dtype"]]).reshape(header[name]["shape"])"""),
        "KeyError: 'data_offsets'",
    ),
    ("4", _convert().replace("return", "return rows.reshape(n_heads, -1, 64) if 'mlp' in name else"), "gate_proj"),
    (
        "4",
        _convert().replace("name.endswith((", "not name.endswith(('o_proj.weight', 'v_proj.weight') or ("),
        "embed_tokens",
    ),
]
