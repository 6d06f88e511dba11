// Winds back through the pictures of an ascent. A card may stand in a page twice: each finds its own.
(() => {
  const growing = document.currentScript.previousElementSibling;
  const frames = growing.querySelectorAll('figure');
  const slider = growing.querySelector('input');
  slider.hidden = false;
  slider.addEventListener('input', () => frames.forEach((frame, i) => { frame.hidden = i !== +slider.value; }));
})();
