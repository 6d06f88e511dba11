// Skips the rows for channels that the visitor only passed through: they are never asked for. A page that opens is busy
// for longer, so it rests for longer (ms).
window.cnnvis.rested = (choice, by) => new Promise((go) => setTimeout(() => {
  const {layer, channel} = document.documentElement.dataset;
  if (layer === choice.layer && +channel === choice.channel) go([choice, by]);
}, choice.restored ? 300 : 100));
