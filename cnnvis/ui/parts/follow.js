// What an event that draws the page needs from the browser; see follow.py.
(() => {
  const page = window.cnnvis;

  // Adds to the choice what only the browser knows: the open tab and, once, the address that the visitor came with. Its tab
  // is opened here: by the time the server answers, the visitor may have chosen another. (A tab's own event could tell
  // the tab, but Gradio 6.31 repeats the data of the first event when two come at once; once it does not, that will do.)
  // `ids` are those of the controls whose `values` the event sends.
  page.known = (ids, choice, ...values) => {
    page.link ??= location.search;  // share.js may change the address before this runs for the first time
    const link = page.restored ? '' : page.link;
    const asked = page.restored ? null : page.tabOf(link);
    const drawn = page.drawn;
    page.restored = true;
    page.drawn = false;
    if (asked && asked.getAttribute('aria-selected') !== 'true') {
      asked.click();
      page.drawn = true;
    } else if (drawn) {
      return new Promise(() => {});  // the event that this click sent: the one before draws the tab
    }
    const tab = (asked || document.querySelector('#tabs [role=tab][aria-selected=true]'))?.dataset.tabId;
    document.documentElement.dataset.tab = tab;
    document.dispatchEvent(new Event('cnnvis:tab'));
    const control = (id) => values[ids.indexOf(id)];
    // The first event may come before the wall is on the page.
    return [{...choice, tab, link, wall: page.wall?.(choice.layer, tab, link ? null : control)}, ...values];
  };

  // Draws again through the layer picker (choice.js). A separate draw could be answered before an earlier one, and the page
  // would then keep showing what is no longer chosen.
  page.redraw = () => { document.dispatchEvent(new Event('cnnvis:changed')); };
})();
