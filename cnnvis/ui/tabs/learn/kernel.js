// The visitor's own kernel. The value is {kernel, bias}, as text, or {channel} for a filter of conv1_1; the server answers
// in the prop `answer`, as JSON: {html, said}, or {wrong}, and for a filter its {kernel, bias} too.
const part = (name) => element.querySelector('.kernel-' + name);
const preset = part('preset');
const weights = part('weights');
const OWN = 'your own';
const FILTER = 'conv1_1 channel';

function fill(kernels, bias) {  // one kernel, or one for each colour
  const each = kernels.length > 1;
  part('each').checked = each;
  part('bias').value = bias;
  weights.innerHTML = kernels.map((rows, i) => {
    const name = each ? props.colours[i] : 'all three colours';
    const cells = rows.map((row, j) => row.map((_, k) => '<input inputmode="decimal" autocomplete="off"'
      + ` aria-label="${name}, row ${j + 1}, column ${k + 1}">`).join('')).join('');
    return `<fieldset><legend>${name}</legend><div>${cells}</div></fieldset>`;
  }).join('');
  const all = kernels.flat(2);
  weights.querySelectorAll('input').forEach((cell, i) => { cell.value = all[i]; });
}

function typed() {
  return [...weights.querySelectorAll('fieldset')].map((set) => {
    const cells = [...set.querySelectorAll('input')].map((cell) => cell.value.trim());
    return [cells.slice(0, 3), cells.slice(3, 6), cells.slice(6)];
  });
}

function ask(value) {
  part('which').hidden = preset.value !== FILTER;
  props.value = value;
  trigger('input');
}

function askTyped() {
  const kernels = typed();
  ask({kernel: kernels.length > 1 ? kernels : kernels[0], bias: part('bias').value.trim()});
}

function show() {
  if (!props.answer) return;
  const {html, said, wrong, kernel, bias} = JSON.parse(props.answer);
  part('wrong').textContent = wrong || '';
  part('said').textContent = said || '';
  part('answer').hidden = !html;  // never another kernel's maps beside these weights
  if (html) part('answer').innerHTML = html;
  if (kernel && 'channel' in props.value) fill(kernel, bias);
}

function begin() {
  const {kernel, bias, channel} = props.value;
  if (channel === undefined) {
    fill(Array.isArray(kernel[0][0]) ? kernel : [kernel], bias);
    const same = (rows) => String(rows) === String(kernel);
    preset.value = Object.keys(props.presets).find((name) => same(props.presets[name])) || OWN;
  } else {
    preset.value = FILTER;
    part('which').hidden = false;
    part('channel').value = channel;
  }
  show();
}

preset.addEventListener('change', () => {
  if (preset.value === FILTER) {
    const {layer, channel} = document.documentElement.dataset;
    const first = /^(conv|relu)1_1$/.test(layer) ? channel : part('channel').value || '0';
    part('channel').value = first;
    return ask({channel: first});
  }
  if (preset.value !== OWN) fill([props.presets[preset.value]], '0');
  askTyped();
});
element.addEventListener('input', (event) => {
  if (event.target === part('channel')) return ask({channel: event.target.value.trim()});
  if (event.target === preset || event.target === part('each')) return;
  preset.value = OWN;
  askTyped();
});
part('each').addEventListener('change', (event) => {
  const [first] = typed();
  fill(event.target.checked ? [first, first, first] : [first], part('bias').value);
  if (preset.value === FILTER) preset.value = OWN;
  askTyped();
});
part('editor').addEventListener('submit', (event) => event.preventDefault());
watch('answer', show);
begin();
