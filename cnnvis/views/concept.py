"""Everything about one concept: its picture, the photos that have most of it, its map on a photo, and its filters.

And the same in the other direction: the concepts that a filter takes part in.
"""

from collections.abc import Callable, Sequence

from cnnvis.prepared.concepts import NAMED, Concept, Concepts
from cnnvis.views.channel import Best, Own, best_photos, grown_picture, look, own_photo
from cnnvis.views.figures import written
from cnnvis.views.html import Address, channel_button, concept_button, image_at, quiet

NEXT = (("maximize", "Grow it live", "data-start"), ("maps", "Where on my photo?", ""))
SHOWN = 6  # concepts of a filter
# benchmarks/results/concepts.json
JUDGED = """To a network that is not VGG16, on the bundled photos, concepts are hardly easier to tell than single
filters: after nine photos of one, it picked the right one of two patches in 89 % of cases at conv5_1 and in 85 % at
conv5_3; after nine photos of a filter, in 88 and 82 %. People find them easier (Colin et al. 2024)."""
Picture = Callable[[int], Address]  # the picture of a channel or concept of the layer; "" for none


def concept_view(concepts: Concepts, number: int, url: Address, best: Best, own: Own | str, channel: Picture) -> str:
    """Everything about a concept on one screen, as HTML; `url` is the address of its picture, `channel` of others."""
    concept, name = concepts.concepts[number], concepts.named(number)
    picture = grown_picture(name, url), "The large picture was grown by a computer."
    parts = [picture, best_photos(best), own_photo(name, own, "concept", "")]
    buttons = ""
    for tab, label, start in NEXT:
        buttons += f'<button type="button" data-go="{tab}" data-of="concept{number}" {start}>{label}</button>'
    vague = "; vague: found in other photos, it comes out differently" if concept.vague else ""
    many = f"{len(concept.direction)} filters that respond together in many photos{vague}"
    return f"""<h3>Concept {number} <small>{many}</small></h3>{look(parts)}
<p class="next">{buttons}</p>{mixture(concepts, concept, channel)}
<details><summary>Is it one thing?</summary><p class="quiet">{measures(concepts, concept)} {JUDGED}</p></details>"""


def mixture(concepts: Concepts, concept: Concept, picture: Picture) -> str:
    """The filters that a concept mixes, the leading ones as buttons."""
    cells = ""
    for member in concept.channels[:NAMED]:
        words = f"channel {member.channel}, {100 * member.weight:.0f} % of the largest weight"
        inside = f"{image_at(picture(member.channel))}<i>{member.channel} <b>{100 * member.weight:.0f} %</b></i>"
        cells += channel_button(inside, "wire", concepts.layer, member.channel, words)
    rest = len(concept.channels) - NAMED
    more = f"; {rest} weaker ones are left out" if rest > 0 else ""
    head = f"It mixes <small>weights in percent of the largest{more}</small>"
    return f'<h4>{head}</h4><div class="wires mixture">{cells}</div>'


def sum_here(concepts: Concepts, number: int, values: Sequence[float], cell: tuple[int, int], picture: Picture) -> str:
    """What the value of a concept at a cell is made of: each filter's value there, (channels,), times its weight."""
    direction = concepts.concepts[number].direction
    adds = {channel: weight * max(0.0, values[channel]) for channel, weight in direction.items()}
    value, leading = sum(adds.values()), sorted(adds, key=lambda channel: -adds[channel])[:SHOWN]
    if not value:
        return quiet("The concept is not here at all: none of its filters responds.")
    cells, named = "", 0.0
    for channel in leading:
        share = f"{100 * adds[channel] / value:.0f} %"
        named += adds[channel] / value
        inside = f"{image_at(picture(channel))}<i>{channel} <b>{share}</b></i>"
        cells += channel_button(inside, "wire", concepts.layer, channel, f"channel {channel}: {share} of it", cell)
    rest = f"; {len(direction) - len(leading)} more make the rest" if len(direction) > len(leading) else ""
    words = f"Concept {number} is {written(value, '.1f')} here. These filters make {100 * named:.0f} % of it{rest}."
    return f'<h4>Why here?</h4><p>{words} Choose one to see why it responds.</p><div class="wires">{cells}</div>'


def measures(concepts: Concepts, concept: Concept) -> str:
    """How much of the layer a concept is, and whether it is one, in words."""
    photos = len(concepts.shelf.photos)
    alike = written(concept.coherence, ".2f")
    stable = f"Found in each half of the photos by itself, it comes out alike to {concept.stability:.2f} (1: the same)"
    vague = ": too little to rely on, so it is vague." if concept.vague else "."
    return f"""It is {100 * concept.share:.1f} % of what the layer's {len(concepts.concepts)} concepts find in {photos}
photos. {stable}{vague} Its nine photos look {alike} times as alike, in colours and edges, as nine drawn by chance."""


def concepts_of(concepts: Concepts, channel: int, picture: Picture) -> str:
    """The concepts that a filter takes part in most, as buttons, or ""."""
    cells = ""
    for number, weight in concepts.with_channel(channel)[:SHOWN]:
        words = f"concept {number}: this filter has {100 * weight:.0f} % of its largest weight"
        inside = f"{image_at(picture(number))}<i>{number} <b>{100 * weight:.0f} %</b></i>"
        cells += concept_button(inside, "wire", concepts.layer, number, words)
    if not cells:
        return ""
    head = "Takes part in <small>concepts: what several filters say together</small>"
    return f'<h4>{head}</h4><div class="wires">{cells}</div>'


def large_picture(concepts: Concepts, number: int, url: Address) -> str:
    """The picture of a concept, large, and what it is."""
    concept, tile = concepts.concepts[number], concepts.made["tiles"][number]
    name = concepts.named(number)
    return f"""<h2>{name.capitalize()}</h2>
<div class="large-views"><figure>{image_at(url, f"the picture grown to activate {name}")}</figure><section>
<p>Grown from noise, step by step, to excite all filters of this concept together, each by its weight. It shows what
<b>can</b> excite them, not what usually does.</p>
<p class="quiet">A piece of it, enlarged, as large as the photos beside it. Mean of the weighted sum over the whole
picture: {written(tile["activation"], ".1f")}, {written(tile["robust"], ".1f")} on copies that are turned, scaled,
cropped and compressed. Grown ahead: recipe {concepts.made["recipe"]}, seed {tile["seed"]}.</p>
<p class="quiet">{measures(concepts, concept)}</p>
<p class="next"><button type="button" data-go="maximize" data-of="concept{number}" data-start>Grow it live</button></p>
</section></div>"""
