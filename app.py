"""Start the page, here or on Hugging Face Spaces: `python app.py`."""

from cnnvis.ui import build_page, serve

demo = build_page()

if __name__ == "__main__":
    serve(demo)
