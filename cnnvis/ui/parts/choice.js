// The layer picker: its value, {layer, channel, of}, is the choice. Scripts that show the choice read the page's
// `data-layer`, `data-channel` and `data-of`, and listen for `cnnvis:chosen`.
const part = (name) => element.querySelector('.choice-' + name);
const list = part('layer');
const number = part('channel');
const steps = element.querySelectorAll('[data-step]');
let mine = null;  // what the visitor has chosen since the page began to restore an address

function show() {
  const {layer, channel, of} = props.value;
  list.value = layer;
  list.classList.toggle('between', !layer.startsWith('conv'));
  for (const step of steps) step.setAttribute('aria-pressed', step.dataset.step === layer);
  number.max = props.layers[layer] - 1;
  number.value = channel;
  number.setAttribute('aria-label', `Channel, 0 to ${number.max}`);
  number.title = `0 to ${number.max}`;
  Object.assign(document.documentElement.dataset, {layer, channel, of});
  document.dispatchEvent(new Event('cnnvis:chosen'));
}

function choose(layer, channel, of = '') {  // keep the channel number if the new layer has it
  mine = props.value = {layer, channel: Math.min(channel, props.layers[layer] - 1), of};
  show();
  draw();
}

function draw() {
  window.cnnvis.drawn = false;
  trigger('input');
}

function came() {  // from the server; a restored address must not undo what the visitor has chosen meanwhile
  if (mine && props.value.restored) {
    props.value = mine;
    draw();
  }
  show();
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
for (const step of steps) step.addEventListener('click', () => choose(step.dataset.step, props.value.channel));
function grow(tries) {  // the tab with its button may still be opening
  const start = document.querySelector('#start');
  if (start?.offsetParent && !start.disabled) start.click();
  else if (tries) setTimeout(() => grow(tries - 1), 50);
}

// The page's other buttons: one with `data-channel` chooses that channel, one with `data-row` that cell of the map
// (place.js), one with `data-go` opens that tab, and with `data-start` too lets the channel grow there, or what `data-of`
// says instead: "place", "group1" … One with `data-of` alone chooses that concept.
document.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const {layer, channel, row, column, go, start, of} = button.dataset;
  if (channel) choose(layer, +channel);
  else if (of || (go === 'maximize' && props.value.of)) choose(layer || props.value.layer, props.value.channel, of);
  if (go) document.querySelector(`#tabs [role=tab][data-tab-id="${go}"]`).click();
  if (start !== undefined) grow(100);
  const cell = new CustomEvent('cnnvis:place', {detail: {row: +row, column: +column}});
  if (row) setTimeout(() => document.dispatchEvent(cell));  // when the tab is open
});
window.cnnvis.restore = (query) => {  // as if the page were opened with it
  Object.assign(window.cnnvis, {link: query || '?', restored: false, restoring: true});
  mine = null;
  draw();  // follow.js opens the tab
};
window.addEventListener('popstate', () => window.cnnvis.restore(location.search));  // Back and Forward
document.addEventListener('cnnvis:changed', draw);  // a photo or a cell: follow.js
// follow.js leaves out an event that would draw the same again, unless something has changed.
for (const kind of ['click', 'input', 'change', 'keydown']) {
  document.addEventListener(kind, () => { window.cnnvis.drawn = false; }, true);
}
watch('value', came);
show();
