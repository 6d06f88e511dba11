// The line for ascents in words. Gradio writes the place and the time here, as "queue: 2/3 | 4.4/12.0s", for the eyes
// alone and where it cannot be seen; this turns it into a sentence, which screen readers hear too.
const place = document.querySelector('#waiting');
const USUAL_SECONDS = 10;  // of an ascent, until Gradio has measured one
const said = element.querySelector('.waiting');

function read() {
  const tracker = place.querySelector('[data-testid="status-tracker"]') || place;
  const [, rank, of, waited, total] = tracker.textContent.match(/queue:\s*(\d+)\/(\d+)\s*\|\s*([\d.]+)(?:\/([\d.]+))?/) || [];
  const left = Math.max(1, Math.round(total ? total - waited : USUAL_SECONDS * rank));
  const words = rank ? `You are number ${rank} of ${of} in line, about ${left} s to go.` : '';
  if (said.textContent !== words) said.textContent = words;
}

new MutationObserver(read).observe(place, {subtree: true, childList: true, characterData: true});
