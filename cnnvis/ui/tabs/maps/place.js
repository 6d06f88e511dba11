// A picture with a cursor. The value is JSON: {views, label, rows, columns, row, column}; row and column are null until a
// cell is chosen. One focusable element, not one for each cell: a map has up to 50,176.
const button = element.querySelector('.place');
const cursor = element.querySelector('.place-cursor');
const said = element.querySelector('.place-at');
let shown = null;  // the value, parsed
let at = null;  // the cursor: [row, column]
let view = null;  // the name of the view that the visitor has chosen

function draw() {
  button.hidden = !props.value;
  if (!props.value) { said.textContent = ''; return; }
  shown = JSON.parse(props.value);
  if (!shown.views) return;  // a cell was chosen before there was a map
  look();
  button.setAttribute('aria-label', shown.label + (shown.rows ? '. Arrow keys move, Enter chooses.' : ''));
  at = shown.row === null ? null : [shown.row, shown.column];
  move();
}

function look() {
  const names = Object.keys(shown.views);
  const now = names.includes(view) ? view : names[0];
  button.querySelector('img').src = shown.views[now];
  button.dataset.view = now;
  element.querySelector('.place-views').replaceChildren(...names.map((name) => {
    const choice = Object.assign(document.createElement('button'), {type: 'button', textContent: name});
    choice.setAttribute('aria-pressed', name === now);
    return choice;
  }));
}

element.querySelector('.place-views').addEventListener('click', (event) => {
  const name = event.target.closest('button')?.textContent;
  if (!name) return;
  view = name;
  look();
  element.querySelector('.place-views [aria-pressed="true"]').focus();
});

function move() {
  cursor.hidden = !at;
  if (!at) { said.textContent = shown?.rows ? 'Choose a place to see why it is lit, or not.' : ''; return; }
  cursor.style = `left: ${100 * at[1] / shown.columns}%; top: ${100 * at[0] / shown.rows}%;`
    + ` width: ${100 / shown.columns}%; height: ${100 / shown.rows}%`;
  said.textContent = `row ${at[0]}, column ${at[1]}`;
}

function choose(row, column) {
  props.value = JSON.stringify({...shown, row, column});
  trigger('input');
}

watch('value', draw);
draw();

button.addEventListener('click', (event) => {
  if (!shown?.rows) return;
  if (event.detail) {  // a mouse or a finger; Enter has 0
    const box = button.querySelector('img').getBoundingClientRect();
    const index = (offset, length, count) => Math.max(0, Math.min(count - 1, Math.floor(count * offset / length)));
    at = [index(event.clientY - box.top, box.height, shown.rows), index(event.clientX - box.left, box.width, shown.columns)];
  }
  if (!at) at = [Math.floor(shown.rows / 2), Math.floor(shown.columns / 2)];
  move();
  choose(at[0], at[1]);
});
// Another part of the page may choose a cell, even before this map has been drawn.
document.addEventListener('cnnvis:place', (event) => choose(event.detail.row, event.detail.column));
button.addEventListener('keydown', (event) => {
  const offset = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
  if (!offset || !shown?.rows) return;
  event.preventDefault();
  const from = at || [Math.floor(shown.rows / 2), Math.floor(shown.columns / 2)];
  const inside = (value, count) => Math.max(0, Math.min(count - 1, value));
  at = [inside(from[0] + offset[0], shown.rows), inside(from[1] + offset[1], shown.columns)];
  move();
});
