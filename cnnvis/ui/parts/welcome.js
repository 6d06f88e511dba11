// Shown on the first visit; a browser that may not remember is told each time.
const line = element.querySelector('.welcome');
const KEY = 'cnnvis.welcomed';
const stored = (read) => { try { return read(); } catch { return null; } };  // a frame may have no storage

line.hidden = Boolean(stored(() => localStorage.getItem(KEY))) || document.documentElement.classList.contains('embedded');

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  line.hidden = true;
  stored(() => localStorage.setItem(KEY, '1'));
  if (button.matches('.welcome-lesson')) document.querySelector('.lesson-open').click();
});
