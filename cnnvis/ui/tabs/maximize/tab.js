// Start and Stop change at once, while the server is asked.
(() => {
  const page = window.cnnvis;
  const enabled = (interactive) => ({__type__: 'update', interactive});
  const same = {__type__: 'update'};

  page.ascentStarted = () => {  // on a phone the stage lies below the controls; whoever presses Start wants to see both
    const hidden = document.querySelector('#stage').getBoundingClientRect().top > innerHeight - 350;
    if (hidden) document.querySelector('#start').scrollIntoView();
    return [enabled(false), enabled(true), ''];
  };
  page.ascentEnded = () => [enabled(true), enabled(false)];
  page.ascentStopping = () => enabled(false);  // Stop itself: from then on, only the end of the scoring frees Start
  // To Gradio, an ascent that was stopped has failed too.
  page.ascentFailed = () => document.querySelector('#stop').disabled ? [same, same] : [enabled(true), enabled(false)];
})();
