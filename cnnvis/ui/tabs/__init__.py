"""The tabs of the page, in order. The page, the links and the tests read this list."""

from cnnvis.ui.parts.follow import Tab
from cnnvis.ui.tabs import atlas, filters
from cnnvis.ui.tabs.learn import tab as learn
from cnnvis.ui.tabs.maps import tab as maps
from cnnvis.ui.tabs.maximize import tab as maximize
from cnnvis.ui.tabs.quiz import tab as quiz

TABS = (
    Tab("atlas", "Atlas", "what it looks for", atlas.layout),
    Tab("filters", "Filters", "its weights", filters.layout),
    Tab("maps", "Feature maps", "your photo", maps.layout),
    Tab("maximize", "Activation maximization", "grow it", maximize.layout),
    Tab("learn", "Learn", "how it works", learn.layout),
    Tab("quiz", "Quiz", "test yourself", quiz.layout),
)
