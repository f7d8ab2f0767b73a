"""The minifloats that have names: their parameters, and how other libraries call them."""

import dataclasses

import gfloat
import ml_dtypes
import numpy as np
import oracle_floats
import tensorflow as tf

import quant_ops


@dataclasses.dataclass(frozen=True)
class Named:
    """Arguments of `quant_ops.minifloat`, and the NumPy dtype of the same format, if any."""

    exponent_bits: int
    mantissa_bits: int
    specials: str
    exponent_bias: int | None = None
    dtype: type | None = None

    def quantize(self, x, **how) -> tf.Tensor:
        return quant_ops.minifloat(
            x, self.exponent_bits, self.mantissa_bits,
            specials=self.specials, exponent_bias=self.exponent_bias, **how,
        )  # fmt: skip

    def grid(self, subnormals: bool = True) -> oracle_floats.Grid:
        return oracle_floats.minifloat_grid(
            self.exponent_bits, self.mantissa_bits, self.specials, self.exponent_bias, subnormals
        )

    def gfloat(self) -> gfloat.FormatInfo:
        return gfloat.FormatInfo(
            name="", k=1 + self.exponent_bits + self.mantissa_bits,
            precision=1 + self.mantissa_bits, bias=self.grid().bias, is_signed=True,
            domain=gfloat.Domain.Extended if self.specials == "ieee" else gfloat.Domain.Finite,
            has_nz=self.specials != "fnuz",
            num_high_nans={"ieee": 2**self.mantissa_bits - 1, "nan": 1}.get(self.specials, 0),
            has_subnormals=True, is_twos_complement=False,
        )  # fmt: skip


NAMED = {
    "float32": Named(8, 23, "ieee", dtype=np.float32),
    "tensorfloat32": Named(8, 10, "ieee"),
    "bfloat16": Named(8, 7, "ieee", dtype=ml_dtypes.bfloat16),
    "float16": Named(5, 10, "ieee", dtype=np.float16),
    "float8_e5m2": Named(5, 2, "ieee", dtype=ml_dtypes.float8_e5m2),
    "float8_e4m3": Named(4, 3, "ieee", dtype=ml_dtypes.float8_e4m3),
    "float8_e3m4": Named(3, 4, "ieee", dtype=ml_dtypes.float8_e3m4),
    "float8_e4m3fn": Named(4, 3, "nan", dtype=ml_dtypes.float8_e4m3fn),
    "float8_e5m2fnuz": Named(5, 2, "fnuz", dtype=ml_dtypes.float8_e5m2fnuz),
    "float8_e4m3fnuz": Named(4, 3, "fnuz", dtype=ml_dtypes.float8_e4m3fnuz),
    "float8_e4m3b11fnuz": Named(4, 3, "fnuz", 11, dtype=ml_dtypes.float8_e4m3b11fnuz),
    "float6_e3m2fn": Named(3, 2, "none", dtype=ml_dtypes.float6_e3m2fn),
    "float6_e2m3fn": Named(2, 3, "none", dtype=ml_dtypes.float6_e2m3fn),
    "float4_e2m1fn": Named(2, 1, "none", dtype=ml_dtypes.float4_e2m1fn),
}
