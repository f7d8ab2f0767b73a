"""Dense layers and convolutions with a low-precision accumulator: the role `accumulator`."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import ops

from tq_halp.layers.conv_patches import patches
from tq_halp.layers.portable_graph_ops import portable
from tq_halp.layers.quantized_layer_mixin import PRODUCT_ROLES
from tq_halp.layers.variable_substitution import call_with, weights_of
from tq_halp.mixin_typing import MixinBase

#: A matrix product: (a [..., K], b [K, N]) -> [..., N].
Multiply = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class AccumulatedProduct(MixinBase):
    """Mixin before `QuantizedLayer`, for layers that multiply their input by one kernel.

    With the role `accumulator`, a `tq_halp.quantizers.Accumulator` or its mapping, the product's
    running sum is rounded every few terms: see `quant_ops.matmul_rounded`. The bias is added to the
    rounded product. Gradients are those of the plain product.

    A subclass defines `_product(multiply, x, kernel)`, in which multiply(a, b) is the rounded
    matrix product.
    """

    roles: tuple[str, ...] = (*PRODUCT_ROLES, "accumulator")

    def call(self, inputs, training=None):  # type: ignore[no-untyped-def]  # as Keras' own
        keras_call = super().call
        if self.quantizers["accumulator"] is None:
            return self._call_quantized(lambda: keras_call(inputs), training)
        counter = self._start_call(training, inputs)
        substitutes = self._substitutes(weights_of(self), counter)
        outputs = call_with(self, substitutes, lambda: self._accumulate(inputs, counter))
        return self._outputs(outputs, counter)

    def _accumulate(self, inputs: tf.Tensor, counter: tf.Tensor | int) -> tf.Tensor:
        """The Keras layer's call with the rounded product."""
        accumulator = self.quantizers["accumulator"].derive(f"{self.name}/accumulator")
        multiply = functools.partial(accumulator, counter=counter)
        # Keras may return the variable itself, which a custom gradient does not accept.
        kernel = tf.convert_to_tensor(ops.convert_to_tensor(self.kernel))
        with portable():
            y = self._product(multiply, inputs, kernel)
        if self.use_bias:
            y = ops.add(y, self._broadcast(ops.convert_to_tensor(self.bias)))
        return y if self.activation is None else self.activation(y)

    def _broadcast(self, bias: tf.Tensor) -> tf.Tensor:
        """The bias in a shape that broadcasts to the outputs."""
        return bias


class AccumulatedConvolution(AccumulatedProduct):
    """The same for convolutions, computed as the product of patches and the kernel.

    The terms of an output are ordered by the kernel's position, row by row, then by the channel.
    Terms in the padding are products with 0 and count like all others. Random bits depend on the
    output's flat index in [..., filters], or with groups in [groups, ..., filters / groups].
    """

    def _product(self, multiply: Multiply, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def convolve(
            x: tf.Tensor, kernel: tf.Tensor
        ) -> tuple[tf.Tensor, Callable[[tf.Tensor], Any]]:
            def gradient(upstream: tf.Tensor) -> Any:
                with tf.GradientTape() as tape:  # in a graph the forward product is pruned
                    tape.watch((x, kernel))
                    y = self._plain(x, kernel)
                return tape.gradient(y, (x, kernel), upstream)

            return self._rounded(multiply, x, kernel), gradient

        return convolve(x, kernel)

    def _broadcast(self, bias: tf.Tensor) -> tf.Tensor:
        if self.data_format == "channels_last":
            return bias
        return ops.reshape(bias, (1, self.filters) + (1,) * self.rank)

    def _plain(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if self.padding == "causal":
            x, padding = ops.pad(x, self._causal_padding()), "valid"
        else:
            padding = self.padding
        return ops.conv(
            x,
            kernel,
            strides=list(self.strides),
            padding=padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )

    def _causal_padding(self) -> list[list[int]]:
        """Zeros before the first time step, so that no output reads a later input."""
        before = [self.dilation_rate[0] * (self.kernel_size[0] - 1), 0]
        none = [0, 0]
        return [none, before, none] if self.data_format == "channels_last" else [none, none, before]

    def _rounded(self, multiply: Multiply, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        first = self.data_format == "channels_first"
        if first:
            x = tf.transpose(x, [0, *range(2, self.rank + 2), 1])
        a = patches(x, self.kernel_size, self.strides, self.dilation_rate, self.padding)
        y = (
            self._by_groups(multiply, a, kernel)
            if self.groups > 1
            else _ungrouped(multiply, a, kernel)
        )
        return tf.transpose(y, [0, self.rank + 1, *range(1, self.rank + 1)]) if first else y

    def _by_groups(self, multiply: Multiply, a: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The product for each group of channels and filters, of which `groups` are independent."""
        outer, groups = tf.shape(a)[:-2], self.groups
        static, (positions, channels) = a.shape[:-2], a.shape[-2:]
        a = tf.reshape(a, [-1, positions, groups, channels // groups])
        a = tf.transpose(a, [2, 0, 1, 3])
        a = tf.reshape(a, [groups, -1, positions * channels // groups])
        b = tf.reshape(kernel, [-1, groups, self.filters // groups])
        y = multiply(a, tf.transpose(b, [1, 0, 2]))
        y = tf.reshape(tf.transpose(y, [1, 0, 2]), tf.concat([outer, [self.filters]], 0))
        return tf.ensure_shape(y, static + [self.filters])


def _ungrouped(multiply: Multiply, a: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return multiply(
        tf.reshape(a, tf.concat([tf.shape(a)[:-2], [-1]], 0)),
        tf.reshape(kernel, [-1, kernel.shape[-1]]),
    )
