// The dictionary of the place under the cursor (place.js), and the mosaic. The value is JSON with all that a visitor can
// point at, so pointing asks the server nothing: {layer, places, side, lead, bright, channels, above, cells, pictures, best}.
// The first three lists have `named` entries for each place, row by row.
const page = window.cnnvis;
const list = element.querySelector('.dict');
const why = element.querySelector('.dictionary-why');
const said = element.querySelector('.dictionary-said');
let data = null;
let at = null;  // the place shown: [row, column]

const first = (row, column) => data.named * (row * data.places + column);
const cell = (row, column, n) => {
  const within = data.cells[n];
  return [row * data.side + Math.floor(within / data.side), column * data.side + within % data.side];
};
page.cellOf = (row, column) => data && cell(row, column, first(row, column));

function piece(tile, sheet, channel) {
  const across = sheet.left + (channel % sheet.columns) * sheet.right;
  const down = sheet.top + Math.floor(channel / sheet.columns) * sheet.down;
  tile.style.backgroundPosition = `${across}% ${down}%`;
}

function entry() {
  const button = Object.assign(document.createElement('button'), {type: 'button', className: 'entry'});
  button.dataset.layer = data.layer;
  for (const sheet of [data.pictures, data.best]) {
    const tile = document.createElement('i');
    tile.hidden = !sheet;
    if (sheet) tile.style = `background: url("${sheet.src}") 0 0 / ${sheet.wide}% ${sheet.high}%`;
    button.append(tile);
  }
  button.append(document.createElement('span'));
  return button;
}

function show() {
  if (!data || !at) return;
  const start = first(...at);
  [...list.children].forEach((button, i) => {
    const channel = data.channels[start + i], above = data.above[start + i].toFixed(1).replace('-', '−');
    const [picture, best, words] = button.children;
    if (data.pictures) piece(picture, data.pictures, channel);
    if (data.best) piece(best, data.best, channel);
    words.textContent = `${channel} · ${above}`;
    button.dataset.channel = channel;
    button.title = `channel ${channel}: ${above} standard deviations above what is usual for it`;
    button.setAttribute('aria-label', button.title);
  });
  const named = data.channels.slice(start, start + data.named);
  const {layer, channel} = document.documentElement.dataset;
  const n = Math.max(0, layer === data.layer ? named.indexOf(+channel) : 0);
  const [row, column] = cell(...at, start + n);
  why.textContent = `Why channel ${named[n]} here?`;
  Object.assign(why.dataset, {layer: data.layer, channel: named[n], row, column});
}

function update() {
  data = props.value ? JSON.parse(props.value) : null;
  page.places = data;
  list.hidden = why.hidden = !data;
  said.textContent = props.wrong;
  if (!data) return;
  list.replaceChildren(...Array.from({length: data.named}, entry));
  at ??= data.lead;
  document.dispatchEvent(new Event('cnnvis:places'));  // place.js then says where the cursor is
}

// Each place as the picture of its leading channel, as opaque as that channel is unusual; the dark photo lies behind.
page.mosaic = (canvas) => {
  const context = canvas.getContext('2d');
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!data?.pictures) return;
  const drawn = data, sprite = new Image();
  sprite.onload = () => {
    if (drawn !== data) return;
    const {px, cell: step, columns} = data.pictures, size = canvas.width / data.places;
    for (let place = 0; place < data.places ** 2; place += 1) {
      const channel = data.channels[data.named * place];
      context.globalAlpha = Math.max(0, Math.min(1, data.above[data.named * place] / data.bright));
      context.drawImage(sprite, (channel % columns) * step, Math.floor(channel / columns) * step, px, px,
        (place % data.places) * size, Math.floor(place / data.places) * size, size, size);
    }
  };
  sprite.src = data.pictures.src;
};

document.addEventListener('cnnvis:pointed', (event) => { at = event.detail; if (data && at[0] < data.places && at[1] < data.places) show(); });
document.addEventListener('cnnvis:chosen', show);
document.addEventListener('cnnvis:tab', () => {
  if (!page.unseen || document.documentElement.dataset.tab !== 'maps') return;
  page.unseen = false;
  trigger('submit');
});
why.addEventListener('click', () => document.querySelector('#why').scrollIntoView({block: 'nearest'}));
watch('value', update);
watch('wrong', update);
update();
