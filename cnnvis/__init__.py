"""Inside VGG16: its filters, its feature maps of a photo, and the pictures that activate a channel most.

>>> net = cnnvis.load_vgg16()
>>> cnnvis.filter_sheet(net, "conv1_1").save("filters.png")
>>> cnnvis.map_sheet(net, "examples/chelsea.jpg", "conv3_1").save("maps.png")
>>> *_, last = cnnvis.maximize(net, "conv5_3", 165)
>>> last.save("conv5_3-165.png")
>>> cnnvis.score(net, last.picture, last.layer, last.channel)
"""

from cnnvis.analysis.filters import Filter, FilterSheet, filter_sheet, one_filter
from cnnvis.analysis.groups import Group, Groups, Member, groups
from cnnvis.analysis.maps import (
    FeatureMap,
    Maps,
    MapSheet,
    channel_path,
    feature_map,
    feature_maps,
    map_sheet,
    top_classes,
)
from cnnvis.analysis.patches import Patch, patches
from cnnvis.analysis.places import Dictionary, Entry, Mosaic, dictionary
from cnnvis.analysis.why import Contribution, Why, why
from cnnvis.analysis.wiring import Wire, Wiring, wiring
from cnnvis.errors import (
    AtlasError,
    ChannelError,
    CnnvisError,
    ConceptsError,
    LayerError,
    PhotoError,
    SettingError,
    ShelfError,
    UnavailableError,
    WeightsError,
)
from cnnvis.export.card import Card, card
from cnnvis.export.site import make_site
from cnnvis.maximization.ascent import Snapshot, maximize, maximize_many
from cnnvis.maximization.experiment import Experiment, read_experiment
from cnnvis.maximization.ladder import Rung, ladder
from cnnvis.maximization.recipes import RECIPES, Settings, limits
from cnnvis.maximization.score import Score, Selectivity, score, scored_record
from cnnvis.network.architecture import CONVOLUTIONS, LAYERS, Architecture, Layer, find_layer
from cnnvis.network.classes import CLASSES
from cnnvis.network.vgg import VGG16, cut
from cnnvis.network.weights import Origin, load_vgg16, load_whole_vgg16
from cnnvis.notebook import Watched, watch
from cnnvis.pictures.images import animation, encode
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.atlas import AtlasSheet, AtlasTile, atlas_sheet, mosaic
from cnnvis.prepared.atlas_making import make_atlas
from cnnvis.prepared.concepts import Concept, Concepts, concepts
from cnnvis.prepared.concepts_making import make_concepts
from cnnvis.prepared.quiz import Question, quiz
from cnnvis.prepared.shelf import Exemplar, Exemplars, exemplars
from cnnvis.prepared.shelf_making import Made, make_shelf
from cnnvis.version import __version__

__all__ = [
    "CLASSES", "CONVOLUTIONS", "LAYERS", "RECIPES", "VGG16",
    "Architecture", "AtlasError", "AtlasSheet", "AtlasTile", "Card", "ChannelError", "CnnvisError", "Concept",
    "Concepts", "ConceptsError", "Contribution",
    "Dictionary", "Entry", "Exemplar", "Exemplars", "Experiment", "FeatureMap", "Filter", "FilterSheet", "Group",
    "Groups", "Layer", "LayerError", "Made", "MapSheet", "Maps", "Member", "Mosaic", "Origin", "Patch", "PhotoError",
    "Question", "Rung", "Score", "Selectivity", "SettingError", "Settings", "ShelfError", "Snapshot",
    "UnavailableError", "Watched", "WeightsError", "Why", "Wire", "Wiring",
    "__version__", "animation", "atlas_sheet", "card", "channel_path", "concepts", "cut", "dictionary", "encode",
    "exemplars", "feature_map", "feature_maps", "filter_sheet", "find_layer", "groups", "ladder", "limits",
    "load_vgg16", "load_whole_vgg16", "make_atlas", "make_concepts", "make_shelf", "make_site", "map_sheet",
    "maximize", "maximize_many", "mosaic",
    "one_filter", "open_photo", "patches", "quiz", "read_experiment", "score", "scored_record", "top_classes", "watch",
    "why", "wiring",
]  # fmt: skip
