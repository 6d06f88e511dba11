// The address of the view, its copies, and what an address opens; see share.py. `page.ours` are our names in an address.
// Without a tab, an address opens `page.namedTab` if it has any of them, and `page.firstTab` if it has none.
(() => {
  const page = window.cnnvis;
  const isOurs = (address) => page.ours.some((name) => address.has(name));
  page.asksForView = (search) => isOurs(new URLSearchParams(search));

  page.linkOf = (query) => {
    const link = location.origin + location.pathname + (query ? '?' + query : '');
    const anchor = document.querySelector('#whole-page a');
    if (anchor) anchor.href = link;
    return link;
  };

  // Keeps Gradio's theme and our own embed, and never reloads the page. The browser's Back button undoes a change of tab,
  // layer, channel or concept (choice.js).
  page.showAddress = (query) => {
    page.link ??= location.search;  // the address that the visitor came with, for follow.js
    const now = new URLSearchParams(query);
    const before = new URLSearchParams(location.search);
    for (const name of ['__theme', 'embed']) if (before.has(name)) now.set(name, before.get(name));
    const view = (address) => ['tab', 'layer', 'channel', 'of'].map((name) => address.get(name)).join();
    const restoring = page.restoring ?? isOurs(before);
    page.restoring = false;
    const address = location.pathname + (`${now}` && '?' + now);
    page.address(restoring || view(now) === view(before) ? 'replaceState' : 'pushState', address);
    return page.linkOf(query);
  };

  // In a frame, Back belongs to the page around it. Where a browser refuses, as Safari does after 100 changes in 30 s, the
  // link is still true.
  page.address = (how, address) => {
    const adds = how === 'pushState' && window.top === window;
    try {
      history[adds ? how : 'replaceState'](adds ? null : history.state, '', address);
    } catch (refused) { console.warn(refused); }
  };

  async function copied(text, what, label) {
    try {
      await navigator.clipboard.writeText(text);
      return `${what} copied`;
    } catch {
      prompt('Copy this:', text);
      return label;
    }
  }

  page.copyLink = (link) => copied(link, 'Link', 'Copy link');
  page.copyEmbed = (link) => copied(
    `<iframe src="${link}${link.includes('?') ? '&amp;' : '?'}embed=1" title="Inside VGG16" width="100%"`
      + ` height="${page.embedHeight}" style="border:0" loading="lazy"></iframe>`, 'Embed code', 'Copy embed code');

  // The card is of the open tab, with what has grown last (stage.js): only the browser knows both. The link to it is
  // followed at once.
  page.ofTab = (choice, ...given) => [{...choice, tab: document.documentElement.dataset.tab, grown: page.grown}, ...given];
  page.saveCard = () => { document.querySelector('#card-link a')?.click(); };

  // The button of the tab that an address opens, as links.py reads it.
  page.tabOf = (search) => {
    const address = new URLSearchParams(search);
    const tab = (name) => document.querySelector(`#tabs [role=tab][data-tab-id="${CSS.escape(name)}"]`);
    return isOurs(address) ? tab(address.get('tab') ?? '') || tab(page.namedTab) : tab(page.firstTab);
  };

  // With embed=1 in the address, page.css hides everything but the view before anything is drawn. Gradio has no view
  // without the rest; what it mended for frames (6.20 to 6.24) is the height of a Space's own, while ours is fixed.
  const embedded = new URLSearchParams(location.search).get('embed') === '1';
  document.documentElement.classList.toggle('embedded', embedded);
})();
