// The line for ascents in words. Gradio writes the place and the time here, as "queue: 2/3 | 4.4/12.0s", for the eyes
// alone and where it cannot be seen; this turns it into a sentence, which screen readers hear too.
const place = document.getElementById(props.place);

function read() {
  const tracker = place.querySelector('[data-testid="status-tracker"]') || place;
  const [, rank, of, waited, total] = tracker.textContent.match(/queue:\s*(\d+)\/(\d+)\s*\|\s*([\d.]+)(?:\/([\d.]+))?/) || [];
  const left = Math.max(1, Math.round(total ? total - waited : props.usual_seconds * rank));
  const words = rank ? `You are number ${rank} of ${of} in line, about ${left} s to go.` : '';
  const said = place.querySelector('.waiting');
  if (said && said.textContent !== words) said.textContent = words;
}

new MutationObserver(read).observe(place, {subtree: true, childList: true, characterData: true});
