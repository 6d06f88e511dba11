"""What `python -m cnnvis page` does; the docstring is its help."""

import argparse


def page(_: argparse.Namespace) -> None:
    """Start the web page.

    It listens at 127.0.0.1:7860 unless GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say
    otherwise. Ctrl-C ends it.

      python -m cnnvis page
      GRADIO_SERVER_PORT=8080 python -m cnnvis page
    """
    from cnnvis.ui import build_page, serve  # Gradio takes seconds to import: no other command waits for it

    serve(build_page())
