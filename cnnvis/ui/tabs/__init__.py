"""The tabs of the page, in order. The page, the links and the tests read this list."""

from cnnvis.ui.follow import Tab
from cnnvis.ui.tabs import atlas, filters, learn, maps, maximize, quiz

TABS = (
    Tab("atlas", "Atlas", atlas.layout),
    Tab("filters", "Filters", filters.layout),
    Tab("maps", "Feature maps", maps.layout),
    Tab("maximize", "Activation maximization", maximize.layout),
    Tab("learn", "Learn", learn.layout),
    Tab("quiz", "Quiz", quiz.layout),
)
