"""No event is lost between two of Gradio's streams of answers, in a real browser."""

from typing import Any

from playwright.sync_api import Page, expect

# The server's last message comes 1.5 s late, as behind a large picture on a slow line. `window.ends` counts these
# messages, `window.streams` the streams still open.
LATE = """
window.ends = window.streams = 0;
const plain = window.fetch;
window.fetch = async (...asked) => {
  const answer = await plain(...asked);
  if (!String(asked[0].url).includes("/queue/data")) return answer;
  window.streams += 1;
  const late = new TransformStream({
    flush() { window.streams -= 1; },
    async transform(chunk, to) {
      if (new TextDecoder().decode(chunk).includes('"msg":"close_stream"')) {
        window.ends += 1;
        await new Promise((done) => setTimeout(done, 1500));
      }
      to.enqueue(chunk);
    },
  });
  return new Response(answer.body.pipeThrough(late), answer);
};
"""


def test_an_event_that_joins_while_a_stream_ends_is_answered(visit: Any) -> None:
    page: Page = visit(script=LATE)
    page.locator("#like button").first.wait_for()
    page.wait_for_function("window.ends && !window.streams")
    ended = page.evaluate("window.ends")
    page.locator(".choice-layer").select_option("conv1_2")
    page.wait_for_function(f"window.ends > {ended}")
    page.locator(".choice-layer").select_option("conv2_1")
    expect(page.locator("#filter-heading")).to_contain_text("conv2_1")
    page.locator(".choice-layer").select_option("conv2_2")  # and the stream that went on still works
    expect(page.locator("#filter-heading")).to_contain_text("conv2_2")
