"""What every view is built from."""

from cnnvis.views.html import gallery


def test_pictures_side_by_side_say_what_they_are_and_open_by_themselves() -> None:
    drawn = gallery([("gradio_api/file=a.png", "+ scale & blur: 3 < 4"), ("gradio_api/file=b.png", "conv1_2")])
    assert drawn.count("<figure>") == drawn.count('target="_blank"') == 2
    assert '<a href="gradio_api/file=a.png" target="_blank"><img src="gradio_api/file=a.png"' in drawn
    assert drawn.count("+ scale &amp; blur: 3 &lt; 4") == 2  # the caption, and the picture's alternative text
