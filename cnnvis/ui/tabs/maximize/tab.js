// Start and Stop change at once, while the server is asked.
(() => {
  const page = window.cnnvis;
  const enabled = (interactive) => ({__type__: 'update', interactive});
  const same = {__type__: 'update'};

  page.ascentStarted = (start, stop, stage) => {  // on a phone the stage is below the controls, and a visitor wants to see both
    const hidden = document.querySelector(stage).getBoundingClientRect().top > innerHeight - 350;
    if (hidden) document.querySelector(start).scrollIntoView();
    return [enabled(false), enabled(true), ''];
  };
  // What grows beside the photo: the kept place, or the group that was touched.
  let group = '';
  document.addEventListener('click', (event) => {
    const touched = event.target.closest('[data-group]');
    if (touched) group = touched.dataset.group;
    else if (event.target.closest('#place-start') && event.isTrusted) group = '';
    if (touched) document.querySelector('#place-start').click();
  }, true);
  page.aimed = (choice, ...rest) => [{...choice, of: group || 'place'}, ...rest];
  page.ascentEnded = () => [enabled(true), enabled(false)];
  page.ascentStopping = () => enabled(false);  // Stop itself: from then on, only the end of the scoring frees Start
  // To Gradio, a stopped ascent has failed too. This can go when `failure` passes over what `cancels` has ended.
  page.ascentFailed = (start, stop) => document.querySelector(stop).disabled ? [same, same] : [enabled(true), enabled(false)];
})();
