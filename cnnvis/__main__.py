"""`python -m cnnvis`: parses the command line, runs one command, and exits."""

import io
import os
import sys
from collections.abc import Sequence

from cnnvis.cli.parser import build_parser, check_files
from cnnvis.errors import CnnvisError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal's or a file's encoding lacks, such as ×, becomes ?
            stream.reconfigure(errors="replace")
    options = build_parser().parse_args(argv)
    try:
        check_files(options)
        options.run(options)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CnnvisError, OSError) as error:  # OSError: a full disk and the like
        message = error.in_terminal() if isinstance(error, CnnvisError) else error
        print(f"cnnvis: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
