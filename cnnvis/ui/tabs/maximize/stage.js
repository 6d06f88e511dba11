// The stage: the pictures of an ascent as they arrive, a slider to rewind them, and the curve of the activation.
// The template never changes, so all elements stay; `watch` runs whenever Python has sent a new value.
const SVG = 'http://www.w3.org/2000/svg';
const part = (name) => element.querySelector('.stage-' + name);
const slider = part('slider');
let newest = null;  // the newest value
let ascent = null;  // the id of the ascent that the frames are of
let frames = [];  // {step, activations, urls}, one for each picture received
let shown = 0;
let spoken = 0;  // when the screen reader last heard about progress

const digits = (value) => value === null || value === undefined
  ? '' : value.toFixed(Math.abs(value) < 10 ? 2 : 1).replace('-', '−');
const caption = (name, frame, i, steps) => `${name}, step ${frame.step} of ${steps}`
  + (frame.activations[i] === null ? ': the start' : `, activation ${digits(frame.activations[i])}`);

function build(value) {
  const pictures = part('pictures');
  pictures.replaceChildren(...value.names.map((name, i) => {
    const figure = document.createElement('figure');
    const image = document.createElement('img');
    const figcaption = document.createElement('figcaption');
    figcaption.className = 'stage-curve-' + i;
    figcaption.innerHTML = '<i aria-hidden="true"></i><span></span><span class="stage-files"></span>';
    figcaption.children[1].textContent = name;
    figure.append(image, figcaption);
    return figure;
  }));
  pictures.dataset.count = value.names.length;
  part('empty').hidden = true;
  document.documentElement.dataset.staged = value.names.join('; ');
  document.dispatchEvent(new Event('cnnvis:staged'));
  part('controls').hidden = false;
}

function show(value) {
  const frame = frames[shown];
  part('pictures').querySelectorAll('img').forEach((image, i) => {
    if (image.getAttribute('src') !== frame.urls[i]) image.src = frame.urls[i];
    image.alt = caption(value.names[i], frame, i, value.steps);
  });
  const activations = frame.activations.map((activation) => activation === null ? 'start' : digits(activation));
  part('status').textContent = `Step ${frame.step} of ${value.steps}`
    + (frame.step ? ` · activation ${activations.join(' / ')}` : ': the start')
    + (shown === frames.length - 1 && value.note ? ` · ${value.note}` : '');
  slider.max = frames.length - 1;
  slider.value = shown;
  slider.setAttribute('aria-valuetext', part('status').textContent);
  const marker = part('curve').querySelector('.stage-marker');
  if (marker) for (const end of ['x1', 'x2']) marker.setAttribute(end, 400 * frame.step / value.steps);
}

function plot(value) {
  const all = value.curves.flat().concat(0);
  const low = Math.min(...all);
  const high = Math.max(...all, low + 1e-6);
  const down = (activation) => 100 - 100 * (activation - low) / (high - low);
  const line = (name, attributes) => {
    const drawn = document.createElementNS(SVG, name);
    for (const [key, content] of Object.entries(attributes)) drawn.setAttribute(key, content);
    return drawn;
  };
  const curves = value.curves.map((curve, i) => line('polyline', {
    class: 'stage-curve-' + i,
    points: curve.map((activation, k) => `${400 * (k + 1) / value.steps},${down(activation)}`).join(' '),
  }));
  const zero = line('line', {class: 'stage-zero', x1: 0, x2: 400, y1: down(0), y2: down(0)});
  const marker = line('line', {class: 'stage-marker', x1: 0, x2: 0, y1: 0, y2: 100});
  part('curve').replaceChildren(zero, ...curves, marker);
  part('curve').setAttribute('aria-label', `Activation by step, from ${digits(low)} to ${digits(high)}`);
  part('high').textContent = digits(high);
  part('low').textContent = digits(low);
  part('steps').textContent = `step ${value.steps}`;
}

function link(url, what, name) {
  const anchor = document.createElement('a');
  Object.assign(anchor, {href: url, download: '', textContent: `Save ${what}`});
  anchor.setAttribute('aria-label', `Save ${what} of ${name}`);
  anchor.addEventListener('click', () => { anchor.textContent = 'Saved'; });
  return anchor;
}

function offer(value) {  // those already offered stay: one may have been saved
  part('pictures').querySelectorAll('.stage-files').forEach((slot, i) => {
    const files = Object.entries((value.files || [])[i] || {}).slice(slot.children.length);
    slot.append(...files.map(([what, url]) => link(url, what, value.names[i])));
  });
}

function speak(text) {
  spoken = Date.now();
  part('said').textContent = text;
}

watch('value', () => {
  if (!props.value) return;
  const value = newest = JSON.parse(props.value);
  const begun = value.ascent !== ascent;
  if (begun) {
    ascent = value.ascent;
    frames = [];
    shown = 0;
    build(value);
  }
  const following = shown >= frames.length - 1;
  if (value.frames) {  // at the end all are sent again: none is missing, and the last is a PNG
    frames = value.frames;
    const moments = frames.map(({step, urls}) => [step, urls[0]]);
    // For a card, which must not contain a visitor's photo unasked.
    window.cnnvis.grown = value.photo ? null : {names: value.names, steps: value.steps, frames: moments};
  } else frames.push(value.frame);
  frames.forEach((frame) => { frame.kept ??= frame.urls.map((url) => Object.assign(new Image(), {src: url})); });
  shown = following ? frames.length - 1 : Math.min(shown, frames.length - 1);
  plot(value);
  show(value);
  offer(value);
  const last = frames[frames.length - 1];
  const all = value.names.map((name, i) => caption(name, last, i, value.steps)).join('; ');
  if (begun) speak(`Growing ${value.names.join(', ')}, ${value.steps} steps`);
  else if (value.frames) speak(`${all}. ${value.note}`);
  else if (Date.now() - spoken > 5000) speak(all);
});

slider.addEventListener('input', () => {
  shown = +slider.value;
  show(newest);
});
