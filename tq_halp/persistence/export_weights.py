"""A model's weights as integers, scales and formats in one file, and back, bit for bit."""

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.atomic_files import replacing
from tq_halp.byte_order import native
from tq_halp.errors import InputError
from tq_halp.layers.lora import updates_of
from tq_halp.persistence import format_codes
from tq_halp.persistence.check_fit import check_same
from tq_halp.persistence.named_weights import weights_by_name
from tq_halp.persistence.packed_integers import pack, signed, unpack, unsigned
from tq_halp.quantization_map.copying.copy_state import settle
from tq_halp.quantizers import Quantizer

KIND, VERSION = "tq_halp export", 1
MANIFEST = "manifest"
_WHOLE = (8, 16, 32, 64)  # widths that NumPy has; others are packed into bytes


@dataclasses.dataclass(frozen=True)
class ExportedTensor:
    """One weight of an export."""

    numbers: np.ndarray  # what the layer computes with
    codes: np.ndarray | None  # uint64 bit patterns, of the same shape; None: floating point
    scale: np.ndarray | None  # as `codes.encode` has it
    quantizer: Quantizer | None
    manifest: Mapping[str, Any]  # what the file says about it


def export(model: keras.Model, path: str | Path) -> None:
    """Writes the weights of a model to an .npz file, quantized ones as integers.

    For each weight, by name ("<path of its layer>/<variable>"), the file holds an array: of a
    quantized one the codes (`codes.encode`; 8, 16, 32 or 64 bits wide as integers of the weight's
    shape, other widths packed without gaps into bytes, element 0 in the lowest bits) and, as
    "<name>:scale", what the format leaves open; of every other the numbers (bfloat16 as uint16).
    "manifest" is a text in JSON: kind, version, the model's name, and for each weight shape, dtype
    of the numbers, and where it is quantized role, quantizer, bits, signed, packed, counter.

    The numbers are those that the layer computes with in inference, in its compute dtype. So the
    random bits of stochastic rounding are those of the layer's counter as it is; the manifest holds
    it, and exporting twice gives the same file. Two remarks: `QuantEmbedding` draws them by
    position in the batch in training and inference, the file by position in the table; and what a
    schedule has in force now is what is exported.

    Raises:
        InputError: `model` is no built Keras model; a weight holds a NaN or an infinity that its
            format has no code for, or has a LoRA update beside it; or there is no such directory.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"path must be in a directory that exists. Received: {str(path)!r}")
    arrays: dict[str, np.ndarray] = {}
    tensors: dict[str, dict[str, Any]] = {}
    _check_merged(model)
    for name, weight in weights_by_name(model).items():
        numbers, step = weight.quantized()
        try:
            tensors[name] = _store(arrays, name, numbers, step, weight.quantizer)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        if weight.quantizer is not None:
            tensors[name] |= {"role": weight.role, "counter": weight.counter}
    manifest = {"kind": KIND, "version": VERSION, "model": model.name, "tensors": tensors}
    arrays[MANIFEST] = np.array(json.dumps(manifest, indent=1))
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def _check_merged(model: keras.Model) -> None:
    for update in updates_of(model) if isinstance(model, keras.Model) else ():
        if not update.is_zero:
            raise InputError(
                f"layer {update.layer.name!r} has a LoRA update beside its {update.weight.name}: "
                "model.save and load_model merge the two; export the model that was loaded"
            )


def _store(
    arrays: dict[str, np.ndarray],
    name: str,
    numbers: np.ndarray,
    step: float | None,
    quantizer: Quantizer | None,
) -> dict[str, Any]:
    """Puts a weight into `arrays`; returns what the manifest says about it."""
    entry = {"shape": list(numbers.shape), "dtype": tf.as_dtype(numbers.dtype).name}
    if quantizer is not None:
        entry["quantizer"] = quantizer.get_config()
    if quantizer is None or not format_codes.has_codes(quantizer.format):
        arrays[name] = numbers.view(np.uint16) if entry["dtype"] == "bfloat16" else numbers
        return entry
    encoded = format_codes.encode(quantizer.format, numbers, step)
    back = format_codes.decode(quantizer.format, encoded, numbers.dtype)
    assert back.tobytes() == numbers.tobytes() or np.isnan(numbers).any(), (name, quantizer)
    whole = encoded.bits in _WHOLE
    arrays[name] = _native(encoded) if whole else pack(encoded.codes, encoded.bits)
    if encoded.scale is not None:
        arrays[f"{name}:scale"] = encoded.scale
    return {**entry, "bits": encoded.bits, "signed": encoded.is_signed, "packed": not whole}


def _native(encoded: format_codes.Encoded) -> np.ndarray:
    if encoded.is_signed:
        return signed(encoded.codes, encoded.bits).astype(f"int{encoded.bits}")
    return encoded.codes.astype(f"uint{encoded.bits}")


def load_export(path: str | Path) -> dict[str, ExportedTensor]:
    """The weights in a file that `export` wrote, by name.

    Raises:
        InputError: there is no such file, or it is another kind of file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: native(array) for name, array in file.items()}
        manifest = json.loads(str(arrays[MANIFEST][()]))
        if manifest["kind"] != KIND or manifest["version"] != VERSION:
            raise InputError(
                f"{path}: must be a {KIND!r} of version {VERSION}. Received: "
                f"{manifest['kind']!r} of version {manifest['version']}"
            )
        return {
            name: _restore(arrays[name], arrays.get(f"{name}:scale"), entry)
            for name, entry in manifest["tensors"].items()
        }
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file, expected one that tq_halp.export wrote") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a file that tq_halp.export wrote whole: {error}") from error


def _restore(
    array: np.ndarray, scale: np.ndarray | None, entry: Mapping[str, Any]
) -> ExportedTensor:
    dtype = tf.as_dtype(entry["dtype"]).as_numpy_dtype
    shape = tuple(entry["shape"])
    quantizer = Quantizer.from_config(entry["quantizer"]) if "quantizer" in entry else None
    if "bits" not in entry:
        is_viewed = entry["dtype"] == "bfloat16" and array.dtype == np.uint16
        numbers = array.view(dtype) if is_viewed else array
        if numbers.dtype != dtype:
            raise ValueError(f"an array of {array.dtype} where {entry['dtype']} should be")
        return ExportedTensor(numbers.reshape(shape), None, None, quantizer, entry)
    if quantizer is None:
        raise ValueError("codes without a quantizer")
    bits, is_signed = entry["bits"], entry["signed"]
    patterns = unpack(array, bits, shape) if entry["packed"] else unsigned(array, bits, is_signed)
    encoded = format_codes.Encoded(patterns.reshape(shape), bits, is_signed, scale)
    numbers = format_codes.decode(quantizer.format, encoded, dtype)
    return ExportedTensor(numbers, encoded.codes, scale, quantizer, entry)


def import_weights(model: keras.Model, path: str | Path) -> None:
    """Sets every weight of a model to what a file of `export` holds for its name.

    The model may be quantized or not. A quantized one rounds the numbers, which are on its grid,
    to themselves.

    Raises:
        InputError: as `load_export`; or the model's weights are not those of the file, by name or
            by shape. Then the model is as it was.
    """
    exported = load_export(path)
    weights = weights_by_name(model)
    check_same(
        {name: tuple(weight.variable.shape) for name, weight in weights.items()},
        {name: tensor.numbers.shape for name, tensor in exported.items()},
        path,
    )
    for name, weight in weights.items():
        weight.variable.assign(exported[name].numbers.astype(weight.variable.dtype))
    settle(model)
