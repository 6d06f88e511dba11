// A site without a server: the wall, the address, what a view's buttons do, and the quiz. Everything that is shown was drawn
// ahead, by the functions that draw the page; here it is only fetched.
const site = JSON.parse(document.querySelector('#site').textContent);
const part = (selector) => document.querySelector(selector);
const OURS = ['tab', 'layer', 'channel', 'photo', 'row', 'column', 'lens', 'seed', 'order', 'recipe', 'steps', 'size', 'pipeline', 'of',
  'lesson', 'questions', 'reference'];  // the names that mean something in an address, here or on the live page
const LENS_OF_TAB = {atlas: 'pictures', filters: 'kernels', maps: 'maps', quiz: 'pictures'};
const LIVE_TABS = {maximize: 'Growing', learn: 'The tab Learn'};
const names = Object.keys(site.layers);
const [main, sheet, view, note, about] = ['main', '.sheet', '#view', '#note', '#about'].map(part);
let state = {};
let turn = 0;  // of the newest view: an older one may come later
let lesson = () => {};  // shows a page of the lesson by its number, null for none
// The lesson's script is the page's (lesson.js): this is what it asks for.
const lessonHost = {element: part('#lesson'), props: {value: 0, pages: site.lesson}, trigger: () => go({lesson: null}),
  watch: (_, changed) => { lesson = (number) => { lessonHost.props.value = number ?? 0; changed(); }; }};
window.cnnvis = {address: (how, to) => history[how](null, '', to), restore: (query) => { state = read(query); show(); }};

// The address, as the page reads and writes it.

function read(search) {
  const query = new URLSearchParams(search);
  const ours = OURS.some((name) => query.has(name));
  const asked = {tab: ours ? query.get('tab') ?? 'filters' : 'atlas', layer: query.get('layer') ?? (ours ? 'conv1_1' : 'conv5_1')};
  const wrong = [];
  const name = asked.layer.replace(/^relu/, 'conv');
  const layer = site.layers[name] ? name : names.at(-1);
  if (layer !== asked.layer && ours) wrong.push(`${asked.layer} is not on this site, so this is ${layer}.`);
  if (LIVE_TABS[asked.tab]) wrong.push(`${LIVE_TABS[asked.tab]} needs a live page${site.live ? '' : ', which this site has not'}.`);
  const tab = LENS_OF_TAB[asked.tab] ? asked.tab : 'atlas';
  const number = (key) => /^\d+$/.test(query.get(key) ?? '') ? +query.get(key) : null;
  const channel = Math.min(number('channel') ?? (ours ? 0 : 260), site.layers[layer].channels - 1);
  const photo = Math.max(0, site.photos.findIndex((one) => one.name === query.get('photo')));
  const lens = site.layers[layer].lenses[query.get('lens')] ? query.get('lens') : '';
  const concept = +(/^concept(\d+)$/.exec(query.get('of'))?.[1] ?? NaN);
  const of = concept < (site.layers[layer].lenses.concepts?.concepts ?? 0) ? concept : null;
  const seed = tab === 'quiz' ? number('seed') ?? 0 : 0;
  if (seed >= site.seeds) wrong.push(`This site has quizzes with the seeds 0 to ${site.seeds - 1}: this is ${seed % site.seeds}.`);
  const rest = {row: number('row'), column: number('column'), seed: seed % site.seeds, lesson: number('lesson')};
  return {tab, layer, channel, of, photo, lens, ...rest, wrong};
}

function address() {
  const {tab, layer, channel, of, photo, lens, row, column, seed} = state;
  const query = new URLSearchParams({tab, layer, channel});
  if (of !== null) { query.delete('channel'); query.set('of', `concept${of}`); }
  if (photo) query.set('photo', site.photos[photo].name);
  if (lens) query.set('lens', lens);
  if (tab === 'maps' && row !== null) { query.set('row', row); query.set('column', column); }
  if (tab === 'quiz' && seed) query.set('seed', seed);
  if (state.lesson) query.set('lesson', state.lesson);
  return `?${query}`;
}

function go(change) {
  const before = state;
  if (change.layer && !site.layers[change.layer]) {
    note.textContent = `${change.layer} is not on this site.`;
    note.hidden = false;
    return;
  }
  state = {...state, wrong: [], ...change};
  if (state.layer !== before.layer && change.of === undefined) state.of = null;
  if (!site.layers[state.layer].lenses[state.lens]) state.lens = '';
  if (state.layer !== before.layer || state.photo !== before.photo) Object.assign(state, {row: null, column: null, ...change});
  state.channel = Math.min(state.channel, site.layers[state.layer].channels - 1);
  try {
    const adds = ['tab', 'layer', 'channel', 'of'].some((name) => state[name] !== before[name]);
    history[adds ? 'pushState' : 'replaceState'](null, '', address());
  } catch (refused) { console.warn(refused); }  // too many changes, or a frame without an address
  show();
}

// What is fetched, once each.

const fetched = new Map();
function bundle(file) {
  if (!fetched.has(file)) fetched.set(file, fetch(file).then(unpacked).catch((error) => { fetched.delete(file); throw error; }));
  return fetched.get(file);
}

async function unpacked(answer) {
  if (!answer.ok) throw new Error(`${answer.url} is missing`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;  // a server may have unpacked it
  return new Response(packed ? new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip')) : bytes).json();
}

const loaded = (src) => new Promise((done) => Object.assign(new Image(), {onload: done, onerror: done, src}));

// The wall.

async function wall() {
  const lens = state.lens || LENS_OF_TAB[state.tab], {layer} = state, {lenses, channels} = site.layers[layer];
  const drawn = lens === 'maps' ? lenses.maps[state.photo] : lenses[lens];
  const ofConcepts = lens === 'concepts', kind = ofConcepts ? 'concept' : 'channel';
  for (const button of part('#lens').children) {
    button.setAttribute('aria-pressed', button.value === lens);
    button.hidden = !lenses[button.value];
  }
  const key = `${layer} ${drawn.src}`;
  if (sheet.dataset.key !== key) {
    const side = drawn.cell - drawn.gap - 2, [wide, high] = drawn.size;
    sheet.dataset.key = key;
    sheet.setAttribute('aria-label', drawn.words);
    sheet.classList.toggle('sharp', Boolean(drawn.sharp));
    const sprite = (files) => sheet.style.setProperty('--sprite', files.map((file) => `url("${new URL(file, location.href.split('?')[0])}")`).join());
    sheet.style.setProperty('--wide', `${100 * wide / side}%`);
    sheet.style.setProperty('--high', `${100 * high / side}%`);
    sprite([drawn.small ?? drawn.src]);
    sheet.innerHTML = Array.from({length: drawn.concepts ?? channels}, (_, i) => {
      const across = 100 * (1 + (i % drawn.columns) * drawn.cell) / (wide - side);
      const down = 100 * (1 + Math.floor(i / drawn.columns) * drawn.cell) / (high - side);
      const what = ofConcepts ? `data-of="concept${i}"` : `data-channel="${i}"`;
      return `<button type="button" ${what} data-layer="${layer}" title="${kind} ${i}" aria-label="${kind} ${i}"`
        + ` style="background-position: ${across}% ${down}%"></button>`;
    }).join('');
    part('#wall-caption').innerHTML = `<p>${drawn.words}.</p>${drawn.scale ?? ''}`;
    await loaded(drawn.small ?? drawn.src);  // the sharp sheet comes after what is seen first
    if (drawn.small) loaded(drawn.src).then(() => sheet.dataset.key === key && sprite([drawn.src, drawn.small]));
  }
  const cells = [...sheet.children], which = ofConcepts ? state.of : state.of === null ? state.channel : null;
  cells.forEach((cell, i) => {
    cell.setAttribute('aria-pressed', i === which);
    cell.tabIndex = i === (which ?? 0) ? 0 : -1;
    if (i === which) bring(cell);
  });
}

function bring(cell) {  // scrolls the wall alone, not the page
  const box = cell.getBoundingClientRect(), frame = sheet.getBoundingClientRect();
  if (box.top < frame.top || box.bottom > frame.bottom) sheet.scrollTop += (box.top + box.bottom - frame.top - frame.bottom) / 2;
  if (box.left < frame.left || box.right > frame.right) sheet.scrollLeft += (box.left + box.right - frame.left - frame.right) / 2;
}

sheet.addEventListener('keydown', (event) => {
  const across = getComputedStyle(sheet).gridTemplateColumns.split(' ').length;
  const by = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across}[event.key];
  const next = by && sheet.children[[...sheet.children].indexOf(event.target) + by];
  if (!by) return;
  event.preventDefault();
  next?.focus();
});

// The views.

async function show() {
  const mine = turn += 1, {tab, layer, channel} = state, {channels} = site.layers[layer];
  lesson(state.lesson);
  part('#layer').value = layer;
  Object.assign(part('#channel'), {value: channel, max: channels - 1});
  for (const button of part('#tabs').children) button.setAttribute('aria-current', button.dataset.go === (tab === 'filters' ? 'atlas' : tab));
  main.classList.toggle('whole', tab === 'quiz');
  document.documentElement.dataset.tab = tab;
  const named = state.of === null ? `${layer} channel ${channel}` : `${layer} concept ${state.of}`;
  about.textContent = tab === 'quiz' ? `${layer}: a quiz` : named;
  note.textContent = state.wrong.join(' ');
  note.hidden = !state.wrong.length;
  const photos = part('.photos');
  photos.hidden = tab !== 'maps' && state.lens !== 'maps';
  [...photos.children].forEach((button, i) => button.setAttribute('aria-pressed', i === state.photo));
  if (tab !== 'quiz') await wall();
  try {
    const draw = await ({maps: places, quiz}[tab] ?? filter)();
    if (mine === turn) draw();
  } catch (error) {
    if (mine === turn) view.innerHTML = '<p>This part of the site could not be fetched. Is it complete?</p>';
    console.warn(error);
  }
}

async function filter() {
  const {layer, channel, of} = state;
  if (of !== null) {
    const concepts = await bundle(`views/${layer}-concepts.gz`);
    return () => { view.innerHTML = concepts[of]; };
  }
  const views = await bundle(`views/${layer}-${Math.floor(channel / site.together)}.gz`);
  return () => { view.innerHTML = views[channel]; };
}

async function places() {
  const {layer, channel, photo, row, column} = state;
  const seen = await bundle(`seen/${photo}-${layer}.gz`), src = site.photos[photo].src;
  const inside = (cell) => Math.min(seen.size - 1, Math.floor(cell / seen.side));
  const kept = row === null || column === null ? null : [inside(row), inside(column)];
  return () => {
    view.innerHTML = `<h3 class="visually-hidden">What it sees in the photo</h3><div class="place-beside"><figure><button type="button" class="place"><img alt="" src="${src}"><i
class="place-cursor"></i></button><p class="segments"><button type="button" data-shown="${src}" aria-pressed="true">Photo</button><button
type="button" data-shown="${seen.mosaic}" aria-pressed="false">Mosaic</button></p></figure><section><h4>Here <small>what stands
out against the shelf's photos, in standard deviations above usual</small></h4><div id="here"></div></section></div>
<div id="why"></div>${seen.groups}`;
    const button = part('.place'), cursor = part('.place-cursor');
    let at = kept ?? seen.lead;
    const point = (place) => {
      at = place;
      const side = 100 / seen.size, [down, across] = at;
      cursor.style = `left: ${side * across}%; top: ${side * down}%; width: ${side}%; height: ${side}%`;
      part('#here').innerHTML = seen.here[down * seen.size + across];
      button.setAttribute('aria-label', `${layer} at row ${down}, column ${across} of the photo. Arrow keys move.`);
      const reasons = `${at}` === `${seen.lead}` && (seen.why.find(([number]) => number === channel) ?? seen.why[0]);
      part('#why').innerHTML = reasons ? `<h4>Why here?</h4>${reasons[1]}` : '';
    };
    const under = (event) => {
      const box = button.getBoundingClientRect();
      const index = (offset, length) => Math.max(0, Math.min(seen.size - 1, Math.floor(seen.size * offset / length)));
      return [index(event.clientY - box.top, box.height), index(event.clientX - box.left, box.width)];
    };
    const keep = () => go({row: at[0] * seen.side, column: at[1] * seen.side});
    button.addEventListener('pointermove', (event) => { if (`${under(event)}` !== `${at}`) point(under(event)); });
    button.addEventListener('pointerleave', () => point(kept ?? seen.lead));
    button.addEventListener('click', (event) => { if (event.detail) at = under(event); keep(); });
    button.addEventListener('keydown', (event) => {
      const by = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
      if (!by) return;
      event.preventDefault();
      point(at.map((from, i) => Math.max(0, Math.min(seen.size - 1, from + by[i]))));
    });
    point(at);
  };
}

// The quiz: its questions are fixed, by layer and seed.

async function quiz() {
  const quizzes = await bundle(`quiz/${state.layer}.gz`), asked = quizzes[state.seed] ?? [];
  let right = 0;
  const button = (words) => `<button type="button" class="quiz-next">${words}</button>`;
  const ask = (i) => {
    const {asks, sides, answer, said, channel} = asked[i];
    view.innerHTML = `<div class="quiz"><p class="quiet">Question ${i + 1} of ${asked.length}. ${i ? `${right} of ${i} correct so far.` : ''}</p>
<div class="quiz-board"><div>${asks}</div><div><p><b>Which of these two activates it more?</b></p><div class="quiz-sides"><button
type="button" data-side="left">${sides.left}left</button><button type="button" data-side="right">${sides.right}right</button></div>
<div role="status" id="verdict"></div></div></div></div>`;
    part('.quiz-sides').addEventListener('click', (event) => {
      const picked = event.target.closest('button');
      if (!picked || part('#verdict').innerHTML) return;
      const correct = picked.dataset.side === answer;
      right += correct;
      picked.dataset.verdict = correct ? 'right' : 'wrong';
      part(`[data-side="${answer}"]`).dataset.verdict = 'right';
      part('#verdict').innerHTML = `<p><b>${correct ? 'Correct.' : `Not this one: it is the one on the ${answer}.`}</b></p>${said}
<p class="next"><button type="button" data-layer="${state.layer}" data-channel="${channel}">See all about channel ${channel}</button>
${button(i + 1 < asked.length ? 'Next question' : 'See the result')}</p>`;
      part('.quiz-next').addEventListener('click', () => i + 1 < asked.length ? ask(i + 1) : finish());
      part('.quiz-next').focus();
    });
    part('[data-side]').focus({preventScroll: true});
  };
  const finish = () => {
    view.innerHTML = `<div class="quiz"><h3>${right} of ${asked.length} correct</h3><p>Guessing gives 50 %. In a study of another
network, people were right in 65 ± 5 % of cases after one grown picture, and in 92 ± 2 % after nine photos (Borowski et al.
2021).</p><p>${button('Other questions')}</p></div>`;
    part('.quiz-next').addEventListener('click', () => go({seed: (state.seed + 1) % site.seeds}));
  };
  return () => {
    view.innerHTML = asked.length ? `<div class="quiz"><p>You see what a channel responds to: its grown picture, or nine photos that
activate it. Then come two patches of other photos. Which one activates it more?</p><p>${button('Start')}</p></div>`
      : '<p>This layer has no quiz: too few photos excite its filters.</p>';
    part('.quiz-next')?.addEventListener('click', () => ask(0));
  };
}

// What buttons do, wherever they stand.

document.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const {layer, channel, of, go: tab, step, shown, group} = button.dataset;
  const here = button.closest('.sheet') || state.tab === 'filters' ? state.tab : 'atlas';
  if (channel) go({layer, channel: +channel, of: null, tab: tab ?? here});
  else if (of) go({layer: layer ?? state.layer, of: +of.replace('concept', ''), tab: tab ?? here});
  else if (tab) go({tab, lens: ''});
  else if (step) go({of: null, channel: (state.channel + +step + site.layers[state.layer].channels) % site.layers[state.layer].channels});
  else if (button.closest('#lens')) go({lens: button.value === LENS_OF_TAB[state.tab] ? '' : button.value});
  else if (button.closest('.photos')) go({photo: [...button.parentElement.children].indexOf(button)});
  else if (shown || group) {
    part('.place img').src = shown ?? button.querySelector('img').src;
    for (const other of view.querySelectorAll('[data-shown]')) other.setAttribute('aria-pressed', other === button);
  }
});
part('#layer').append(...names.map((name) => new Option(name)));
part('#layer').addEventListener('change', (event) => go({layer: event.target.value}));
part('#channel').addEventListener('change', (event) => { if (event.target.reportValidity()) go({of: null, channel: +event.target.value}); });
part('.photos').append(...site.photos.map(({name, src}) => {
  const photo = Object.assign(document.createElement('button'), {type: 'button', title: name, innerHTML: `<img alt="" src="${src}">`});
  photo.setAttribute('aria-label', `photo ${name}`);
  return photo;
}));
part('#live').innerHTML = site.live ? `· <a href="${site.live}">Grow pictures, and use your own photo, on the live page</a>`
  : '· Growing pictures and your own photo need a live page, which this site does not have.';
addEventListener('popstate', () => { state = read(location.search); show(); });
part('#lesson').hidden = !site.lesson.some(Boolean);
state = read(location.search);
show();
