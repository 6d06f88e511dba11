// One choice of a few: a row of buttons, or a menu. Without a value, what the open tab usually shows is chosen.
const list = element.querySelector('select');
const buttons = element.querySelectorAll('.segments button');

function show() {
  const value = props.value || props.of_tab[document.documentElement.dataset.tab];
  if (list) list.value = value;
  buttons.forEach((button) => button.setAttribute('aria-pressed', button.value === value));
}

function choose(value) {
  props.value = value;
  show();
  trigger('input');
}

buttons.forEach((button) => button.addEventListener('click', () => choose(button.value)));
list?.addEventListener('change', () => choose(list.value));
document.addEventListener('cnnvis:tab', show);
watch('value', show);
show();
