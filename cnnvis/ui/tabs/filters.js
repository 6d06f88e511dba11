// Skips the rows for channels that the visitor only passed through. A page that is opening is busy for longer, so it rests
// for longer (ms).
window.cnnvis.rested = (choice, by) => new Promise((go) => setTimeout(() => {
  const {layer, channel} = document.documentElement.dataset;
  if (layer === choice.layer && +channel === choice.channel) go([choice, by]);
}, choice.restored ? 300 : 100));
