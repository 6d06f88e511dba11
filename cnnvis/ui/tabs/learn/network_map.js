// Marks the layer of the choice, a ReLU as its convolution. A click on another layer keeps the channel's number: see choice.js.
function mark() {
  const {layer = '', channel} = document.documentElement.dataset;
  for (const button of element.querySelectorAll('button')) {
    button.dataset.channel = channel;
    if (button.dataset.layer === layer.replace('relu', 'conv')) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
}
document.addEventListener('cnnvis:chosen', mark);
mark();
