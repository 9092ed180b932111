"""Writing files whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path


def replace_file(path, write):
    """Call write(temporary path), then put the result in path's place in one step: never a half-written file.

    A link at path is replaced, and what it points to left alone.
    Raises OSError with one line where that fails; then the old file, if there was one, is as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"{path}: cannot be written ({reason}); make room or name another folder") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
