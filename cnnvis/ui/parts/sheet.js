// The cells of a sheet. They are built here, not by a template: Gradio would compare all 512 one by one at every choice.
// They can go into a template when gr.HTML draws only what has changed.
// Listeners sit on the sheet, because this script runs only once.
const holder = element.querySelector('.sheet');
const cells = () => Array.from(holder.children);
const kept = new Map();  // the newest values by their keys, each with its picture, which so stays loaded
const KEPT = 12;
const SOON_MS = 100;  // on a line that takes longer, a small sheet is seen first
// The page comes with a first wall, of no use to whoever comes with an address.
const asked = window.cnnvis.asksForView(location.search);
let drawn = {};
let focused = false;

function isChosen(cell) {
  const {layer, channel, of} = document.documentElement.dataset;
  const mine = of.startsWith('concept') ? cell.dataset.of === of : cell.dataset.channel === channel;
  return mine && cell.dataset.layer === layer;
}

function draw(value) {
  holder.setAttribute('aria-label', value.label);
  holder.style = `--wide: ${value.wide}%; --high: ${value.high}%; --across: ${value.across}`;
  holder.classList.toggle('arranged', Boolean(value.across));
  holder.classList.toggle('sharp', value.sharp);
  holder.style.setProperty('--sprite', `url("${value.src}")`);
  holder.innerHTML = value.channels.map((channel, i) => {
    const name = `${value.kind} ${channel}, ${value.notes[i]}`;
    const what = value.kind === 'concept' ? `data-of="concept${channel}"` : `data-channel="${channel}"`;
    const across = value.left + (channel % value.columns) * value.right;
    const down = value.top + Math.floor(channel / value.columns) * value.down;
    return `<button type="button" data-layer="${value.layer}" ${what} title="${name}" aria-label="${name}"`
      + ` style="background-position: ${across}% ${down}%"></button>`;
  }).join('');
  requestAnimationFrame(() => {  // the first sheet is drawn before what stands around it is on the page
    document.querySelector('#wall-caption .caption').innerHTML = value.caption;
    document.querySelector('#wall-said .said').innerHTML = value.said;
  });
}

// An arrangement is seen whole, with small tiles, or nearer.
const zoom = element.querySelector('.sheet-zoom');
zoom.addEventListener('click', () => {
  zoom.textContent = holder.classList.toggle('near') ? 'Zoom out' : 'Zoom in';
  bring(cells().find(isChosen) || holder);
});

// A sheet is one tab stop: its chosen cell, or else its first.
function mark() {
  const all = cells();
  const stop = all.find(isChosen) || all[0];
  for (const cell of all) {
    cell.setAttribute('aria-pressed', isChosen(cell));
    cell.tabIndex = cell === stop ? 0 : -1;
  }
  if (focused && stop && document.activeElement !== stop) stop.focus({preventScroll: true});
  if (stop && isChosen(stop)) requestAnimationFrame(() => bring(stop));  // sooner, the browser would lay out the page twice
}

// Scrolls the sheet alone, not the page, until the cell is in view.
function bring(cell) {
  const box = cell.getBoundingClientRect(), frame = holder.getBoundingClientRect();
  if (box.top < frame.top || box.bottom > frame.bottom) holder.scrollTop += (box.top + box.bottom - frame.top - frame.bottom) / 2;
  if (box.left < frame.left || box.right > frame.right) holder.scrollLeft += (box.left + box.right - frame.left - frame.right) / 2;
}

function update() {
  const json = asked && props.value?.includes('"first":true') ? null : props.value;
  holder.hidden = !json;
  if (json && json !== drawn.json) {
    const value = JSON.parse(json);
    drawn = {key: value.key, json, picture: Object.assign(new Image(), {src: value.src})};
    kept.delete(drawn.key);
    kept.set(drawn.key, drawn);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
    draw(value);
    const {picture} = drawn;
    if (value.soon) setTimeout(() => { if (!picture.complete && drawn.picture === picture) holder.style.setProperty('--soon', `url("${value.soon}")`); }, SOON_MS);
  }
  mark();
}

// What was sent before is shown again without asking the server (follow.js); returns the key of what is shown. wall.py
// makes the same keys; `control` gives the value of a control by its id, and is null where an address says more.
window.cnnvis.wall = (layer, tab, control) => {
  const lens = control && (control('lens') || props.lens_of_tab[tab]);
  if (!lens) return drawn.key;
  const looks = ['order', 'filter-view', 'input-channel', 'pipeline', 'contrast'].map(control);
  const photo = props.of_photo.some((name) => name === lens || name === looks[0]) ? control('photo-digest') : '';
  const again = kept.get([layer, lens, ...looks, photo].join(' '));
  if (again) {
    props.value = again.json;
    update();
  }
  return (again || drawn).key;
};

watch('value', update);
update();  // the value may have arrived before the sheet was on the page
document.addEventListener('cnnvis:chosen', mark);

element.addEventListener('focusin', () => { focused = true; });
// A redraw takes the focus away without giving it to anything else; then it returns to the chosen cell.
element.addEventListener('focusout', (event) => { if (event.relatedTarget) focused = false; });
// The next cell in a direction: in the same row, or in the same column, however the cells flow.
element.addEventListener('keydown', (event) => {
  const at = event.target;
  const [along, across, way] = {ArrowLeft: ['offsetLeft', 'offsetTop', -1], ArrowRight: ['offsetLeft', 'offsetTop', 1],
    ArrowUp: ['offsetTop', 'offsetLeft', -1], ArrowDown: ['offsetTop', 'offsetLeft', 1]}[event.key] || [];
  if (!along || at.parentElement !== holder) return;
  event.preventDefault();
  const line = cells().filter((cell) => Math.abs(cell[across] - at[across]) < 3 && way * (cell[along] - at[along]) > 3);
  const beyond = along === 'offsetLeft' ? (way > 0 ? at.nextElementSibling : at.previousElementSibling) : null;
  const next = line.sort((a, b) => way * (a[along] - b[along]))[0] || beyond;
  if (!next) return;
  next.focus({preventScroll: true});
  bring(next);
});
