// The dictionary of the place under the cursor (place.js), and the mosaic. The value is JSON with all that a visitor can
// point at, so pointing asks the server nothing: {layer, places, side, named, lead, bright, channels, concepts}, the last
// two of them {numbers, above, cells, pictures, best}, or null. Their lists have `named` entries for each place, row by row.
const page = window.cnnvis;
const list = element.querySelector('.dict');
const why = element.querySelector('.dictionary-why');
const said = element.querySelector('.dictionary-said');
const kinds = element.querySelector('.dictionary-kinds');
let data = null;
let at = null;  // the place shown: [row, column]
let wanted = 'channels';  // or concepts, where the layer has any

const kind = () => data.concepts ? wanted : 'channels';
const first = (row, column) => data.named * (row * data.places + column);
const cell = (row, column, n) => {
  const within = data.channels.cells[n];
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
  const {pictures, best} = data[kind()];
  for (const sheet of [pictures, best]) {
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
  const start = first(...at), shown = data[kind()], concepts = kind() === 'concepts';
  [...list.children].forEach((button, i) => {
    const number = shown.numbers[start + i], above = shown.above[start + i].toFixed(1).replace('-', '−');
    const [picture, best, words] = button.children;
    if (shown.pictures) piece(picture, shown.pictures, number);
    if (shown.best) piece(best, shown.best, number);
    words.textContent = `${number} · ${above}`;
    Object.assign(button.dataset, concepts ? {of: `concept${number}`} : {channel: number});
    button.title = `${concepts ? 'concept' : 'channel'} ${number}: ${above} standard deviations above what is usual for it`;
    button.setAttribute('aria-label', button.title);
  });
  const named = data.channels.numbers.slice(start, start + data.named);
  const {layer, channel} = document.documentElement.dataset;
  const n = Math.max(0, layer === data.layer ? named.indexOf(+channel) : 0);
  const [row, column] = cell(...at, start + n);
  why.hidden = concepts;
  why.textContent = `Why channel ${named[n]} here?`;
  Object.assign(why.dataset, {layer: data.layer, channel: named[n], row, column});
}

function fill() {
  for (const button of kinds.children) button.setAttribute('aria-pressed', button.value === kind());
  list.replaceChildren(...Array.from({length: data.named}, entry));
}

kinds.addEventListener('click', (event) => {
  wanted = event.target.closest('button')?.value || wanted;
  fill();
  show();
});

function update() {
  data = props.value ? JSON.parse(props.value) : null;
  page.places = data;
  list.hidden = why.hidden = !data;
  kinds.hidden = !data?.concepts;
  said.textContent = props.wrong;
  if (!data) return;
  fill();
  at ??= data.lead;
  document.dispatchEvent(new Event('cnnvis:places'));  // place.js then says where the cursor is
}

// Each place as the picture of its leading channel, as opaque as that channel is unusual; the dark photo lies behind.
page.mosaic = (canvas) => {
  const context = canvas.getContext('2d');
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!data?.channels.pictures) return;
  const drawn = data, sprite = new Image(), {numbers, above, pictures} = data.channels;
  sprite.onload = () => {
    if (drawn !== data) return;
    const {px, cell: step, columns} = pictures, size = canvas.width / data.places;
    for (let place = 0; place < data.places ** 2; place += 1) {
      const channel = numbers[data.named * place];
      context.globalAlpha = Math.max(0, Math.min(1, above[data.named * place] / data.bright));
      context.drawImage(sprite, (channel % columns) * step, Math.floor(channel / columns) * step, px, px,
        (place % data.places) * size, Math.floor(place / data.places) * size, size, size);
    }
  };
  sprite.src = pictures.src;
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
