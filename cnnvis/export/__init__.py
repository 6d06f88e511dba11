"""Views as files that need no server: a card, and a site. They draw with `views/`, as the page does."""
