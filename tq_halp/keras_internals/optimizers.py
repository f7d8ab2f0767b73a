"""What a Keras optimizer keeps for the variables that it moves."""

import keras

_VARIABLE_LISTS = ("_variables", "_trainable_variables")


def moved_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The trainable variables with which a built optimizer was built, in its order.

    Why private: ``optimizer.variables`` are the optimizer's own state.
    """
    return optimizer._trainable_variables


def state_lists(optimizer: keras.optimizers.Optimizer) -> dict[str, list]:
    """{attribute: list} of the lists that an optimizer keeps, such as Adam's "_momentums".

    Why private: ``optimizer.variables`` does not tell which variable belongs to which weight.
    """
    return {
        name: entries
        for name, entries in vars(optimizer).items()
        if isinstance(entries, list) and name not in _VARIABLE_LISTS
    }


def sgd_velocity(optimizer: keras.optimizers.SGD, variable: keras.Variable) -> keras.Variable:
    """V, the momentum that a built SGD keeps for one of its variables.

    Why private: ``momentums`` is public, the place of a variable in it is not.
    """
    return optimizer.momentums[optimizer._get_variable_index(variable)]


def adam_moments(
    optimizer: keras.optimizers.Adam, variable: keras.Variable
) -> tuple[keras.Variable, keras.Variable]:
    """m, and the v by whose root the step divides, that a built Adam keeps for a variable.

    Why private: ``optimizer.variables`` does not tell which variable belongs to which weight.
    """
    index = optimizer._get_variable_index(variable)
    second = optimizer._velocity_hats if optimizer.amsgrad else optimizer._velocities
    return optimizer._momentums[index], second[index]


def decays_weight(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> bool:
    """Whether the optimizer's ``weight_decay`` applies to a variable.

    Why private: ``exclude_from_weight_decay`` sets what this reads; nothing public reads it.
    """
    return optimizer._use_weight_decay(variable)


def rate_schedule(
    optimizer: keras.optimizers.Optimizer,
) -> keras.optimizers.schedules.LearningRateSchedule | None:
    """The schedule of the learning rate; None if the rate is a number or a function.

    Why private: ``learning_rate`` is the rate of now only.
    """
    rate = optimizer._learning_rate
    return rate if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else None


def scheduled_steps(optimizer: keras.optimizers.Optimizer) -> int:
    """The step at which the schedule is now.

    Why private: with gradient accumulation ``iterations`` counts fewer steps than the schedule.
    """
    return int(optimizer._iterations)
