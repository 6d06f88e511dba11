// The cells of a sheet. They are built here, not by a template: Gradio would compare all 512 one by one at every choice.
// They can go into a template when gr.HTML draws only what has changed.
// Listeners sit on the sheet, because this script runs only once.
const holder = element.querySelector('.sheet');
const cells = () => Array.from(holder.children);
let drawn = '';
let focused = false;

function isChosen(cell) {
  const {layer, channel} = document.documentElement.dataset;
  return cell.dataset.layer === layer && cell.dataset.channel === channel;
}

function draw(value) {
  holder.setAttribute('aria-label', value.label);
  holder.style = `--wide: ${value.wide}%; --high: ${value.high}%`
    + (value.across ? `; grid-template-columns: repeat(${value.across}, 1fr)` : '');
  holder.style.setProperty('--sprite', `url("${value.src}")`);
  holder.innerHTML = value.items.map(([tile, layer, channel, note]) => {
    const name = `channel ${channel}` + (note && `, ${note}`);
    const across = value.left + (tile % value.columns) * value.right;
    const down = value.top + Math.floor(tile / value.columns) * value.down;
    return `<button type="button" data-layer="${layer}" data-channel="${channel}" title="${name}" aria-label="${name}"`
      + ` style="background-position: ${across}% ${down}%"></button>`;
  }).join('');
}

// A sheet is one tab stop: its chosen cell, or else its first.
function mark() {
  const all = cells();
  const stop = all.find(isChosen) || all[0];
  for (const cell of all) {
    cell.setAttribute('aria-pressed', isChosen(cell));
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
update();  // the value may have arrived before the sheet was on the page
document.addEventListener('cnnvis:chosen', mark);

element.addEventListener('focusin', () => { focused = true; });
// A redraw takes the focus away without giving it to anything else; then it returns to the chosen cell.
element.addEventListener('focusout', (event) => { if (event.relatedTarget) focused = false; });
element.addEventListener('keydown', (event) => {
  const all = cells();
  const at = all.indexOf(event.target);
  const perRow = all.filter((cell) => cell.offsetTop === all[0].offsetTop).length;
  const offset = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -perRow, ArrowDown: perRow}[event.key];
  if (at < 0 || !offset) return;
  event.preventDefault();
  const next = all[at + offset];
  if (next) next.focus();
});
