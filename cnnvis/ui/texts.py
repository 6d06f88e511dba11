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

WHOLE_NETWORK = "needs all of VGG16, 553 MB: start the page with CNNVIS_WEIGHTS=hub"

FOOTER = """<p class="quiet credits">VGG16: Simonyan &amp; Zisserman 2015, torchvision's ImageNet weights.
Activation maximization: Erhan et al. 2009; Olah et al. 2017. Grown out of
<em>cnn-visualizations-pytorch</em> by Justin Bellucci (2020).</p>"""

ABOUT_ARITHMETIC = """**How a filter is applied, for real.** The filter lies on a window of three by three. Each number
under it is multiplied by the weight that lies on it; all products and the bias are added; what is below zero becomes
zero (ReLU). Click the photo, or give a row and a column, to move the window. The photo is the one of the tab
*Feature maps*; its colours have ImageNet's mean taken off and are divided by its deviation, so mid-grey is about 0."""

ABOUT_SLIDING = """**The same at every place** makes the feature map. Left is what the filter reads: the photo at
conv1_1, deeper the map of its strongest input channel. Right the map grows, blue below zero, orange above. The filter
really stops at every value; here it stops 96 times at most."""

LESSONS = {
    "What are filters and feature maps?": """
VGG16 was trained to tell 1,000 kinds of things apart in photos (Simonyan & Zisserman 2015). It has 13 layers of
filters, 4,224 in all. A **filter** is a small set of weights. Laid over every place of a picture it gives a number for
each: its **feature map**. The next layer's filters read those maps, not the photo, so each of their values depends on a
larger piece of the photo: 3 px across at conv1_1, 196 px at conv5_3. The first filters answer to edges and colours,
deeper ones to textures, then to parts of things (Olah et al. 2017).""",
    "What is activation maximization?": """
A feature map tells what one photo does to a filter. Activation maximization asks for the picture that does most (Erhan
et al. 2009). It starts from noise and changes every pixel a little in the direction that raises the answer; then again.
Left to itself this makes noise that only the network sees. Small shifts, turns and zooms at every step, and colours and
frequencies as photos have them, make pictures that people can read (Olah et al. 2017; Qin et al. 2018 survey the
methods). *The ladder*, in the tab *Activation maximization*, shows each of these cares at work.""",
    "What can these pictures tell, and what not?": """
They show what **can** excite a channel, not what usually does. Asked which of two photos excites a channel more, people
who had seen such pictures were right in 82 ± 4 % of cases; people who had seen photos that excite it, in 92 ± 2 %;
guessing gives 50 % (Borowski et al. 2021). And pictures can be made to lie: a network can be changed so that they show
something else while it goes on working (Geirhos et al. 2024). So look at all three views, and at real photos, before
you believe any of them.""",
}

PAPERS = """Erhan et al., *Visualizing Higher-Layer Features of a Deep Network*, 2009 ·
Simonyan & Zisserman, [*Very Deep Convolutional Networks*](https://arxiv.org/abs/1409.1556), 2015 ·
Olah et al., [*Feature Visualization*](https://distill.pub/2017/feature-visualization), 2017 ·
Qin et al., [*How convolutional neural networks see the world*](https://arxiv.org/abs/1804.11191), 2018 ·
Borowski et al., [*Exemplary Natural Images*](https://arxiv.org/abs/2010.12606), 2021 ·
Geirhos et al., [*Don't trust your eyes*](https://arxiv.org/abs/2306.04719), 2024"""
