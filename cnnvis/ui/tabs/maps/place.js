// The photo with a cursor, one focusable element. The value is JSON: {views, label, places, side, row, column}; row and
// column are those of a cell, null until one is kept. Pointing tells the dictionary (seen.js) and asks the server nothing.
const page = window.cnnvis;
const button = element.querySelector('.place');
const cursor = element.querySelector('.place-cursor');
const mosaic = element.querySelector('.place-mosaic');
const views = element.querySelector('.place-views');
const said = element.querySelector('.place-at');
let shown = null;  // the value, parsed
let at = null;  // the place under the cursor: [row, column]
let view = 0;  // which of the views the visitor has chosen
let lit = null;  // the address of a group's picture, shown until another view is chosen

const kept = () => shown?.row === null || !shown?.places ? null : [shown.row, shown.column].map((cell) => Math.floor(cell / shown.side));

function draw() {
  button.hidden = !props.value;
  if (!props.value) { said.textContent = ''; return; }
  shown = JSON.parse(props.value);
  if (!shown.views) return;  // a cell was chosen before there was a map
  lit = null;
  look();
  button.setAttribute('aria-label', shown.label + (shown.places ? '. Arrow keys move, Enter keeps the place.' : ''));
  point(kept());
}

function look() {
  const names = Object.keys(shown.views);
  view = Math.min(view, names.length - 1);
  const drawn = shown.views[names[view]] === '' && !lit;
  button.classList.toggle('mosaic', drawn);
  mosaic.hidden = !drawn;
  if (drawn) page.mosaic?.(mosaic);
  button.querySelector('img').src = lit || shown.views[names[view]] || shown.views[names[0]];
  views.replaceChildren(...names.map((name, i) => {
    const choice = Object.assign(document.createElement('button'), {type: 'button', textContent: name});
    choice.setAttribute('aria-pressed', i === view && !lit);
    return choice;
  }));
}

views.addEventListener('click', (event) => {
  const i = [...views.children].indexOf(event.target.closest('button'));
  if (i < 0) return;
  view = i;
  lit = null;
  look();
  views.children[i].focus();
});

// Puts the cursor on a place; on none, the dictionary shows the most unusual one.
function point(place) {
  at = place || page.places?.lead || null;
  cursor.hidden = !at || !shown.places;
  const [row, column] = `${place}` === `${kept()}` ? [shown.row, shown.column] : (place || []).map((n) => n * shown.side);
  said.textContent = !shown.places ? '' : place ? `row ${row}, column ${column}` : 'Point anywhere.';
  if (cursor.hidden) return;
  const size = 100 / shown.places;
  cursor.style = `left: ${size * at[1]}%; top: ${size * at[0]}%; width: ${size}%; height: ${size}%`;
  document.dispatchEvent(new CustomEvent('cnnvis:pointed', {detail: at}));
}

function keep(row, column) {
  props.value = JSON.stringify({...shown, row, column});
  trigger('input');
}

const under = (event) => {
  const box = button.querySelector('img').getBoundingClientRect();
  const index = (offset, length) => Math.max(0, Math.min(shown.places - 1, Math.floor(shown.places * offset / length)));
  return [index(event.clientY - box.top, box.height), index(event.clientX - box.left, box.width)];
};

button.addEventListener('pointermove', (event) => {
  const place = shown?.places ? under(event) : null;
  if (place && `${place}` !== `${at}`) point(place);
});
button.addEventListener('pointerleave', () => shown && point(kept()));
button.addEventListener('click', (event) => {
  if (!shown?.places) return;
  if (event.detail) at = under(event);  // a mouse or a finger; Enter has 0
  at ??= [0, 0];
  keep(...(page.cellOf?.(...at) || at.map((place) => place * shown.side)));
});
button.addEventListener('keydown', (event) => {
  const offset = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
  if (!offset || !shown?.places) return;
  event.preventDefault();
  const middle = Math.floor(shown.places / 2);
  const inside = (value) => Math.max(0, Math.min(shown.places - 1, value));
  point((at || [middle, middle]).map((from, i) => inside(from + offset[i])));
});

// Another part of the page may choose a cell, even before this map has been drawn.
document.addEventListener('cnnvis:place', (event) => keep(event.detail.row, event.detail.column));
document.addEventListener('cnnvis:places', () => { if (shown?.views) { look(); point(kept()); } });
document.addEventListener('click', (event) => {
  const group = event.target.closest('[data-group]');
  if (group) { lit = group.querySelector('img').src; look(); }
  if (event.target.closest('[data-go="maps"]')) view = 2;  // who asks where on the photo sees the filter's map on it
});

watch('value', draw);
draw();
