// What the page's own buttons do: one with `data-channel` chooses that channel, one with `data-row` that place of the map
// (place.js), one with `data-go` opens that tab.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const {layer, channel, row, column, go} = button.dataset;
  if (channel) document.dispatchEvent(new CustomEvent('cnnvis:choose', {detail: {layer, channel: +channel}}));
  if (go) document.querySelector(`#tabs [role=tab][data-tab-id="${go}"]`).click();
  const place = new CustomEvent('cnnvis:place', {detail: {row: +row, column: +column}});
  if (row) setTimeout(() => document.dispatchEvent(place));  // when the tab is open
});
