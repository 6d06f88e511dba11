// The lesson. The value is the number of the open page, 0 for none. Going to a page means going to its address, as the
// browser's Back and Forward do.
const panel = element.querySelector('.lesson');
const opener = element.querySelector('.lesson-open');
const lights = element.querySelector('.lesson-lights');
const DRAWN_MS = 5000;  // by then the view that a page is about has been drawn
let scrolled = false;  // whether the visitor has scrolled, clicked or typed since
let shown = 0;

// The next page in a direction that is there: a site has some only.
function beside(way) {
  let at = shown - 1 + way;
  while (at in props.pages && !props.pages[at]) at += way;
  return props.pages[at];
}

function visit(query) {
  window.cnnvis.address('pushState', location.pathname + query);
  window.cnnvis.restore(query);
}

function close() {
  props.value = 0;
  show();
  trigger('input');  // takes its number out of the link
  opener.focus();
}

function show() {
  const number = +props.value;
  if (number === shown) return;
  shown = number;
  const page = props.pages[number - 1];
  panel.hidden = !page;
  document.documentElement.classList.toggle('in-lesson', Boolean(page));
  opener.hidden = Boolean(page);
  lights.textContent = page ? `:is(${page.lights}) { outline: 3px solid var(--color-accent); outline-offset: 4px; border-radius: 4px; }` : '';
  if (!page) return;
  const options = page.options.map((words, i) => `<button type="button" class="lesson-option" data-option="${i}">${words}</button>`);
  panel.innerHTML = `<div class="lesson-text" tabindex="0"><p class="quiet">Lesson, page ${number} of ${props.pages.length}</p>
<h2 id="lesson-title" tabindex="-1">${page.title}</h2><p>${page.text}</p></div><p><b>${page.asks}</b></p>
<div class="lesson-options">${options.join('')}</div><p class="lesson-answer" role="status" aria-live="polite"></p>
<p class="lesson-steps"><button type="button" class="lesson-back" ${beside(-1) ? '' : 'disabled'}>Back</button>
<button type="button" class="lesson-on">${beside(1) ? 'Next' : 'Finish'}</button>
<button type="button" class="lesson-close">Leave</button></p>`;
  panel.scrollTop = 0;
  panel.querySelector('h2').focus({preventScroll: true});
  scrolled = false;
  reveal(page, performance.now());
}

// Scrolls until what the page is about lies below the header and above or beside the panel, and again while the page is still being drawn, until the visitor scrolls.
function reveal(page, since) {
  if (props.pages[shown - 1] !== page || scrolled) return;
  const lit = [...document.querySelectorAll(page.lights)].map((part) => part.getBoundingClientRect()).filter((box) => box.height > 10);
  const from = document.querySelector('#header').getBoundingClientRect().bottom + 12, sheet = panel.getBoundingClientRect();
  const to = sheet.left > 0 ? innerHeight : sheet.top;
  const top = Math.min(...lit.map((box) => box.top));
  if (lit.length && (top < from || Math.max(...lit.map((box) => box.bottom)) > to)) scrollBy(0, top - from);
  if (performance.now() - since < DRAWN_MS) setTimeout(() => reveal(page, since), 200);
}

function predict(button) {
  const page = props.pages[shown - 1], picked = +button.dataset.option;
  panel.querySelectorAll('.lesson-option').forEach((option, i) => {
    option.disabled = true;
    option.dataset.verdict = i === page.right ? 'right' : i === picked ? 'wrong' : '';
  });
  const words = picked === page.right ? 'Correct.' : `Not quite: ${page.options[page.right].toLowerCase()}.`;
  panel.querySelector('.lesson-answer').innerHTML = `<b>${words}</b> ${page.answer}`;
  panel.querySelector('.lesson-on').focus();
}

for (const name of ['wheel', 'pointerdown', 'keydown']) {  // the visitor has taken over
  document.addEventListener(name, () => { scrolled = true; }, {passive: true});
}
watch('value', show);
show();

opener.addEventListener('click', () => visit(props.pages.find(Boolean).query));
panel.addEventListener('click', (event) => {
  const pressed = event.target.closest('button');
  if (!pressed) return;
  if (pressed.matches('.lesson-option')) predict(pressed);
  if (pressed.matches('.lesson-back')) visit(beside(-1).query);
  if (pressed.matches('.lesson-on') && beside(1)) visit(beside(1).query);
  else if (pressed.matches('.lesson-on, .lesson-close')) close();
});
panel.addEventListener('keydown', (event) => { if (event.key === 'Escape') close(); });
