// The bar: its value, {layer, channel}, is the choice. Sheets ask for a channel with the event `cnnvis:choose`; whatever
// shows the choice finds the channel in the page's `data-channel`, and hears of a new one with `cnnvis:chosen`.
const part = (name) => element.querySelector('.choice-' + name);
const list = part('layer');
const number = part('channel');
const every = part('more');  // gradio makes an event of a name of its own that stands quoted here

function show() {
  const {layer, channel} = props.value;
  if (!layer.startsWith('conv')) every.checked = true;  // a link may ask for what the short list does not have
  const names = Object.keys(props.layers).filter((name) => every.checked || name.startsWith('conv'));
  if (names.length !== list.length) list.replaceChildren(...names.map((name) => new Option(name)));
  list.value = layer;
  number.max = props.layers[layer] - 1;
  number.value = channel;
  part('range').textContent = `Channel (0 to ${number.max})`;
  document.documentElement.dataset.channel = channel;
  document.dispatchEvent(new Event('cnnvis:chosen'));
}

function choose(layer, channel) {  // a new layer keeps the channel number where it has it
  props.value = {layer, channel: Math.min(channel, props.layers[layer] - 1)};
  show();
  trigger('input');
}

function walk(next) {
  const {layer, channel} = props.value;
  const count = props.layers[layer];
  choose(layer, (next(channel, count) + count) % count);
}

list.addEventListener('change', () => choose(list.value, props.value.channel));
number.addEventListener('change', () => { if (number.reportValidity()) choose(props.value.layer, +number.value); });
part('previous').addEventListener('click', () => walk((channel) => channel - 1));
part('next').addEventListener('click', () => walk((channel) => channel + 1));
part('random').addEventListener('click', () => walk((channel, count) => Math.floor(Math.random() * count)));
every.addEventListener('change', () => {
  if (props.value.layer.startsWith('conv')) return show();
  every.checked = true;  // the list must hold the layer that is chosen
});
document.addEventListener('cnnvis:choose', (event) => choose(props.value.layer, event.detail));
watch('value', show);
show();
