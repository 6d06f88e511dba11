// The atlas's picture gives way to an ascent of the same channel, and comes back when another is chosen.
function update() {
  const figure = element.querySelector('figure');
  if (figure) figure.hidden = (document.documentElement.dataset.staged || '').split('; ').includes(figure.dataset.name);
}
watch('value', () => requestAnimationFrame(update));
document.addEventListener('cnnvis:staged', update);
