"""The process of a run: trains, then takes the loss of the final weights on the training examples.

The mean over the steps of the last epoch, which a run records, would not compare: an epoch is a
twelfth of one algorithm's training and a fourth of another's, and SWALP trains other weights than
it ends with.
"""

import json
import sys
from pathlib import Path

from tq_halp.atomic_files import replacing
from tq_halp.commands.compare import worker_process
from tq_halp.commands.exit_status import FINISHED

#: The file in a run's folder.
FILE = "training_loss.json"


def main() -> int:
    """As ``worker_process.main``, with the command line's arguments."""
    status = worker_process.main()
    if status == FINISHED:
        folder = Path(sys.argv[sys.argv.index("--run-dir") + 1])
        with replacing(folder / FILE) as path:
            path.write_text(json.dumps({"loss": training_loss(folder)}) + "\n", encoding="utf-8")
    return status


def training_loss(folder: Path) -> float:
    """The loss of a classifier or language model, with its penalty, over the training examples."""
    from tq_halp.commands.running.tf_startup import start_tensorflow

    start_tensorflow()
    import keras

    import tq_halp.keras_registration  # noqa: F401  a model may hold classes of ours
    from tq_halp import config as configs, data

    config = configs.load(folder / "config.yaml")
    x, y = data.load(config.data).train
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    size = config.train.validation_batch_size or config.train.batch_size
    return float(model.evaluate(x, y, size, verbose=0))


if __name__ == "__main__":
    sys.exit(main())
