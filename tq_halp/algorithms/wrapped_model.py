"""A ``keras.Model`` around the user's model: what both share, and the states that one adds."""

import warnings

import keras

from tq_halp.algorithms.checks import check_model, checked_seed
from tq_halp.algorithms.minibatch_gradient import wide_dtype
from tq_halp.unsaved_states import SavesStates


class AroundModel(SavesStates, keras.Model):
    """Computes what ``model`` computes; its weights are the model's own, and states of its own."""

    def __init__(self, model, *, seed=0, name=None, **kwargs):
        check_model(model, type(self).__name__)
        # The model's policy decides about loss scales; the model itself casts what it is given.
        kwargs.setdefault("dtype", model.dtype_policy)
        super().__init__(name=name, autocast=False, **kwargs)
        self.model = model
        self.seed = checked_seed(seed)
        self._has_state = False
        self._weights_with_copies, self._state_number = None, 0

    def _begin(self):
        """After the constructors: states for a built model, the compilation of a compiled one."""
        if self.model.built:
            self._create_state()
            self.built = True
        if self.model.compiled:
            self._compile_as_the_model()

    def _compile_as_the_model(self):
        try:
            self.compile_from_config(self.model.get_compile_config())
        except (TypeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            warnings.warn(
                f"{type(self).__name__} is not compiled as the model is, which Keras cannot copy: "
                f"{reason} Call its compile.",
                stacklevel=4,
            )

    @property
    def output_names(self):
        """By which losses and metrics of several outputs are given, as for the model itself."""
        return getattr(self.model, "output_names", None)

    def call(self, inputs, training=None):
        return self.model(inputs, training=training)

    def build(self, input_shape):
        if not self.model.built:
            self.model.build(input_shape)
        self._create_state()

    def show_result(self):
        """Called before somebody looks: put what training is for into the model."""

    def export(self, *args, **kwargs):
        """``keras.Model.export`` of the model inside, which holds all that inference needs."""
        self.show_result()
        return self.model.export(*args, **kwargs)

    def get_config(self):
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["model"] = keras.saving.deserialize_keras_object(config["model"])
        return cls(**config)

    # ---- state -------------------------------------------------------------------------------

    def _create_state(self):
        if self._has_state:
            return
        self._has_state = True
        self.step_count = self._zeros("step_count")
        self.sample_count = self._zeros("sample_count")
        self.create_state()

    def create_state(self):
        """Create the algorithm's own variables; the model is built."""

    def _zeros(self, name, shape=(), dtype="int64"):
        variable = self.add_weight(
            shape=shape, initializer="zeros", dtype=dtype, trainable=False, name=name
        )
        # tf.train.Checkpoint looks for attributes, and passes over lists of variables in silence.
        self._state_number += 1
        setattr(self, f"_state_{self._state_number}", variable)
        return variable

    def _like_weights(self, name, wide=False):
        """One zero variable per trainable variable of the model; ``wide`` in float32 at least."""
        self._weights_with_copies = [id(variable) for variable in self.trainable_variables]
        variables = enumerate(self.trainable_variables)
        return [
            self._zeros(f"{name}_{i}", v.shape, wide_dtype(v.dtype) if wide else v.dtype)
            for i, v in variables
        ]

    def random_counter(self, index):
        """A counter that no other (step, variable) of this run uses."""
        return self.step_count.value * len(self.trainable_variables) + index
