"""Inside VGG16: its filters, the feature maps a photo causes, and the pictures that excite a channel most.

>>> net = cnnvis.load_vgg16()
>>> cnnvis.filter_sheet(net, "conv1_1").picture
>>> cnnvis.map_sheet(net, "examples/chelsea.jpg", "conv3_1").picture
>>> *_, last = cnnvis.maximize(net, "conv5_3", 165)
>>> cnnvis.score(net, last.picture, last.layer, last.channel)
"""

from cnnvis.ascent import Snapshot, maximize, maximize_many
from cnnvis.classes import CLASSES
from cnnvis.errors import ChannelError, CnnvisError, LayerError, PhotoError, SettingError, WeightsError
from cnnvis.experiment import Experiment, read_experiment
from cnnvis.features import FeatureMap, Maps, MapSheet, channel_path, feature_map, feature_maps, map_sheet, top_classes
from cnnvis.filters import Filter, FilterSheet, filter_sheet, one_filter
from cnnvis.images import animation, encode, open_photo
from cnnvis.ladder import Rung, ladder
from cnnvis.patches import Patch, patches
from cnnvis.recipes import RECIPES, Ascent, limits
from cnnvis.score import Score, Selectivity, score, scored_record
from cnnvis.vgg import CONVOLUTIONS, LAYERS, VGG16, Layer, cut, find_layer
from cnnvis.weights import Origin, load_vgg16, load_whole_vgg16

__all__ = [
    "CLASSES",
    "CONVOLUTIONS",
    "LAYERS",
    "RECIPES",
    "VGG16",
    "Ascent",
    "ChannelError",
    "CnnvisError",
    "Experiment",
    "FeatureMap",
    "Filter",
    "FilterSheet",
    "Layer",
    "LayerError",
    "MapSheet",
    "Maps",
    "Origin",
    "Patch",
    "PhotoError",
    "Rung",
    "Score",
    "Selectivity",
    "SettingError",
    "Snapshot",
    "WeightsError",
    "animation",
    "channel_path",
    "cut",
    "encode",
    "feature_map",
    "feature_maps",
    "filter_sheet",
    "find_layer",
    "ladder",
    "limits",
    "load_vgg16",
    "load_whole_vgg16",
    "map_sheet",
    "maximize",
    "maximize_many",
    "one_filter",
    "open_photo",
    "patches",
    "read_experiment",
    "score",
    "scored_record",
    "top_classes",
]
