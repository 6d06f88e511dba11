"""Start the page, here or on Hugging Face Spaces: `python app.py`."""

from cnnvis.ui import build_page, launch_options

demo = build_page()

if __name__ == "__main__":
    demo.launch(**launch_options())
