"""Call the page from a program: list the layers, draw filters and feature maps, and follow an ascent.

    python examples/client.py [URL] [FOLDER]

URL is the address of a running page (default http://127.0.0.1:7860) or a Space's name. Pictures are saved in FOLDER.
"""

import shutil
import sys
from pathlib import Path

from gradio_client import Client, handle_file

PHOTO = Path(__file__).parent / "chelsea.jpg"


def main(url: str = "http://127.0.0.1:7860", folder: str = "client-pictures") -> None:
    """Call every endpoint once and save the pictures."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    client = Client(url, verbose=False)

    for layer in client.predict(api_name="/layers"):
        print(f"{layer['name']:8} {layer['channels']:3} channels, each seeing {layer['receptive_field']} px")

    sheet, record = client.predict(layer="conv1_1", api_name="/filters")
    shutil.copy(sheet, out / "filters.png")
    print(f"{record['channels']} filters of {record['layer']}, full colour at ±{record['scale']:.2f}")

    photo = handle_file(PHOTO)
    sheet, record = client.predict(photo, layer="conv3_1", order="strength", api_name="/feature_maps")
    shutil.copy(sheet, out / "feature_maps.jpg")
    print(f"{record['layer']}: channel {record['order'][0]} responds most, {record['strength'][0]:.2f} on average")

    picture, overlay, record = client.predict(photo, "conv4_3", 17, api_name="/feature_map")
    shutil.copy(picture, out / "feature_map.png")
    shutil.copy(overlay, out / "overlay.png")
    print(f"{record['layer']} channel {record['channel']}: {record['min']:.2f} to {record['max']:.2f}")

    sheet, record = client.predict("conv5_1", api_name="/concepts")  # what several channels say together
    shutil.copy(sheet, out / "concepts.png")
    first = record["concepts"][0]
    print(
        f"{len(record['concepts'])} concepts of {record['layer']}; the first is led by channel {first['channels'][0]}"
    )

    for picture, record in client.submit(layer="conv3_1", channel=5, steps=24, size=128, api_name="/maximize"):
        shutil.copy(picture, out / f"step{record['step']:03}{Path(picture).suffix}")
        print(f"step {record['step']} of {record['steps']}, activation {record['activation']}")
    print(f"saved activation {record['saved_activation']:.1f}, robust activation {record['robust']:.1f}")

    job = client.submit(layer="conv5_1", channel=5, steps=512, api_name="/maximize")  # a minute of work
    for _, record in job:
        if record["step"] >= 2:
            job.cancel()  # the page stops after the current step
            print(f"cancelled at step {record['step']} of {record['steps']}")
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
