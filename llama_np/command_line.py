"""What every command of the course does with wrong input: one line on stderr, exit status 2, no traceback."""

import argparse
import os
import re
import reprlib
import sys
import warnings


class Parser(argparse.ArgumentParser):
    """argparse's parser, without the usage lines before an error."""

    def error(self, message):
        self.exit(2, _one_line(f"{self.prog}: {message} (see {self.prog} --help)"))


def positive_int(text):
    """A type for arguments: a whole number of 1 or more, of nine digits at most."""
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"{reprlib.repr(text)} is not a whole number from 1 to 999999999")
    return int(text)


def run(prog, command, options):
    """Call command(options). Returns the exit status: 0, 2 for wrong input, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if stream:  # None where the shell has closed it
            stream.reconfigure(encoding="utf-8", errors="replace")  # a Windows console may not be UTF-8
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(_one_line(f"{prog}: {message}"), end="", file=sys.stderr)
            command(options)
    except BrokenPipeError:  # whoever read the output has enough: say nothing
        _drop_unwritten()
    except (ValueError, OSError) as error:
        print(_one_line(f"{prog}: {error}"), end="", file=sys.stderr)
        _drop_unwritten()
        return 2
    except KeyboardInterrupt:
        print(f"\n{prog}: stopped", file=sys.stderr)
        return 130
    return 0


def _one_line(message):
    """A message as a single line: what cannot be printed, and a path or file may hold, becomes an escape."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in message) + "\n"


def _drop_unwritten():
    """If stdout can no longer be written, keep Python from trying, and complaining, once more at exit."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
