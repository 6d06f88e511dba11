// The game. The server sends a question without its answer, and the answer once the visitor has given one; their answers so
// far live only here. The value is JSON: a `question` ({key, first, …} begins a quiz), a `verdict` with the next question,
// or a sentence why there is none. The script sends what was picked.
const view = element.querySelector('.quiz');
let quiz = null;  // {key, layer, seed, reference, questions}
let asked = null;  // the question on show
let next = null;
let log = [];  // {question, of, number, reference, answer, correct, seconds}; `of` is "channel" or "concept"
let begun = 0;
let drawn = '';

const said = (words) => { element.querySelector('.quiz-said').textContent = words; };
const figure = (src, alt) => `<img src="${src}" alt="${alt}">`;
const button = (name, words, more = '') => `<button type="button" class="${name}" ${more}>${words}</button>`;
const focus = (name) => view.querySelector(name)?.focus({preventScroll: true});

function begin(value) {
  if (quiz && quiz.key === value.key) return;  // the visitor comes back to the tab: go on
  quiz = value;
  asked = value.first;
  [next, log] = [null, []];
  view.innerHTML = `<p>${value.words}</p>${button('quiz-next', 'Start')}`;
}

function ask() {
  const about = asked.reference === 'picture'
    ? `This picture was grown to activate ${asked.of} ${asked.number} of ${quiz.layer}.`
    : `These nine photos activate ${asked.of} ${asked.number} of ${quiz.layer} most.`;
  const alt = asked.reference === 'picture' ? 'the grown picture' : `a photo that activates the ${asked.of}`;
  const side = (name) => button('quiz-side', `${figure(asked[name], `the patch on the ${name}`)}<span>${name}</span>`,
    `data-side="${name}"`);
  view.innerHTML = `<p class="quiet">Question ${asked.question} of ${quiz.questions}. ${count()}</p>
<div class="quiz-board"><div><p>${about}</p>
<div class="quiz-shown" data-count="${asked.pictures.length}">${asked.pictures.map((src) => figure(src, alt)).join('')}</div></div>
<div class="quiz-answer"><p id="quiz-asks"><b>Which of these two activates it more?</b> <span class="quiet keys">← or →, then Enter.</span></p>
<div class="quiz-sides" role="group" aria-labelledby="quiz-asks">${side('left')}${side('right')}</div>
<div class="quiz-verdict"></div></div></div>`;
  focus('.quiz-side');
  view.scrollIntoView();  // the question's top, below the header: see game.css
  begun = performance.now();
}

function pick(side) {
  if (log.length >= asked.question) return;  // answered
  asked.seconds ??= (performance.now() - begun) / 1000;
  asked.picked = side;
  props.value = JSON.stringify({...quiz, first: undefined, question: asked.question, picked: side});
  trigger('input');
}

function judge(value) {
  if (!quiz || value.key !== quiz.key || value.question !== asked.question || log.length >= asked.question) return;
  const correct = value.answer === asked.picked;
  const {question, of, number, reference, picked, seconds} = asked;
  log.push({question, of, number, reference, answer: picked, correct, seconds});
  next = value.next;
  for (const side of view.querySelectorAll('.quiz-side')) {
    side.disabled = true;
    side.dataset.verdict = side.dataset.side === value.answer ? 'excited' : side.dataset.side === picked ? 'wrong' : '';
  }
  const words = correct ? 'Correct.' : `Not this one: it is the one on the ${value.answer}.`;
  view.querySelector('.quiz-verdict').innerHTML = `<p><b>${words}</b></p>${value.about}`
    + button('quiz-next', next ? 'Next question' : 'See the result');
  said(words);
  focus('.quiz-next');
  view.querySelector('.quiz-answer').scrollIntoView({block: 'nearest'});
}

// Wilson 1927: the 95 % interval for the true share.
function wilson(right, of) {
  const z = 1.959964, share = right / of, scale = 1 + z * z / of;
  const middle = (share + z * z / (2 * of)) / scale;
  const half = z / scale * Math.sqrt(share * (1 - share) / of + z * z / (4 * of * of));
  return [middle - half, middle + half].map((edge) => Math.round(100 * edge));
}

const of = (reference) => log.filter((entry) => entry.reference === reference);
const right = (answers) => answers.filter((entry) => entry.correct).length;
const count = () => log.length ? `${right(log)} of ${log.length} correct so far.` : '';

function finish() {
  const rows = Object.entries(props.people).filter(([kind]) => of(kind).length).map(([kind, [name, people]]) => {
    const mine = of(kind), [low, high] = wilson(right(mine), mine.length);
    return `<tr><th scope="row">${name}</th><td>${right(mine)} of ${mine.length}</td><td>${low} to ${high} %</td><td>${people}</td></tr>`;
  });
  view.innerHTML = `<h3>${right(log)} of ${log.length} correct</h3><div class="facts"><table>
<thead><tr><th scope="col">You saw</th><th scope="col">correct</th><th scope="col">95 % interval (Wilson)</th>
<th scope="col">people in a study</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>
<p class="quiet">${helped()}${props.study}</p><p class="next">${button('quiz-csv', 'Download the answers (CSV)')}
${button('quiz-again', 'The same questions again')}${button('quiz-new', 'Other questions')}</p>`;
  said(`${right(log)} of ${log.length} correct.`);
  focus('.quiz-csv');
  view.scrollIntoView();
}

function helped() {
  const [picture, photos] = ['picture', 'photos'].map(of);
  if (!picture.length || !photos.length) return '';
  const [a, b] = [picture, photos].map((mine) => right(mine) / mine.length);
  if (a === b) return 'Pictures and photos helped you equally. ';
  const [low, high] = [picture, photos].map((mine) => wilson(right(mine), mine.length)).sort((x, y) => x[0] - y[0]);
  const chance = low[1] >= high[0] ? ', but with so few questions this may be chance' : '';
  return `${a > b ? 'Pictures' : 'Photos'} helped you more${chance}. `;
}

function download() {
  const names = ['question', 'number', 'answer', 'correct', 'seconds', 'reference'];
  const head = names.join().replace('number', log[0].of);
  const lines = log.map((entry) => names.map((name) => name === 'seconds' ? entry.seconds.toFixed(1) : entry[name]).join());
  const blob = new Blob([[head, ...lines, ''].join('\n')], {type: 'text/csv'});
  const link = Object.assign(document.createElement('a'), {href: URL.createObjectURL(blob),
    download: `quiz-${quiz.layer}-${quiz.seed}.csv`});
  link.click();
  URL.revokeObjectURL(link.href);
}

function again(seed) {
  const field = document.querySelector('#quiz-seed input');
  if (seed === quiz.seed) {
    const same = quiz;
    quiz = null;
    return begin(same);
  }
  field.value = seed;
  field.dispatchEvent(new Event('input'));  // Gradio's field reads it,
  field.dispatchEvent(new Event('blur'));  // and asks for the new questions
}

function update() {
  if (!props.value || props.value === drawn) return;
  drawn = props.value;
  const value = JSON.parse(props.value);
  if (value.refused) { quiz = null; view.innerHTML = `<p>${value.refused}</p>`; }
  else if (value.first) begin(value);
  else if (value.answer) judge(value);
}

watch('value', update);
update();

element.addEventListener('click', (event) => {
  const pressed = event.target.closest('button');
  if (!pressed) return;
  if (pressed.dataset.side) pick(pressed.dataset.side);
  if (pressed.matches('.quiz-csv')) download();
  if (pressed.matches('.quiz-again')) again(quiz.seed);
  if (pressed.matches('.quiz-new')) again(Math.floor(Math.random() * 1e6));
  if (!pressed.matches('.quiz-next')) return;
  if (!log.length) return ask();
  if (!next) return finish();
  asked = next;
  ask();
});
element.addEventListener('keydown', (event) => {
  const side = {ArrowLeft: 'left', ArrowRight: 'right'}[event.key];
  if (!side || log.length >= (asked?.question ?? 0)) return;
  event.preventDefault();
  focus(`[data-side="${side}"]`);
});
