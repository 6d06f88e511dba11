"""The sentences of the page that belong to no number."""

TITLE = "cnnvis: inside VGG16"
MASTHEAD = """<div class="masthead"><h1>Inside VGG16</h1>
<p>One filter of a trained image network, seen three ways: its weights, what it answers on your photo,
and the picture that excites it most.</p></div>"""

ABOUT_FILTERS = """A **filter** is what a layer has learned to look for: a small window of weights that slides over the
picture, multiplies and adds. Every square below is one filter; choose any of them."""

ABOUT_MAPS = """A **feature map** is one filter's answer at every place of a photo: bright where it found what it
looks for. The deeper the layer, the coarser the map and the more of the photo each of its cells has seen."""

ABOUT_MAXIMIZE = """**Activation maximization** asks the other way round: starting from noise, which picture makes this
channel answer most? The picture is changed a little, again and again, each time in the direction that helps."""

ABOUT_LADDER = """Five ascents from one seed, each with one more care taken: the bare ascent of 2009, then small shifts,
Fourier coefficients instead of pixels, the colours of photos, and views of changing scale and angle. About half
a minute for a deep layer on two cores."""

CAVEAT = """<p class="quiet">Read such pictures with care: shown photos that excite a channel, people tell what it wants
in 92 ± 2 % of cases; shown pictures like these, in 82 ± 4 % (Borowski et al., 2021).</p>"""

PIPELINES = """*As VGG computes it*: the photo's centre at 224 px, normalised, with ReLU and pooling between the
convolutions. *Chained*: what the original notebook did, the squashed photo through the convolutions alone, which is not
what the network sees; deep layers get a smaller photo, because without pooling they cost 48 times as much."""

FOOTER = """<p class="quiet">VGG16: Simonyan &amp; Zisserman 2015, torchvision's ImageNet weights.
Activation maximization: Erhan et al. 2009; Olah et al. 2017. Grown out of
<em>cnn-visualizations-pytorch</em> by Justin Bellucci (2020).</p>"""
