"""The page. On Hugging Face Spaces and here alike: `python app.py`."""

from cnnvis.ui import build_page, launch_options

demo = build_page()

if __name__ == "__main__":
    demo.launch(**launch_options())
