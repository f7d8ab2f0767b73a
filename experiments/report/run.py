"""The example of docs/report.md: a map of 8 bits everywhere, on an LSTM that has learned a little.

Usage: python -m experiments.report.run [PAGE.html]

Half a minute on 2 cores. Writes report.txt and the plots beside it, and the page where told.
"""

import pydoc_data.topics
import sys
from pathlib import Path

import keras
import numpy as np

import tq_halp
from tq_halp.analysis.svg_plots import magnitudes_svg

HERE = Path(__file__).parent
LENGTH = 32  # characters that the next one is told from
MAP = {
    "version": 1,
    "formats": {
        "w8": {"format": "fixed_point", "word_bits": 8, "frac_bits": 6},
        "a8": {"format": "fixed_point", "word_bits": 8, "frac_bits": 6},
        "g8": {"format": "fixed_point", "word_bits": 8, "frac_bits": 9},
    },
    "rules": [
        {
            "layers": ".*",
            "weights": "w8",
            "activations": "a8",
            "gates": "a8",
            "state": "a8",
            "gradients": "g8",
            "errors": "g8",
        }
    ],
}
STYLE = """<style>text { font: 10px sans-serif; fill: #66707d } .power { font-size: 7px }
.inside { fill: #3b73b9 } .saturated { fill: #c8372d } .to-zero { fill: #e0932f }
.axis { stroke: #66707d } .suggested { stroke: #2b8a57; stroke-dasharray: 4 3 }</style>"""


def text(characters=20_000):
    """(windows, the character after each) of the manual that every Python carries."""
    letters = "".join(value for _, value in sorted(pydoc_data.topics.topics.items()))[:characters]
    codes = np.frombuffer(letters.encode("ascii", "replace"), np.uint8).astype("int32")
    windows = np.lib.stride_tricks.sliding_window_view(codes, LENGTH + 1)
    return windows[:, :-1], windows[:, -1]


def build():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input([LENGTH], dtype="int32"),
            keras.layers.Embedding(128, 16, name="embedding"),
            keras.layers.LSTM(48, name="lstm"),
            keras.layers.Dense(128, name="next"),
        ],
        name="characters",
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    return model


def figure(found, layer, role, tensor):
    """The magnitudes of one tensor as an SVG file of its own."""
    [row] = [r for r in found.rows if (r.layer, r.role, r.tensor) == (layer, role, tensor)]
    opening, rest = magnitudes_svg(row).split(">", 1)
    return f'{opening} xmlns="http://www.w3.org/2000/svg">{STYLE}{rest}\n'


def main():
    x, y = text()
    model = build()
    model.fit(x, y, batch_size=128, epochs=3, verbose=2)
    quantized = tq_halp.QuantizationMap.from_dict(MAP).apply(model)
    report = tq_halp.report(quantized, (x[::40], y[::40]), batch_size=128)
    (HERE / "report.txt").write_text(f"{report}\n", encoding="utf-8")
    for role, tensor in (("state", "cell_state"), ("errors", "output")):
        svg = figure(report, "lstm", role, tensor)
        (HERE / f"{role}.svg").write_text(svg, encoding="utf-8")
    for page in sys.argv[1:2]:
        report.save_html(page)


if __name__ == "__main__":
    main()
