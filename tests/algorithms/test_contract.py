"""What each algorithm makes of each situation: right, or refused by name. One table."""

import contract_of_models
import contract_of_saving
import contract_of_steps
import pytest
from contract import CLASSES

import tq_halp
from tq_halp.algorithms.config_names import ALGORITHMS

# r: right, as the function of that name shows. A letter: refused, with the message below. -: not
# asked, or shown by other columns for the two parts: for LPSVRG's by LPSGD and SVRG, for BCSGD's by
# SGD and HALP, for SAGA's by SGD and BCSAGA.
TABLE = """
                            SGD  LPSGD SWALP SVRG LPSVRG HALP BCSGD  SAGA BCSAGA
train_on_batch               r     r     r    d     d     d     d      d     d
train_on_batch_with_data     -     -     -    r     r     r     r      r     r
train_on_batch_after_fit     r     r     r    d     d     d     d      d     d
train_step_by_itself         r     r     r    s     s     s     s      s     s
unknown_length               r     r     r    r     r     r     r      r     r
several_steps_per_execution  r     r     r    r     -     r     -      r     r
other_lengths_every_epoch    r     r     r    r     -     r     -      r     r
a_longer_epoch_than_the_first r    r     r    r     r     r     r      m     m
weights_set_by_a_callback    r     r     r    r     -     r     -      r     r
two_dtypes                   r     r     r    r     -     r     -      r     r
save_and_go_on               r     r     r    r     r     r     r      -     r
best_model_of_epochs         r     r     r    r     -     r     -      -     r
checkpoints_of_batches       r     r     r    r     -     r     -      -     r
best_weights_restored        r     r     r    r     -     r     -      -     r
backup_and_restore           r     r     r    r     r     r     r      r     r
tensorflows_checkpoint       r     r     r    r     -     r     -      r     r
moving_averages              r     r     e    r     -     r     -      -     r
swapped_averages             r     r     e    r     -     r     -      -     r
non_negative                 r     r     r    r     r     r     r      -     r
largest_norm                 r     r     r    r     -     r     -      -     r
unit_norm                    r     r     r    r     -     r     -      -     r
norm_from_to                 r     r     r    r     -     r     -      -     r
several_optimizers           r     r     r    r     -     r     -      -     r
a_frozen_layer               r     r     r    r     -     r     -      r     r
frozen_afterwards            r     r     f    f     f     f     f      f     f
all_frozen                   a     a     a    a     a     a     a      a     a
no_samples                   n     n     n    n     n     n     n      n     n
weights_of_classes           r     r     r    r     -     r     -      -     r
under_xla                    r     r     r    r     r     r     r      r     r
"""
REFUSED = {
    "d": "must know the training data before train_on_batch.*set_full_gradient_data",
    "s": "train_step of .* must not be called by itself",
    "e": "use_ema of the optimizer must be False for SWALP",
    "f": "model has other trainable weights than when",
    "a": "model must have a trainable weight",
    "n": "at least one sample",
    "m": "needs the same minibatches in every epoch",
}
HEAD, *ROWS = (line.split() for line in TABLE.strip().splitlines())
CASES = [
    pytest.param(situation, kind, outcome, id=f"{situation}-{kind}")
    for situation, *outcomes in ROWS
    for kind, outcome in zip(CLASSES, outcomes, strict=True)
    if outcome != "-"
]


def test_the_table_is_of_all_classes():
    assert len(HEAD) == len(CLASSES)
    assert set(CLASSES) == {kind.__name__ for kind in ALGORITHMS.values()}


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize(("situation", "kind", "outcome"), CASES)
def test_contract(situation, kind, outcome, tmp_path):
    modules = (contract_of_steps, contract_of_saving, contract_of_models)
    (show,) = (vars(each)[situation] for each in modules if situation in vars(each))
    if outcome == "r":
        show(kind, tmp_path)
    else:
        with pytest.raises(tq_halp.InputError, match=REFUSED[outcome]):
            show(kind, tmp_path)
