"""The sentences of the page that contain no number of their own."""

TITLE = "cnnvis: inside VGG16"
MASTHEAD = "<h1>Inside VGG16</h1>"
SHARE_BUTTON = '<button type="button" data-panel="share" aria-expanded="false">Share</button>'
WELCOME = """VGG16 looks at a photo through 4,224 filters. <b>Touch a tile</b> to see what one of them looks for,"""

ABOUT_PHOTO = """<p><b>The photo</b> that VGG16 looks at. Choose an example, upload your own, or paste or drop one
anywhere on this page. Yours is deleted from the server two hours after its last use.</p>"""

ABOUT_FILTERS = """A **filter** is a small set of weights that has learned to respond to a pattern. It slides over its
input; wherever it stops, it multiplies and adds. Each square stands for one filter. At conv1_1 it is the filter itself;
in deeper layers it is one of the filter's kernels."""

NO_WEIGHTS = """<p class="quiet">A concept has no weights of its own: it is a sum of filters. Choose one of them to see
its weights.</p>"""
WIRES_BY = "Sort the wiring by"
ABOUT_EXPANDED = """<p class="quiet">The filter expanded onto the picture itself: its weights carried back through those
of the layers before, without their ReLUs and with pooling as a mean. Mid-grey is zero. Read it with care: patterns that
the ReLUs would keep apart cancel out here (Voss et al. 2021).</p>"""
LIKE = {
    "weights": "Their weights point the same way (by the cosine).",
    "photos": "They rise and fall with it from photo to photo of the shelf.",
    "pictures": "Their pictures drive the layer in much the same way.",
}

ABOUT_MAPS = """A **feature map** shows how strongly one filter responds at each point of a photo: bright where it finds
its pattern. Deeper layers have coarser maps, in which each value sees more of the photo."""

ABOUT_MAXIMIZE = """**Activation maximization** turns the question round: which picture activates this channel most? It
starts from noise and changes the picture a little at each step, always in the direction that raises the activation.
In blocks 1 to 3 a picture begins, to save time, as one quarter repeated four times, and each quarter later develops on
its own. In blocks 4 and 5 it is small, with room for one or two of the things that the channel looks for."""

ABOUT_LADDER = """Five ascents from one seed. The first is the plain method of 2009. The others add, one at a time:
small shifts, Fourier coefficients instead of pixels, the colours of photos, and views of changing scale, angle and
sharpness. A deep layer takes about 15 seconds on two cores."""

CAVEAT = """<p class="quiet">Read such a picture with care. In a study, people were asked which of two photos activates
a channel more. Those who had seen one such picture were right in 65&nbsp;±&nbsp;5&nbsp;% of cases, and in
73&nbsp;±&nbsp;4&nbsp;% after one photo that activates it. Guessing gives 50&nbsp;% (Borowski et al. 2021, with another
network, Inception V1).</p>"""

ABOUT_PIPELINES = """*As VGG computes it*: the centre of the photo at 224 px, normalised, with ReLU and pooling between
the convolutions. *Chained*: as in the original notebooks, the photo is squashed to a square and passes through the
convolutions alone, which VGG16 itself never does. Deep layers then get a smaller photo, because without pooling they
cost 48 times as much."""

ABOUT_PATH = """A channel's number means nothing in another layer: channel 5 of one has nothing to do with channel 5 of
the next. To follow what belongs together, see what a filter reads (*Filters*)."""

NO_WHY_IN_CHAIN = "The chain of convolutions alone is not what VGG16 computes, so it has no reasons to show."

ABOUT_QUIZ = """**Predict, then see.** You see what a channel responds to: its grown picture, or nine photos that
activate it. Then come two patches of other photos: one from a photo that activates the channel strongly, the other from
one that barely does. Which is which? Your answers are not kept on the server."""

QUIZ_STUDY = """Guessing gives 50&nbsp;%. The study is Borowski et al. 2021, with another network, Inception V1, and
other photos. We show the study's closest condition. A grown picture is shown here no larger than a patch, so it counts
as one picture."""

CHOOSE_PHOTO = "Choose a photo."
OWN_PHOTO = """<p>Your own photo is not part of this link. Anyone who opens it sees the example photo of the cat.</p>"""
AGREE = "Put my own photo into the file"
ABOUT_SHARE = """<p>A <b>link</b> opens this view here. The <b>embed code</b> shows it, live, inside a page of your own.
Both need this page to be running. The <b>file</b> holds the filter, or the place you have chosen on the photo, with all
its pictures and their credits. It needs no server: put it, or the <code>&lt;figure&gt;</code> inside it, into any
page.</p>"""

# Whatever is wrong with the network is in sight.
ABOUT_PAGE = """<details ${value.startsWith('VGG16 is') ? '' : 'open'}><summary>About this page</summary><p>${value}</p>
<p class="credits">VGG16: Simonyan &amp; Zisserman 2015, torchvision's ImageNet weights.
Activation maximization: Erhan et al. 2009; Olah et al. 2017. Based on
<em>cnn-visualizations-pytorch</em> by Justin Bellucci (2020).</p></details>"""

ABOUT_ARITHMETIC = """### One filter on the photo

The filter covers a window of 3 × 3 values, multiplies each by the weight over it, and adds up the products. To move the
window, click the photo or enter a row and a column.

<details><summary>More</summary>The sum includes the <b>bias</b>, one more number that the filter has learned. If it is
negative, it becomes zero (ReLU). The photo's colours are normalised: ImageNet's mean is subtracted, and the rest
divided by its standard deviation, so mid-grey is about 0.</details>"""

ABOUT_SLIDING = """**The filter sliding.** The sum, taken at every position, gives the feature map.

<details><summary>More</summary>On the left is the filter's input: at conv1_1 the photo, in deeper layers the input
channel with the largest kernel. On the right the map grows: blue below zero, orange above. A real filter stops at every
value; this one stops at most 96 times.</details>"""

ABOUT_RELU = """ReLU, the rectified linear unit, turns every value below zero into zero and keeps the rest.<details>
<summary>More</summary>Without it, two convolutions in a row could do no more than a single larger one (Nair & Hinton
2010).</details>"""

ABOUT_POOLING = """Pooling keeps the largest of every 2 × 2 values and drops the other three.<details>
<summary>More</summary>The map becomes half as high and half as wide, and the exact position of a pattern matters
less.</details>"""

ABOUT_FIELD = """The piece of the photo that a value depends on is its <b>receptive field</b>.<details>
<summary>More</summary>Each window of 3 × 3 values extends it by one value on every side. After a pool the values lie
twice as far apart, so it grows faster.</details>"""

ABOUT_NETWORK = """### The network on one screen

Thirteen **convolutions**, layers of filters, turn a photo of 224 × 224 px in 3 colours into maps. Choose a layer to go
there.

<details><summary>More</summary>224 × 224 × 64 means 64 maps of 224 × 224 values. Each convolution is followed by a
ReLU, and each block of them by a pool. The output of pool5 goes to three more layers, in which every value reads all
the values before it. They name what is in the photo (Simonyan & Zisserman 2015).</details>"""

ABOUT_OWN_KERNEL = """### Your own kernel

A **kernel** is one 3 × 3 slice of a filter. Type your own weights, or start from a preset.

<details><summary>More</summary>Sobel compares two sides, the Laplacian compares a value with its four neighbours,
emboss makes a relief. They are applied to the photo exactly as conv1_1 applies its own: to the normalised colours, with
zeros beyond the edge. The results for the three colours are added up, then the bias. Beside your kernel is the filter
of conv1_1 that is most like it. The <b>cosine</b> of their 27 weights is 1 if they differ only in scale, and about 0 if
they have nothing in common. Normalised means {normalised}, where each colour goes from 0 to 1.</details>"""

QUESTIONS = """### Three questions

<details><summary>What are filters and feature maps?</summary>

VGG16 was trained to tell apart 1,000 kinds of things in photos (Simonyan & Zisserman 2015). It has 4,224 filters in 13
layers. A **filter** is a small set of weights. At every position of a picture it gives one number; together these
numbers are its **feature map**. The filters of the next layer read those maps, not the photo. So each of their values
depends on a larger piece of the photo: 3 px across at conv1_1, 196 px at conv5_3. The first filters respond to edges
and colours, deeper ones to textures, then to parts of things (Olah et al. 2017).

</details>
<details><summary>What is activation maximization?</summary>

A feature map shows how a filter responds to one photo. Activation maximization looks for the picture that it responds
to most (Erhan et al. 2009). It starts from noise and changes every pixel a little in the direction that raises the
activation, again and again. Left to itself, it makes pictures that look like noise to people. Small shifts, turns and
zooms at every step, and the colours and frequencies of photos, make pictures that people can read (Olah et al. 2017).
Qin et al. 2018 survey the methods. *The ladder*, in the *Activation maximization* tab, adds them one at a time.

</details>
<details><summary>What can these pictures tell, and what not?</summary>

They show what **can** activate a channel, not what usually does. In a study, people were asked which of two photos
activates a channel more. They were right in 82&nbsp;±&nbsp;4&nbsp;% of cases after nine such pictures, and in
92&nbsp;±&nbsp;2&nbsp;% after nine photos that activate it. Guessing gives 50&nbsp;% (Borowski et al. 2021, with another
network, Inception V1). And pictures can be made to lie: a network can be changed so that they show something else while
it works as before (Geirhos et al. 2024). So look at every view, and at real photos, before you believe any of them.

</details>

<details><summary>The papers</summary>

Erhan et al., *Visualizing Higher-Layer Features of a Deep Network*, 2009 ·
Nair & Hinton, *Rectified Linear Units Improve Restricted Boltzmann Machines*, 2010 ·
Simonyan & Zisserman, [*Very Deep Convolutional Networks*](https://arxiv.org/abs/1409.1556), 2015 ·
Olah et al., [*Feature Visualization*](https://distill.pub/2017/feature-visualization), 2017 ·
Qin et al., [*How convolutional neural networks see the world*](https://arxiv.org/abs/1804.11191), 2018 ·
Borowski et al., [*Exemplary Natural Images*](https://arxiv.org/abs/2010.12606), 2021 ·
Geirhos et al., [*Don't trust your eyes*](https://arxiv.org/abs/2306.04719), 2024

</details>"""
