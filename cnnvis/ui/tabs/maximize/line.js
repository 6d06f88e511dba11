// The line for ascents in words. Gradio writes a visitor's position and time here, as "queue: 2/3 | 4.4/12.0s", for the
// eyes alone and where it cannot be seen; this turns it into a sentence that screen readers hear too. It can go when
// Gradio announces its progress (an aria-live region).
const slot = document.getElementById(props.slot);

function read() {
  const tracker = slot.querySelector('[data-testid="status-tracker"]') || slot;
  const [, rank, of, waited, total] = tracker.textContent.match(/queue:\s*(\d+)\/(\d+)\s*\|\s*([\d.]+)(?:\/([\d.]+))?/) || [];
  const left = Math.max(1, Math.round(total ? total - waited : props.usual_seconds * rank));
  const words = rank ? `You are number ${rank} of ${of} in line, about ${left} s to go.` : '';
  const said = slot.querySelector('.waiting');
  if (said && said.textContent !== words) said.textContent = words;
}

new MutationObserver(read).observe(slot, {subtree: true, childList: true, characterData: true});
