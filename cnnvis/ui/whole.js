// What the page's own buttons do: one with `data-channel` chooses that channel, one with `data-go` opens that tab.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const {layer, channel, go} = button.dataset;
  if (channel) document.dispatchEvent(new CustomEvent('cnnvis:choose', {detail: {layer, channel: +channel}}));
  if (go) document.querySelector(`#tabs [role=tab][data-tab-id="${go}"]`).click();
});
