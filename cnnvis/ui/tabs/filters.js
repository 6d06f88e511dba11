// Skips the rows for channels that the visitor only passed through. A page that is opening is busy for longer, so it rests
// for longer (ms).
const rested = (same, ms) => {
  let newest = 0;
  return (choice, ...rest) => new Promise((go) => {
    const mine = newest += 1;
    setTimeout(() => {
      const {layer, channel} = document.documentElement.dataset;
      if (mine === newest && layer === choice.layer && same(+channel, choice.channel)) go([choice, ...rest]);
    }, choice.restored ? 300 : ms);
  });
};
window.cnnvis.rested = rested((now, then) => now === then, 100);
// For what all channels of a layer share; a visitor who has left the tab before gets it on their return (seen.js).
window.cnnvis.restedLayer = rested(() => {
  window.cnnvis.unseen = document.documentElement.dataset.tab !== 'maps';
  return !window.cnnvis.unseen;
}, 300);

// The visitor's choice among the rows of similar filters, kept when the rows are drawn for another channel.
(() => {
  let like = null;

  function show() {
    if (!like || !document.querySelector(`#like-${like}`)) return;
    for (const button of document.querySelectorAll('[data-like]')) {
      button.setAttribute('aria-pressed', button.dataset.like === like);
      document.querySelector(`#like-${button.dataset.like}`).hidden = button.dataset.like !== like;
    }
  }

  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-like]');
    if (button) like = button.dataset.like;
    if (button) show();
  });
  window.cnnvis.related = (rows) => { requestAnimationFrame(show); return rows; };
})();
