// The cells of a sheet. Built here and not by a template: gradio compares a template's cells one by one, 512 of them,
// whenever another one is chosen. Events of cells are delegated, for this runs once.
const holder = element.querySelector('.sheet');
const cells = () => Array.from(holder.children);
let drawn = '';
let focused = false;

function draw(value) {
  holder.setAttribute('aria-label', value.label);
  holder.style = `--sprite: url(${value.src}); --wide: ${value.wide}%; --high: ${value.high}%`;
  holder.innerHTML = value.channels.map((channel, i) => {
    const across = value.across + (value.tiles[i] % value.columns) * value.right;
    const down = value.top + Math.floor(value.tiles[i] / value.columns) * value.down;
    return `<button type="button" data-channel="${channel}" title="${value.names[i]}" aria-label="${value.names[i]}"`
      + ` style="background-position: ${across}% ${down}%"></button>`;
  }).join('');
}

// Tab stops once at a sheet: at the chosen cell, or at the first.
function mark() {
  const chosen = +document.documentElement.dataset.channel;
  const all = cells();
  const stop = all.find((cell) => +cell.dataset.channel === chosen) || all[0];
  for (const cell of all) {
    cell.setAttribute('aria-pressed', +cell.dataset.channel === chosen);
    cell.tabIndex = cell === stop ? 0 : -1;
  }
  if (focused && stop && document.activeElement !== stop) stop.focus({preventScroll: true});
}

function update() {
  holder.hidden = !props.value;
  if (props.value && props.value !== drawn) draw(JSON.parse(props.value));
  drawn = props.value;
  mark();
}

watch('value', update);
update();  // the value may have come before the sheet was on the page
document.addEventListener('cnnvis:chosen', mark);

element.addEventListener('focusin', () => { focused = true; });
// A redraw takes the focus away without giving it to anything: then it goes back to the chosen cell.
element.addEventListener('focusout', (event) => { if (event.relatedTarget) focused = false; });
element.addEventListener('click', (event) => {
  const cell = event.target.closest('button[data-channel]');
  if (cell) document.dispatchEvent(new CustomEvent('cnnvis:choose', {detail: +cell.dataset.channel}));
});
element.addEventListener('keydown', (event) => {
  const all = cells();
  const at = all.indexOf(event.target);
  const perRow = all.filter((cell) => cell.offsetTop === all[0].offsetTop).length;
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -perRow, ArrowDown: perRow}[event.key];
  if (at < 0 || !step) return;
  event.preventDefault();
  const next = all[at + step];
  if (next) next.focus();
});
