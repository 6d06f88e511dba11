element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-photo]');
  if (button) trigger('select', {index: +button.dataset.photo, value: null});
});
