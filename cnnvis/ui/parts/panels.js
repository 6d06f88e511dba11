// What belongs to the whole page: the panels that buttons of the header open, photos dropped or pasted anywhere, and arrow
// keys on the tabs.
(() => {
  const panels = () => [...document.querySelectorAll('#photo-panel, #share')];
  const opener = (panel) => document.querySelector(`[data-panel="${panel.id}"]`);

  function open(panel, yes) {
    panel.classList.toggle('open', yes);
    opener(panel)?.setAttribute('aria-expanded', yes);
  }

  const isOpen = (panel) => panel.classList.contains('open');
  const close = (but) => panels().forEach((panel) => panel !== but && open(panel, false));

  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-panel]');
    const panel = button && document.getElementById(button.dataset.panel);
    if (panel) {
      close(panel);
      open(panel, !isOpen(panel));
      panel.querySelector('input[type=file]')?.setAttribute('accept', 'image/*');  // a phone then offers its photos
      if (isOpen(panel)) panel.querySelector('button, input, textarea')?.focus();
    } else if (!panels().some((shown) => shown.contains(event.target))) {
      close();
    }
  });
  document.addEventListener('keydown', (event) => {
    const panel = event.key === 'Escape' && panels().find(isOpen);
    if (!panel) return;
    open(panel, false);
    opener(panel)?.focus();
  });

  // Gives a file to the page's own field for photos, as if the visitor had chosen it there.
  function take(file) {
    const field = document.querySelector('#photo-panel input[type=file]');
    if (!file || !field) return false;
    const given = new DataTransfer();
    given.items.add(file);
    field.files = given.files;
    field.dispatchEvent(new Event('change', {bubbles: true}));
    return true;
  }

  const ours = (event) => event.dataTransfer?.types.includes('Files') && !event.target.closest?.('#saved');
  const mark = (yes) => document.documentElement.classList.toggle('dropping', yes);
  document.addEventListener('dragover', (event) => {
    if (!ours(event)) return mark(false);
    event.preventDefault();
    mark(true);
  });
  document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) mark(false); });
  document.addEventListener('drop', (event) => {
    mark(false);
    if (ours(event) && take(event.dataTransfer.files[0])) event.preventDefault();
  });
  document.addEventListener('paste', (event) => {
    const file = [...(event.clipboardData?.files || [])].find((pasted) => pasted.type.startsWith('image/'));
    if (take(file)) event.preventDefault();
  });

  // On a phone the tabs are one line that scrolls sideways.
  document.addEventListener('cnnvis:tab', () => requestAnimationFrame(() => {
    const tab = document.querySelector('#tabs [role=tab][aria-selected=true]');
    const line = tab?.parentElement;
    if (line) line.scrollLeft = tab.offsetLeft - line.offsetLeft - (line.clientWidth - tab.offsetWidth) / 2;
  }));

  // Gradio 6.31 gives its tabs the role of tabs, but not their keys. This can go when it does.
  document.addEventListener('keydown', (event) => {
    const way = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    const tabs = way ? [...event.target.closest?.('#tabs [role=tablist]')?.querySelectorAll('[role=tab]') ?? []] : [];
    tabs[(tabs.indexOf(event.target) + way + tabs.length) % tabs.length]?.focus();
  });
})();
