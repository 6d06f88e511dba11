// Call the page from JavaScript: list the layers, draw a filter sheet, and follow an ascent.
//   npm install @gradio/client && node examples/client.mjs [URL]
import { Client } from "@gradio/client";

const url = process.argv[2] ?? "http://127.0.0.1:7860";
const client = await Client.connect(url, { events: ["data", "status"] });

const [layers] = (await client.predict("/layers")).data;
console.log(`${layers.length} layers, the last one ${layers.at(-1).name}`);

const [sheet, record] = (await client.predict("/filters", { layer: "conv1_1" })).data;
console.log(`${record.channels} filters of ${record.layer}: ${sheet.url}`);

const ascent = client.submit("/maximize", { layer: "conv2_1", channel: 3, steps: 12, size: 96 });
for await (const event of ascent) {
  if (event.type === "status" && event.stage === "error") throw new Error(event.message);
  if (event.type === "status" && event.stage === "complete") break;
  if (event.type !== "data") continue;
  const [picture, at] = event.data;
  console.log(`step ${at.step} of ${at.steps}, activation ${at.activation}, ${picture.url}`);
  if (at.robust !== undefined) {
    console.log(`saved activation ${at.saved_activation.toFixed(1)}, robust activation ${at.robust.toFixed(1)}`);
  }
}
process.exit(0);
