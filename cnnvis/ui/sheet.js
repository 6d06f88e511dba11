// Runs once, so everything is delegated. After a redraw the focus goes back to the chosen cell if it was on the sheet.
const cells = () => Array.from(element.querySelectorAll('button[data-channel]'));
let focused = false;
element.addEventListener('focusin', () => { focused = true; });
element.addEventListener('focusout', (event) => { if (event.relatedTarget) focused = false; });
element.addEventListener('click', (event) => {
  const cell = event.target.closest('button[data-channel]');
  if (cell) trigger('select', {index: +cell.dataset.channel, value: null});
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
watch(['value', 'chosen'], () => {
  const cell = element.querySelector('button[aria-pressed="true"]');
  if (focused && cell && document.activeElement !== cell) cell.focus({preventScroll: true});
});
