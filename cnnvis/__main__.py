"""`python -m cnnvis`: parses the command line, runs one command, and exits."""

import os
import sys
from collections.abc import Sequence

from cnnvis.cli.parser import build_parser, check_files
from cnnvis.errors import CnnvisError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(argv)
    try:
        check_files(options)
        options.run(options)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CnnvisError, OSError) as error:  # OSError: a full disk and the like
        said = error.in_terminal() if isinstance(error, CnnvisError) else error
        print(f"cnnvis: {said}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
