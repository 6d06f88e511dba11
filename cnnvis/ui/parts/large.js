// The dialog opens at once, with the small picture that was touched, and fills when the server has answered.
const dialog = element.querySelector('dialog');
let turn = 0;
const inside = element.querySelector('.large-inside');

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-large]');
  if (!button) return;
  const small = button.querySelector('img').cloneNode();
  small.className = 'large-wait';
  inside.replaceChildren(small);
  dialog.showModal();
  props.value = `${button.dataset.large} ${turn += 1}`;  // an answer that is the same again would be no change
  trigger('input');
});
dialog.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (button?.dataset.photo) trigger('select', {index: +button.dataset.photo, value: null});
  if (button || event.target === dialog) dialog.close();  // the dialog itself is what lies around its inside
});
watch('answer', () => { if (props.answer) inside.innerHTML = props.answer; });
