// Keeps events from getting lost between two streams. Gradio 6.31 ends its stream of answers when no event is pending.
// An event that joins the queue after the server has ended the stream, but before the page has noticed, would wait until
// the visitor does something else. So when a stream ends while an event waits, it continues here with the next one.
// gradio#13620 (6.21) mended chained events in hidden tabs, not this. It can go when tests/e2e/test_stream.py passes
// without it; with 6.31 it does not.
(() => {
  const plain = window.fetch;
  const waiting = new Set();
  const completed = new Set();

  window.fetch = async (...request) => {
    const answer = await plain(...request);
    const address = request[0].url ?? String(request[0]);
    if (!answer.ok) return answer;
    if (address.includes("/queue/join?")) await joined(answer.clone());
    if (!address.includes("/queue/data?")) return answer;
    return new Response(body(unbroken(answer, () => plain(...request))), answer);
  };

  async function joined(answer) {
    const { event_id } = await answer.json();
    if (event_id && !completed.has(event_id)) waiting.add(event_id);
  }

  async function* unbroken(answer, again) {
    let next = true;
    while (next) {
      next = false;
      for await (const message of messages(answer)) {
        const [, kind, event] = message.match(/^data: \{"msg":"(\w+)"(?:,"event_id":"(\w+)")?/) ?? [];
        if (kind === "process_completed") completed.add(event) && waiting.delete(event);
        next = kind === "close_stream" && waiting.size > 0;
        if (!next) yield message;
      }
      if (next) answer = await again();
      if (!answer.ok) throw new Error(`${answer.status} from the queue`);  // Gradio then says that the connection was lost
    }
  }

  async function* messages(answer) {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const parts = (rest + read.value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) yield `${part}\n\n`;
    }
  }

  function body(made) {
    const bytes = new TextEncoder();
    return new ReadableStream({
      async pull(to) {
        const { value, done } = await made.next();
        if (done) to.close();
        else to.enqueue(bytes.encode(value));
      },
      cancel: () => made.return(),
    });
  }
})();
